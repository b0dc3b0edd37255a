package mfagate_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// told reads what tests say of a sign-in.
func told(r *http.Request) (a mfagate.Assurance, err error) {
	a.Methods = strings.Fields(r.Header.Get("Amr"))
	if at := r.Header.Get("Auth-Time"); at != "" {
		seconds, err := strconv.Atoi(at)
		if err != nil {
			return a, err
		}
		a.At = time.Unix(int64(seconds), 0)
	}
	if r.Header.Get("Amr") == "broken" {
		return a, errors.New("cannot tell")
	}
	return a, nil
}

func trusting(change ...func(*mfagate.BlockConfig)) func(*mfagate.BlockConfig) {
	return func(c *mfagate.BlockConfig) {
		c.Trust = mfagate.Trust{Read: told, Values: []string{"mfa", "hwk"}}
		for _, f := range change {
			f(c)
		}
	}
}

// signedIn is a person whose identity provider tells how they signed in, so long ago.
func (w *world) signedIn(name, amr string, ago time.Duration) *person {
	p := w.person(name)
	p.header.Set("Amr", amr)
	p.header.Set("Auth-Time", strconv.FormatInt(time.Now().Add(-ago).Unix(), 10))
	return p
}

// S53: who has confirmed with the identity provider is not asked again.
func TestTrust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, trusting())
		for range 3 {
			w.signedIn("alice", "pwd mfa", time.Hour).get("/").want(200)
		}
		if got := w.kinds(); len(got) != 1 || got[0] != mfagate.EventTrusted {
			t.Errorf("events = %q; want trusted, once", got)
		}
		for _, amr := range []string{"", "pwd", "MFA", "mfax", "mf", "broken"} {
			w.signedIn("alice", amr, 0).get("/").want(303, "/.mfa/enroll")
		}
		w.signedIn("", "mfa", 0).get("/").want(401)
		w.signedIn("bob", "hwk", 0).get("/").want(200)
		time.Sleep(time.Hour)
		w.signedIn("alice", "mfa", 0).get("/").want(200)
		if got := w.kinds(); len(got) != 3 {
			t.Errorf("events = %q; want one for each user, and one more an hour later", got)
		}
	})
}

// One request that is trusted says nothing of the next one, nor of anybody else.
func TestTrustMakesNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, trusting())
		alice := w.signedIn("alice", "mfa", 0).get("/").want(200)
		if len(alice.cookies) != 0 {
			t.Errorf("cookies = %v; want none", alice.cookies)
		}
		alice.header.Del("Amr")
		alice.get("/").want(303, "/.mfa/enroll")
	})
}

// What the identity provider knows is no proof of ours: factors are safe from it.
func TestTrustOpensNoSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, trusting())
		owner := w.person("alice").enrol("/")
		thief := w.signedIn("alice", "mfa", 0)
		thief.get("/").want(200)
		thief.get("/.mfa/").want(303, "/.mfa/challenge")
		thief.api("POST", "recovery-codes", nil)
		thief.want(401)
		thief.get("/.mfa/enroll")
		if thief.last.Code == 200 {
			t.Errorf("a further phone is offered: %.300q", thief.body)
		}
		owner.get("/").want(200)
	})
}

func TestTrustAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, trusting(func(c *mfagate.BlockConfig) {
			c.Trust.MaxAge, c.Policy.MaxAge = time.Hour, 2*time.Hour
		}))
		w.signedIn("alice", "mfa", 59*time.Minute).get("/").want(200)
		w.signedIn("alice", "mfa", 61*time.Minute).get("/").want(303)
		w.signedIn("alice", "mfa", -10*time.Second).get("/").want(200) // clocks differ
		w.signedIn("alice", "mfa", -10*time.Minute).get("/").want(303)
		p := w.signedIn("alice", "mfa", 0)
		for _, at := range []string{"", "yesterday"} {
			p.header.Set("Auth-Time", at)
			p.get("/").want(303)
		}
	})
}

// The policy's own max_age is as strict with the sign-ins of others.
func TestTrustWithinMaxAgeOfPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, trusting(func(c *mfagate.BlockConfig) { c.Policy.MaxAge = 10 * time.Minute }))
		w.signedIn("alice", "mfa", 9*time.Minute).get("/").want(200)
		w.signedIn("alice", "mfa", 11*time.Minute).get("/").want(303)
	})
}

// In every mode, and for people who have a factor here too.
func TestTrustInModes(t *testing.T) {
	for _, mode := range []mfagate.Mode{mfagate.Required, mfagate.Optional, mfagate.Observe} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil, trusting(func(c *mfagate.BlockConfig) { c.Site.Mode = mode }))
			var got mfagate.Decision
			block := w.block(trusting(func(c *mfagate.BlockConfig) { c.Site.Mode = mode }))
			w.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				_ = block.Serve(rw, r, func(rw http.ResponseWriter, r *http.Request, d mfagate.Decision) error {
					got = d
					return nil
				})
			})
			w.signedIn("alice", "mfa", time.Minute).get("/").want(200)
			if got.Factor != mfagate.FactorTrusted || time.Since(got.Proved).Round(time.Second) != time.Minute || got.Age != 0 {
				t.Errorf("mode %v: Decision = %+v; want trusted, a minute ago", mode, got)
			}
		})
	}
}

// A policy that names factors is satisfied by trust only if it names that too.
func TestTrustBesideFactors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, trusting(func(c *mfagate.BlockConfig) {
			c.Policy.Factors = []string{"totp", mfagate.FactorTrusted}
		}))
		w.signedIn("alice", "hwk", 0).get("/").want(200)
		w.person("alice").enrol("/")
		for name, c := range map[string]mfagate.BlockConfig{
			"factors without trusted": {Trust: mfagate.Trust{Read: told, Values: []string{"mfa"}}, Policy: mfagate.Policy{Factors: []string{"totp"}}},
			"trusted without trust":   {Policy: mfagate.Policy{Factors: []string{mfagate.FactorTrusted}}},
			"no values":               {Trust: mfagate.Trust{Read: told}},
			"negative age":            {Trust: mfagate.Trust{Read: told, Values: []string{"mfa"}, MaxAge: -1}},
		} {
			c.Source = mfagate.SourceFunc(firstFactor)
			if _, err := w.gate.Block(c); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	})
}

// A block that trusts hides no session from a stricter one behind it.
func TestTrustBeforeStricterBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		loose, strict := w.block(trusting(func(c *mfagate.BlockConfig) { c.Policy.MaxAge = time.Minute })), w.block()
		w.handler = loose.Handler(strict.Handler(http.HandlerFunc(w.app)))
		w.signedIn("alice", "mfa", 0).get("/").want(303, "/.mfa/enroll")
		p := w.person("alice").enrol("/")
		time.Sleep(2 * time.Minute)
		p.get("/").want(303, "/.mfa/challenge")
		p.header = w.signedIn("alice", "mfa", 0).header
		p.get("/").want(200)
	})
}

// What is open with the app ends with the trust.
func TestTrustedStreamEnds(t *testing.T) {
	for name, test := range map[string]struct {
		age, lifetime, want time.Duration
	}{
		"with max_age":  {10 * time.Minute, 0, 6 * time.Minute},
		"with lifetime": {0, time.Hour, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				block := w.block(trusting(func(c *mfagate.BlockConfig) {
					c.Trust.MaxAge, c.Site.Lifetime = test.age, test.lifetime
				}))
				w.handler = block.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					begin := time.Now()
					<-r.Context().Done()
					if got := time.Since(begin).Round(time.Second); got != test.want {
						t.Errorf("ended after %v by %v; want %v", got, context.Cause(r.Context()), test.want)
					}
				}))
				w.signedIn("alice", "mfa", 4*time.Minute).get("/events")
			})
		})
	}
}

// A slowStore holds the next change up until it is released, and fails it then.
type slowStore struct {
	storage.Store
	held     atomic.Bool
	begun    chan struct{}
	released chan struct{}
}

func (s *slowStore) Apply(ctx context.Context, changes ...storage.Change) error {
	if s.held.CompareAndSwap(true, false) {
		close(s.begun)
		<-s.released
		return errors.New("the disk is full")
	}
	return s.Store.Apply(ctx, changes...)
}

// Of requests that come at once none passes before it is recorded that the user does,
// even if the record of the first one fails.
func TestTrustedInParallelIsRecordedFirst(t *testing.T) {
	store := &slowStore{Store: new(memory.Store), begun: make(chan struct{}), released: make(chan struct{})}
	w := newWorld(t, store, trusting())
	w.handler = w.block(trusting()).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if got := w.kinds(); len(got) == 0 || got[0] != mfagate.EventTrusted {
			t.Errorf("a request reached the app with the events %q; want trusted before", got)
		}
	}))
	store.held.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() { w.signedIn("alice", "mfa", 0).get("/").want(503) })
	<-store.begun
	wg.Go(func() { w.signedIn("alice", "mfa", 0).get("/").want(200) })
	time.Sleep(50 * time.Millisecond) // for the second one to overtake the first
	close(store.released)
	wg.Wait()
	if got := w.kinds(); len(got) != 1 {
		t.Errorf("events = %q; want one", got)
	}
}
