package mfagate_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
	"github.com/mfagate/caddy-mfagate/storage/storagetest"
)

var errDisk = errors.New("disk is on fire")

// TestStoreFailsOnEachCall lets each call of the store fail in turn, in each
// part of a person's story. The answer is 503 or what it would have been; the
// app is reached only by those who may; and afterwards the story goes on.
func TestStoreFailsOnEachCall(t *testing.T) {
	for _, story := range []struct {
		name string
		act  func(*person) // one request that uses the store
	}{
		{"stop", func(p *person) { p.elsewhere().get("/") }},
		{"session", func(p *person) { p.get("/") }},
		{"challenge page", func(p *person) { p.get("/.mfa/challenge?purpose=settings") }},
		{"security page", func(p *person) { p.get("/.mfa/") }},
		{"wrong code", func(p *person) { p.post("/.mfa/challenge", "method", "totp", "code", "000000") }},
		{"sign out", func(p *person) { p.post("/.mfa/sign-out", "everywhere", "yes") }},
		{"API session", func(p *person) { p.api("GET", "session", nil) }},
		{"API codes", func(p *person) { p.api("POST", "recovery-codes", map[string]any{}) }},
	} {
		for _, err := range []error{errDisk, storage.ErrConflict, storage.ErrUnknown} {
			t.Run(story.name+"/"+err.Error(), func(t *testing.T) {
				for call := 1; ; call++ {
					done := false
					synctest.Test(t, func(t *testing.T) { done = failOneCall(t, call, err, story.act) })
					if done || t.Failed() {
						break
					}
				}
			})
		}
	}
}

// failOneCall tells whether the story has fewer calls than that.
func failOneCall(t *testing.T, call int, err error, act func(*person)) bool {
	store := new(memory.Store)
	first := newWorld(t, store)
	alice := first.person("alice").enrol("/")
	alice.get("/.mfa/").want(200)
	time.Sleep(time.Minute)

	// A gate that was started anew has nothing in its cache.
	faulty := &storagetest.Faulty{Store: store, Err: err}
	second := newWorld(t, faulty)
	before := faulty.Calls()
	faulty.Call = before + call
	alice.w = second
	act(alice)
	calls := faulty.Calls() - before
	reached := second.hit()
	if reached > 0 && alice.last.Code != http.StatusOK {
		t.Errorf("call %d: the app was reached although the answer was %d", call, alice.last.Code)
	}
	switch code := alice.last.Code; {
	case code == http.StatusServiceUnavailable && alice.last.Header().Get("Retry-After") == "":
		t.Errorf("call %d: 503 without Retry-After", call)
	case code >= 500 && code != http.StatusServiceUnavailable:
		t.Errorf("call %d: status = %d; want 503 at most", call, code)
	}

	faulty.Call = 0 // the store works again, and nothing is lost
	time.Sleep(2 * time.Hour)
	p := alice.elsewhere()
	p.w = second
	p.cookies = map[string]string{}
	p.prove("/", 0).want(303, "/").follow().want(200)
	return calls < call
}

// TestStoreFailsDuringEnrolment shows that an enrolment is there whole or not at
// all, whatever call fails, and that the person gets through in the end.
func TestStoreFailsDuringEnrolment(t *testing.T) {
	for _, err := range []error{errDisk, storage.ErrConflict, storage.ErrUnknown} {
		for _, applied := range []bool{false, true} {
			if applied && !errors.Is(err, storage.ErrUnknown) {
				continue // only then is it unknown
			}
			for call := 1; call < 60; call++ {
				synctest.Test(t, func(t *testing.T) {
					faulty := &storagetest.Faulty{Store: new(memory.Store), Err: err, Applied: applied}
					w := newWorld(t, faulty)
					faulty.Call = faulty.Calls() + call
					enrolWithOneFault(t, w)
				})
				if t.Failed() {
					t.Fatalf("error %v, applied %v, call %d", err, applied, call)
				}
			}
		}
	}
}

func enrolWithOneFault(t *testing.T, w *world) {
	p := w.person("alice")
	for range 8 { // a person who tries again whenever told to
		p.get("/")
		switch loc := p.last.Header().Get("Location"); {
		case p.last.Code == http.StatusServiceUnavailable:
			continue
		case p.last.Code == http.StatusOK:
			if len(p.codes) == 0 {
				t.Errorf("the app was reached without recovery codes")
			}
			return
		case p.last.Code != http.StatusSeeOther:
			t.Errorf("status = %d", p.last.Code)
		case hasPrefix(loc, "/.mfa/recovery-codes"):
			p.follow().note()
			p.post("/.mfa/recovery-codes", "saved", "yes", "set", p.set())
		case hasPrefix(loc, "/.mfa/challenge"):
			if p.secret == "" {
				t.Errorf("enrolled with a secret that nobody has seen")
				return
			}
			p.follow()
			time.Sleep(time.Minute)
			p.post("/.mfa/challenge", "method", "totp", "code", p.code(0))
		default:
			p.follow()
			p.post("/.mfa/enroll/totp")
			if p.get("/.mfa/enroll/totp"); p.last.Code == http.StatusOK {
				p.scan()
				p.post("/.mfa/enroll/totp", "code", p.code(0))
			}
		}
	}
	t.Errorf("did not get in after one fault; last answer %d %s", p.last.Code, p.last.Header().Get("Location"))
}

func hasPrefix(s, prefix string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }

// A newer format stops the start rather than losing what it does not know.
func TestNewerFormat(t *testing.T) {
	store := new(memory.Store)
	if err := store.Apply(t.Context(), storage.Change{Key: "meta/format", Value: []byte("2")}); err != nil {
		t.Fatal(err)
	}
	if _, err := mfagate.OpenRecords(t.Context(), store); err == nil {
		t.Errorf("OpenRecords opened records of a newer format")
	}
}
