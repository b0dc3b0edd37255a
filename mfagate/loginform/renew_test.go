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
		if !f.Renew(s, &loginform.Answer{Status: 200, Header: http.Header{}, Body: []byte(page)}) {
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
		if f.Renew(s, a) || string(s.Body) != "token=old&do=login&user=alice&password=right" {
			t.Errorf("%s: the request became %s", what, s.Body)
		}
	}
}

func TestFailurePageIsALoginPageBesideTheForm(t *testing.T) {
	f := renewForm(t)
	for to, want := range map[string]string{
		"/login": "/login", "login?next=%2Fa": "/login?next=%2Fa", "http://app.test/login#top": "/login",
		"http://evil.test/login": "", "//evil.test/login": "", "http://eve@app.test/login": "", "/home": "", "/account/login": "", "/login;x": "", "/a/../login": "/login", "": "/login",
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
