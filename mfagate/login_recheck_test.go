package mfagate_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// A doorApp has a door beside its login form, at /door?as=NAME, of which nobody has told
// the gate. It keeps its sessions by the name in a cookie.
type doorApp struct {
	mu     sync.Mutex
	users  map[string]string // by session
	same   bool              // the door changes the session, and no cookie
	rolls  bool              // each answer sets the cookie anew
	asked  int               // how often /me was asked for
	acts   []string
	during func() // called while /slow is answered
}

func (a *doorApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := ""
	if c, err := r.Cookie("sid"); err == nil {
		id = c.Value
	}
	sign := func(user string) {
		if !a.same || id == "" {
			id = fmt.Sprintf("s%d", len(a.users)+1)
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: id, Path: "/"})
		}
		a.users[id] = user
	}
	switch {
	case r.URL.Path == "/login" && r.Method == http.MethodPost && r.FormValue("password") == formPassword:
		sign(r.FormValue("user"))
		http.Redirect(w, r, "/home", http.StatusFound)
	case r.URL.Path == "/login":
		fmt.Fprint(w, `<form method=post><input name=user><input name=password></form>`)
	case r.URL.Path == "/door":
		sign(r.FormValue("as"))
	case r.URL.Path == "/me":
		a.asked++
		fmt.Fprintf(w, `<p id="me">%s</p>`, a.users[id])
	default:
		a.acts = append(a.acts, a.users[id])
		if a.rolls {
			next := id + "x"
			a.users[next] = a.users[id]
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: next, Path: "/"})
		}
		fmt.Fprint(w, "the app, for "+a.users[id])
		if a.during != nil && r.URL.Path == "/slow" {
			http.NewResponseController(w).Flush()
			a.mu.Unlock()
			a.during()
			a.mu.Lock()
		}
	}
}

// inside is eve, signed in with her own factor at an app with a door.
func inside(t *testing.T, app *doorApp, change func(*loginform.Config)) *person {
	t.Helper()
	app.users = map[string]string{"": ""}
	c := formConfig()
	if change != nil {
		change(&c)
	}
	eve := loginWorld(t, c, app).person("")
	eve.name = ""
	eve.get("/login").want(200)
	eve.post("/login", "user", "eve", "password", formPassword).want(303, "/.mfa/enroll")
	eve.enrolHere()
	eve.get("/home").want(200)
	app.acts = nil
	return eve
}

func (a *doorApp) wantNobodyBut(t *testing.T, user string) {
	t.Helper()
	for _, act := range a.acts {
		if act != user {
			t.Errorf("the app acted as %q; want as %s alone", act, user)
		}
	}
}

// Whoever has got into another account by a door that nobody watches shows the gate's
// question the cookies of her own, and uses those of the other.
func TestOlderCookiesHideNoSwitch(t *testing.T) {
	for name, rotates := range map[string][]string{"a cookie": nil, "a rotating cookie": {"sid"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app := new(doorApp)
				eve := inside(t, app, func(c *loginform.Config) { c.RotatingCookies = rotates })
				own := maps.Clone(eve.cookies)
				eve.post("/door", "as", "vic").want(200)
				other := maps.Clone(eve.cookies)
				for range 3 {
					eve.cookies = maps.Clone(own)
					eve.get("/home")
					eve.cookies = maps.Clone(other)
					eve.get("/home")
					time.Sleep(70 * time.Second)
				}
				app.wantNobodyBut(t, "eve")
			})
		})
	}
}

// A post may have made the app's session another user's without any sign.
func TestSwitchByAPostIsSeenBeforeTheNextAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &doorApp{same: true}
		eve := inside(t, app, nil)
		eve.post("/door", "as", "vic").want(200)
		eve.get("/home").want(403)
		eve.get("/home").want(303, "/login")
		app.wantNobodyBut(t, "eve")
	})
}

// A door that a link opens, in an app that changes its cookie by itself: for a minute
// at most, however the cookies are mixed.
func TestSwitchByALinkLastsAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &doorApp{rolls: true}
		eve := inside(t, app, func(c *loginform.Config) { c.RotatingCookies = []string{"sid"} })
		own := maps.Clone(eve.cookies)
		eve.get("/door?as=vic").want(200)
		for range 8 {
			time.Sleep(10 * time.Second)
			other := maps.Clone(eve.cookies)
			eve.cookies = maps.Clone(own)
			if eve.get("/home").last.Code == 200 {
				own = maps.Clone(eve.cookies)
			}
			eve.cookies = other
			eve.get("/home")
		}
		eve.get("/home").want(303, "/login")
		if n := strings.Count(strings.Join(app.acts, " "), "vic"); n > 6 {
			t.Errorf("the app acted as vic %d times, ten seconds apart; want for a minute at most", n)
		}
	})
}

// What the app does while it answers a post counts too: the next request comes before
// that answer has ended.
func TestSwitchByAPostThatNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &doorApp{same: true}
		eve := inside(t, app, nil)
		beside := *eve
		app.during = func() {
			app.mu.Lock()
			for id := range app.users {
				app.users[id] = "vic"
			}
			app.mu.Unlock()
			if got := beside.get("/home").last.Code; got != http.StatusForbidden {
				t.Errorf("beside the post: got %d; want 403", got)
			}
		}
		eve.post("/slow").want(200)
		app.wantNobodyBut(t, "eve")
	})
}

// The question is not asked for requests that the app's scripts make by themselves, and
// once only where thirty are made at a time.
func TestQuestionsDoNotMultiply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := new(doorApp)
		eve := inside(t, app, func(c *loginform.Config) { c.Poll = []loginform.Pattern{{Text: "POST /poll"}} })
		app.asked = 0
		for range 5 {
			eve.post("/poll").want(200)
			eve.get("/home").want(200)
		}
		if app.asked != 0 {
			t.Errorf("five polls made %d questions; want none", app.asked)
		}
		eve.post("/save").want(200)
		cookies := eve.request("GET", "/home", "", "").Header
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() {
				r := eve.request("GET", "/home", "", "")
				r.Header = cookies.Clone()
				rec := httptest.NewRecorder()
				eve.w.handler.ServeHTTP(rec, r)
				if rec.Code != 200 {
					t.Errorf("one of thirty: got %d", rec.Code)
				}
			})
		}
		all.Wait()
		if app.asked != 1 {
			t.Errorf("a post and thirty pages made %d questions; want 1", app.asked)
		}
	})
}

// What signs in a visitor of the login page, such as a link with a token, is none of
// the session that is made with these cookies.
func TestNameInACookieOfAVisitorIsLookedAt(t *testing.T) {
	c := formConfig()
	c.Page = append(c.Page, loginform.Pattern{Text: "GET /login?token=*"})
	c.Identify = &loginform.Identify{Cookie: "in"}
	var acts []string
	w := loginWorld(t, c, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			http.SetCookie(w, &http.Cookie{Name: "in", Value: r.FormValue("user"), Path: "/"})
			http.Redirect(w, r, "/home", http.StatusFound)
		case r.URL.Query().Get("token") != "":
			http.SetCookie(w, &http.Cookie{Name: "in", Value: "vic", Path: "/"})
		case r.URL.Path == "/home":
			if c, err := r.Cookie("in"); err == nil {
				acts = append(acts, c.Value)
			}
		}
	}))
	eve := w.person("")
	eve.name = ""
	eve.get("/login").want(200)
	eve.get("/login?token=of-vic").want(200)
	planted := eve.cookies["in"]
	eve.post("/login", "user", "eve", "password", formPassword).want(303, "/.mfa/enroll")
	eve.enrolHere()
	eve.get("/home").want(200)
	eve.cookies["in"] = planted
	eve.get("/home").want(403)
	eve.get("/home").want(303, "/login")
	if got := strings.Join(acts, " "); got != "eve" {
		t.Errorf("the app acted as %q; want eve alone", got)
	}
}
