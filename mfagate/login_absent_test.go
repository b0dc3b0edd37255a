package mfagate_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
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
