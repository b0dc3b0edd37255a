package mfagate_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// behindProxy is an app behind a proxy that answers 499 as soon as its client leaves, as Caddy's
// does. What is asked for goes on at the app.
func behindProxy(app http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		app.ServeHTTP(rec, r)
		select {
		case <-r.Context().Done():
			w.WriteHeader(499)
			return
		case <-time.After(time.Second):
		}
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	})
}

// leaves asks for something, and is gone after a time.
func (p *person) leaves(after time.Duration, method, path string) {
	p.w.t.Helper()
	ctx, cancel := context.WithTimeout(p.w.t.Context(), after)
	defer cancel()
	r := p.request(method, path, "application/x-www-form-urlencoded", "")
	r.Header.Set("Origin", "http://localhost")
	p.w.handler.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
}

// DokuWiki's editor gives a page free by a request that it makes while the browser goes on to
// the next page, which ends that request while the gate asks the app who is there.
func TestWhoLeavesDuringTheQuestionStaysSignedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := new(doorApp)
		eve := inside(t, app, nil)
		eve.w.handler = eve.w.blockOf(formConfig()).Handler(behindProxy(app))
		for range 3 {
			eve.post("/save").want(200)
			app.asked = 0
			eve.leaves(time.Second/2, "POST", "/unlock")
			if app.asked != 1 {
				t.Fatalf("the app was asked %d times before the person left; want once", app.asked)
			}
			eve.get("/home").want(200)
		}
		app.wantNobodyBut(t, "eve")
	})
}

// Whoever leaves at the right moment hides no switch of accounts.
func TestWhoLeavesDuringTheQuestionHidesNoSwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &doorApp{same: true}
		eve := inside(t, app, nil)
		eve.w.handler = eve.w.blockOf(formConfig()).Handler(behindProxy(app))
		eve.post("/door", "as", "vic").want(200)
		eve.leaves(time.Second/2, "POST", "/unlock")
		eve.get("/home").want(303, "/login")
		app.wantNobodyBut(t, "eve")
	})
}

// An app that does not say who is there, since it is down, or because of a limit before it, gets
// no request that it might do for somebody else; but nobody is signed out.
func TestAnswerThatSaysNothingSignsNobodyOut(t *testing.T) {
	for _, status := range []int{408, 425, 429, 499, 500, 502, 503, 504} {
		app, odd := new(doorApp), false
		eve := inside(t, app, nil)
		eve.w.handler = eve.w.blockOf(formConfig()).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if odd && r.URL.Path == "/me" {
				w.WriteHeader(status)
				return
			}
			app.ServeHTTP(w, r)
		}))
		eve.post("/save").want(200)
		app.acts, odd = nil, true
		eve.get("/home").want(502)
		if len(app.acts) > 0 {
			t.Errorf("%d: the app acted as %q without having said who that is", status, app.acts)
		}
		odd = false
		eve.get("/home").want(200)
	}
}

// Whoever has a stranger's link from a mail, and leaves while it is answered, has no
// visitor's session in which somebody is signed in.
func TestWhoLeavesDuringAResetIsNoVisitorAnyMore(t *testing.T) {
	for name, after := range map[string]time.Duration{"the answer": time.Second / 2, "the question": 3 * time.Second / 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app := &resetApp{users: map[string]string{}}
				eve := resetWorld(t, behindProxy(app))
				eve.leaves(after, "GET", "/reset?token=of-vic")
				eve.get("/login").want(200)
				eve.post("/login", "user", "eve", "password", "anything").want(401)
				if len(app.acts) > 0 {
					t.Errorf("the app acted as %q", app.acts)
				}
			})
		})
	}
}

// Nor has who makes the app too busy to say who is signed in.
func TestResetWithoutAnAnswerMakesNoVisitor(t *testing.T) {
	for _, status := range []int{429, 499, 503} {
		app := &resetApp{users: map[string]string{}}
		odd := false
		eve := resetWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if odd && r.URL.Path == "/me" {
				w.WriteHeader(status)
				return
			}
			app.ServeHTTP(w, r)
		}))
		odd = true
		eve.get("/reset?token=of-vic").want(303, "/login")
		odd = false
		eve.get("/login").want(200)
		if len(app.acts) > 0 {
			t.Errorf("%d: the app acted as %q", status, app.acts)
		}
	}
}

// Nor where the answer breaks off, after the app has signed somebody in.
func TestResetThatBreaksOffMakesNoVisitor(t *testing.T) {
	app := &resetApp{users: map[string]string{}}
	eve := resetWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		app.ServeHTTP(w, r)
		if r.URL.Path == "/reset" {
			panic(http.ErrAbortHandler)
		}
	}))
	eve.get("/reset?token=of-vic").want(502)
	eve.get("/login").want(200)
	if len(app.acts) > 0 {
		t.Errorf("the app acted as %q", app.acts)
	}
}

// resetWorld is eve on the login page of an app whose links from mails sign in, and which tells
// at /me who is.
func resetWorld(t *testing.T, app http.Handler) *person {
	t.Helper()
	eve := loginWorld(t, resetConfig(&loginform.Identify{Probe: "GET /me", Selector: "#me"}), app).person("")
	eve.name = ""
	eve.get("/login").want(200)
	return eve
}
