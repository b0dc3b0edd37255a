package loginform

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

// What frameworks write into addresses is known without being listed; what has other
// meanings as well is not.
func TestSessionIDsAndTokensInURLsAreKnown(t *testing.T) {
	f := compile(t, plainForm())
	for line, want := range map[string]error{
		"GET /a;jsessionid=1":                 ErrElsewhere,
		"GET /a%3BJSESSIONID=1/b":             ErrElsewhere,
		"GET /a?PHPSESSID=1":                  ErrElsewhere,
		"GET /a?%50hpsessid=1":                ErrElsewhere,
		"GET /PHPSESSID=1/a":                  ErrElsewhere,
		"GET /app/(S(lit3py55t21z5v55))/a":    ErrElsewhere,
		"GET /(X(1)F(aA-_9)S(x4))/login.aspx": ErrElsewhere,
		"GET /%28S%28x4%29%29/a":              ErrElsewhere,
		"GET /a?CFID=1&CFTOKEN=2":             ErrElsewhere,
		"GET /a?access_token=1":               ErrElsewhere,
		"GET /a?access.token=1":               ErrElsewhere,
		"GET /a?x=1&Api_Key=1":                ErrElsewhere,
		"GET /a?apikey=1":                     ErrElsewhere,
		"GET /a?private_token=1":              ErrElsewhere,
		"GET /a?token=1&key=2&sid=3":          nil,
		"GET /a?session_id=1&cfid=2":          nil,
		"GET /wiki/Foo_(Bar(baz))":            nil,
		"GET /wiki/(Bar)/a=b;v=1":             nil,
		"GET /a?q=phpsessid&r=a;jsessionid":   ErrElsewhere, // some take a semicolon for a separator
	} {
		if err := f.Guard(request(t, line, "", "")); !errors.Is(err, want) {
			t.Errorf("%s: got %v; want %v", line, err, want)
		}
	}
	for body, want := range map[string]error{"PHPSESSID=1&x=2": ErrElsewhere, "api_key=1&access_token=2&token=3": nil} {
		if err := f.Guard(request(t, "POST /a", mediaForm, body)); !errors.Is(err, want) {
			t.Errorf("body %s: got %v; want %v", body, err, want)
		}
	}
}

func TestNamesOfKeysThatAreAllowed(t *testing.T) {
	c := plainForm()
	c.QueryKeys = []string{"-api_key", "-PHPSESSID", "-cookieless", "token"}
	f := compile(t, c)
	for line, want := range map[string]error{
		"GET /a?api_key=1": nil, "GET /a?PHPSESSID=1": nil, "GET /PHPSESSID=1/a": nil, "GET /(S(x))/a": nil,
		"GET /a?token=1": ErrElsewhere, "GET /a?apikey=1": ErrElsewhere, "GET /a;jsessionid=1": ErrElsewhere,
	} {
		if err := f.Guard(request(t, line, "", "")); !errors.Is(err, want) {
			t.Errorf("%s: got %v; want %v", line, err, want)
		}
	}
	u, _ := url.Parse("/a?PHPSESSID=1")
	if uri, found := f.WithoutSessionID(u); found {
		t.Errorf("what is allowed is taken off: %s", uri)
	}
}

func TestSessionIDsAreTakenOffURLs(t *testing.T) {
	f := compile(t, plainForm())
	for text, want := range map[string]string{
		"/login;jsessionid=A1.node!7":             "/login",
		"/a;jsessionid=A1/b;v=2;JSESSIONID=x?q=1": "/a/b;v=2?q=1",
		"/a?x=1&PHPSESSID=abc&y=%2F+2":            "/a?x=1&y=%2F+2",
		"/a%2fb?PHPSESSID=abc":                    "/a%2fb",
		"/a?CFID=1&CFTOKEN=2&x=3":                 "/a?x=3",
		"/a?cfid=1&x=3":                           "",
		"/a?x=PHPSESSID":                          "",
		"/a;v=1?jsessionid":                       "",
		"/":                                       "",
	} {
		u, err := url.ParseRequestURI(text)
		if err != nil {
			t.Fatal(err)
		}
		got, found := f.WithoutSessionID(u)
		if found != (want != "") || found && got != want {
			t.Errorf("%s: got %q, %v; want %q", text, got, found, want)
		}
	}
}

// An app that has not seen a cookie yet puts its id into the login form, too.
func TestSessionIDInTheLoginFormStaysBehind(t *testing.T) {
	f := compile(t, plainForm())
	s, err := f.ReadSubmission(request(t, "POST /login", mediaForm, "PHPSESSID=planted&user=alice&pass=x&token=1"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(s.Body), "planted") || !strings.Contains(string(s.Body), "token=1") {
		t.Errorf("got %s; want the form without the id", s.Body)
	}
	if _, err := f.ReadSubmission(request(t, "POST /login?PHPSESSID=planted", mediaForm, "user=alice&pass=x")); err == nil {
		t.Error("an id in the address of the form is taken")
	}
}

func FuzzWithoutSessionID(f *testing.F) {
	form := compile(f, plainForm())
	for _, seed := range []string{"/a;jsessionid=1", "/a?PHPSESSID=1&CFID=2&CFTOKEN=3", "//evil.test/;jsessionid=1", "/a;;jsessionid=1;?&&"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := url.ParseRequestURI(text)
		if err != nil || u.Host != "" || u.Opaque != "" {
			return
		}
		uri, found := form.WithoutSessionID(u)
		if !found {
			return
		}
		if len(uri) >= len(u.RequestURI()) {
			t.Fatalf("%q becomes %q", text, uri)
		}
		if next, err := url.ParseRequestURI(uri); err == nil && next.Host == "" {
			if _, again := form.WithoutSessionID(next); again {
				t.Fatalf("%q becomes %q, which has one still", text, uri)
			}
		}
	})
}
