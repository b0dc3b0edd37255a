package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate/learn"
	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// A surfer is a browser that follows redirections and loads style sheets.
type surfer struct {
	*testing.T
	client *http.Client
	base   string
}

func newSurfer(t *testing.T, base string) *surfer {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &surfer{t, &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}, base}
}

// open sends a request and returns the status, the path where it ended, and the page.
func (s *surfer) open(method, path, from string, form url.Values) (int, string, string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), method, s.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("User-Agent", "Mozilla/5.0")
	req.Header.Set("Accept", "text/html")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if from != "" {
		req.Header.Set("Referer", s.base+from)
	}
	resp, err := askAnew(s.client, req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return resp.StatusCode, resp.Request.URL.Path, string(page)
}

// signIn signs in at the oracle app's form.
func (s *surfer) signIn(user, password string) (int, string, string) {
	s.Helper()
	s.open("GET", "/login", "", nil)
	s.open("GET", "/static/app.css", "/login", nil)
	return s.open("POST", "/login", "/login", url.Values{"user": {user}, "password": {password}})
}

// observed starts the app behind a site that observes.
func observed(t *testing.T, o oracle.Options) (*gateway, *oracle.App) {
	t.Helper()
	app := oracle.Start(t, o)
	g := serveAdmin(t, observing(app, "login_form\n mode observe"))
	return g, app
}

// observing is the site's lines; its own answer is never reached.
func observing(app *oracle.App, lines string) string {
	return "handle {\nmfa {\n" + lines + "\n}\nreverse_proxy " + app.Addr() + "\n}"
}

func (g *gateway) base() string { return fmt.Sprintf("http://localhost:%d", g.port) }

func (g *gateway) learnt() learnt {
	g.t.Helper()
	got := g.admin(http.MethodGet, "/mfa/learnt", "")
	var l learnt
	if err := json.Unmarshal([]byte(got.body), &l); err != nil || got.status != http.StatusOK {
		g.t.Fatalf("GET /mfa/learnt = %d %s", got.status, got.body)
	}
	return l
}

// TestSuggestedFormWorks lets people sign in while the gate observes, takes what it suggests
// into the configuration, and signs in through it.
func TestSuggestedFormWorks(t *testing.T) {
	for _, test := range []struct {
		name    string
		options oracle.Options
	}{
		{"redirect", oracle.Options{}},
		{"redirect both", oracle.Options{Answers: oracle.RedirectBoth}},
		{"page", oracle.Options{Answers: oracle.Page}},
		{"rotates never", oracle.Options{Rotation: oracle.RotateNever}},
		{"rotates always", oracle.Options{Rotation: oracle.RotateAlways}},
		{"cookie on failure", oracle.Options{FailureCookie: true}},
		{"names of fields", oracle.Options{UserField: "u", PasswordField: "p"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, app := observed(t, test.options)
			user, password := "user", "password"
			if test.options.UserField != "" {
				user, password = test.options.UserField, test.options.PasswordField
			}
			attempt := func(s *surfer, name, secret string) (int, string, string) {
				s.open("GET", "/login", "", nil)
				s.open("GET", "/static/app.css", "/login", nil)
				return s.open("POST", "/login", "/login", url.Values{user: {name}, password: {secret}})
			}
			for range 2 {
				s := newSurfer(t, g.base())
				attempt(s, "alice", "a wrong one")
				if _, _, page := attempt(s, "alice", app.Password("alice")); !strings.Contains(page, "Welcome") {
					t.Fatalf("while it observes alice gets %q", page)
				}
				if _, _, page := s.open("GET", "/notes", "", nil); !strings.Contains(page, "alice") {
					t.Fatalf("while it observes alice gets %q", page)
				}
				s.open("GET", "/logout", "", nil)
			}
			text, _ := suggest(g.learnt())
			t.Log(text)
			if err := g.load("", observing(app, strings.TrimSuffix(text, "\n"))); err != nil {
				t.Fatalf("the server does not take\n%s\n%v", text, err)
			}
			s := newSurfer(t, g.base())
			if _, at, page := s.open("GET", "/notes", "", nil); at != "/login" || strings.Contains(page, "alice") {
				t.Errorf("without a session /notes leads to %s: %s", at, page)
			}
			if _, at, _ := attempt(s, "alice", "a wrong one"); at != "/login" {
				t.Errorf("a wrong password leads to %s; want /login", at)
			}
			if _, at, page := attempt(s, "alice", app.Password("alice")); !strings.HasPrefix(at, "/.mfa/") || strings.Contains(page, "Welcome") {
				t.Errorf("the right password leads to %s; want a page of the gate:\n%s", at, page)
			}
		})
	}
}

func TestNothingToSuggest(t *testing.T) {
	g, _ := observed(t, oracle.Options{})
	newSurfer(t, g.base()).open("GET", "/login", "", nil)
	if text, uncertain := suggest(g.learnt()); text != "" || !uncertain {
		t.Errorf("suggest = %q, %v; want nothing", text, uncertain)
	}
}

// TestSuggestionsAreTold shows the whole of one.
func TestSuggestionsAreTold(t *testing.T) {
	g, app := observed(t, oracle.Options{})
	s := newSurfer(t, g.base())
	s.signIn("alice", "a wrong one")
	s.signIn("alice", app.Password("alice"))
	s.open("GET", "/logout", "", nil)
	text, uncertain := suggest(g.learnt())
	for _, want := range []string{
		"\n\tpage /login\n", "\n\tsubmit /login\n", "\n\tuser user\n", "\n\tpassword password\n", "\n\tpublic /static/**\n", "\n\tlogout GET /logout\n",
		"\n\tsuccess status 302", "\n\tfailure status 200 selector input[type=password]\n", "\n\t# pass_cookies theme\n",
		"1 people went on, 0 had to try again", "UNCERTAIN: what the app calls the person",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if !uncertain {
		t.Error("uncertain = false; want true: there is no identify")
	}
}

// TestObservingTouchesNothing: cookies in clear, and the app's own pages without a session.
func TestObservingTouchesNothing(t *testing.T) {
	g, app := observed(t, oracle.Options{})
	s := newSurfer(t, g.base())
	s.signIn("alice", app.Password("alice"))
	u, err := url.Parse(g.base())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.client.Jar.Cookies(u) {
		if c.Name == "sid" && len(c.Value) != 32 {
			t.Errorf("the app's cookie is %q; want it as the app made it", c.Value)
		}
	}
	direct := newSurfer(t, app.URL)
	direct.client.Jar.SetCookies(mustParse(t, app.URL), s.client.Jar.Cookies(u))
	if _, _, page := direct.open("GET", "/notes", "", nil); !strings.Contains(page, "alice") {
		t.Errorf("the cookie does not work at the app: %s", page)
	}
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestLearningSurvivesReloads, since an operator will try things.
func TestLearningSurvivesReloads(t *testing.T) {
	g, app := observed(t, oracle.Options{})
	newSurfer(t, g.base()).signIn("alice", app.Password("alice"))
	if err := g.load("", observing(app, "login_form\n mode observe\n idle 20m")); err != nil {
		t.Fatal(err)
	}
	if n := len(g.learnt().Logins); n != 1 {
		t.Errorf("after a reload %d logins are known; want 1", n)
	}
}

func TestUnknownFormMustObserve(t *testing.T) {
	g := newGateway(t)
	for _, lines := range []string{"login_form", "login_form {\n}", "login_form\n mode optional", "login_form\n mode required"} {
		err := g.load("", "mfa {\n"+lines+"\n}\nrespond x")
		if err == nil || !strings.Contains(err.Error(), "mode observe") {
			t.Errorf("%q: error = %v; want one that tells of mode observe", lines, err)
		}
	}
}

// TestSuggestionsAreValid takes what little may be known, and what somebody may have made up.
func TestSuggestionsAreValid(t *testing.T) {
	for _, login := range []learn.Login{
		{Method: "POST", Place: learn.Place{Path: "/"}, Password: "password", Encoding: "form"},
		{Method: "POST", Place: learn.Place{Path: "/*/login", Query: []string{"a=*", "do=login"}}, User: "user[name]", Password: "user[pass]", Encoding: "form", Answers: []learn.Answer{
			{Status: 200, Type: "html", Went: 1}, {Status: 200, Type: "html", Form: true, Again: 1},
		}},
		{Method: "PUT", Place: learn.Place{Path: "/api"}, User: "/auth/user", Password: "/auth/password", Encoding: "json", Answers: []learn.Answer{
			{Status: 200, Type: "json", JSON: []string{"/ok=true", "/token"}, Went: 1}, {Status: 401, Type: "json", JSON: []string{"/ok=false"}, Again: 1},
		}},
		{Method: "POST", Place: learn.Place{Path: "/in"}, User: "u", Password: "p", Encoding: "form", Answers: []learn.Answer{
			{Status: 302, Location: "elsewhere", Went: 1}, {Status: 302, Location: "/*", Again: 1}, {Status: 302, Location: "/", Again: 1},
		}},
	} {
		text, uncertain := suggest(learnt{Report: learn.Report{Logins: []learn.Login{login}, Pages: []string{"/p?id=*", "/*"}, Files: []string{"/a/**", "/*/b/**"}}})
		if _, err := adapt("{\n admin off\n}\nhttp://localhost:1 {\n mfa {\n" + text + "}\n}"); err != nil {
			t.Errorf("%+v gives\n%s\n%v", login, text, err)
		}
		if !uncertain {
			t.Errorf("%+v: uncertain = false; want true", login)
		}
	}
}

// TestSuggestedPlacesHoldForWhatWasSeen: no sign may be false of the very sign-in that it was made
// from. A part of a path that somebody has typed, such as the user admin of /admin/, was not kept.
func TestSuggestedPlacesHoldForWhatWasSeen(t *testing.T) {
	for _, test := range []struct{ right, wrong, sign string }{
		{"/*/index.php", "", ""},
		{"/zm/console.php", "", "not_location /zm/index.php*"},
		{"/users/*", "", "not_location /zm/index.php*"},
		{"/*", "/zm", ""},
		{"/home", "/zm/index.php", "not_location /zm/index.php*"},
		{"/zm/index.php", "/zm/index.php", ""},
	} {
		wrong := learn.Answer{Status: 200, Type: "html", Form: true, Again: 1}
		if test.wrong != "" {
			wrong = learn.Answer{Status: 302, Location: test.wrong, Again: 1}
		}
		login := learn.Login{
			Method: "POST", Place: learn.Place{Path: "/zm/index.php"}, User: "user", Password: "password", Encoding: "form",
			Page: &learn.Place{Path: "/zm/index.php"}, Answers: []learn.Answer{{Status: 302, Location: test.right, Went: 1}, wrong},
		}
		text, _ := suggest(learnt{Report: learn.Report{Logins: []learn.Login{login}, Pages: []string{"/zm/index.php"}}})
		want := strings.TrimRight("\tsuccess status 302 "+test.sign, " ") + "\n"
		if !strings.Contains(text, want) {
			t.Errorf("right leads to %s, wrong to %q: no %q in\n%s", test.right, test.wrong, want, text)
		}
	}
}
