package mfagate_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/recovery"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// A reset voids the tickets that were made before it: one may have gone to the wrong person.
func TestResetVoidsEarlierTickets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		_ = alice
		s := mfagate.Subject{Realm: "default", Name: "alice"}
		wrong, err := w.gate.Reset(t.Context(), "admin", s, "lost phone", 0) // read out to the wrong person
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.gate.Reset(t.Context(), "admin", s, "gave the ticket to the wrong person", 0); err != nil {
			t.Fatal(err)
		}
		eve := w.person("alice")
		eve.get("/.mfa/enroll?ticket=" + wrong.Code)
		if eve.last.Code == http.StatusSeeOther {
			eve.follow()
			eve.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
			eve.post("/.mfa/enroll/totp", "code", eve.code(0))
			t.Errorf("with the ticket of the first reset: got %d to %s; want 403", eve.last.Code, eve.last.Header().Get("Location"))
		}
	})
}

// Whoever has the password alone cannot keep the owner from the challenge at her own browser.
func TestThiefCannotUseUpTheOwnersSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		time.Sleep(13 * time.Hour)
		for range 301 {
			w.person("alice").get("/.mfa/challenge")
		}
		alice.get("/")
		if alice.last.Code != 303 {
			t.Errorf("the owner at her known browser got %d, Retry-After %s; want 303", alice.last.Code, alice.last.Header().Get("Retry-After"))
		}
	})
}

// Signing out of sessions that were never proved writes no history.
func TestFloodOfEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memory.Store)
		w := newWorld(t, store)
		w.person("alice").enrol("/")
		before, _ := store.List(t.Context(), "event/", "", 0)
		p := w.person("alice")
		for range 250 {
			p.get("/.mfa/challenge")
			p.post("/.mfa/sign-out")
		}
		after, _ := store.List(t.Context(), "event/", "", 0)
		if n := len(after) - len(before); n > 10 {
			t.Errorf("password alone wrote %d events (kept for a year) by signing out of pending sessions; want few", n)
		}
	})
}

// What cannot be a code locks nothing, and no event says so.
func TestMalformedCodesLockNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.person("alice").enrol("/")
		time.Sleep(time.Hour)
		p := w.person("alice")
		p.get("/").follow()
		for range 4 {
			p.post("/.mfa/challenge", "method", "totp", "code", "000000").want(401)
		}
		for range 20 {
			p.post("/.mfa/challenge", "method", "totp", "code", "12").want(401)
		}
		n := 0
		for _, k := range w.kinds() {
			if k == mfagate.EventLocked {
				n++
			}
		}
		if n > 0 {
			t.Errorf("%d events say locked; want 0, for nothing is", n)
		}
	})
}

// What cannot be a code does not lengthen a delay.
func TestMalformedCodesLengthenNoDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.person("alice").enrol("/")
		time.Sleep(time.Hour)
		p := w.person("alice")
		p.get("/").follow()
		for range 5 {
			p.post("/.mfa/challenge", "method", "totp", "code", "000000").want(401)
		}
		time.Sleep(31 * time.Second)
		p.post("/.mfa/challenge", "method", "totp", "code", "12").want(401)
		p.post("/.mfa/challenge", "method", "totp", "code", "12")
		if p.last.Code != 401 {
			t.Errorf("after a malformed code, which counts for nothing: got %d, Retry-After %s; want 401", p.last.Code, p.last.Header().Get("Retry-After"))
		}
	})
}

// A form that another site posts, on which the browser keeps the cookie back, does not replace the session.
func TestFormOfAnotherSiteReplacesNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		r := alice.request("POST", "/saml/acs", "application/x-www-form-urlencoded", "SAMLResponse=x")
		r.Header.Del("Cookie") // SameSite=Lax
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "document")
		r.Header.Set("Origin", "https://evil.example")
		alice.send(r)
		alice.get("/")
		if alice.last.Code != 200 {
			t.Errorf("after a form of another site: got %d to %s; want 200, the session goes on", alice.last.Code, alice.last.Header().Get("Location"))
		}
	})
}

// a store that fails Get while on.
type failingGets struct {
	storage.Store
	on atomic.Bool
}

func (f *failingGets) Get(ctx context.Context, key string) (storage.Record, error) {
	if f.on.Load() {
		return storage.Record{}, errors.New("the disk is away")
	}
	return f.Store.Get(ctx, key)
}

// A moment without the store, while a stream is open, does not cost the session.
func TestStoreFailureUnderAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &failingGets{Store: new(memory.Store)}
		w := newWorld(t, store)
		app := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/stream" {
				<-r.Context().Done()
			}
		})
		strict := w.block(func(c *mfagate.BlockConfig) { c.Policy.MaxAge = time.Minute }).Handler(app)
		w.handler = w.block().Handler(app)
		alice := w.person("alice").enrol("/")
		go w.handler.ServeHTTP(httptest.NewRecorder(), alice.request("GET", "/stream", "", ""))
		time.Sleep(5 * time.Minute)
		plain := w.handler
		w.handler = strict
		alice.get("/payroll").want(303) // writes the session, so its cache entry is dropped
		w.handler = plain
		store.on.Store(true)
		time.Sleep(3 * time.Second)
		store.on.Store(false)
		alice.get("/")
		if alice.last.Code != 200 {
			t.Errorf("after three seconds without the store: got %d %.120q; want 200", alice.last.Code, alice.body)
		}
		time.Sleep(10 * time.Minute)
		alice.get("/")
		if alice.last.Code != 200 {
			t.Errorf("ten minutes later: got %d; want 200", alice.last.Code)
		}
	})
}

// B-06: a script of the app cannot read pages.
func TestScriptReadsCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Minute)
		alice.get("/.mfa/challenge?purpose=settings").want(200)
		alice.post("/.mfa/challenge", "method", "totp", "code", alice.code(0), "purpose", "settings", "return", "/.mfa/").want(303).follow()
		alice.post("/.mfa/recovery-codes", "action", "new").want(303)
		time.Sleep(14 * time.Minute) // long after the five minutes
		r := alice.request("GET", "/.mfa/recovery-codes", "", "")
		r.Header.Set("Sec-Fetch-Mode", "cors")
		r.Header.Set("Sec-Fetch-Dest", "empty")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		alice.send(r)
		if codes := crock.FindAllString(alice.body, -1); len(codes) > 0 {
			t.Errorf("a script of the app read %d recovery codes 14 minutes after the proof; want none", len(codes))
		}
	})
}

// leaving is a factor whose verification notices that the client left.
type leaving struct {
	mfagate.Factor
	leave func()
}

func (l *leaving) FinishVerify(ctx context.Context, c mfagate.Call, u mfagate.User, st []byte, a url.Values) (mfagate.Credential, error) {
	cred, err := l.Factor.FinishVerify(ctx, c, u, st, a)
	if l.leave != nil {
		l.leave()
	}
	return cred, err
}

// A guess is in the history though its client leaves.
func TestLeavingHidesNoGuess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		f := &leaving{Factor: &totp.Factor{}}
		var events []string
		g, err := mfagate.New(mfagate.Config{Records: w.records, Pages: builtIn(), Factors: []mfagate.Factor{f}, Recovery: &recovery.Factor{},
			OnEvent: func(_ context.Context, e mfagate.Event) { events = append(events, e.Kind) }})
		if err != nil {
			t.Fatal(err)
		}
		w.gate = g
		w.handler = w.block().Handler(http.HandlerFunc(w.app))
		w.person("alice").enrol("/")
		time.Sleep(time.Hour)
		p := w.person("alice")
		p.get("/").follow()
		ctx, cancel := context.WithCancel(t.Context())
		f.leave = cancel
		r := p.request("POST", "/.mfa/challenge", "application/x-www-form-urlencoded", url.Values{"form_token": {p.token()}, "method": {"totp"}, "code": {"000000"}}.Encode())
		p.send(r.WithContext(ctx))
		if !slices.Contains(events, mfagate.EventRejected) {
			t.Errorf("events = %v; want one that says rejected", events)
		}
		// and a malformed one is not given back
		f.leave = nil
		st, err := w.gate.User(t.Context(), mfagate.Subject{Realm: "default", Name: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		before := st.FailedCodes24
		ctx, cancel = context.WithCancel(t.Context())
		f.leave = cancel
		r = p.request("POST", "/.mfa/challenge", "application/x-www-form-urlencoded", url.Values{"form_token": {p.token()}, "method": {"totp"}, "code": {"12"}}.Encode())
		p.send(r.WithContext(ctx))
		st, err = w.gate.User(t.Context(), mfagate.Subject{Realm: "default", Name: "alice"})
		if err != nil || st.FailedCodes24 != before {
			t.Errorf("attempts %d -> %d, %v; want no change", before, st.FailedCodes24, err)
		}
	})
}

// RC-07, M-03: a recovery code lets a person in and lets them add a phone. It is worth no new set of codes.
func TestRecoveryCodeGrantsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Hour)
		strict := w.block(func(c *mfagate.BlockConfig) { c.Policy.Factors = []string{"totp"} }).Handler(http.HandlerFunc(w.app))
		eve := w.person("alice") // with the password and one code off a photo
		eve.get("/").follow()
		eve.post("/.mfa/challenge", "method", "recovery", "code", alice.codes[0], "purpose", "settings").want(303)
		hits := w.hit()
		w.handler = strict
		eve.get("/payroll").want(303)
		eve.get("/.mfa/enroll").want(200)
		eve.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		eve.post("/.mfa/enroll/totp", "code", eve.code(0), "return", "/payroll")
		eve.get("/payroll")
		if w.hit() != hits {
			t.Errorf("one recovery code passed a block that says factors totp")
		}
		eve.get("/.mfa/")
		eve.post("/.mfa/recovery-codes", "action", "new")
		if eve.last.Code == 303 {
			eve.follow().note()
			if len(eve.codes) == 10 {
				t.Errorf("one recovery code is worth a set of ten; the owner's are dead")
			}
		}
	})
}

// The idle time of another site ends nothing here.
func TestIdleOfAnotherSite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		other := w.block(func(c *mfagate.BlockConfig) { c.Site.Name = "b"; c.Site.Idle = time.Minute }).Handler(http.HandlerFunc(w.app))
		alice := w.person("alice").enrol("/")
		alice.get("/").want(200)
		time.Sleep(5*time.Minute + time.Second)
		one := w.handler
		w.handler = other
		r := alice.request("GET", "/", "", "")
		r.Header.Set("Accept", "application/json")
		alice.send(r).want(401)
		w.handler = one
		alice.get("/")
		if alice.last.Code != 200 {
			t.Errorf("after a look at another site with a shorter idle time: got %d; want 200", alice.last.Code)
		}
	})
}

// Whoever works through the wizard is not idle.
func TestPagesAreActivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, func(c *mfagate.BlockConfig) { c.Site.Idle = 5 * time.Minute })
		p := w.person("alice")
		p.get("/").want(303).follow()
		for range 3 {
			time.Sleep(2 * time.Minute)
			p.post("/.mfa/enroll/totp")
			if p.last.Code != 303 {
				t.Fatalf("got %d after a click every two minutes; want 303", p.last.Code)
			}
			p.follow().want(200)
		}
	})
}

// A rewrite before the gate does not lead the own files of the pages astray.
func TestStaticUnderRewrite(t *testing.T) {
	w := newWorld(t, nil, func(c *mfagate.BlockConfig) {
		c.Site.Client = func(r *http.Request) mfagate.Client {
			sent := *r.URL
			r.URL.Path = "/index.php" // as a rewrite before the gate does
			return mfagate.Client{Addr: netip.MustParseAddr("127.0.0.1"), Sent: &sent}
		}
	})
	p := w.person("alice").get("/.mfa/enroll").want(200)
	m := regexp.MustCompile(`href="(/\.mfa/static/[^"]+\.css)"`).FindStringSubmatch(p.body)
	if m == nil {
		t.Fatal("no style sheet")
	}
	p.get(m[1])
	if p.last.Code != 200 {
		t.Errorf("%s: got %d; want 200", m[1], p.last.Code)
	}
}
