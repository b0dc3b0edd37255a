package attack_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// forgeries are requests as another site can make a browser send them (B-01).
var forgeries = map[string]http.Header{
	"other origin":             {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
	"other origin, old":        {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {""}},
	"sibling":                  {"Origin": {"http://evil.localhost"}, "Sec-Fetch-Site": {"same-site"}},
	"null":                     {"Origin": {"null"}, "Sec-Fetch-Site": {"cross-site"}},
	"no origin, but cross":     {"Origin": {""}, "Sec-Fetch-Site": {"cross-site"}},
	"another scheme":           {"Origin": {"https://localhost"}, "Sec-Fetch-Site": {""}},
	"another port":             {"Origin": {"http://localhost:1"}, "Sec-Fetch-Site": {"same-site"}},
	"only the referer is ours": {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}, "Referer": {"http://localhost/"}},
}

// posts are all that changes something, with values that would do.
func posts(token string) map[string]url.Values {
	return map[string]url.Values{
		gatetest.PathTOTP:      {"form_token": {token}, "code": {"123456"}},
		gatetest.PathChallenge: {"form_token": {token}, "method": {"totp"}, "code": {"123456"}},
		gatetest.PathCodes:     {"form_token": {token}, "saved": {"yes"}},
		gatetest.PathSignOut:   {"form_token": {token}, "everywhere": {"yes"}},
		gatetest.PathEnrol:     {"form_token": {token}, "ticket": {"x"}},
	}
}

// B-01: another site cannot do anything in a person's browser, even if it knew
// the token of the form.
func TestCrossSitePosts(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	token := formToken(t, p)
	for what, header := range forgeries {
		for path, values := range posts(token) {
			r := p.PostRequest(t, path, values)
			for name, v := range header {
				if r.Header[name] = v; v[0] == "" {
					delete(r.Header, name)
				}
			}
			if page := p.Do(t, r); page.Status != http.StatusForbidden {
				t.Errorf("POST %s, %s: got %d; want 403", path, what, page.Status)
			}
		}
	}
	wantReaches(t, p)
}

// B-01: where no header tells the origin, the token of the form must.
func TestPostsWithoutToken(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p, eve := enrolled(t, s, "alice"), enrolled(t, s, "bob")
	for what, token := range map[string]string{"no token": "", "another session's token": formToken(t, eve), "nonsense": "x"} {
		for path, values := range posts(token) {
			r := p.PostRequest(t, path, values)
			r.Header.Del("Origin")
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Del("Sec-Fetch-Mode")
			if page := p.Do(t, r); page.Status != http.StatusForbidden {
				t.Errorf("POST %s with %s: got %d; want 403", path, what, page.Status)
			}
		}
	}
	wantReaches(t, p)
}

func formToken(t *testing.T, p *gatetest.Person) string {
	t.Helper()
	token := p.Navigate(t, gatetest.PathSecurity).Form(t, gatetest.PathSignOut).Values.Get("form_token")
	if token == "" {
		t.Fatal("the form has no token")
	}
	return token
}

// B-01: the API takes JSON from its own origin, and nothing that a form can send.
func TestCrossSiteAPI(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""} {
		r := p.Request(t, "DELETE", "/.mfa/api/v1/session", strings.NewReader(`{"a":"="}`), http.Header{"Content-Type": {kind}, "Origin": {"https://evil.example"}})
		wantClientError(t, "DELETE session from elsewhere as "+kind, p.Do(t, r))
		r = p.Request(t, "POST", "/.mfa/api/v1/challenge", strings.NewReader(`{"method":"totp","code":"123456"}`), http.Header{"Content-Type": {kind}})
		wantClientError(t, "POST challenge as "+kind, p.Do(t, r))
	}
	wantReaches(t, p)
}

// redirects are ways to write another site as a local path (B-03, B-10, B-04).
var redirects = []string{
	"//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`, `\/evil.example`, "/%09/evil.example", "/\t/evil.example",
	"https://evil.example", "https:evil.example", "http:/evil.example", "HTTPS://evil.example", "javascript:alert(1)", "data:text/html,x",
	"//evil.example/%2f..", "/%2f/evil.example", "/.//evil.example", "/..//evil.example", "//evil%E3%80%82example", "/\r\nLocation: //evil.example",
	"%2f%2fevil.example", "@evil.example", ".evil.example", "//localhost@evil.example", "http://localhost@evil.example", "/\x00/evil.example",
	" //evil.example", "\u2028//evil.example", "//[::1]", "?//evil.example", "//;@evil.example", "/x\nSet-Cookie: a=b", "/x%0d%0aSet-Cookie:%20a=b",
	"/%5cevil.example", "/%2e%2e//evil.example", "/.mfa/sign-out", "https%3a%2f%2fevil.example", "////evil.example", "/\u2215evil.example",
}

// B-03, B-10: whatever a link asks for, the person stays on the site.
func TestOpenRedirects(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	q := p.Elsewhere()
	for _, to := range redirects {
		for _, path := range []string{gatetest.PathChallenge, gatetest.PathEnrol, gatetest.PathSecurity, gatetest.PathCodes} {
			wantLocal(t, to, p.Open(t, path+"?return="+url.QueryEscape(to)))
			wantLocal(t, to, q.Open(t, path+"?return="+url.QueryEscape(to)))
		}
	}
	for i, to := range redirects[:min(len(p.Codes), 8)] {
		q := p.Elsewhere()
		page := q.Open(t, gatetest.PathChallenge)
		if page.Status != 200 {
			page = q.Challenge(t)
		}
		v := code("recovery", p.Codes[i])
		v.Set("return", to)
		page = q.Post(t, page, gatetest.PathChallenge, v)
		if page.Status != http.StatusSeeOther {
			t.Errorf("return=%q: got %d; want 303:\n%s", to, page.Status, page.Text())
		}
		wantLocal(t, to, page)
	}
}

// wantLocal checks a redirect as a browser would read it, and the fields that
// lead on.
func wantLocal(t *testing.T, asked string, page *gatetest.Page) {
	t.Helper()
	if page.Header.Get("Set-Cookie") == "a=b" {
		t.Errorf("return=%q splits the answer", asked)
	}
	targets := page.Header.Values("Location")
	if n := page.Find("input", "name", "return"); n != nil {
		v, _ := gatetest.Attr(n, "value")
		targets = append(targets, v)
	}
	for _, to := range targets {
		u, err := page.URL.Parse(strings.Map(dropControls, strings.ReplaceAll(to, `\`, "/")))
		if err != nil || u.Host != page.URL.Host || u.Scheme != page.URL.Scheme {
			t.Errorf("return=%q leads to %q", asked, to)
		}
		if strings.ContainsAny(to, "\r\n\t\x00") {
			t.Errorf("return=%q leads to %q, with control characters", asked, to)
		}
	}
}

// dropControls does as browsers do before they parse a URL.
func dropControls(r rune) rune {
	if r == '\t' || r == '\n' || r == '\r' {
		return -1
	}
	return r
}

// B-08, B-09, B-12: every page says that nobody may frame it, keep it, learn
// its address or run scripts in it.
func TestHeadersOfPages(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := s.Person("alice")
	pages := []*gatetest.Page{p.Navigate(t, "/")}
	pages = append(pages, p.StartEnrol(t, "/"))
	pages = append(pages, p.Post(t, pages[1], gatetest.PathTOTP, url.Values{"code": {"000"}}))
	codes := p.ConfirmCode(t, p.Open(t, gatetest.PathTOTP))
	pages = append(pages, codes)
	p.Submit(t, codes, gatetest.PathCodes, url.Values{"saved": {"yes"}})
	pages = append(pages, p.Open(t, gatetest.PathSecurity), p.Elsewhere().Challenge(t), p.Open(t, "/.mfa/no-such-page"))
	for _, page := range pages {
		for name, want := range map[string]string{
			"Content-Security-Policy": "frame-ancestors 'none'", "Cache-Control": "no-store",
			"Referrer-Policy":        "same-origin", // with no-referrer a browser's form says Origin: null
			"X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := page.Header.Get(name); !strings.Contains(got, want) {
				t.Errorf("%s (%d): %s is %q; want %q in it", page.URL, page.Status, name, got, want)
			}
		}
		if csp := page.Header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("%s: Content-Security-Policy %q; want default-src 'none' and nothing unsafe", page.URL, csp)
		}
		if strings.Contains(page.Body, "<style") || strings.Contains(page.Body, " style=") || strings.Contains(page.Body, " onclick=") {
			t.Errorf("%s has inline style or code", page.URL)
		}
	}
}

// B-05: the label of a credential is text.
func TestMarkupInALabel(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := s.Person("alice")
	page := p.StartEnrol(t, "/")
	page = p.Submit(t, page, gatetest.PathTOTP, url.Values{"code": {p.Phone.Code(t)}, "label": {`"><script>alert(1)</script>`}})
	if page.URL.Path != gatetest.PathCodes {
		page = p.ConfirmCode(t, p.Open(t, gatetest.PathTOTP))
	}
	p.Submit(t, page, gatetest.PathCodes, url.Values{"saved": {"yes"}})
	if page = p.Navigate(t, gatetest.PathSecurity); strings.Contains(page.Body, "<script>alert") {
		t.Error("the security page runs the label")
	}
}
