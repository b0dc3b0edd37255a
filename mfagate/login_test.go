package mfagate_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// A formApp is a legacy app with a login form: its session exists before the sign-in
// and keeps its cookie, as that of many PHP apps does.
type formApp struct {
	mu       sync.Mutex
	sessions map[string]string // user by cookie; empty for visitors
	acts     []string          // "user METHOD path"
}

const formPassword = "correct horse"

func (a *formApp) session(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie("PHPSESSID"); err == nil {
		if _, ok := a.sessions[c.Value]; ok {
			return c.Value
		}
	}
	id := rand.Text()
	a.sessions[id] = ""
	http.SetCookie(w, &http.Cookie{Name: "PHPSESSID", Value: id, Path: "/"})
	return id
}

func (a *formApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.URL.Path == "/style.css" {
		io.WriteString(w, "body{}")
		return
	}
	id := a.session(w, r)
	user := a.sessions[id]
	a.acts = append(a.acts, user+" "+r.Method+" "+r.URL.Path)
	switch r.URL.Path {
	case "/login":
		a.login(w, r, id)
	case "/logout":
		http.Redirect(w, r, "/login", http.StatusFound) // and the session lives on, as in some apps
	case "/me":
		fmt.Fprintf(w, `<p id="me">%s</p>`, user)
	case "/theme":
		if c, err := r.Cookie("theme"); err == nil {
			fmt.Fprintf(w, "the theme is %s", c.Value)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark", Path: "/"})
	default:
		fmt.Fprintf(w, "the app, for %s", user)
	}
}

func (a *formApp) login(w http.ResponseWriter, r *http.Request, id string) {
	if r.Method == http.MethodPost && r.FormValue("token") != "csrf-"+id {
		http.Error(w, "bad token", http.StatusForbidden)
		return
	}
	if r.Method == http.MethodPost && r.FormValue("password") == formPassword {
		a.sessions[id] = strings.ToLower(strings.TrimSpace(r.FormValue("user")))
		http.Redirect(w, r, "/home", http.StatusFound)
		return
	}
	if r.Method == http.MethodPost {
		io.WriteString(w, "<p>Wrong password</p>")
	}
	fmt.Fprintf(w, `<form method=post><input type=hidden name=token value="csrf-%s"><input name=user><input name=password type=password></form>`, id)
}

// acted tells whether the app did anything as a user since it was asked last. What
// the gate asks of its own is nothing, and neither is a sign-out.
func (a *formApp) acted(user string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, act := range a.acts {
		if strings.HasPrefix(act, user+" ") && !strings.HasSuffix(act, "POST /login") && !strings.HasSuffix(act, "GET /me") && !strings.HasSuffix(act, "GET /logout") {
			return true
		}
	}
	return false
}

func formConfig() loginform.Config {
	return loginform.Config{
		Page:     []loginform.Pattern{{Text: "GET /login"}},
		Submit:   []loginform.Pattern{{Text: "POST /login"}},
		User:     loginform.Field{Form: "user"},
		Password: loginform.Field{Form: "password"},
		Success:  []loginform.Signs{{Status: []string{"302"}, Location: []string{"/home"}}},
		Failure:  []loginform.Signs{{Body: []string{"Wrong password"}}},
		Identify: &loginform.Identify{Probe: "GET /me", Selector: "#me"},
		Public:   []loginform.Pattern{{Text: "GET /style.css"}},
		Logout:   []loginform.Pattern{{Text: "GET /logout"}},
	}
}

// newFormWorld starts a gate before an app with a login form.
func newFormWorld(t testing.TB, change ...func(*loginform.Config)) (*world, *formApp) {
	t.Helper()
	w := newWorld(t, nil)
	c := formConfig()
	for _, f := range change {
		f(&c)
	}
	form, err := loginform.Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	app := &formApp{sessions: map[string]string{}}
	w.handler = w.block(func(b *mfagate.BlockConfig) {
		b.Source, b.Login = nil, &mfagate.Login{Form: form}
	}).Handler(app)
	return w, app
}

// signIn types a name and a password into the app's form, as a browser would.
func (p *person) signIn(user, password string) *person {
	p.w.t.Helper()
	p.name = ""
	p.get("/login").want(200)
	return p.submitLogin(user, password)
}

// submitLogin posts the form that the person looks at.
func (p *person) submitLogin(user, password string) *person {
	p.w.t.Helper()
	_, rest, _ := strings.Cut(p.body, `value="csrf-`)
	token, _, _ := strings.Cut(rest, `"`)
	return p.post("/login", "token", "csrf-"+token, "user", user, "password", password)
}

func TestLoginFormIsTheFirstFactor(t *testing.T) {
	w, app := newFormWorld(t)
	p := w.person("")
	p.get("/reports?year=2026").want(303, "/login")
	p.signIn("alice", formPassword).want(303, "/.mfa/enroll")
	if app.acted("alice") {
		t.Fatalf("the app acted as alice before her second factor: %v", app.acts)
	}
	p.get("/reports").want(303, "/.mfa/enroll")
	p.enrolHere()
	p.get("/reports?year=2026").want(200)
	if p.body != "the app, for alice" {
		t.Errorf("after the proof: %q; want the app for alice", p.body)
	}
	for name, value := range p.cookies {
		if _, known := app.sessions[value]; known {
			t.Errorf("cookie %s reached the browser in clear", name)
		}
	}
}

func TestLoginFormChallengesNextTimeAndLeadsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newFormWorld(t)
		p := w.person("")
		p.signIn("alice", formPassword).want(303, "/.mfa/enroll")
		p.enrolHere()
		time.Sleep(time.Minute)
		q := p.elsewhere()
		q.name = ""
		q.get("/reports?year=2026").want(303, "/login")
		q.signIn(" Alice ", formPassword).want(303, "/.mfa/challenge")
		q.follow().want(200)
		q.post("/.mfa/challenge", "code", q.code(0)).want(303, "/reports?year=2026")
		q.follow().want(200)
		if q.body != "the app, for alice" {
			t.Errorf("after the proof: %q; want the app for alice", q.body)
		}
	})
}

func TestWrongPasswordShowsTheAppsOwnPageAndMayBeRepeated(t *testing.T) {
	w, _ := newFormWorld(t)
	p := w.person("")
	p.signIn("alice", "wrong").want(200)
	if !strings.Contains(p.body, "Wrong password") {
		t.Fatalf("after a wrong password: %q; want the app's own page", p.body)
	}
	p.submitLogin("alice", formPassword).want(303, "/.mfa/enroll")
}

func TestIdleSessionOfALoginFormIsLockedNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, app := newFormWorld(t)
		p := w.person("")
		p.signIn("alice", formPassword).want(303, "/.mfa/enroll")
		p.enrolHere()
		p.get("/home").want(200)
		time.Sleep(time.Hour)
		p.get("/home").want(303, "/.mfa/challenge")
		p.follow().want(200)
		p.post("/.mfa/challenge", "code", p.code(0)).want(303, "/home")
		p.follow().want(200)
		if p.body != "the app, for alice" || len(app.sessions) > 2 {
			t.Errorf("after the proof: %q with %d app sessions; want the same one", p.body, len(app.sessions))
		}
		time.Sleep(12 * time.Hour)
		p.get("/home").want(303, "/login")
	})
}

func TestLogoutEndsTheSessionWhateverTheAppSays(t *testing.T) {
	w, _ := newFormWorld(t)
	p := w.person("")
	p.signIn("alice", formPassword).want(303, "/.mfa/enroll")
	p.enrolHere()
	before := maps.Clone(p.cookies)
	p.get("/logout").want(302, "/login")
	p.get("/home").want(303, "/login")
	p.cookies = before
	p.get("/home").want(303, "/login") // the old cookies open nothing any more
}

// enrolHere enrols from the page to which the sign-in has led.
func (p *person) enrolHere() *person {
	p.w.t.Helper()
	p.follow().want(200)
	p.post("/.mfa/enroll/totp").want(303, "/.mfa/enroll/totp").follow().want(200).scan()
	p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303, "/.mfa/recovery-codes").follow().want(200).note()
	return p.post("/.mfa/recovery-codes", "saved", "yes", "set", p.set()).want(303)
}

// The colleague: eve has her own second factor and vic's password.

func TestColleagueWithVicsPasswordInsideHerOwnSession(t *testing.T) {
	w, app := newFormWorld(t)
	vic, eve := w.person(""), w.person("")
	vic.signIn("vic", formPassword)
	vic.enrolHere()
	app.acts = nil
	eve.signIn("eve", formPassword)
	eve.enrolHere()
	eve.get("/home").want(200)
	eve.get("/login").want(200)
	eve.submitLogin("vic", formPassword).want(303, "/.mfa/challenge") // with the form of her own session
	for _, path := range []string{"/home", "/login", "/me", "/style.css", "/.mfa/"} {
		eve.get(path)
		if strings.Contains(eve.body, "for vic") || strings.Contains(eve.body, ">vic<") {
			t.Errorf("%s shows %q", path, eve.body)
		}
	}
	eve.get("/logout") // of what waits for the second factor
	eve.signIn("vic", formPassword)
	if eve.last.Code == 303 {
		eve.follow()
		eve.post("/.mfa/challenge", "code", eve.code(1))
	}
	eve.get("/home")
	if app.acted("vic") || strings.Contains(eve.body, "for vic") {
		t.Errorf("the app acted as vic for eve: %v", app.acts)
	}
}

func TestLineageCopiedIntoTwoBrowsers(t *testing.T) {
	w, app := newFormWorld(t)
	vic := w.person("")
	vic.signIn("vic", formPassword)
	vic.enrolHere()
	app.acts = nil
	first := w.person("")
	first.get("/login").want(200)
	second := w.person("")
	second.cookies, second.body = maps.Clone(first.cookies), first.body
	first.submitLogin("eve", formPassword).want(303, "/.mfa/enroll")
	first.enrolHere()
	second.submitLogin("vic", formPassword)
	for _, p := range []*person{first, second} {
		for _, path := range []string{"/home", "/login", "/me"} {
			if p.get(path); strings.Contains(p.body, "vic") {
				t.Errorf("%s shows %q", path, p.body)
			}
		}
	}
	if app.acted("vic") {
		t.Errorf("the app acted as vic: %v", app.acts)
	}
}

func TestOlderCookiesOfAnEarlierSignIn(t *testing.T) {
	w, app := newFormWorld(t)
	vic, eve := w.person(""), w.person("")
	vic.signIn("vic", formPassword)
	vic.enrolHere()
	app.acts = nil
	eve.signIn("eve", formPassword)
	eve.enrolHere()
	eve.signIn("vic", formPassword).want(303, "/.mfa/challenge")
	asVic := maps.Clone(eve.cookies)
	eve.get("/logout")
	eve.signIn("eve", formPassword).want(303, "/.mfa/challenge")
	eve.follow()
	eve.post("/.mfa/challenge", "code", eve.code(1)).want(303)
	eve.get("/home").want(200)
	session := eve.cookies["mfagate"]
	maps.Copy(eve.cookies, asVic)
	eve.cookies["mfagate"] = session
	eve.get("/home")
	if strings.Contains(eve.body, "for vic") || app.acted("vic") {
		t.Errorf("older cookies work: %q, %v", eve.body, app.acts)
	}
}

func TestAccountSwitchInsideTheAppEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, app := newFormWorld(t)
		eve := w.person("")
		eve.signIn("eve", formPassword)
		eve.enrolHere()
		eve.get("/home").want(200)
		app.mu.Lock()
		for id, user := range app.sessions {
			if user == "eve" {
				app.sessions[id] = "vic" // by a door that nobody watches
			}
		}
		app.acts = nil
		app.mu.Unlock()
		time.Sleep(time.Minute)
		eve.get("/home").want(403)
		eve.get("/home").want(303, "/login")
		if app.acted("vic") {
			t.Errorf("the app acted as vic: %v", app.acts)
		}
	})
}

func TestSideDoorsTakeNoCredentials(t *testing.T) {
	w, app := newFormWorld(t)
	p := w.person("")
	p.signIn("alice", formPassword)
	p.enrolHere()
	app.acts = nil
	p.get("/home?user=bob&password=x").want(400)
	p.post("/elsewhere", "user", "bob", "password", "x").want(400)
	r := p.request("GET", "/home", "", "")
	r.SetBasicAuth("bob", formPassword)
	p.send(r).want(200)
	if p.body != "the app, for alice" {
		t.Errorf("with Basic credentials: %q", p.body)
	}
	q := w.person("")
	for _, path := range []string{"/home", "//login", "/login/../home", "/login;x", "/%6cogin", "/style.css/..%2fhome", "/style.css?user=a&password=b"} {
		r := q.request("GET", "/", "", "")
		r.URL.Path, r.URL.RawPath = path, ""
		q.send(r)
	}
	if app.acted("") {
		t.Errorf("visitors reached the app: %v", app.acts)
	}
}

func TestSwitchingOffAsksTheAppForThePassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, app := newFormWorld(t)
		w.handler = w.formBlock(app, mfagate.Site{Mode: mfagate.Optional})
		p := w.person("")
		p.signIn("alice", formPassword).want(302, "/home")
		p.get("/.mfa/enroll").want(200)
		p.post("/.mfa/enroll/totp").want(303, "/.mfa/enroll/totp").follow().want(200).scan()
		p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303, "/.mfa/recovery-codes").follow().want(200).note()
		p.post("/.mfa/recovery-codes", "saved", "yes", "set", p.set()).want(303)
		time.Sleep(time.Minute)
		p.get("/.mfa/disable").want(303, "/.mfa/challenge").follow().want(200)
		p.post("/.mfa/challenge", "code", p.code(0), "purpose", "settings", "return", "/.mfa/disable").want(303, "/.mfa/disable").follow().want(200)
		if !strings.Contains(p.body, `name="password"`) {
			t.Fatalf("no password is asked for: %.2000s", p.body)
		}
		before := len(app.acts)
		p.post("/.mfa/disable", "password", "wrong").want(422)
		if len(app.acts) == before {
			t.Error("the app was not asked about the password")
		}
		p.post("/.mfa/disable", "password", formPassword).want(200)
		p.get("/home").want(303, "/login")
		p.signIn("alice", formPassword).want(302, "/home")
	})
}

// formBlock is a block with a login form before app.
func (w *world) formBlock(app http.Handler, site mfagate.Site) http.Handler {
	w.t.Helper()
	form, err := loginform.Compile(formConfig())
	if err != nil {
		w.t.Fatal(err)
	}
	return w.block(func(b *mfagate.BlockConfig) {
		b.Source, b.Site, b.Login = nil, site, &mfagate.Login{Form: form}
	}).Handler(app)
}

func TestAppCannotSetOrReadTheGatesOwnCookies(t *testing.T) {
	c := formConfig()
	c.PassCookies = []string{"mfagate*", "theme"}
	var got string
	w := loginWorld(t, c, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Cookie")
		rw.Header().Add("Set-Cookie", "mfagate=planted; Path=/")
		rw.Header().Add("Set-Cookie", "mfagate_login=; Max-Age=0")
		rw.Header().Add("Set-Cookie", "__Host-mfagate=planted; Path=/; Secure")
		rw.Header().Add("Set-Cookie", "theme=dark")
	}))
	p := w.person("")
	p.name = ""
	p.cookies["mfagate"] = "somebodys-session"
	p.get("/login").want(200)
	if got != "" {
		t.Errorf("the app reads %q", got)
	}
	for _, line := range p.last.Header()["Set-Cookie"] {
		if strings.Contains(line, "planted") || strings.HasPrefix(line, "mfagate_login=;") {
			t.Errorf("the app sets %q", line)
		}
	}
	if p.get("/login"); got != "theme=dark" {
		t.Errorf("the app reads %q; want its own cookie", got)
	}
}
