package loginform

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"path"
	"strings"

	"golang.org/x/net/html"
)

// Renew puts the values that the hidden fields of a fresh login page have into a login
// request made on an older one, so that tokens fit the cookies that came with the page. It adds
// no field, and changes neither name nor password. It tells whether the page has the form;
// otherwise, and for JSON, the request stays as it is.
func (f *Form) Renew(s *Submission, page *Answer) bool {
	if s.read == nil || s.read.json != nil || page == nil || page.Status != http.StatusOK || page.Truncated || page.encoded() {
		return false
	}
	root, err := html.Parse(bytes.NewReader(page.Body))
	if err != nil {
		return false
	}
	for form := range root.Descendants() {
		if form.Type != html.ElementNode || form.Data != "form" || f.fields(form) == nil {
			continue
		}
		s.read.replace(f.hidden(form))
		clear(s.Body)
		s.Body, s.ContentType = s.read.encode()
		return true
	}
	return false
}

// hidden are the values of the hidden fields of a form, of which neither is the name
// or the password, nor what tells a login request from others.
func (f *Form) hidden(form *html.Node) map[string]string {
	values := make(map[string]string)
	for n := range form.Descendants() {
		if n.Type != html.ElementNode || n.Data != "input" || !strings.EqualFold(attribute(n, "type"), "hidden") {
			continue
		}
		name, value := attribute(n, "name"), attribute(n, "value")
		if checkField(name, value) == nil {
			values[name] = value
		}
	}
	delete(values, f.config.User.Form)
	delete(values, f.config.Password.Form)
	for _, p := range f.submit.all {
		for _, c := range p.conditions {
			delete(values, c.form)
		}
	}
	return values
}

func (b *body) replace(values map[string]string) {
	for i, field := range b.fields {
		if value, ok := values[field.name]; ok {
			b.fields[i].value = value
		}
	}
}

// FailurePage returns the request URI of the login page to which an answer redirects. ok is
// false if it leads elsewhere, or to where links of that page would mean something else
// than beside the form's own address.
func (f *Form) FailurePage(a *Answer) (uri string, ok bool) {
	to, ok := f.redirect(a)
	if !ok {
		return "", false
	}
	way, ok := strictPath(to)
	if !ok || path.Dir(way) != path.Dir(a.URL.Path) || !f.page.strict(&http.Request{Method: http.MethodGet, URL: to}, way) {
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
