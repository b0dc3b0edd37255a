package loginform

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// headerForm is as measured on Cockpit 287.
func headerForm() Config {
	return Config{
		Page:        []Pattern{{Text: "/"}},
		Submit:      []Pattern{{Text: "GET /cockpit/login"}},
		Credentials: InHeader,
		Success:     []Signs{{Status: []string{"200"}, SetCookie: []string{"cockpit"}}},
		Failure:     []Signs{{Status: []string{"401"}}},
		Public:      []Pattern{{Text: "/cockpit/login"}, {Text: "/cockpit/static/**"}},
	}
}

// withHeader is a request with these headers Authorization.
func withHeader(t testing.TB, line, media, body string, values ...string) *http.Request {
	r := request(t, line, media, body)
	r.Header["Authorization"] = values
	return r
}

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// lenient reads Basic credentials as Cockpit does: whatever stands behind a blank is no matter, and neither are
// blanks within.
func lenient(header string) (user, password string) {
	_, text, _ := strings.Cut(header, " ")
	text, _, _ = strings.Cut(strings.TrimLeft(text, " "), " ")
	pair, _ := base64.StdEncoding.DecodeString(text)
	user, password, _ = strings.Cut(string(pair), ":")
	return user, password
}

func TestCredentialsInAHeaderAreReadAndWrittenAnew(t *testing.T) {
	f := compile(t, headerForm())
	for pair, want := range map[string][2]string{
		"alice:pw": {"alice", "pw"}, "al ice:p:w:": {"al ice", "p:w:"}, "älice:päß": {"älice", "päß"}, "alice:": {"alice", ""}, "😀:1": {"😀", "1"},
	} {
		for _, scheme := range []string{"Basic ", "basic ", "BASIC "} {
			s, err := f.ReadSubmission(withHeader(t, "GET /cockpit/login", "", "", scheme+b64(pair)))
			if err != nil {
				t.Errorf("%s%s: %v", scheme, pair, err)
				continue
			}
			if s.User != want[0] || s.Password != want[1] || len(s.Body) > 0 || s.Authorization != "Basic "+b64(pair) {
				t.Errorf("%s%s is read as %+v; want %q", scheme, pair, s, want)
			}
			r := withHeader(t, "GET /", "", "", s.Authorization)
			user, password, _ := r.BasicAuth()
			loose, looser := lenient(s.Authorization)
			if user != s.User || password != s.Password || loose != user || looser != password {
				t.Errorf("%q: other readers find %q and %q, %q and %q; want %q and %q", pair, user, password, loose, looser, s.User, s.Password)
			}
			if s.Wipe(); s.Password != "" || s.Authorization != "" {
				t.Errorf("%+v is left", s)
			}
		}
	}
}

func TestOddCredentialsInAHeaderAreRefused(t *testing.T) {
	f := compile(t, headerForm())
	good := "Basic " + b64("alice:pw")
	for name, values := range map[string][]string{
		"two headers": {good, "Basic " + b64("bob:pw")}, "the same twice": {good, good}, "two in one": {good + ", Basic " + b64("bob:pw")},
		"an empty one": {good, ""}, "another beside it": {good, "Bearer x"}, "nothing behind the scheme": {"Basic"}, "an empty pair": {"Basic "},
		"two blanks": {"Basic  " + b64("alice:pw")}, "a tab": {"Basic\t" + b64("alice:pw")}, "a blank in front": {" " + good}, "a blank at the end": {good + " "},
		"a word at the end": {good + " " + b64("bob:pw")}, "no padding": {"Basic YWxpY2U6cA"}, "bits behind the end": {"Basic YWxpY2U6cB=="},
		"signs of URLs": {"Basic " + base64.URLEncoding.EncodeToString([]byte("alice:\xc3\xbf\xc3\xbf>>>"))}, "more padding": {"Basic YWxpY2U6cHc=="}, "a line end": {"Basic YWxp\r\nY2U6cHc="},
		"no colon": {"Basic " + b64("alice")}, "no name": {"Basic " + b64(":pw")}, "a NUL in the name": {"Basic " + b64("alice\x00x:pw")}, "a NUL in the password": {"Basic " + b64("alice:pw\x00x")},
		"no UTF-8": {"Basic " + b64("al\xefce:pw")}, "a mark of the order of bytes": {"Basic " + b64("\ufeffalice:pw")}, "a line in the name": {"Basic " + b64("alice\nbob:pw")},
		"another scheme that begins so": {"Basically " + b64("alice:pw")}, "a colon behind the scheme": {"Basic:" + b64("alice:pw")}, "quoted": {`"Basic" ` + b64("alice:pw")},
	} {
		r := withHeader(t, "GET /cockpit/login", "", "", values...)
		if got := f.Classify(r); got != Submit {
			t.Errorf("%s: it counts as %v; want it to be judged as the form", name, got)
		}
		if s, err := f.ReadSubmission(r); !errors.Is(err, ErrAmbiguous) {
			t.Errorf("%s: got %+v, %v; want it refused", name, s, err)
		} else if strings.Contains(err.Error(), "alice") || strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: the error tells what was sent: %v", name, err)
		}
	}
}

// What else a request may carry is read by some apps in place of the header.
func TestCredentialsInAHeaderStandAlone(t *testing.T) {
	good := "Basic " + b64("alice:pw")
	plain, asks := headerForm(), headerForm()
	for _, c := range []*Config{&plain, &asks} {
		c.Submit = []Pattern{{Text: "GET /cockpit/login"}, {Text: "POST /cockpit/login"}}
	}
	asks.Identify = &Identify{Probe: "GET /me", JSON: "/name"}
	nameless, named := compile(t, plain), compile(t, asks)
	for _, test := range []struct {
		line, media, body string
		plain, asks       bool // is taken
	}{
		{"GET /cockpit/login", "", "", true, true},
		{"POST /cockpit/login", "", "", true, true},
		{"POST /cockpit/login", mediaForm, "user=bob&remember=1", false, true},
		{"POST /cockpit/login", mediaJSON, `{"user":"bob"}`, false, true},
		{"POST /cockpit/login", mediaJSON, `{"user":"bob","user":"eve"}`, false, false},
		{"POST /cockpit/login", "text/plain", "user=bob", false, false},
		{"GET /cockpit/login", mediaForm, "user=bob", false, false},
		{"HEAD /cockpit/login", "", "", false, false},
		{"GET /cockpit/login?user=bob", "", "", false, false},
		{"GET /cockpit/login/", "", "", false, false},
		{"GET //cockpit/login", "", "", false, false},
		{"GET /cockpit/logi%6e", "", "", false, false},
		{"GET /cockpit+=host/login", "", "", false, false},
	} {
		for f, want := range map[*Form]bool{nameless: test.plain, named: test.asks} {
			s, err := f.ReadSubmission(withHeader(t, test.line, test.media, test.body, good))
			if (err == nil) != want {
				t.Errorf("%s with %q (identify %v): got %+v, %v; want it taken: %v", test.line, test.body, f == named, s, err, want)
			}
		}
	}
	for _, header := range []string{"X-Http-Method-Override", "Content-Encoding", "Content-Range"} {
		r := withHeader(t, "GET /cockpit/login", "", "", good)
		r.Header.Set(header, "POST")
		if _, err := nameless.ReadSubmission(r); !errors.Is(err, ErrAmbiguous) {
			t.Errorf("with %s: %v; want it refused", header, err)
		}
	}
}

// Scripts ask without credentials whether somebody is signed in, and show tickets of other kinds, which are
// taken off.
func TestRequestWithoutBasicCredentialsIsNotTheForm(t *testing.T) {
	f := compile(t, headerForm())
	for value, want := range map[string]Kind{"": Public, "Negotiate YII=": Public, "Bearer x": Public, "X-Conversation 1 eA==": Public, "Basic x": Submit, "\tbasic": Submit} {
		r := request(t, "GET /cockpit/login", "", "")
		if value != "" {
			r.Header.Set("Authorization", value)
		}
		if got := f.Classify(r); got != want {
			t.Errorf("with %q: got %v; want %v", value, got, want)
		}
		if f.Strip(r.Header); r.Header.Get("Authorization") != "" {
			t.Errorf("%q stays", value)
		}
	}
	for _, line := range []string{"GET /", "GET /cockpit/socket", "GET /cockpit/static/login.js", "POST /cockpit/login", "GET /cockpit+x/login"} {
		if got := f.Classify(withHeader(t, line, "", "", "Basic "+b64("alice:pw"))); got == Submit {
			t.Errorf("%s is the form", line)
		}
	}
}

func TestCredentialsInAHeaderTakeNoFields(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"leave out user":             func(c *Config) { c.User = Field{Form: "user"}; c.Password = Field{Form: "pw"} },
		"user, but for const":        func(c *Config) { c.Password = Field{JSON: "/pw"} },
		"forbid_elsewhere":           func(c *Config) { c.Elsewhere = ElsewherePassword },
		"and accounts":               func(c *Config) { c.Accounts = []Pattern{{Text: "POST /users"}} },
		`"digest" is unknown`:        func(c *Config) { c.Credentials = "digest" },
		`or "credentials basic"`:     func(c *Config) { c.Credentials = InFields },
		"session basic":              func(c *Config) { c.Basic = true },
		`method "DELETE" cannot be`:  func(c *Config) { c.Submit = []Pattern{{Text: "DELETE /login"}} },
		"submit: missing; write the": func(c *Config) { c.Submit = nil },
	} {
		c := headerForm()
		change(&c)
		if _, err := Compile(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want an error with %q", err, want)
		}
	}
	c := plainForm()
	c.Submit = []Pattern{{Text: "GET /login"}}
	if _, err := Compile(c); err == nil || !strings.Contains(err.Error(), "GET") {
		t.Errorf("a form by GET: got %v; want it refused where there are fields", err)
	}
}

func TestFormWhoseScriptSendsAHeaderIsFilledIn(t *testing.T) {
	filled, err := compile(t, headerForm()).Fill(nil, "alice", "p:w")
	if err != nil || *filled != (Filled{Method: "GET", URI: "/cockpit/login", Authorization: "Basic " + b64("alice:p:w")}) {
		t.Errorf("got %+v, %v", filled, err)
	}
	if filled, err := compile(t, headerForm()).Fill(nil, "alice:x", "pw"); !errors.Is(err, ErrNoForm) {
		t.Errorf("a name with a colon, which would be another's: got %+v, %v", filled, err)
	}
}

func TestAppThatTakesItsCookieAwayHasSignedOut(t *testing.T) {
	opened := Cookies{{Name: "cockpit", Value: "x"}, {Name: "theme", Value: "dark"}}
	two := headerForm()
	two.Success = append(two.Success, Signs{SetCookie: []string{"remember*"}})
	for _, test := range []struct {
		config Config
		opened Cookies
		set    []string
		want   bool
	}{
		{headerForm(), opened, nil, false},
		{headerForm(), opened, []string{"cockpit=deleted; Path=/"}, true},
		{headerForm(), opened, []string{"cockpit=; Path=/; Max-Age=0"}, true},
		{headerForm(), nil, []string{"cockpit=deleted; Path=/"}, true},
		{headerForm(), opened, []string{"theme=; Max-Age=0"}, false},
		{headerForm(), opened, []string{"cockpit=y; Path=/"}, false},
		{headerForm(), opened, []string{"cockpit=deleted; Path=/", "cockpit=y; Path=/"}, false},
		{headerForm(), opened, []string{"cockpit=y; Path=/", "cockpit=deleted; Path=/"}, true},
		{two, append(opened, Cookie{Name: "remember_1", Value: "z"}), []string{"cockpit=deleted"}, false},
		{two, opened, []string{"cockpit=deleted"}, true},
	} {
		h := http.Header{"Set-Cookie": test.set}
		if got := compile(t, test.config).Leaves(test.opened, h, time.Now()); got != test.want {
			t.Errorf("%v before, %q set: got %v; want %v", test.opened, test.set, got, test.want)
		}
	}
	asks := headerForm()
	asks.Identify = &Identify{Probe: "GET /me", JSON: "/name"}
	if compile(t, asks).Leaves(opened, http.Header{"Set-Cookie": {"cockpit=deleted"}}, time.Now()) {
		t.Error("where the app can be asked it is asked")
	}
}
