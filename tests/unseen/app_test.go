package unseen_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// marker is on every page that only somebody who is signed in may see.
const marker = "SECRET-OF-"

// A state is what the app knows of a browser.
type state struct{ User, Step, CSRF, Flash string }

// An app is a web app with the habits of its framework.
type app struct {
	cookie    string // in which the session or its name is
	inCookie  bool   // the whole state is in the cookie, signed, as in Flask and Rails
	prg       bool   // a wrong password redirects to the form, which shows why
	root      bool   // the form is at /, as the first page is for whoever is signed in
	direct    bool   // the answer to a right password is the first page itself
	twoSteps  bool   // the name first, then the password
	script    bool   // JSON in, JSON out
	check     bool   // the form is shown, and taken, only where a cookie has come back
	ownPages  bool   // the app tells names only in the addresses that it leads to
	tokenPair bool   // the form's token is compared with a cookie of its own
	pad       int    // bytes of claims in the cookie, in chunks, as in ASP.NET
	self      string // absolute redirections go there
	remember  string // a cookie that outlives sessions
	split     bool   // the form is shown at /session/new and taken at /session
	header    bool   // scripts send the session's token in a header; it is in a cookie
	base      string // where a proxy puts the app
	fields    string // what the names of fields are in, such as login[%s]
	big       int    // bytes of script in each page
	key       []byte

	mu       sync.Mutex
	sessions map[string]*state
	epoch    int // of signed states that count
}

func (a *app) start() *app {
	if a.fields == "" {
		a.fields = "%s"
	}
	a.key, a.sessions = []byte(rand.Text()), make(map[string]*state)
	return a
}

// forget ends all sessions at the app.
func (a *app) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.epoch++
	clear(a.sessions)
}

func (a *app) field(name string) string { return fmt.Sprintf(a.fields, name) }

func (a *app) login() string {
	if a.root {
		return "/"
	}
	if a.split {
		return "/session/new"
	}
	return "/login"
}

// action is where the form goes.
func (a *app) action() string {
	if a.split {
		return "/session"
	}
	return a.login()
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, id := a.load(r)
	switch {
	case r.URL.Path == "/static/app.css":
		http.ServeContent(w, r, "app.css", time.Unix(1e9, 0), strings.NewReader("body{}"))
	case r.URL.Path == "/login/name" && a.twoSteps:
		s.Step = r.FormValue("username")
		a.save(w, s, id)
		a.redirect(w, "/login/password")
	case r.URL.Path == a.login() && (s.User == "" || r.Method == http.MethodPost), r.URL.Path == "/login/password" && a.twoSteps, r.URL.Path == a.action() && a.split:
		a.form(w, r, s, id)
	case s.User == "" && r.URL.Path == "/me":
		http.Error(w, "{}", http.StatusUnauthorized)
	case s.User == "":
		a.redirect(w, a.login()+"?next="+url.QueryEscape(r.URL.Path))
	default:
		a.inside(w, r, s, id)
	}
}

// filler is what script apps have in their pages.
func (a *app) filler() string {
	return "<script>" + strings.Repeat("//23456789abcde\n", a.big/16) + "</script>"
}

func (a *app) inside(w http.ResponseWriter, r *http.Request, s *state, id string) {
	switch r.URL.Path {
	case "/logout":
		delete(a.sessions, id)
		a.save(w, &state{Flash: "You are signed out."}, "")
		if a.remember != "" {
			http.SetCookie(w, &http.Cookie{Name: a.remember, Path: "/", MaxAge: -1})
		}
		a.redirect(w, a.login())
	case "/me/":
		if a.ownPages {
			a.redirect(w, "/people/"+url.PathEscape(s.User))
		}
	case "/me":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"name":%q}`, s.User)
	case "/people":
		a.addUser(w, r, s)
	case "/file":
		http.ServeContent(w, r, "file.txt", time.Unix(1e9, 0), strings.NewReader(strings.Repeat("0123456789", 100)))
	case "/upload":
		a.upload(w, r, s)
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: "+marker+s.User+"\n\n")
		w.(http.Flusher).Flush()
	default:
		flash := s.Flash
		if s.Flash = ""; flash != "" {
			a.save(w, s, id)
		}
		a.home(w, s, flash)
	}
}

func (a *app) home(w http.ResponseWriter, s *state, flash string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><title>App</title>%s<p>%s</p><p>%s%s</p><form method=post action=%s/upload enctype=multipart/form-data><input type=hidden name=csrf value="%s"><input type=file name=file></form>`, a.filler(), flash, marker, s.User, a.base, s.CSRF)
}

func (a *app) upload(w http.ResponseWriter, r *http.Request, s *state) {
	f, _, err := r.FormFile("file")
	if err != nil || r.FormValue("csrf") != s.CSRF {
		http.Error(w, "the form's token does not fit", http.StatusForbidden)
		return
	}
	data, _ := io.ReadAll(f)
	fmt.Fprintf(w, "received %d bytes", len(data))
}

// addUser reads a form with the fields of the login form. With "become" it is one of those that go
// on as whoever was added.
func (a *app) addUser(w http.ResponseWriter, r *http.Request, s *state) {
	if r.FormValue("become") != "" {
		s.User = r.FormValue("username")
	}
	fmt.Fprintf(w, "added %s", r.FormValue("username"))
}

// form shows the login form and reads it.
func (a *app) form(w http.ResponseWriter, r *http.Request, s *state, id string) {
	if _, err := r.Cookie("checked"); a.check && err != nil {
		http.SetCookie(w, &http.Cookie{Name: "checked", Value: "1", Path: "/"})
		a.redirect(w, a.login()+"?check=1")
		return
	}
	if s.CSRF == "" {
		s.CSRF = rand.Text()
	}
	if r.Method == http.MethodPost {
		a.submitted(w, r, s, id)
		return
	}
	flash := s.Flash
	s.Flash = ""
	a.save(w, s, id)
	if a.header {
		http.SetCookie(w, &http.Cookie{Name: "XSRF-TOKEN", Value: s.CSRF, Path: "/"})
	}
	a.showForm(w, r, s, flash)
}

func (a *app) showForm(w http.ResponseWriter, r *http.Request, s *state, flash string) {
	token := s.CSRF
	if a.tokenPair {
		token = rand.Text()
		http.SetCookie(w, &http.Cookie{Name: ".AspNetCore.Antiforgery.x1", Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><title>Sign in</title>%s<p role=alert>%s</p>`, a.filler(), html.EscapeString(flash))
	action := a.action()
	fields := fmt.Sprintf(`<input name=%s><input type=password name=%s>`, a.field("username"), a.field("password"))
	switch {
	case a.twoSteps && r.URL.Path == "/login":
		action, fields = "/login/name", `<input name=username>`
	case a.twoSteps:
		action, fields = "/login/password", `<input type=password name=password>`
	}
	fmt.Fprintf(w, `<form method=post action=%s%s>%s<input type=hidden name=next value="%s"><input type=hidden name=csrf value="%s"></form>`, a.base, action, fields, html.EscapeString(r.URL.Query().Get("next")), token)
}

func (a *app) submitted(w http.ResponseWriter, r *http.Request, s *state, id string) {
	name, password := r.FormValue(a.field("username")), r.FormValue(a.field("password"))
	if a.twoSteps {
		name = s.Step
	}
	if a.script {
		var body struct{ User, Password string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		name, password = body.User, body.Password
	}
	if !a.script && !a.tokenFits(r, s) || a.header && r.Header.Get("X-XSRF-TOKEN") != s.CSRF {
		http.Error(w, "the form's token does not fit", http.StatusForbidden)
		return
	}
	if (name != "alice" && name != "bob") || password != gatetest.Password {
		a.wrong(w, r, s, id)
		return
	}
	delete(a.sessions, id) // against fixed sessions
	in := &state{User: name, CSRF: rand.Text(), Flash: "Welcome back"}
	a.save(w, in, "")
	if a.remember != "" && r.FormValue("remember") != "" {
		http.SetCookie(w, &http.Cookie{Name: a.remember, Value: rand.Text(), Path: "/", MaxAge: 86400, HttpOnly: true})
	}
	switch {
	case a.script:
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"message":"Logged in","redirectUrl":"/home"}`)
	case a.direct:
		a.home(w, in, in.Flash)
	default:
		a.redirect(w, "/home")
	}
}

func (a *app) tokenFits(r *http.Request, s *state) bool {
	if a.tokenPair {
		c, err := r.Cookie(".AspNetCore.Antiforgery.x1")
		return err == nil && c.Value == r.FormValue("csrf")
	}
	return r.FormValue("csrf") == s.CSRF
}

const wrongWords = "Name or password are wrong"

func (a *app) wrong(w http.ResponseWriter, r *http.Request, s *state, id string) {
	switch {
	case a.script:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"message":"`+wrongWords+`"}`)
	case a.prg:
		s.Flash = wrongWords
		a.save(w, s, id)
		to := r.URL.Path
		if a.split {
			to = a.login()
		}
		a.redirect(w, to)
	default:
		a.save(w, s, id)
		a.showForm(w, r, s, wrongWords)
	}
}

func (a *app) redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", a.self+a.base+to)
	w.WriteHeader(http.StatusFound)
}

// load returns the state of the browser that asks.
func (a *app) load(r *http.Request) (*state, string) {
	value := a.joined(r)
	if !a.inCookie {
		if s := a.sessions[value]; s != nil {
			return s, value
		}
		return new(state), ""
	}
	var signed struct {
		Epoch int
		State state
	}
	body, sum, _ := strings.Cut(value, ".")
	plain, _ := base64.RawURLEncoding.DecodeString(body)
	if sum != a.sign(body) || json.Unmarshal(bytes.TrimRight(plain, " "), &signed) != nil || signed.Epoch != a.epoch {
		return new(state), ""
	}
	return &signed.State, ""
}

// joined is the value of the cookie, which may come in chunks.
func (a *app) joined(r *http.Request) string {
	c, err := r.Cookie(a.cookie)
	if err != nil {
		return ""
	}
	var n int
	if _, err := fmt.Sscanf(c.Value, "chunks-%d", &n); err != nil {
		return c.Value
	}
	var b strings.Builder
	for i := range n {
		if c, err := r.Cookie(fmt.Sprintf("%sC%d", a.cookie, i+1)); err == nil {
			b.WriteString(c.Value)
		}
	}
	return b.String()
}

func (a *app) save(w http.ResponseWriter, s *state, id string) string {
	if !a.inCookie {
		if id == "" {
			id = "s%3A" + rand.Text() + "." + a.sign("x")
			http.SetCookie(w, &http.Cookie{Name: a.cookie, Value: id, Path: "/", HttpOnly: true})
		}
		a.sessions[id] = s
		return id
	}
	plain, _ := json.Marshal(map[string]any{"Epoch": a.epoch, "State": s})
	if s.User != "" {
		plain = append(plain, bytes.Repeat([]byte(" "), a.pad)...)
	}
	body := base64.RawURLEncoding.EncodeToString(plain)
	a.setChunks(w, body+"."+a.sign(body))
	return ""
}

func (a *app) setChunks(w http.ResponseWriter, value string) {
	const most = 4000
	if len(value) <= most {
		http.SetCookie(w, &http.Cookie{Name: a.cookie, Value: value, Path: "/", HttpOnly: true})
		return
	}
	n := (len(value) + most - 1) / most
	http.SetCookie(w, &http.Cookie{Name: a.cookie, Value: fmt.Sprintf("chunks-%d", n), Path: "/", HttpOnly: true})
	for i := range n {
		chunk := value[i*most : min(len(value), (i+1)*most)]
		http.SetCookie(w, &http.Cookie{Name: fmt.Sprintf("%sC%d", a.cookie, i+1), Value: chunk, Path: "/", HttpOnly: true})
	}
}

func (a *app) sign(text string) string {
	m := hmac.New(sha256.New, a.key)
	m.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}
