package mfagate_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// A headerApp takes name and password in a header of one request, which answers with a cookie, as Cockpit does: it reads
// the header on any path that ends in /login, shows its form at any address, and is signed out of by a message.
type headerApp struct {
	mu       sync.Mutex
	sessions map[string]string // user by cookie
	acts     []string          // "user path", of whoever is signed in
	asked    []string          // headers Authorization that came
}

func (a *headerApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, r.Header["Authorization"]...)
	if strings.HasSuffix(r.URL.Path, "/login") {
		a.login(w, r)
		return
	}
	c, err := r.Cookie("cockpit")
	if err != nil || a.sessions[c.Value] == "" {
		w.Header().Set("Set-Cookie", "cockpit=deleted; PATH=/; SameSite=strict; HttpOnly")
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<p>Sign in")
		return
	}
	a.acts = append(a.acts, a.sessions[c.Value]+" "+r.URL.Path)
	fmt.Fprintf(w, "the app, for %s", a.sessions[c.Value])
}

func (a *headerApp) login(w http.ResponseWriter, r *http.Request) {
	user, password, ok := r.BasicAuth()
	if !ok || password != formPassword {
		w.Header().Set("WWW-Authenticate", `Basic realm="app"`)
		http.Error(w, "wrong user name or password", http.StatusUnauthorized)
		return
	}
	id := rand.Text()
	a.sessions[id] = user
	w.Header().Set("Set-Cookie", "cockpit="+id+"; Path=/; SameSite=Strict; HttpOnly")
	io.WriteString(w, `{"csrf-token":"secret-of-`+user+`"}`)
}

func headerConfig() loginform.Config {
	return loginform.Config{
		Page:        []loginform.Pattern{{Text: "GET /"}},
		Submit:      []loginform.Pattern{{Text: "GET /cockpit/login"}},
		Credentials: loginform.InHeader,
		Success:     []loginform.Signs{{Status: []string{"200"}, SetCookie: []string{"cockpit"}}},
		Failure:     []loginform.Signs{{Status: []string{"401"}}},
		Public:      []loginform.Pattern{{Text: "GET /cockpit/login"}},
		WebSocket:   []loginform.Pattern{{Text: "GET /cockpit/socket"}},
	}
}

func newHeaderWorld(t *testing.T) (*world, *headerApp) {
	app := &headerApp{sessions: make(map[string]string)}
	return loginWorld(t, headerConfig(), app), app
}

// signInByHeader sends what the script of the form does.
func (p *person) signInByHeader(path string, credentials ...string) *person {
	p.w.t.Helper()
	p.name = ""
	r := p.request("GET", path, "", "")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header["Authorization"] = credentials
	return p.send(r)
}

func pair(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// enrolByHeader signs in and enrols with a ticket, since the app does not say who it is.
func (p *person) enrolByHeader(user string) *person {
	p.w.t.Helper()
	p.name = ""
	p.get(p.w.ticketFor(user)).want(303, "/")
	p.signInByHeader("/cockpit/login", pair(user, formPassword)).want(401)
	p.last.Header().Set("Location", "/.mfa/enroll")
	return p.enrolHere()
}

func TestNameAndPasswordInAHeaderAreTheFirstFactor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, app := newHeaderWorld(t)
		p := w.person("")
		p.name = ""
		p.get("/system").want(303, "/").follow().want(200)
		p.signInByHeader("/cockpit/login").want(401) // as the script asks whether somebody is signed in
		if !strings.Contains(p.body, "wrong user name") {
			t.Errorf("without a password: %q; want the app's answer", p.body)
		}
		p.signInByHeader("/cockpit/login", pair("alice", "wrong")).want(401)
		if !strings.Contains(p.body, "wrong user name") || p.last.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("a wrong password: %q, %v; want the app's own words, and no window of the browser's", p.body, p.last.Header())
		}
		p.signInByHeader("/cockpit/login", pair("alice", formPassword)).want(401)
		if strings.Contains(p.body, "secret-of") || p.last.Header().Get("Mfa-Location") != "/.mfa/enroll" {
			t.Errorf("the right password: %q, %v; want nothing of the app's and the way to the second factor", p.body, p.last.Header())
		}
		p.get("/system").want(303, "/.mfa/enroll")
		p = w.person("").enrolByHeader("alice")
		p.get("/system").want(200)
		if p.body != "the app, for alice" {
			t.Errorf("after the proof: %q; want the app for alice", p.body)
		}
		for name, value := range p.cookies {
			if app.sessions[value] != "" {
				t.Errorf("cookie %s reached the browser in clear", name)
			}
		}
		time.Sleep(time.Hour)
		p.get("/system").want(303, "/.mfa/challenge").follow().want(200)
		p.post("/.mfa/challenge", "code", p.code(0)).want(303, "/system").follow().want(200)
		if p.body != "the app, for alice" {
			t.Errorf("after a break: %q; want the same session", p.body)
		}
	})
}

// The app reads what the gate has read, and nothing else that came with it.
func TestCredentialsInAHeaderReachTheAppAtTheFormOnly(t *testing.T) {
	w, app := newHeaderWorld(t)
	p := w.person("")
	right := pair("alice", formPassword)
	p.signInByHeader("/cockpit/login", strings.Replace(right, "Basic", "bAsIc", 1))
	if len(app.asked) != 1 || app.asked[0] != right {
		t.Errorf("the app was asked with %q; want %q", app.asked, right)
	}
	p = w.person("").enrolByHeader("alice")
	app.asked = nil
	for name, values := range map[string][]string{
		"two headers": {pair("alice", "x"), right}, "none in the second": {right, ""}, "no padding": {strings.TrimRight(right, "=") + "A"},
		"two blanks": {strings.Replace(right, " ", "  ", 1)}, "two in one": {right + ", " + pair("vic", formPassword)},
	} {
		if p.signInByHeader("/cockpit/login", values...).want(400); len(app.asked) > 0 {
			t.Errorf("%s: the app was asked with %q", name, app.asked)
		}
	}
	for _, path := range []string{"/", "/system", "/cockpit/login/", "/cockpit+x/login", "/COCKPIT/login", "//cockpit/login", "/cockpit/login?x=1", "/a/login", "/cockpit/socket"} {
		p.signInByHeader(path, pair("vic", formPassword))
		w.person("").signInByHeader(path, pair("vic", formPassword))
	}
	for _, other := range []string{"Negotiate YII=", "Bearer x", "X-Conversation 1 eA==", "tls-cert /etc/passwd"} {
		p.signInByHeader("/cockpit/login", other)
	}
	if len(app.asked) > 0 {
		t.Errorf("credentials passed elsewhere: %q", app.asked)
	}
	p.get("/system").want(200)
	if p.body != "the app, for alice" {
		t.Errorf("after all that: %q; want the session to go on", p.body)
	}
}

func TestFormSentByAnotherSiteWithAHeader(t *testing.T) {
	w, app := newHeaderWorld(t)
	for _, header := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}},
	} {
		p := w.person("")
		p.name = ""
		r := p.request("GET", "/cockpit/login", "", "")
		r.Header.Del("Sec-Fetch-Site")
		maps.Copy(r.Header, header)
		r.Header.Set("Authorization", pair("eve", formPassword))
		if p.send(r).want(403); len(app.asked) > 0 || p.cookies["mfagate"] != "" {
			t.Errorf("%v: the app was asked with %q", header, app.asked)
		}
	}
}

// Eve has a second factor of her own and vic's password.
func TestColleagueWithVicsPasswordInAHeader(t *testing.T) {
	w, app := newHeaderWorld(t)
	w.person("").enrolByHeader("vic")
	eve := w.person("").enrolByHeader("eve")
	eve.get("/system").want(200)
	own := maps.Clone(eve.cookies)
	app.acts = nil
	eve.signInByHeader("/cockpit/login", pair("vic", formPassword)).want(401) // in her own session
	asVic := maps.Clone(eve.cookies)
	fresh := w.person("")
	fresh.signInByHeader("/cockpit/login", pair("vic", formPassword)).want(401)
	both := w.person("")
	both.cookies = maps.Clone(asVic)
	both.cookies["mfagate"] = own["mfagate"]
	for _, p := range []*person{eve, fresh, both} {
		for _, path := range []string{"/system", "/", "/cockpit/login", "/.mfa/", "/cockpit/socket"} {
			if p.get(path); strings.Contains(p.body, "vic") && path != "/.mfa/" || strings.Contains(p.body, "for vic") {
				t.Errorf("%s shows %q", path, p.body)
			}
		}
		p.get("/system")
		p.last.Header().Set("Location", "/.mfa/challenge")
		p.follow()
		p.post("/.mfa/challenge", "code", eve.code(1))
		if p.get("/system"); strings.Contains(p.body, "for vic") {
			t.Errorf("with eve's own phone: %q", p.body)
		}
	}
	if len(app.acts) > 0 && strings.Contains(strings.Join(app.acts, "\n"), "vic ") {
		t.Errorf("the app acted as vic: %v", app.acts)
	}
}

// Cockpit is signed out of by a message in a WebSocket: the next page takes the cookie away.
func TestAppThatSignsOutByItself(t *testing.T) {
	w, app := newHeaderWorld(t)
	p := w.person("").enrolByHeader("alice")
	p.get("/system").want(200)
	before := maps.Clone(p.cookies)
	clear(app.sessions)
	p.get("/system").want(303, "/")
	if p.cookies["cockpit"] != "" || p.cookies["mfagate"] != "" {
		t.Errorf("cookies are left: %v", p.cookies)
	}
	p.follow().want(200)
	if !strings.Contains(p.body, "Sign in") {
		t.Errorf("the way leads to %q; want the form", p.body)
	}
	thief := w.person("")
	thief.cookies = before
	thief.get("/.mfa/").want(303, "/")
	p.signInByHeader("/cockpit/login", pair("alice", formPassword)).want(401)
	if to := p.last.Header().Get("Mfa-Location"); to != "/.mfa/challenge" {
		t.Errorf("signing in again leads to %q; want the challenge", to)
	}
}

// What a script asks for is the app's to answer: it may be the sign-out itself.
func TestAppThatSignsOutForAScript(t *testing.T) {
	w, app := newHeaderWorld(t)
	p := w.person("").enrolByHeader("alice")
	clear(app.sessions)
	p.fetch("GET", "/system", "", "").want(200)
	if !strings.Contains(p.body, "Sign in") {
		t.Errorf("got %q; want the app's answer", p.body)
	}
	p.get("/system").want(303, "/")
}

// All that a page asks for at once finds the session over: each request gets an answer, and the session ends once.
func TestAppThatSignsOutForManyRequestsAtOnce(t *testing.T) {
	w, app := newHeaderWorld(t)
	p := w.person("").enrolByHeader("alice")
	clear(app.sessions)
	signedOut := func() (n int) {
		for _, kind := range w.kinds() {
			if kind == mfagate.EventSignedOut {
				n++
			}
		}
		return n
	}
	before := signedOut()
	var all sync.WaitGroup
	for i := range 16 {
		r := p.request("GET", fmt.Sprintf("/part/%d", i), "", "")
		if i%2 == 0 {
			r.Header.Set("Accept", "*/*")
			r.Header.Set("Sec-Fetch-Mode", "cors")
		}
		all.Go(func() {
			rec := httptest.NewRecorder()
			if w.handler.ServeHTTP(rec, r); rec.Code != http.StatusOK && rec.Code != http.StatusSeeOther && rec.Code != http.StatusUnauthorized {
				t.Errorf("%s: got %d %.300q", r.URL.Path, rec.Code, rec.Body)
			}
		})
	}
	all.Wait()
	p.get("/.mfa/").want(303, "/")
	if got := signedOut() - before; got != 1 {
		t.Errorf("%d events of the sign-out; want 1", got)
	}
}

func TestPasswordInAHeaderIsCheckedOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, app := newHeaderWorld(t)
		form, err := loginform.Compile(headerConfig())
		if err != nil {
			t.Fatal(err)
		}
		w.handler = w.block(func(b *mfagate.BlockConfig) {
			b.Source, b.Site.Mode, b.Login = nil, mfagate.Optional, &mfagate.Login{Form: form}
		}).Handler(app)
		p := w.person("").enrolByHeader("alice")
		time.Sleep(time.Minute)
		p.get("/.mfa/disable").want(303, "/.mfa/challenge").follow().want(200)
		p.post("/.mfa/challenge", "code", p.code(0), "purpose", "settings", "return", "/.mfa/disable").want(303, "/.mfa/disable").follow()
		app.asked = nil
		p.post("/.mfa/disable", "password", "wrong").want(422)
		if len(app.asked) != 1 || app.asked[0] != pair("alice", "wrong") {
			t.Errorf("the app was asked with %q; want the password that was typed", app.asked)
		}
		p.post("/.mfa/disable", "password", formPassword)
		if p.last.Code == 422 {
			t.Errorf("the right password: %d %.300q", p.last.Code, p.body)
		}
	})
}
