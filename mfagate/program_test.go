package mfagate_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// withCode is a source behind which programs append codes to their passwords.
type withCode struct{ mfagate.SourceFunc }

func (withCode) Appended(r *http.Request) (c mfagate.AppendedCode, ok bool) {
	c.Password, c.Code, ok = strings.Cut(r.Header.Get("Password"), ",")
	c.Method = "totp"
	if strings.Contains(c.Code, "-") {
		c.Method = "recovery"
	}
	return c, ok
}

func appending(c *mfagate.BlockConfig) { c.Source = withCode{firstFactor} }

// program is somebody's script that knows the password and keeps no cookies.
func (w *world) program(name, code string) *person {
	p := w.person(name)
	p.header.Set("Accept", "application/json")
	p.header.Set("Password", "secret,"+code)
	return p
}

// again sends a request without the cookies of the last answer.
func (p *person) again(path string) *person {
	p.w.t.Helper()
	clear(p.cookies)
	return p.get(path)
}

// S88: a code that came with the password is consumed once, and what continues is
// the session of this password with this code.
func TestAppendedCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, appending)
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Minute)
		script := w.program("alice", alice.code(0))
		for range 5 {
			script.again("/").want(200)
		}
		if got := w.kinds(); got[len(got)-1] != mfagate.EventPassed || strings.Count(strings.Join(got, " "), mfagate.EventPassed) != 1 {
			t.Errorf("events = %q; want passed, once and at the end", got)
		}
		script.get("/").want(200) // with the cookie
		other := w.program("alice", alice.code(0))
		other.header.Set("Password", "changed,"+alice.code(0)) // the same code with anything else is a replay
		other.get("/").want(401)
		w.program("bob", alice.code(0)).get("/").want(401)
		alice.get("/").want(200)
	})
}

// The session of a program ends as any other does, and the code brings it back never.
func TestSessionOfProgramEnds(t *testing.T) {
	for name, test := range map[string]struct {
		every, after time.Duration
	}{
		"idle":     {2 * time.Hour, 2 * time.Hour},
		"lifetime": {20 * time.Minute, 12 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil, appending)
				alice := w.person("alice").enrol("/")
				time.Sleep(time.Minute)
				script := w.program("alice", alice.code(0))
				begin := time.Now()
				script.again("/").want(200)
				for time.Since(begin)+test.every < test.after {
					time.Sleep(test.every)
					script.again("/").want(200)
				}
				time.Sleep(test.every)
				for range 3 {
					script.again("/").want(401)
				}
			})
		})
	}
}

// An old code that a forgotten script sends for ever costs its user one attempt.
func TestForgottenScriptLocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, appending)
		alice := w.person("alice").enrol("/")
		script := w.program("alice", alice.code(0)) // used by the enrolment
		for range 50 {
			script.again("/").want(401)
			time.Sleep(time.Minute)
		}
		alice.elsewhere().prove("/", 0).want(303, "/")
		rejected := 0
		for _, kind := range w.kinds() {
			if kind == mfagate.EventRejected {
				rejected++
			}
		}
		if rejected != 1 {
			t.Errorf("%d rejections are recorded; want one", rejected)
		}
	})
}

// Guessing by programs meets the same limits as guessing on the page.
func TestGuessingByPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, appending)
		w.person("alice").enrol("/")
		for _, code := range []string{"000001", "000002", "000003", "000004", "000005"} {
			w.program("alice", code).get("/").want(401)
		}
		w.program("alice", "000006").get("/").want(429)
		if got := w.hit(); got != 0 {
			t.Errorf("%d requests reached the app; want none", got)
		}
	})
}

// Requests that come all at once are one sign-in, and none of them is a replay.
func TestProgramInParallel(t *testing.T) {
	w := newWorld(t, nil, appending)
	alice := w.person("alice").enrol("/")
	code := alice.code(1)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { w.program("alice", code).get("/").want(200) })
	}
	all.Wait()
	if got := strings.Count(strings.Join(w.kinds(), " "), mfagate.EventPassed); got != 1 {
		t.Errorf("%d sign-ins; want one", got)
	}
}

// Another site can make a browser send the password that it knows, not its cookie.
func TestAppendedCodeFromAnotherSite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, appending)
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Minute)
		browser := w.program("alice", alice.code(0))
		browser.get("/").want(200)
		for _, site := range []string{"cross-site", "same-site"} {
			browser.header.Set("Sec-Fetch-Site", site)
			browser.again("/").want(401)
		}
	})
}

// A browser whose code did not do gets the page, a program an answer that it can read.
func TestAppendedCodeRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, appending)
		alice := w.person("alice").enrol("/")
		p := w.program("alice", "123456")
		p.get("/").want(401)
		if !strings.Contains(p.body, "urn:mfagate:problem:rejected") || !strings.Contains(p.last.Header().Get("Content-Type"), "problem+json") {
			t.Errorf("answer = %s; want one that says rejected", p.body)
		}
		p.header.Set("Accept", "text/html")
		p.get("/").want(303, "/.mfa/challenge")
		stranger := w.program("bob", "123456")
		stranger.get("/").want(401)
		if !strings.Contains(stranger.body, `"state":"enroll"`) {
			t.Errorf("answer = %s; want the way to enrol", stranger.body)
		}
		p = w.program("alice", alice.codes[0])
		p.get("/").want(200)
		w.program("alice", strings.ToLower(alice.codes[0])).get("/").want(401)
	})
}

// A stricter block asks for a new code and consumes none in vain.
func TestAppendedCodeBeforeStricterBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, appending)
		strict := w.block(appending, func(c *mfagate.BlockConfig) { c.Policy.MaxAge = 10 * time.Minute })
		w.handler = w.block(appending).Handler(strict.Handler(http.HandlerFunc(w.app)))
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Minute)
		script := w.program("alice", alice.code(0))
		script.again("/").want(200)
		time.Sleep(11 * time.Minute)
		script.again("/").want(401)
		if !strings.Contains(script.body, "urn:mfagate:problem:challenge") {
			t.Errorf("answer = %s; want one that asks for a new proof", script.body)
		}
		script.header.Set("Password", "secret,"+alice.code(0))
		script.again("/").want(200)
	})
}

// What a program may do is what its session may, and a reset ends it.
func TestProgramUsesTheAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, appending)
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Minute)
		script := w.program("alice", alice.code(0))
		if got := script.api("GET", "session", nil)["state"]; got != "verified" {
			t.Errorf("state = %v; want verified", got)
		}
		clear(script.cookies)
		script.api("GET", "credentials", nil)
		script.want(200)
		clear(script.cookies)
		script.api("POST", "recovery-codes", nil)
		script.want(403) // takes a proof for that purpose
		if _, err := w.gate.Reset(t.Context(), "root", aliceSubject, "", 0); err != nil {
			t.Fatal(err)
		}
		script.again("/").want(401)
	})
}

// A restart forgets no program, and the records hold nothing to try passwords on.
func TestProgramAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memory.Store)
		w := newWorld(t, store, appending)
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Minute)
		script := w.program("alice", alice.code(0))
		script.again("/").want(200)
		next := newWorld(t, store, appending)
		script.w = next
		script.again("/").want(200)
		records, err := store.List(t.Context(), "", "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if strings.Contains(string(r.Value), "secret,") || strings.Contains(r.Key, "secret,") {
				t.Errorf("the password is in the record %s", r.Key)
			}
		}
	})
}
