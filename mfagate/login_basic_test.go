package mfagate_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A keyApp asks for Basic credentials on every request, and counts how often it was asked
// with and without right ones.
type keyApp struct {
	mu           sync.Mutex
	passwords    map[string]string
	right, wrong int
}

func (a *keyApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(time.Second)
	a.mu.Lock()
	defer a.mu.Unlock()
	user, password, ok := r.BasicAuth()
	if !ok || password != a.passwords[user] {
		if ok {
			a.wrong++
		}
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	a.right++
	if r.URL.Path == "/me" {
		fmt.Fprintf(w, `{"name":%q}`, user)
		return
	}
	io.WriteString(w, "the app, for "+user)
}

// burst sends many requests with the same credentials at once, as a browser does that opens
// a page again, and returns how many answers of each status there are and the sessions made.
func (p *person) burst(n int, user, password string, page bool) (statuses map[int]int, sessions int) {
	statuses = make(map[int]int)
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			r := p.request("GET", "/part", "", "")
			if !page {
				r.Header.Set("Accept", "*/*")
			}
			r.SetBasicAuth(user, password)
			rec := httptest.NewRecorder()
			p.w.handler.ServeHTTP(rec, r)
			mu.Lock()
			defer mu.Unlock()
			statuses[rec.Code]++
			for _, c := range rec.Result().Cookies() {
				if c.Name == "mfagate" && c.Value != "" {
					sessions++
				}
			}
		})
	}
	all.Wait()
	return statuses, sessions
}

func newKeyWorld(t *testing.T) (*person, *keyApp) {
	app := &keyApp{passwords: map[string]string{"alice": formPassword, "bob": formPassword}}
	p := loginWorld(t, basicConfig(), app).person("")
	p.name = ""
	return p, app
}

// Right credentials on sixty requests at once are one sign-in.
func TestManyRequestsWithCredentialsAreOneSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, app := newKeyWorld(t)
		statuses, sessions := p.burst(60, "alice", formPassword, false)
		if statuses[401] != 60 || sessions != 1 {
			t.Errorf("got %v and %d sessions; want 60 times 401, and 1", statuses, sessions)
		}
		if app.right != 2 {
			t.Errorf("the app was asked %d times; want 2: for a page, and for the name", app.right)
		}
		p.basic("GET", "/", "alice", formPassword).want(303, "/.mfa/enroll")
		p.enrolHere()
		p.basic("GET", "/files", "alice", formPassword).want(200)
	})
}

// After a change of the password a page that polls goes on with the old one: it locks
// nobody out, and the app is not asked each time.
func TestPollingWithAnOldPasswordLocksNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, app := newKeyWorld(t)
		p.basic("GET", "/", "alice", formPassword).want(303, "/.mfa/enroll")
		p.enrolHere()
		p.basic("GET", "/files", "alice", formPassword).want(200)
		app.passwords["alice"] = "another one"
		time.Sleep(time.Minute)
		for range 100 {
			p.basic("GET", "/part", "alice", formPassword).want(401)
			time.Sleep(time.Second)
		}
		if app.wrong > 6 {
			t.Errorf("the app was asked %d times about the old password; want a few times", app.wrong)
		}
		p.basic("GET", "/", "alice", "another one").want(303, "/.mfa/challenge")
	})
}

// Guesses count, each of them.
func TestGuessesOfBasicCredentialsStillCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, app := newKeyWorld(t)
		last := 0
		for i := range 60 {
			last = p.basic("GET", "/", "alice", fmt.Sprint("guess ", i/2)).last.Code
		}
		if app.wrong > 20 || last != 429 {
			t.Errorf("the app was asked %d times, the last answer is %d; want at most 20, and 429", app.wrong, last)
		}
	})
}

// A wrong password in a session neither ends it nor gets anything.
func TestWrongBasicPasswordInsideASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newKeyWorld(t)
		p.basic("GET", "/", "alice", formPassword).want(303, "/.mfa/enroll")
		p.enrolHere()
		p.basic("GET", "/files", "alice", "wrong").want(401)
		p.basic("GET", "/files", "bob", "wrong").want(401)
		p.basic("GET", "/files", "alice", formPassword).want(200)
	})
}

// A browser keeps Basic credentials and sends them after a sign-out, too: it must ask for
// others once.
func TestSomebodyElseSignsInAfterASignOut(t *testing.T) {
	for _, way := range []string{"/.mfa/sign-out", "/logout"} {
		synctest.Test(t, func(t *testing.T) {
			c := basicConfig()
			c.Logout = formConfig().Logout
			app := &keyApp{passwords: map[string]string{"alice": formPassword, "bob": formPassword}}
			p := loginWorld(t, c, app).person("")
			p.name = ""
			p.basic("GET", "/", "alice", formPassword).want(303, "/.mfa/enroll")
			p.enrolHere()
			p.basic("GET", "/files", "alice", formPassword).want(200)
			if way == "/logout" {
				p.basic("GET", way, "alice", formPassword)
			} else {
				p.get("/.mfa/").want(200)
				p.post(way)
			}
			p.basic("GET", "/", "alice", formPassword).want(401) // what the browser has kept
			if got := p.last.Header().Get("WWW-Authenticate"); got == "" {
				t.Errorf("%s: the browser is not made to ask for a password", way)
			}
			p.basic("GET", "/", "bob", formPassword).want(303, "/.mfa/enroll")
			p.enrolHere()
			if p.basic("GET", "/files", "bob", formPassword).want(200); p.body != "the app, for bob" {
				t.Errorf("after bob's proof: %q", p.body)
			}
			p.basic("GET", "/", "alice", formPassword).want(303, "/.mfa/challenge")
		})
	}
}
