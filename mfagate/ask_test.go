package mfagate_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// newAskingWorld is a site whose /reset is protected by a block that asks, and the
// rest by the first factor.
func newAskingWorld(t testing.TB, store storage.Store, change ...func(*mfagate.BlockConfig)) *world {
	t.Helper()
	w := newWorld(t, store)
	change = append([]func(*mfagate.BlockConfig){func(c *mfagate.BlockConfig) { c.Source, c.Ask = nil, true }}, change...)
	app := http.HandlerFunc(w.app)
	asking, telling := w.block(change...).Handler(app), w.block().Handler(app)
	w.handler = byPath(asking, telling)
	return w
}

// byPath has one block for a site's reset links and another for the rest.
func byPath(asking, telling http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/reset") || r.URL.Path == "/.mfa/ask" {
			asking.ServeHTTP(rw, r)
			return
		}
		telling.ServeHTTP(rw, r)
	})
}

const resetLink = "/reset?token=4711"

// answers goes to the reset link, and answers what it asks.
func (p *person) answers(name, code string) *person {
	p.w.t.Helper()
	p.get(resetLink).want(303, "/.mfa/ask?return=%2Freset%3Ftoken%3D4711").follow().want(200)
	return p.post("/.mfa/ask", "user", name, "code", code, "return", resetLink)
}

// S89: whoever has the link must prove who they are, and is asked again at the
// next sign-in.
func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newAskingWorld(t, nil)
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Minute)
		p := w.person("")
		p.answers("Alice", alice.code(0)).want(303, resetLink).follow().want(200)
		p.send(p.request("POST", "/reset", "text/plain", "new password")).want(200)
		if c := w.hits[len(w.hits)-1].Header["Cookie"]; len(c) > 0 {
			t.Errorf("the app was sent the gate's cookies: %q", c)
		}
		p.get("/.mfa/ask?return=%2Freset").want(303, "/reset") // there is nothing to ask
		p.name = "alice"
		p.get("/").want(303, "/.mfa/challenge")
		p.cookies["mfagate"] = p.cookies["mfagate_ask"]
		p.get("/").want(303, "/.mfa/challenge")
		p.get("/.mfa/").want(303, "/.mfa/challenge")
		p.api("GET", "credentials", nil)
		p.want(401)

		q := w.person("") // the code was used
		q.answers("alice", alice.code(0)).want(401)
		q.answers("alice", alice.codes[0]).want(303, resetLink)
		time.Sleep(16 * time.Minute)
		q.get(resetLink).want(303, "/.mfa/ask")
	})
}

// Somebody's own session opens no reset link, and needs none of the block's.
func TestSessionIsWorthNothingWhereItIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newAskingWorld(t, nil)
		alice := w.person("alice").enrol("/")
		alice.get(resetLink).want(303, "/.mfa/ask")
		alice.cookies["mfagate_ask"] = alice.cookies["mfagate"]
		alice.get(resetLink).want(303, "/.mfa/ask")
		alice.get("/").want(200)
		if got := w.hit(); got != 1 {
			t.Errorf("%d requests reached the app; want one", got)
		}
	})
}

// counting notes how often the store is asked and changed.
type counting struct {
	memory.Store
	mu    sync.Mutex
	calls []string
}

func (s *counting) Get(ctx context.Context, key string) (storage.Record, error) {
	s.note("get")
	return s.Store.Get(ctx, key)
}

func (s *counting) Apply(ctx context.Context, changes ...storage.Change) error {
	s.note("apply")
	return s.Store.Apply(ctx, changes...)
}

func (s *counting) note(call string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
}

func (s *counting) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := strings.Join(s.calls, " ")
	s.calls = nil
	return calls
}

// What a stranger is told of a name, when, and at what cost to the store, is the
// same for users, users without a factor, and nobody.
func TestAskTellsNothingOfNames(t *testing.T) {
	for _, code := range []string{"000000", "0000-0000-0000-0000", "12345", "letters"} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := new(counting)
				w := newAskingWorld(t, store)
				w.person("alice").enrol("/")
				w.person("bobby").get("/").want(303, "/.mfa/enroll")
				var want string
				for _, name := range []string{"alice", "bobby", "carol"} {
					p := w.person("")
					p.get(resetLink).want(303).follow().want(200)
					for try := range 9 {
						store.take()
						begin := time.Now()
						token := p.token()
						p.post("/.mfa/ask", "user", name, "code", code)
						body := strings.NewReplacer(name, "NAME", token, "TOKEN").Replace(p.body)
						got := fmt.Sprintf("%d %v %q %q %s\n%s", p.last.Code, time.Since(begin), p.last.Header()["Www-Authenticate"], p.last.Header()["Retry-After"], store.take(), body)
						switch {
						case name == "alice":
							want += fmt.Sprint(try) + got
						case !strings.Contains(want, fmt.Sprint(try)+got):
							t.Fatalf("try %d for %s: got %s\nwant one of %s", try, name, got, want)
						}
						time.Sleep(100 * time.Millisecond)
					}
					time.Sleep(20 * time.Minute) // the address may go on
				}
			})
		})
	}
}

// Names of nobody leave no records behind but the counters, of which there are few.
func TestAskForManyNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memory.Store)
		w := newAskingWorld(t, store)
		p := w.person("")
		p.get(resetLink).follow()
		for i := range 200 {
			r := p.request("POST", "/.mfa/ask", "application/x-www-form-urlencoded", url.Values{
				"form_token": {p.token()}, "user": {fmt.Sprintf("nobody%d", i)}, "code": {"000000"}}.Encode())
			r.RemoteAddr = "127.0.0.1:4711"
			p.send(r)
			time.Sleep(time.Minute)
		}
		records, err := store.List(t.Context(), "", "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if !strings.HasPrefix(r.Key, "ask/") && !strings.HasPrefix(r.Key, "meta/") {
				t.Errorf("record %s", r.Key)
			}
		}
		if len(w.kinds()) > 0 {
			t.Errorf("events = %q; want none", w.kinds())
		}
	})
}

// Strangers who guess there lock nobody out of the challenge, nor browsers that the
// owner has used out of the page that asks; and they find an end.
func TestAskHasBudgetOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newAskingWorld(t, nil)
		alice := w.person("alice").enrol("/")
		begin, judged := time.Now(), 0
		for time.Since(begin) < 60*24*time.Hour {
			p := w.person("")
			if p.answers("alice", fmt.Sprintf("%06d", judged)); p.last.Code == 401 {
				judged++
			}
			time.Sleep(4 * time.Hour)
		}
		if judged < 14 || judged > 42 {
			t.Errorf("%d guesses were judged in 60 days; want 14 in 30", judged)
		}
		known := w.person("")
		known.cookies["mfagate_browser"] = alice.cookies["mfagate_browser"]
		known.answers("alice", alice.code(0)).want(303, resetLink)
		time.Sleep(time.Minute)
		alice.elsewhere().prove("/", 0).want(303, "/")
	})
}

// One address asks so often and no more, whatever the names.
func TestAskFloodFromOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newAskingWorld(t, nil)
		p := w.person("")
		p.get(resetLink).follow()
		for i := range 20 {
			p.post("/.mfa/ask", "user", fmt.Sprintf("name%d", i), "code", "000000").want(401)
		}
		p.post("/.mfa/ask", "user", "name21", "code", "000000").want(429)
		if p.last.Header().Get("Retry-After") == "" {
			t.Errorf("there is no Retry-After")
		}
		time.Sleep(16 * time.Minute)
		p.get(resetLink).follow().post("/.mfa/ask", "user", "name", "code", "000000").want(401)
	})
}

// The form is ours, and from here.
func TestAskForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newAskingWorld(t, nil)
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Minute)
		victim := w.person("")
		victim.post("/.mfa/ask", "user", "alice", "code", alice.code(0)).want(403) // no token
		victim.get(resetLink).follow().want(200)
		other := w.person("")
		other.get(resetLink).follow().want(200)
		victim.body = other.body
		victim.post("/.mfa/ask", "user", "alice", "code", alice.code(0)).want(403) // of another browser
		victim.get(resetLink).follow().want(200)
		victim.header.Set("Sec-Fetch-Site", "cross-site")
		victim.post("/.mfa/ask", "user", "alice", "code", alice.code(0)).want(403)
		victim.header.Del("Sec-Fetch-Site")
		victim.send(victim.request("POST", "/.mfa/ask", "application/json", `{"user":"alice"}`)).want(415)
		before := victim.cookies["mfagate_ask"]
		victim.get(resetLink).follow().post("/.mfa/ask", "user", "alice", "code", alice.code(0), "return", "//evil.example/").want(303, "/")
		if got := victim.last.Header().Get("Location"); strings.HasPrefix(got, "//") {
			t.Errorf("leads to %q", got)
		}
		if victim.cookies["mfagate_ask"] == before {
			t.Errorf("the token of before the proof is that of the session")
		}
	})
}

// Nobody enrols there, and where nothing asks there is no such page.
func TestAskOpensNothingElse(t *testing.T) {
	w := newAskingWorld(t, nil)
	app := http.HandlerFunc(w.app)
	w.handler = w.block(func(c *mfagate.BlockConfig) { c.Source, c.Ask = nil, true }).Handler(app)
	p := w.person("")
	for _, path := range []string{"", "enroll", "enroll/totp", "challenge", "recovery-codes", "help", "admin/", "api/v1/session"} {
		p.get("/.mfa/" + path).want(404)
	}
	p.header.Set("Accept", "application/json")
	p.get("/reset").want(401)
	if !strings.Contains(p.body, `"url":"/.mfa/ask"`) {
		t.Errorf("a program is told %s; want where to go", p.body)
	}
	w.handler = w.block().Handler(app)
	w.person("alice").get("/.mfa/ask").want(404)
}

// The race for one code has one winner.
func TestAskInParallel(t *testing.T) {
	w := newAskingWorld(t, nil)
	alice := w.person("alice").enrol("/")
	code := alice.code(1)
	var mu sync.Mutex
	var all sync.WaitGroup
	passed := 0
	for range 5 {
		all.Go(func() {
			p := w.person("").answers("alice", code)
			mu.Lock()
			defer mu.Unlock()
			if p.last.Code == 303 {
				passed++
			}
		})
	}
	all.Wait()
	if passed != 1 {
		t.Errorf("%d answers with one code were accepted; want 1", passed)
	}
}

// A site that observes stops nobody.
func TestAskInObserveMode(t *testing.T) {
	w := newAskingWorld(t, nil, func(c *mfagate.BlockConfig) { c.Site.Mode = mfagate.Observe })
	w.person("").get(resetLink).want(200)
}

// Both blocks may hold for one request, in either order, and both must be satisfied.
func TestAskBesideAnotherBlock(t *testing.T) {
	for name, askFirst := range map[string]bool{"first": true, "second": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newAskingWorld(t, nil)
				app := http.HandlerFunc(w.app)
				ask := func(c *mfagate.BlockConfig) { c.Source, c.Ask = nil, true }
				both := w.block(ask).Handler(w.block().Handler(app))
				if !askFirst {
					both = w.block().Handler(w.block(ask).Handler(app))
				}
				split := w.handler
				w.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if strings.HasPrefix(r.URL.Path, "/reset") {
						both.ServeHTTP(rw, r)
						return
					}
					split.ServeHTTP(rw, r)
				})
				alice := w.person("alice").enrol("/")
				alice.answers("alice", alice.codes[1]).want(303, resetLink).follow().want(200)
				delete(alice.cookies, "mfagate")
				alice.get(resetLink).want(303, "/.mfa/challenge")
			})
		})
	}
}

// A reset by an administrator ends what was opened.
func TestResetEndsAskedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newAskingWorld(t, nil)
		alice := w.person("alice").enrol("/")
		p := w.person("").answers("alice", alice.codes[0]).want(303, resetLink).follow().want(200)
		if _, err := w.gate.Reset(t.Context(), "root", aliceSubject, "", 0); err != nil {
			t.Fatal(err)
		}
		p.get(resetLink).want(303, "/.mfa/ask")
		p.get(resetLink).follow().post("/.mfa/ask", "user", "alice", "code", alice.codes[1]).want(401)
	})
}
