package unseen_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// A page of scripts that posts JSON and stays where it is, as Grafana's and Gitea's
// tokens do: the script is told where to go, and nothing of the app before.
func TestScriptThatSignsIn(t *testing.T) {
	a := (&app{cookie: "app_session", script: true}).start()
	upstream := httptest.NewServer(a)
	t.Cleanup(upstream.Close)
	gate := gatetest.Start(t, gatetest.Config{Plain: true, Site: `mfa {
		login_form {
			page /login
			page /login?next=*
			submit /login
			user /user
			password /password
			success status 200 json "/message=Logged in"
			failure status 401
			identify probe GET /me json /name
			logout /logout
			inject
		}
	}
	reverse_proxy ` + strings.TrimPrefix(upstream.URL, "http://")})
	w := &world{t, a, gate}
	p := gate.Person("")
	page := p.Navigate(t, "/home")
	w.wantLogin(page, "at first")
	if !strings.Contains(page.Body, "/.mfa/static/login.") {
		t.Errorf("the login page has no script: %q", page.Body)
	}
	post := func(p *gatetest.Person, user, password string) *gatetest.Page {
		return p.Fetch(t, http.MethodPost, "/login", map[string]string{"user": user, "password": password})
	}
	if got := post(p, "alice", "wrong"); got.Status != 401 || !strings.Contains(got.Body, wrongWords) {
		t.Errorf("a wrong password: got %d %q; want the app's answer", got.Status, got.Body)
	}
	got := post(p, "alice", gatetest.Password)
	if got.Status != 403 && got.Status != 401 || got.Header.Get("Mfa-Location") != gatetest.PathEnrol || strings.Contains(got.Body, "Logged in") {
		t.Errorf("the right password: got %d to %q: %q", got.Status, got.Header.Get("Mfa-Location"), got.Body)
	}
	if me := p.Fetch(t, http.MethodGet, "/me", nil); me.Status != 401 || strings.Contains(me.Body, "alice") {
		t.Errorf("before the proof: got %d %q", me.Status, me.Body)
	}
	w.wantApp(w.enrol(p), "after the enrolment")
	if me := p.Fetch(t, http.MethodGet, "/me", nil); me.Status != 200 || !strings.Contains(me.Body, "alice") {
		t.Errorf("after the proof: got %d %q", me.Status, me.Body)
	}
	w.use(p)
	a.forget()
	w.wantLogin(p.Navigate(t, "/home"), "after the app has forgotten the session")
	if got := post(p, "alice", gatetest.Password); got.Header.Get("Mfa-Location") != gatetest.PathChallenge {
		t.Errorf("the next time: got %d to %q", got.Status, got.Header.Get("Mfa-Location"))
	}
}

// A script sends its token in a header, from a cookie that belongs to the visitor's session.
// Somebody who puts a misspelt name right has another session by then.
func TestScriptThatSignsInWithATokenInAHeader(t *testing.T) {
	a := (&app{cookie: "app_session", script: true, header: true}).start()
	upstream := httptest.NewServer(a)
	t.Cleanup(upstream.Close)
	gate := gatetest.Start(t, gatetest.Config{Plain: true, Site: `mfa {
		login_form {
			page /login
			page /login?next=*
			submit /login
			user /user
			password /password
			success status 200 json "/message=Logged in"
			failure status 401
			identify probe GET /me json /name
			pass_cookies XSRF-TOKEN
			logout /logout
		}
	}
	reverse_proxy ` + strings.TrimPrefix(upstream.URL, "http://")})
	p := gate.Person("")
	p.Navigate(t, "/login")
	post := func(user, password string) *gatetest.Page {
		var token string
		for _, c := range p.Cookies() {
			if c.Name == "XSRF-TOKEN" {
				token = c.Value
			}
		}
		body := strings.NewReader(`{"user":"` + user + `","password":"` + password + `"}`)
		return p.Do(t, p.Request(t, http.MethodPost, "/login", body, http.Header{
			"Content-Type": {"application/json"}, "X-Xsrf-Token": {token}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Site": {"same-origin"}, "Origin": {gate.URL}}))
	}
	for _, name := range []string{"alcie", "aliec", "alice"} {
		if got := post(name, "wrong"); got.Status != 401 || !strings.Contains(got.Body, wrongWords) {
			t.Errorf("a wrong password for %s: got %d %q; want the app's answer", name, got.Status, got.Body)
		}
	}
	if got := post("alice", gatetest.Password); got.Header.Get("Mfa-Location") != gatetest.PathEnrol {
		t.Errorf("the right password after wrong names: got %d to %q: %q", got.Status, got.Header.Get("Mfa-Location"), got.Body)
	}
}
