package mfagate_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// A link in a mail brings the gate's cookie and not those of the app that are
// SameSite=Strict: the app sees a stranger, and the session goes on.
func TestRequestWithoutTheAppsCookiesKeepsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, app := newFormWorld(t)
		p := w.person("")
		p.signIn("alice", formPassword)
		p.enrolHere()
		p.get("/home").want(200)
		time.Sleep(2 * time.Minute)
		strict := p.cookies["PHPSESSID"]
		delete(p.cookies, "PHPSESSID")
		app.acts = nil
		p.get("/reports").want(200)
		if p.body != "the app, for " || app.acted("alice") {
			t.Errorf("without the app's cookies: %q, %v; want the app for nobody", p.body, app.acts)
		}
		p.cookies["PHPSESSID"] = strict
		p.get("/home").want(200)
		if p.body != "the app, for alice" {
			t.Errorf("with them: %q; want the app for alice", p.body)
		}
		delete(p.cookies, "PHPSESSID")
		time.Sleep(2 * time.Minute)
		p.signIn("alice", formPassword).want(303, "/.mfa/challenge") // the login page of an app that knows nobody
	})
}

// Opening a page sends no token: only scripts do.
func TestPageOfATokenAppKeepsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var acts []string
		w := loginWorld(t, tokenConfig(), tokenApp(&acts))
		p := w.person("")
		p.get("/").want(200)
		p.fetch("POST", "/auth/token", "", fmt.Sprintf(`{"username":"alice","password":%q}`, formPassword)).want(200)
		var told struct {
			Token string `json:"access_token"`
		}
		if err := json.Unmarshal([]byte(p.body), &told); err != nil {
			t.Fatal(err)
		}
		p.last.Header().Set("Location", "/.mfa/enroll")
		p.enrolHere()
		for range 2 {
			p.fetch("GET", "/", "", "").want(200)
			p.get("/data").want(401)
			p.fetch("GET", "/data", told.Token, "").want(200)
			if p.body != "the app, for alice" {
				t.Errorf("with the token: %q; want the app for alice", p.body)
			}
			time.Sleep(2 * time.Minute)
		}
	})
}

// A form that nobody has listed, such as a plugin's, signs eve in as vic: the cookie
// in which the app names its user shows it.
func TestCookieOfAnotherUserEndsTheSession(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := r.FormValue("user") + r.FormValue("member")
		if r.Method == http.MethodPost {
			http.SetCookie(w, &http.Cookie{Name: "who", Value: user + "|1"})
			http.Redirect(w, r, "/home?as="+user, http.StatusFound)
			return
		}
		c, _ := r.Cookie("who")
		fmt.Fprintf(w, "the app, for %v", c)
	})
	c := formConfig()
	c.Success = []loginform.Signs{{SetCookie: []string{"who"}}}
	c.Identify = &loginform.Identify{Cookie: "who", Regexp: `^([^|]+)`}
	w := loginWorld(t, c, app)
	eve := w.person("")
	eve.get("/login").want(200)
	eve.post("/login", "user", "eve", "password", "x").want(303, "/.mfa/enroll")
	eve.enrolHere()
	eve.post("/shop", "member", "eve", "secret", "x").want(302, "/home?as=eve") // who she is already
	eve.get("/home").want(200)
	eve.post("/shop", "member", "vic", "secret", "x").want(403)
	if at := eve.last.Header().Get("Location"); at != "" || strings.Contains(strings.ReplaceAll(eve.body, "device-width", ""), "vic") {
		t.Errorf("the answer tells of vic: %q at %q", eve.body, at)
	}
	eve.get("/home").want(303, "/login")
}

// The app's session has a cookie that is SameSite=Strict, and another cookie is not: a link in a
// mail and a request for a picture bring the latter alone. To the app that is a stranger, who gets
// what strangers get, and the person stays signed in.
func TestRequestWithAPartOfTheAppsCookiesKeepsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, app := newFormWorld(t)
		p := w.signedInByForm()
		p.get("/theme").want(200)
		p.get("/theme").want(200)
		strict := p.cookies["PHPSESSID"]
		for _, from := range []string{"cross-site", "same-origin"} {
			time.Sleep(2 * time.Minute)
			delete(p.cookies, "PHPSESSID")
			app.acts = nil
			p.header = http.Header{"Sec-Fetch-Site": {from}}
			p.get("/reports").want(303, "/login")
			if from == "cross-site" {
				p.get("/login").want(200)
			}
			p.header = nil
			if app.acted("alice") {
				t.Errorf("%s: the app acted as alice: %q", from, app.acts)
			}
			p.cookies["PHPSESSID"] = strict
			p.get("/home").want(200)
			if p.body != "the app, for alice" {
				t.Errorf("%s: afterwards %q; want the app for alice", from, p.body)
			}
		}
	})
}
