package mfagate_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// ownFormApp is a basicApp whose page, with a form of its own, and its files are for all. It
// notes credentials that come to them.
type ownFormApp struct {
	basicApp
	shown []string
}

func (a *ownFormApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/app/" && !strings.HasPrefix(r.URL.Path, "/static/"):
		a.basicApp.ServeHTTP(w, r)
		return
	case r.URL.Path == "/app/":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
	}
	a.shown = append(a.shown, r.Header.Get("Authorization")+r.Header.Get("Cookie"))
	http.SetCookie(w, &http.Cookie{Name: "visitor", Value: "1"})
	io.WriteString(w, "<!doctype html><title>Sign in</title>")
}

func formBasicConfig() loginform.Config {
	c := basicConfig()
	c.Page = []loginform.Pattern{{Text: "GET /app/"}}
	c.Public = []loginform.Pattern{{Text: "GET /app/"}, {Text: "GET /static/**"}}
	c.Inject = true
	return c
}

// script sends a request as a script does on the page /app/. Without a user it brings no credentials.
func (p *person) script(method, path, user, password string) *person {
	p.w.t.Helper()
	p.name = ""
	r := p.request(method, path, "", "")
	for name, value := range map[string]string{"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin", "Referer": "http://" + r.Host + "/app/"} {
		r.Header.Set(name, value)
	}
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	return p.send(r)
}

func (p *person) wantPrompt(want bool, when string) {
	p.w.t.Helper()
	challenge := p.last.Header().Get("WWW-Authenticate")
	if got := strings.HasPrefix(challenge, "Basic"); got != want || p.last.Code != http.StatusUnauthorized {
		p.w.t.Errorf("%s: got %d %q; want 401, a prompt of the browser: %t", when, p.last.Code, challenge, want)
	}
}

// A browser must not ask in a window of its own where a script has sent credentials.
func TestNoPromptForScriptsThatSendBasicCredentials(t *testing.T) {
	for name, config := range map[string]loginform.Config{"a form of its own": formBasicConfig(), "none": basicConfig()} {
		own := name != "none"
		p := loginWorld(t, config, new(ownFormApp)).person("")
		p.get("/files")
		p.wantPrompt(true, name+": a page without credentials")
		p.basic("GET", "/files", "alice", "wrong")
		p.wantPrompt(true, name+": a page with wrong ones")
		p.script("GET", "/files", "alice", "wrong")
		p.wantPrompt(false, name+": a script with wrong ones")
		if got, want := p.last.Header().Get("Mfa-Location"), map[bool]string{false: "/"}[own]; got != want {
			t.Errorf("%s: a script with wrong ones: Mfa-Location = %q; want %q", name, got, want)
		}
		p.script("POST", "/files", "alice", "wrong")
		p.wantPrompt(false, name+": a script that posts, with wrong ones")
		p.script("GET", "/files", "", "")
		p.wantPrompt(false, name+": a script without any")
		p.script("PROPFIND", "/files", "", "")
		p.wantPrompt(own, name+": XMLHttpRequest.open with a password, which waits for a challenge")
		p.script("GET", "/files", "alice", formPassword).want(401)
		p.wantPrompt(false, name+": a script with right ones")
		if got := p.last.Header().Get("Mfa-Location"); got != "/.mfa/enroll" {
			t.Errorf("%s: a script with right ones: Mfa-Location = %q; want the enrolment", name, got)
		}
	}
}

// jQuery says so itself where the browser does not.
func TestNoPromptForXMLHttpRequest(t *testing.T) {
	p := loginWorld(t, basicConfig(), new(ownFormApp)).person("")
	p.name = ""
	r := p.request("GET", "/files", "", "")
	r.Header.Set("X-Requested-With", "XMLHttpRequest")
	r.SetBasicAuth("alice", "wrong")
	p.send(r)
	p.wantPrompt(false, "X-Requested-With")
}

// What is public is shown to all without credentials and cookies, and with the script that leads
// to the second factor; wrong credentials there are no guess and end nothing.
func TestPublicPagesOfBasicAppsTakeNoCredentials(t *testing.T) {
	app := new(ownFormApp)
	p := loginWorld(t, formBasicConfig(), app).person("")
	visit := func(when, user, password string, signedIn bool) {
		t.Helper()
		for _, path := range []string{"/app/", "/static/app.js"} {
			app.shown = nil
			p.script("GET", path, user, password).want(200)
			if len(app.shown) != 1 || app.shown[0] != "" {
				t.Errorf("%s: %s reaches the app with %q; want one request without credentials", when, path, app.shown)
			}
			if got := p.last.Header().Get("Set-Cookie"); strings.Contains(got, "visitor") {
				t.Errorf("%s: %s sets %q", when, path, got)
			}
			if got, want := strings.Contains(p.body, "/.mfa/static/login."), path == "/app/"; got != want {
				t.Errorf("%s: %s has the script: %t; want %t", when, path, got, want)
			}
			if got := strings.Contains(p.body, "data-signed-in"); path == "/app/" && got != signedIn {
				t.Errorf("%s: the page says that somebody is signed in: %t; want %t", when, got, signedIn)
			}
		}
	}
	visit("nobody", "", "", false)
	for i := range 40 {
		visit("guesses", "alice", fmt.Sprint("guess ", i), false)
	}
	p.script("GET", "/me", "alice", formPassword).want(401)
	visit("pending", "", "", true)
	visit("pending, with the credentials", "alice", formPassword, true)
	p.get("/.mfa/enroll").want(200)
	p.post("/.mfa/enroll/totp").want(303, "/.mfa/enroll/totp").follow().want(200).scan()
	p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303, "/.mfa/recovery-codes").follow().want(200).note()
	p.post("/.mfa/recovery-codes", "saved", "yes", "set", p.set()).want(303, "/app/") // where the script is
	visit("signed in", "", "", true)
	visit("signed in, with wrong credentials", "alice", "wrong", true)
	visit("signed in, with somebody else's", "eve", formPassword, true)
	if p.script("GET", "/files", "alice", formPassword).want(200); p.body != "the app, for alice" {
		t.Errorf("after all that: %q", p.body)
	}
}

// A page that answers 404 or 403 to right credentials, as to those that may be right, lets nobody in.
func TestBasicAppWhosePageSaysNothingOfCredentials(t *testing.T) {
	for _, status := range []int{403, 404, 429} {
		p := loginWorld(t, basicConfig(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch _, _, ok := r.BasicAuth(); {
			case !ok:
				w.WriteHeader(http.StatusUnauthorized)
			case r.URL.Path == "/me":
				io.WriteString(w, `{"name":"alice"}`)
			default:
				w.WriteHeader(status)
			}
		})).person("")
		p.basic("GET", "/files", "alice", "anything").want(401)
		p.get("/.mfa/enroll").want(303, "/")
	}
}

// Where every page is public nothing would tell whether credentials are right.
func TestBasicLoginNeedsARequestThatAsksForCredentials(t *testing.T) {
	c := formBasicConfig()
	c.Identify = nil
	if _, err := loginform.Compile(c); err == nil || !strings.Contains(err.Error(), "all pages are public") {
		t.Errorf("without a probe: got %v; want what to write", err)
	}
	c.Page = append(c.Page, loginform.Pattern{Text: "GET /check"})
	if f, err := loginform.Compile(c); err != nil || f.TryURI() != "/check" || f.LoginURI() != "/app/" || !f.OwnForm() {
		t.Errorf("with a second page: got %v", err)
	}
	c = formBasicConfig()
	c.Public = append(c.Public, loginform.Pattern{Text: "GET /me"})
	if _, err := loginform.Compile(c); err == nil {
		t.Error("with a public probe: no error")
	}
}

// A page that sends credentials itself takes no second sign-in for a part of the first: another
// browser, or the same after a sign-out, gets a session of its own, and comes to the factor.
func TestSecondSignInByAScriptSoonAfterTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := loginWorld(t, formBasicConfig(), new(ownFormApp))
		for i := range 3 {
			p := w.person("")
			p.script("GET", "/files", "alice", formPassword).want(401)
			if got := p.last.Header().Get("Mfa-Location"); got != "/.mfa/enroll" {
				t.Errorf("sign-in %d leads to %q; want the enrolment", i, got)
			}
			p.get("/.mfa/enroll")
			if p.last.Code == 303 && strings.HasPrefix(p.last.Header().Get("Location"), "/app/") {
				t.Errorf("sign-in %d: the enrolment leads to the form again", i)
			}
			time.Sleep(2 * time.Second) // less than what the app has said holds for
		}
	})
}
