package mfagate_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/mfagate/recovery"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

// Whoever has misspelt the name, and puts it right on the page that says so, is signed
// in, although the app ties the form to its cookie and no cookie goes from one name to another.
func TestMisspeltNameIsPutRightOnTheSamePage(t *testing.T) {
	w, app := newFormWorld(t)
	p := w.person("")
	p.signIn("alcie", "wrong").want(200)
	if !strings.Contains(p.body, "Wrong password") {
		t.Errorf("a wrong name: got %q; want the app's own words", p.body)
	}
	p.submitLogin("allice", "wrong").want(200)
	if !strings.Contains(p.body, "Wrong password") {
		t.Errorf("another wrong name: got %q; want the app's own words", p.body)
	}
	p.submitLogin("alice", formPassword).want(303, "/.mfa/enroll")
	p.enrolHere()
	p.get("/home").want(200)
	if p.body != "the app, for alice" || app.acted("alcie") {
		t.Errorf("after the proof: %q", p.body)
	}
}

// A login page that lay open in another tab while somebody else signed in is as good.
func TestFormThatLayOpenSignsInAnew(t *testing.T) {
	w, _ := newFormWorld(t)
	p := w.person("")
	p.get("/login").want(200)
	form := p.body
	p.signIn("bob", formPassword).want(303, "/.mfa/enroll")
	p.enrolHere()
	p.body = form
	p.submitLogin("alice", formPassword).want(303, "/.mfa/enroll")
	p.enrolHere()
	if p.get("/home").want(200); p.body != "the app, for alice" {
		t.Errorf("after the proof: %q", p.body)
	}
}

// A flashApp redirects after a wrong password to its form, which tells why. While
// open is set its form greets whoever it takes for signed in.
type flashApp struct {
	mu   sync.Mutex
	in   bool
	seen []string
}

func (a *flashApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = append(a.seen, r.Method+" "+r.URL.Path+" "+r.Header.Get("Cookie"))
	switch {
	case r.Method == http.MethodPost:
		http.SetCookie(w, &http.Cookie{Name: "flash", Value: "wrong-for-" + r.FormValue("user"), Path: "/"})
		http.Redirect(w, r, "/login?e=1", http.StatusFound)
	case r.URL.Path == "/me" && a.in:
		fmt.Fprint(w, `<p id=me>vic</p>`)
	case r.URL.Path == "/login":
		c, err := r.Cookie("flash")
		if err != nil {
			c = new(http.Cookie)
		}
		if a.in {
			fmt.Fprint(w, "the letters of vic")
		}
		fmt.Fprintf(w, "<p>%s</p><form><input name=user><input name=password></form>", c.Value)
	}
}

func flashConfig(probe bool) loginform.Config {
	c := formConfig()
	c.Page = append(c.Page, loginform.Pattern{Text: "GET /login?e=1"})
	c.Failure = []loginform.Signs{{Status: []string{"302"}, Location: []string{"/login*"}}}
	if !probe {
		c.Identify = nil
	}
	return c
}

func TestFailureThatRedirectsToTheFormShowsWhatItSays(t *testing.T) {
	w := loginWorld(t, flashConfig(true), new(flashApp))
	p := w.person("")
	p.name = ""
	p.get("/login").want(200)
	p.post("/login", "user", "alice", "password", "x").want(200)
	if !strings.Contains(p.body, "wrong-for-alice") || strings.Contains(strings.Join(p.last.Header()["Set-Cookie"], ""), "wrong-for") {
		t.Errorf("got %q with cookies %q; want the form with its words", p.body, p.last.Header()["Set-Cookie"])
	}
	eve := w.person("")
	eve.name = ""
	if eve.get("/login").want(200); strings.Contains(eve.body, "wrong-for") {
		t.Errorf("another browser sees %q", eve.body)
	}
}

// Nothing of the form's page is shown if somebody is signed in after all, or if nobody
// can ask whether anybody is.
func TestFailureThatRedirectsWhileSomebodyIsSignedIn(t *testing.T) {
	for _, probe := range []bool{true, false} {
		app := &flashApp{}
		w := loginWorld(t, flashConfig(probe), app)
		p := w.person("")
		p.name = ""
		p.get("/login").want(200)
		app.in = true
		p.post("/login", "user", "vic", "password", "x").want(401)
		if strings.Contains(p.body, "letters") {
			t.Errorf("with a probe %v: got %q", probe, p.body)
		}
	}
}

// Many apps ask for the name on a page of its own: what that sets goes with the
// password, and the step that signs in leads nowhere.
func TestNameIsAskedForBeforeThePassword(t *testing.T) {
	c := formConfig()
	c.Page = append(c.Page, loginform.Pattern{Text: "GET /login/password"})
	c.Reset = []loginform.Pattern{{Text: "POST /login/name"}}
	c.Submit = []loginform.Pattern{{Text: "POST /login/password"}}
	c.User = loginform.Field{}
	c.Failure = []loginform.Signs{{Status: []string{"200"}}}
	var acts []string
	w := loginWorld(t, c, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := func(name string) string {
			if c, err := r.Cookie(name); err == nil {
				return c.Value
			}
			return ""
		}
		switch r.Method + r.URL.Path {
		case "POST/login/name":
			http.SetCookie(w, &http.Cookie{Name: "step", Value: r.FormValue("user"), Path: "/"})
			if r.FormValue("user") == "trusted" {
				http.SetCookie(w, &http.Cookie{Name: "in", Value: "trusted", Path: "/"})
			}
			http.Redirect(w, r, "/login/password", http.StatusFound)
		case "POST/login/password":
			if r.FormValue("password") == formPassword && who("step") != "" {
				http.SetCookie(w, &http.Cookie{Name: "in", Value: who("step"), Path: "/"})
				http.Redirect(w, r, "/home", http.StatusFound)
			}
		case "GET/me":
			if who("in") != "" {
				fmt.Fprintf(w, `<p id=me>%s</p>`, who("in"))
			}
		case "GET/login/password":
			fmt.Fprintf(w, "<p>%s</p><form><input name=password></form>", who("step"))
		case "GET/home":
			acts = append(acts, who("in"))
			fmt.Fprint(w, "the app, for "+who("in"))
		}
	}))
	p := w.person("")
	p.name = ""
	p.get("/login").want(200)
	p.post("/login/name", "user", "alice").want(302, "/login/password")
	p.get("/login/password").want(200)
	if !strings.Contains(p.body, "alice") {
		t.Errorf("the second page has forgotten the name: %q", p.body)
	}
	p.post("/login/password", "password", formPassword).want(303, "/.mfa/enroll")
	p.enrolHere()
	if p.get("/home").want(200); p.body != "the app, for alice" {
		t.Errorf("after the proof: %q", p.body)
	}
	eve := w.person("")
	eve.name = ""
	eve.get("/login").want(200)
	eve.post("/login/name", "user", "trusted").want(303, "/login")
	eve.get("/home").want(303, "/login")
	if len(acts) != 1 {
		t.Errorf("the app acted for %q; want alice alone", acts)
	}
}

// A proxy behind the gate may take off a prefix; redirections are still about the
// address that the browser has.
func TestRelativeRedirectBelowAPathThatTheProxyTakesOff(t *testing.T) {
	c := formConfig()
	c.Page = []loginform.Pattern{{Text: "GET /app/login"}}
	c.Submit = []loginform.Pattern{{Text: "POST /app/login"}}
	c.Success = []loginform.Signs{{Status: []string{"302"}, Location: []string{"/app/home"}}}
	c.Identify.Probe = "GET /app/me"
	w := loginWorld(t, c, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/app")
		switch {
		case r.URL.Path == "/me":
			fmt.Fprint(w, `<p id=me>alice</p>`)
		case r.Method == http.MethodPost:
			w.Header().Set("Set-Cookie", "sid=alices; Path=/app")
			w.Header().Set("Location", "home") // relative to /app/login, as the browser sees it
			w.WriteHeader(http.StatusFound)
		}
	}))
	p := w.person("")
	p.name = ""
	p.get("/app/login").want(200)
	p.post("/app/login", "user", "alice", "password", formPassword).want(303, "/.mfa/enroll")
}

// tokenPerView is an app that takes no form but the one that it has shown last in a session, and
// shows it to strangers on every page.
type tokenPerView struct {
	token int
	in    bool
}

func (a *tokenPerView) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sid, err := r.Cookie("sid")
	switch {
	case err != nil:
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "one", Path: "/"})
	case r.Method == http.MethodPost && sid.Value == "one" && r.FormValue("token") == fmt.Sprint(a.token) && r.FormValue("password") == formPassword:
		a.in = true
		http.Redirect(w, r, "/home", http.StatusFound)
		return
	case r.URL.Path == "/me" && a.in:
		fmt.Fprint(w, "<p id=me>alice</p>")
		return
	}
	a.token++
	if r.Method == http.MethodPost {
		fmt.Fprint(w, "Wrong password")
	}
	fmt.Fprintf(w, `<form method=post><input type=hidden name=token value="%d"><input name=user><input type=password name=password></form>`, a.token)
}

// After a wrong password the gate asks the app whether anybody is signed in. That must not cost
// the person the form that is on the screen.
func TestWrongPasswordThenRightWhereEachViewHasItsToken(t *testing.T) {
	app := new(tokenPerView)
	w := loginWorld(t, formConfig(), app)
	p := w.person("")
	p.name = ""
	p.get("/login").want(200)
	for _, password := range []string{"wrong", "wrong again"} {
		p.post("/login", "token", fmt.Sprint(app.token), "user", "alice", "password", password).want(200)
		shown, _, _ := strings.Cut(strings.SplitAfter(p.body, `value="`)[1], `"`)
		if shown == fmt.Sprint(app.token) {
			t.Fatal("the app has shown no form since: this test shows nothing")
		}
		if password == "wrong again" {
			p.post("/login", "token", shown, "user", "alice", "password", formPassword).want(303, "/.mfa/enroll")
		}
	}
}

// An id of a session in the address of a request that is refused stays out of the log.
func TestLogNamesNoSessionIDInAPath(t *testing.T) {
	var log bytes.Buffer
	w := newWorld(t, nil)
	var err error
	if w.gate, err = mfagate.New(mfagate.Config{Records: w.records, Pages: builtIn(), Factors: []mfagate.Factor{&totp.Factor{}}, Recovery: &recovery.Factor{}, Logger: slog.New(slog.NewTextHandler(&log, nil))}); err != nil {
		t.Fatal(err)
	}
	form, err := loginform.Compile(formConfig())
	if err != nil {
		t.Fatal(err)
	}
	w.handler = w.block(func(b *mfagate.BlockConfig) { b.Source, b.Login = nil, &mfagate.Login{Form: form} }).Handler(&formApp{sessions: map[string]string{}})
	p := w.signedInByForm()
	p.get("/login/%3Bjsessionid=secret1/notes%3bjsessionid=secret2?user=a&password=b").want(400)
	if got := log.String(); strings.Contains(got, "secret") || !strings.Contains(got, "outside of the login form") {
		t.Errorf("the log says %q", got)
	}
}
