package loginform

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"

	"golang.org/x/net/html"
)

// FailurePage returns the request URI of the login page to which an answer redirects. ok is
// false if it leads elsewhere.
func (f *Form) FailurePage(a *Answer) (uri string, ok bool) {
	to, ok := f.redirect(a)
	if !ok {
		return "", false
	}
	way, ok := strictPath(to)
	if !ok || !f.page.strict(&http.Request{Method: http.MethodGet, URL: to}, way) {
		return "", false
	}
	return to.RequestURI(), true
}

// redirect returns the path and query to which an answer redirects on the app's own host.
func (f *Form) redirect(a *Answer) (*url.URL, bool) {
	given := a.Header.Values("Location")
	if a.Status < 300 || a.Status > 399 || len(given) != 1 || a.URL == nil {
		return nil, false
	}
	to, err := a.URL.Parse(given[0])
	if err != nil || to.Host != a.URL.Host || to.User != nil || to.Opaque != "" || to.Path == "" {
		return nil, false
	}
	return f.local(to), true
}

// local returns path and query of a URL, without session ids.
func (f *Form) local(u *url.URL) *url.URL {
	u = &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}
	if uri, found := f.WithoutSessionID(u); found {
		if short, err := url.ParseRequestURI(uri); err == nil {
			return short
		}
	}
	return u
}

// Follow returns the page that is to be judged in place of an answer that redirects there, fetched
// as a browser would with what the answers set, or the answer itself: without Config.Follow,
// and where it leads to another host or wants the form sent once more.
func (f *Form) Follow(ctx context.Context, a *Answer, probe Prober) (*Answer, error) {
	for range maxFollowed {
		to, ok := f.redirect(a)
		if !f.config.Follow || !ok || a.Status == http.StatusTemporaryRedirect || a.Status == http.StatusPermanentRedirect {
			return a, nil
		}
		page, err := ask(ctx, probe, to.RequestURI())
		if err != nil {
			return a, err
		}
		a = page
	}
	return a, nil
}

// maxFollowed is how often Follow lets itself be led on.
const maxFollowed = 5

// ShowsAt tells whether a page may be shown as the answer to another URL than its own: its
// links mean the same there, since both are in one folder or none of them is relative.
func (a *Answer) ShowsAt(at *url.URL) bool {
	if a.URL == nil || at == nil {
		return false
	}
	if path.Dir(a.URL.Path) == path.Dir(at.Path) {
		return true
	}
	root, err := html.Parse(bytes.NewReader(a.Body))
	if err != nil {
		return false
	}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && relative(n) {
			return false
		}
	}
	return true
}

// linking are the attributes that hold the address of something.
var linking = map[string]bool{
	"href": true, "src": true, "action": true, "formaction": true, "poster": true, "data": true, "background": true, "srcset": true,
}

var absolute = regexp.MustCompile(`^(?:/|#|[a-zA-Z][a-zA-Z0-9+.-]*:)`)

// relative tells whether an element leads somewhere that depends on the page's own URL. A
// form without an action does.
func relative(n *html.Node) bool {
	if n.Data == "form" && attribute(n, "action") == "" || n.Data == "meta" && strings.EqualFold(attribute(n, "http-equiv"), "refresh") {
		return true
	}
	for _, a := range n.Attr {
		if !linking[a.Key] {
			continue
		}
		for address := range strings.SplitSeq(a.Val, ",") {
			if !absolute.MatchString(strings.TrimSpace(address)) {
				return true
			}
			if a.Key != "srcset" {
				break
			}
		}
	}
	return false
}
