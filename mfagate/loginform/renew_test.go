package loginform_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

func renewForm(t *testing.T) *loginform.Form {
	t.Helper()
	f, err := loginform.Compile(loginform.Config{
		Page:     []loginform.Pattern{{Text: "GET /login"}, {Text: "GET /login?next=*"}, {Text: "GET /account/login"}},
		Submit:   []loginform.Pattern{{Text: "POST /login", Where: map[string]string{"do": "login"}}},
		User:     loginform.Field{Form: "user"},
		Password: loginform.Field{Form: "password"},
		Success:  []loginform.Signs{{Status: []string{"302"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func read(t *testing.T, f *loginform.Form, body string) *loginform.Submission {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	s, err := f.ReadSubmission(r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A page of the app, on which others may have written, changes nothing but tokens that
// the request has already.
func TestRenewTakesNothingButTheHiddenValues(t *testing.T) {
	f := renewForm(t)
	const sent = "token=old&do=login&user=alice&password=right&seen=typed"
	for page, want := range map[string]string{
		`<form><input name=q></form><form><input type=hidden name=token value="n&w"><input name=user><input name=password></form>`:                "token=n%26w&do=login&user=alice&password=right&seen=typed",
		`<form><input type=hidden name=user value=eve><input type=hidden name=password value=x><input type=hidden name=do value=register></form>`: sent,
		`<form><input type=hidden name=more value=1><input name=seen value=shown><input name=password></form>`:                                    sent,
		"<form><input type=hidden name=token value='a\x00b'><input name=password></form>":                                                         "token=a%EF%BF%BDb&do=login&user=alice&password=right&seen=typed",
	} {
		s := read(t, f, sent)
		if !f.Renew(s, http.Header{}, &loginform.Answer{Status: 200, Header: http.Header{}, Body: []byte(page)}) {
			t.Errorf("%s: got no form", page)
		}
		if got := string(s.Body); got != want {
			t.Errorf("%s: got %s; want %s", page, got, want)
		}
	}
}

func TestRenewNeedsAWholePageWithTheForm(t *testing.T) {
	f := renewForm(t)
	const page = `<form><input type=hidden name=token value=new><input name=password></form>`
	for what, a := range map[string]*loginform.Answer{
		"no page": nil, "an error": {Status: 500, Body: []byte(page)}, "a part": {Status: 200, Body: []byte(page), Truncated: true},
		"a packed one": {Status: 200, Body: []byte(page), Header: http.Header{"Content-Encoding": {"gzip"}}},
		"another form": {Status: 200, Body: []byte(`<form><input type=hidden name=token value=new></form>`)},
	} {
		s := read(t, f, "token=old&do=login&user=alice&password=right")
		if f.Renew(s, http.Header{}, a) || string(s.Body) != "token=old&do=login&user=alice&password=right" {
			t.Errorf("%s: the request became %s", what, s.Body)
		}
	}
}

func TestFailurePageIsALoginPage(t *testing.T) {
	f := renewForm(t)
	for to, want := range map[string]string{
		"/login": "/login", "login?next=%2Fa": "/login?next=%2Fa", "http://app.test/login#top": "/login",
		"http://evil.test/login": "", "//evil.test/login": "", "http://eve@app.test/login": "", "/home": "", "/account/login": "/account/login", "/account/": "", "/login;x": "", "/a/../login": "/login", "": "/login",
	} {
		a := &loginform.Answer{Status: 302, Header: http.Header{"Location": {to}}, URL: &url.URL{Scheme: "http", Host: "app.test", Path: "/login"}}
		got, ok := f.FailurePage(a)
		if got != want || ok != (want != "") {
			t.Errorf("a redirect to %q: got %q, %v; want %q", to, got, ok, want)
		}
		a.Status = 200
		if got, ok := f.FailurePage(a); ok {
			t.Errorf("no redirect: got %q", got)
		}
	}
}

// Frameworks show a form at one address and take it at another; their answer to a wrong
// password may stand in the place of the latter if no link in it means something else there.
func TestFailurePageOfAnotherFolder(t *testing.T) {
	at := &url.URL{Path: "/session"}
	for body, want := range map[string]bool{
		`<link href=/a.css><form action="/session" method=post><input name=password></form><a href="#top">x</a><a href="mailto:a@b.test">x</a><img srcset="/a.png 1x, /b.png 2x">`: true,
		`<form action="https://app.test/session"></form>`: true,
		`<form action="session"></form>`:                  false,
		`<form method=post></form>`:                       false,
		`<form action=""></form>`:                         false,
		`<a href="../help">x</a>`:                         false,
		`<a href="?lang=de">x</a>`:                        false,
		`<img src=a.png>`:                                 false,
		`<img srcset="/a.png 1x, b.png 2x">`:              false,
		`<script src="a.js"></script>`:                    false,
		`<meta http-equiv=Refresh content="1; url=x">`:    false,
	} {
		a := &loginform.Answer{Status: 200, Body: []byte(body), URL: &url.URL{Path: "/session/new"}}
		if got := a.ShowsAt(at); got != want {
			t.Errorf("%s: got %v; want %v", body, got, want)
		}
		if a.URL.Path = "/login"; !a.ShowsAt(at) {
			t.Errorf("%s: not shown in the same folder", body)
		}
	}
}

// Tokens of scripts are in a header or in JSON, and came with a cookie that they read, or in a
// meta element.
func TestRenewChangesTheTokensOfScripts(t *testing.T) {
	f, err := loginform.Compile(loginform.Config{
		Page: []loginform.Pattern{{Text: "GET /login"}}, Submit: []loginform.Pattern{{Text: "POST /login"}},
		User: loginform.Field{JSON: "/user"}, Password: loginform.Field{JSON: "/password"}, Success: []loginform.Signs{{Status: []string{"200"}}},
		PassCookies: []string{"XSRF-TOKEN"}, BoundCookies: []string{"csrf"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		cookie, header, token, page string
		set                         string
		want, body                  string
		found                       bool
	}{
		"a cookie":             {"XSRF-TOKEN=old-old-old", "X-Xsrf-Token", "old-old-old", "", "XSRF-TOKEN=new-new-new; Path=/", "new-new-new", "plain", true},
		"an escaped cookie":    {"XSRF-TOKEN=old-old%3D", "X-Xsrf-Token", "old-old=", "", "XSRF-TOKEN=new-new%3D; Path=/", "new-new=", "plain", true},
		"a bound cookie":       {"csrf=old-old-old", "X-Any", "old-old-old", "", "csrf=new-new-new", "new-new-new", "plain", true},
		"in the body":          {"XSRF-TOKEN=old-old-old", "X-Xsrf-Token", "old-old-old", "", "XSRF-TOKEN=new-new-new; Path=/", "new-new-new", "old-old-old", true},
		"the password is one":  {"XSRF-TOKEN=right-right", "X-Xsrf-Token", "other", "", "XSRF-TOKEN=new-new-new; Path=/", "other", "plain", false},
		"a sealed cookie":      {"sid=old-old-old", "X-Any", "old-old-old", "", "sid=new-new-new", "old-old-old", "plain", false},
		"two cookies":          {"csrf=old-old-old; csrf=other", "X-Any", "old-old-old", "", "csrf=new-new-new", "old-old-old", "plain", false},
		"a short one":          {"csrf=old", "X-Any", "old", "", "csrf=new-new-new", "old", "plain", false},
		"a meta element":       {"", "X-Csrf-Token", "old-old-old", `<meta name=csrf-token content=new-new-new>`, "", "new-new-new", "plain", true},
		"a meta of a header":   {"", "X-Odd", "old-old-old", `<meta name=_csrf content=new-new-new><meta name=_csrf_header content=X-ODD>`, "", "new-new-new", "plain", true},
		"another meta":         {"", "X-Csrf-Token", "old-old-old", `<meta name=token content=new-new-new>`, "", "old-old-old", "plain", false},
		"a meta in two lines":  {"", "X-Csrf-Token", "old-old-old", "<meta name=csrf-token content='new-new\r\nHost: x'>", "", "old-old-old", "plain", false},
		"a meta for no header": {"", "X-Other", "old-old-old", `<meta name=csrf-token content=new-new-new>`, "", "old-old-old", "plain", false},
	} {
		r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(`{"user":"alice","password":"right-right","t":["`+c.body+`"]}`))
		r.Header = http.Header{"Content-Type": {"application/json"}, "Cookie": {c.cookie}, c.header: {c.token}}
		s, err := f.ReadSubmission(r)
		if err != nil {
			t.Fatal(err)
		}
		page := &loginform.Answer{Status: 200, Header: http.Header{"Set-Cookie": {c.set}}, Body: []byte(c.page)}
		if found := f.Renew(s, r.Header, page); found != c.found || r.Header.Get(c.header) != c.want {
			t.Errorf("%s: got %v, %q; want %v, %q", what, found, r.Header.Get(c.header), c.found, c.want)
		}
		body := strings.ReplaceAll(c.body, "old-old-old", "new-new-new")
		if got, want := string(s.Body), `{"user":"alice","password":"right-right","t":["`+body+`"]}`; got != want {
			t.Errorf("%s: the body became %s; want %s", what, got, want)
		}
		if len(r.Header) != 3 {
			t.Errorf("%s: there are headers now that were none: %v", what, r.Header)
		}
	}
}
