package unseen_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// common is what the blocks have in common.
const common = `
	user username
	password password
	public /static/**
	logout /logout
	identify probe GET /me json /name`

var apps = []struct {
	name  string
	app   *app
	block string
	proxy string // in place of the usual lines of the site; BLOCK and UP stand for the block and the app's address
}{
	{"state in a signed cookie, a flash, redirects for both", &app{cookie: "session", inCookie: true, prg: true, remember: "remember_token"},
		common + `
	page /login
	page /login?next=*
	submit /login
	success status 302 not_location /login*
	failure status 302 location /login*`, ""},
	{"a session renewed at the sign-in, redirects for both", &app{cookie: "connect.sid", prg: true},
		common + `
	page /login
	page /login?next=*
	submit /login
	success status 302 not_location /login*
	failure status 302 location /login*`, ""},
	{"a form at the first page, which is the answer, too", &app{cookie: "PHPSESSID", root: true, direct: true},
		common + `
	page /
	page /?next=*
	submit /
	success probe GET /me contains name
	failure selector "input[type=password]"`, ""},
	{"a page of a megabyte, as MeshCentral has it", &app{cookie: "xid", root: true, direct: true, big: 1 << 20},
		`
	user username
	password password
	public /static/**
	logout /logout
	page /
	page /?next=*
	submit /
	success selector "form[action='/upload']"
	failure selector "input[type=password]"
	identify probe GET / regexp "` + marker + `(\w+)"`, ""},
	{"cookies in chunks of four kilobytes", &app{cookie: ".AspNetCore.Cookies", inCookie: true, tokenPair: true, pad: 4500},
		common + `
	page /login
	page /login?next=*
	submit /login
	success set_cookie .AspNetCore.Cookies status 302
	failure status 200 selector "input[type=password]"`, ""},
	{"name first, then the password", &app{cookie: "session", inCookie: true, twoSteps: true},
		`
	page /login
	page /login?next=*
	page /login/password
	submit /login/password
	reset POST /login/name
	user none
	password password
	public /static/**
	logout /logout
	identify probe GET /me json /name
	success status 302 location /home
	failure status 200 selector "input[type=password]"`, ""},
	{"absolute redirects to itself", &app{cookie: "sid", self: "SELF"},
		common + `
	rewrite_location
	page /login
	page /login?next=*
	submit /login
	success status 302 location /home
	failure status 200 selector "input[type=password]"`, ""},
	{"a form for browsers that have kept a cookie", &app{cookie: "sid", check: true},
		common + `
	page /login
	page /login?next?=*&check?=*
	submit /login
	success status 302 location /home
	failure status 200 selector "input[type=password]"`, ""},
	{"names in addresses only", &app{cookie: "sid", prg: true, ownPages: true},
		`
	user username
	password password
	public /static/**
	logout /logout
	identify probe GET /me/ header Location regexp "^/people/([^/?]+)$"
	page /login
	page /login?next=*
	submit /login
	success status 302 not_location /login*
	failure status 302 location /login*`, ""},
	{"fields in brackets", &app{cookie: "_app_session", inCookie: true, prg: true, fields: "session[%s]"},
		`
	user session[username]
	password session[password]
	public /static/**
	logout /logout
	identify probe GET /me json /name
	page /login
	page /login?next=*
	submit /login
	success status 302 not_location /login*
	failure status 302 location /login*`, ""},
	{"a form of one folder that goes to another", &app{cookie: "_session_id", inCookie: true, prg: true, split: true},
		common + `
	page /session/new
	page /session/new?next=*
	submit /session
	success status 302 not_location /session/new*
	failure status 302 location /session/new*`, ""},
	{"below a path that the proxy takes off", &app{cookie: "sid", prg: true, base: "/app"},
		`
	user username
	password password
	public /app/static/**
	logout /app/logout
	identify probe GET /app/me json /name
	page /app/login
	page /app/login?next=*
	submit /app/login
	success status 302 not_location /app/login*
	failure status 302 location /app/login*`,
		"mfa /app/* {\n login_form {\nBLOCK\n}\n}\nhandle_path /app/* {\nreverse_proxy UP\n}"},
}

type world struct {
	*testing.T
	app  *app
	gate *gatetest.Server
}

func TestApps(t *testing.T) {
	for _, c := range apps {
		t.Run(c.name, func(t *testing.T) {
			upstream := httptest.NewServer(c.app.start())
			t.Cleanup(upstream.Close)
			if c.app.self == "SELF" {
				c.app.self = upstream.URL
			}
			site := c.proxy
			if site == "" {
				site = "mfa {\n login_form {\nBLOCK\n}\n}\nreverse_proxy UP"
			}
			site = strings.NewReplacer("BLOCK", c.block, "UP", strings.TrimPrefix(upstream.URL, "http://")).Replace(site)
			w := &world{t, c.app, gatetest.Start(t, gatetest.Config{Plain: true, Site: site})}
			w.story()
		})
	}
}

// typeIn fills the login form of a page.
func (w *world) typeIn(p *gatetest.Person, page *gatetest.Page, user, password string) *gatetest.Page {
	w.Helper()
	if w.app.twoSteps {
		if page.URL.Path != "/login" {
			page = p.Navigate(w, "/login")
		}
		page = p.Submit(w, page, w.app.base+"/login/name", url.Values{"username": {user}})
		return p.Submit(w, page, "/login/password", url.Values{"password": {password}})
	}
	return p.Submit(w, page, w.app.base+w.app.action(), url.Values{w.app.field("username"): {user}, w.app.field("password"): {password}, "remember": {"1"}})
}

func (w *world) wantLogin(page *gatetest.Page, after string) {
	w.Helper()
	if page.Find("input", "name", w.app.field("username")) == nil && page.Find("input", "name", w.app.field("password")) == nil || page.Status != http.StatusOK {
		w.Fatalf("%s: got %d at %s; want the login form:\n%.800s", after, page.Status, page.URL, page.Text())
	}
	w.wantNothing(page, after)
}

func (w *world) wantNothing(page *gatetest.Page, after string) {
	w.Helper()
	if strings.Contains(page.Body, marker) {
		w.Fatalf("%s: the app is open at %s:\n%.800s", after, page.URL, page.Body)
	}
}

func (w *world) wantApp(page *gatetest.Page, after string) {
	w.Helper()
	if page.Status != http.StatusOK || !strings.Contains(page.Body, marker+"alice") {
		w.Fatalf("%s: got %d at %s; want the app:\n%.800s", after, page.Status, page.URL, page.Text())
	}
}

func (w *world) wantAt(page *gatetest.Page, path, after string) {
	w.Helper()
	if page.URL.Path != path {
		w.Fatalf("%s: got %d at %s; want %s:\n%.800s", after, page.Status, page.URL, path, page.Text())
	}
	w.wantNothing(page, after)
}

// story is a day of alice's.
func (w *world) story() {
	p := w.gate.Person("")
	page := p.Navigate(w, w.app.base+"/reports")
	w.wantLogin(page, "at first")
	for _, name := range []string{"alice", "alcie"} {
		page = w.typeIn(p, page, name, "wrong")
		if !strings.Contains(page.Text(), wrongWords) {
			w.Errorf("a wrong password as %s: got %d at %s without the app's words:\n%.600s", name, page.Status, page.URL, page.Text())
			page = p.Navigate(w, w.app.base+w.app.login())
		}
		w.wantLogin(page, "after a wrong password as "+name)
	}
	page = w.typeIn(p, page, "alice", gatetest.Password)
	if page.URL.Path != gatetest.PathEnrol {
		w.Errorf("the right password after a wrong name: got %d at %s; want the enrolment:\n%.600s", page.Status, page.URL, page.Text())
		page = w.typeIn(p, p.Navigate(w, w.app.base+w.app.login()), "alice", gatetest.Password)
	}
	w.wantAt(page, gatetest.PathEnrol, "the right password")
	w.wantNothing(p.Navigate(w, w.app.base+"/home"), "without a second factor")
	page = w.enrol(p)
	w.wantApp(page, "after the enrolment")
	if page.URL.RequestURI() != w.app.base+"/home" {
		w.Errorf("after the enrolment: at %s; want what was asked for first", page.URL)
	}
	w.use(p)
	w.wantLogin(p.Navigate(w, w.app.base+"/logout"), "signed out")
	w.wantLogin(p.Navigate(w, w.app.base+"/home"), "after the sign-out")
	w.again(p, "after the sign-out")
	q := p.Elsewhere()
	w.again(q, "in another browser")
	p.Codes = q.Codes
	w.app.forget()
	w.wantLogin(p.Navigate(w, w.app.base+"/home"), "after the app has forgotten the session")
	w.again(p, "after the app has forgotten the session")
	w.thief(p)
}

func (w *world) enrol(p *gatetest.Person) *gatetest.Page {
	w.Helper()
	page := p.Submit(w, p.Navigate(w, gatetest.PathEnrol), gatetest.PathTOTP, nil)
	p.Phone = &gatetest.Authenticator{Secret: page.Secret(w)}
	page = p.ConfirmCode(w, page)
	return p.Submit(w, page, gatetest.PathCodes, url.Values{"saved": {"yes"}})
}

// again signs alice in who has a phone.
func (w *world) again(p *gatetest.Person, when string) {
	w.Helper()
	page := p.Navigate(w, w.app.base+"/home")
	w.wantLogin(page, when)
	page = w.typeIn(p, page, "alice", gatetest.Password)
	w.wantAt(page, gatetest.PathChallenge, when)
	page = p.Submit(w, page, gatetest.PathChallenge, url.Values{"method": {"recovery"}, "code": {p.UseCode(w)}})
	if back := page.URL.Query().Get("return"); back != w.app.base+"/home" {
		w.Errorf("%s: the proof leads to %s; want /home", when, page.URL)
	}
	w.wantApp(p.Navigate(w, w.app.base+"/home"), when)
}

// use posts a file, takes a part of one, and listens.
func (w *world) use(p *gatetest.Person) {
	w.Helper()
	page := p.Navigate(w, w.app.base+"/home")
	w.wantApp(page, "in use")
	token := page.Form(w, w.app.base+"/upload").Values.Get("csrf")
	body := strings.NewReplacer("\n", "\r\n", "CSRF", token).Replace("--x\nContent-Disposition: form-data; name=\"csrf\"\n\nCSRF\n--x\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\n\nabc\n--x--\n")
	sent := p.Do(w, p.Request(w, http.MethodPost, w.app.base+"/upload", strings.NewReader(body), http.Header{
		"Content-Type": {"multipart/form-data; boundary=x"}, "Sec-Fetch-Site": {"same-origin"}, "Origin": {w.gate.URL}}))
	if sent.Status != http.StatusOK || sent.Body != "received 3 bytes" {
		w.Errorf("an upload: got %d %.200q", sent.Status, sent.Body)
	}
	part := p.Do(w, p.Request(w, http.MethodGet, w.app.base+"/file", nil, http.Header{"Range": {"bytes=5-7"}}))
	if part.Status != http.StatusPartialContent || part.Body != "567" {
		w.Errorf("a range: got %d %.200q", part.Status, part.Body)
	}
	if events := p.Fetch(w, http.MethodGet, w.app.base+"/events", nil); !strings.Contains(events.Body, "data: "+marker+"alice") {
		w.Errorf("events: got %d %.200q", events.Status, events.Body)
	}
	w.wantApp(p.Navigate(w, w.app.base+"/home"), "after some use")
}

// thief has alice's password, and the cookies of her browser but the gate's.
func (w *world) thief(alice *gatetest.Person) {
	w.Helper()
	eve := w.gate.Person("")
	for _, c := range alice.Cookies() {
		if !strings.Contains(c.Name, "mfa") {
			eve.Take(c)
		}
	}
	w.wantNothing(eve.Navigate(w, w.app.base+"/home"), "with stolen cookies")
	page := w.typeIn(eve, eve.Navigate(w, w.app.base+w.app.login()), "alice", gatetest.Password)
	w.wantAt(page, gatetest.PathChallenge, "with alice's password")
	for _, path := range []string{"/", "/home", "/file", "/events", "/me", w.app.login(), w.app.login() + "?next=%2Fhome"} {
		page := eve.Do(w, eve.Request(w, http.MethodGet, w.app.base+path, nil, nil))
		w.wantNothing(page, fmt.Sprintf("%s with alice's password", path))
		if strings.Contains(page.Body, "alice") && page.Status == http.StatusOK {
			w.Errorf("%s with alice's password: %d %.300s", path, page.Status, page.Body)
		}
	}
}
