package mfagate_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/recovery"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// one tab adds a tablet, another tab begins to replace the phone and is left.
func TestSecondTabTurnsNoAddIntoReplace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		alice.confirm()
		phone := alice.ids()[0]
		alice.post("/.mfa/enroll/totp", "return", "/.mfa/").want(303).follow().want(200) // tab A: add
		tablet := alice.elsewhere()
		tablet.body = alice.body
		tablet.scan()
		tabA := alice.body
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/enroll/totp", "replace", phone, "return", "/.mfa/").want(303).follow().want(200) // tab B
		alice.body = tabA
		alice.post("/.mfa/enroll/totp", "code", tablet.code(0), "return", "/.mfa/")
		alice.get("/.mfa/").want(200)
		if !slices.Contains(alice.ids(), phone) {
			t.Errorf("adding a tablet in one tab took the phone away")
		}
	})
}

// a lost phone is being replaced; another tab begins to add.
func TestSecondTabTurnsNoReplaceIntoAdd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		alice.confirm()
		phone := alice.ids()[0]
		alice.post("/.mfa/enroll/totp", "replace", phone, "return", "/.mfa/").want(303).follow().want(200)
		next := alice.elsewhere()
		next.body = alice.body
		next.scan()
		tabA := alice.body
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/enroll/totp", "return", "/.mfa/").want(303).follow().want(200)
		alice.body = tabA
		alice.post("/.mfa/enroll/totp", "code", next.code(0), "return", "/.mfa/")
		if alice.last.Code != 303 {
			return // refused: fine
		}
		alice.get("/.mfa/").want(200)
		if slices.Contains(alice.ids(), phone) {
			t.Errorf("the lost phone that was replaced is still valid")
		}
	})
}

type panicking struct{ totp.Factor }

func (p *panicking) FinishEnrol(ctx context.Context, c mfagate.Call, u mfagate.User, s []byte, v url.Values) (mfagate.Credential, error) {
	panic("boom")
}

// a factor that panics must not lock its user, and 1/256 of all, out for ever.
func TestPanicLeavesNoLock(t *testing.T) {
	store := new(memory.Store)
	records, err := mfagate.OpenRecords(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	w := &world{t: t, store: store, records: records}
	if w.gate, err = mfagate.New(mfagate.Config{Records: records, Pages: builtIn(), Factors: []mfagate.Factor{&panicking{}}, Recovery: &recovery.Factor{}}); err != nil {
		t.Fatal(err)
	}
	w.handler = w.block().Handler(http.HandlerFunc(w.app))
	alice := w.person("alice")
	alice.get("/").want(303).follow()
	alice.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
	func() {
		defer func() { recover() }()
		alice.post("/.mfa/enroll/totp", "code", alice.code(0))
	}()
	done := make(chan struct{})
	go func() { defer close(done); alice.elsewhere().get("/") }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Errorf("after a panic every further request of the user hangs")
	}
}

// one person with one proof fills the outbox.
func TestFloodOfNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, nil, office)
		alice := w.mailed("alice").enrol("/")
		office.delivered()
		alice.settings()
		for range 200 {
			begun := alice.api("POST", "enroll/totp", map[string]any{})
			alice.want(201)
			q := alice.elsewhere()
			q.secret = begun["secret"].(string)
			out := alice.api("POST", "enroll/totp/confirm", map[string]any{"enrollment": begun["enrollment"], "code": q.code(0)})
			alice.want(200)
			alice.api("DELETE", "credentials/"+out["credential"].(map[string]any)["id"].(string), nil)
			alice.want(204)
		}
		if n := len(office.delivered()); n > 50 {
			t.Errorf("one proof made %d mails in no time; want a bound", n)
		}
	})
}

// after a reset the password alone must not do where mode is optional.
func TestResetWhereOptional(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, optional)
		alice := w.person("alice")
		alice.get("/.mfa/enroll").want(200)
		alice.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303).follow().want(200).note()
		alice.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set()).want(303)
		thief := w.person("alice")
		thief.get("/").want(303)
		if _, err := w.gate.Reset(t.Context(), "root", aliceSubject, "phone stolen", 0); err != nil {
			t.Fatal(err)
		}
		if thief.get("/"); thief.last.Code == 200 {
			t.Errorf("after a reset, with a ticket outstanding, the password alone opens the app")
		}
	})
}

// site A optional, B required, one realm.
func TestDisableWhereAnotherSiteRequires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, func(c *mfagate.BlockConfig) { c.Site.Name = "B" })
		a := w.block(optional, func(c *mfagate.BlockConfig) { c.Site.Name = "A"; c.Site.RequiredElsewhere = true }).Handler(http.HandlerFunc(w.app))
		b := w.handler
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Minute)
		w.handler = a
		alice = alice.elsewhere()
		alice.prove("/", 0)
		alice.confirm()
		alice.get("/.mfa/disable")
		alice.post("/.mfa/disable", "password", "secret")
		w.handler = b
		u, err := w.gate.User(t.Context(), aliceSubject)
		if err != nil || !u.Enrolled {
			t.Errorf("site A has switched off what site B of the realm requires (%v)", err)
		}
	})
}

// the app confirms late.
func TestProofInBetweenLosesNoEnrolment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		alice.confirm()
		alice.post("/.mfa/enroll/totp", "return", "/.mfa/").want(303).follow().want(200)
		tablet := alice.elsewhere()
		tablet.body = alice.body
		tablet.scan()
		time.Sleep(6 * time.Minute)
		alice.post("/.mfa/enroll/totp", "code", tablet.code(0), "return", "/.mfa/").want(303, "/.mfa/challenge").follow().want(200)
		alice.post("/.mfa/challenge", "method", "totp", "code", alice.code(0), "purpose", "settings", "return", "/.mfa/enroll").want(303)
		alice.get("/.mfa/enroll/totp")
		if alice.last.Code != 200 {
			t.Errorf("the enrolment is lost: %d to %s", alice.last.Code, alice.last.Header().Get("Location"))
		}
	})
}

// a stream of somebody who had no factor goes on after they have enrolled.
func TestStreamWithoutSessionEndsWithEnrolment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, optional)
		inner := w.handler
		ended := make(chan struct{})
		stop := make(chan struct{})
		slow := w.block(optional).Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
				close(ended)
			case <-stop:
			}
		}))
		thief := w.person("alice")
		go slow.ServeHTTP(httptest.NewRecorder(), thief.request("GET", "/ws", "", ""))
		synctest.Wait()
		w.handler = inner
		alice := w.person("alice")
		alice.get("/.mfa/enroll").want(200)
		alice.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303).follow().want(200).note()
		alice.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set()).want(303)
		time.Sleep(time.Hour)
		select {
		case <-ended:
		default:
			t.Errorf("an hour after alice enrolled, the WebSocket made with her password alone is still open")
		}
		close(stop)
		synctest.Wait()
	})
}

// the address that the template made is told when the source begins to tell one.
func TestAddressThatReplacesTheTemplate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, nil, office, func(c *mfagate.Config) { c.NotifyAddress = "{user}@template.example" })
		alice := w.person("alice").enrol("/")
		office.delivered()
		time.Sleep(time.Minute)
		thief := alice.elsewhere()
		thief.header.Set("First-Email", "thief@evil.example")
		thief.prove("/", 0).want(303)
		if got := subjects(office.delivered(), "alice@template.example"); len(got) == 0 {
			t.Errorf("the owner's address was told nothing of the change")
		}
	})
}

// a second change within a day tells the owner nothing.
func TestSecondChangeOfAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, nil, office)
		alice := w.mailed("alice").enrol("/")
		time.Sleep(time.Minute)
		alice = alice.elsewhere()
		alice.header.Set("First-Email", "new@example.com")
		alice.prove("/", 0).want(303)
		office.delivered()
		time.Sleep(time.Hour)
		thief := alice.elsewhere()
		thief.header.Set("First-Email", "thief@evil.example")
		thief.prove("/", 0).want(303)
		if got := subjects(office.delivered(), "new@example.com"); len(got) == 0 {
			t.Errorf("the owner's address of an hour ago was told nothing of its replacement")
		}
	})
}

// viewing all recovery codes is told.
func TestViewedCodesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, nil, office)
		alice := w.mailed("alice").enrol("/")
		office.delivered()
		alice.settings()
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/recovery-codes", "action", "view").want(200)
		if len(office.delivered()) == 0 {
			t.Errorf("somebody has seen all recovery codes and nobody is told")
		}
	})
}

// an unknown kind of proof: thief's language.
func TestNoticeInTheOwnersLanguage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, nil, office)
		alice := w.mailed("alice")
		alice.header.Set("Accept-Language", "en")
		alice.enrol("/")
		office.delivered()
		time.Sleep(time.Minute)
		thief := alice.elsewhere()
		thief.header = http.Header{"First-Email": {"alice@example.com"}, "Accept-Language": {"de"}}
		thief.get("/").follow().want(200)
		thief.post("/.mfa/challenge", "method", "recovery", "code", alice.codes[0]).want(303)
		for _, m := range office.delivered() {
			if m.Language != "en" {
				t.Errorf("the owner is told of a thief's sign-in in the thief's language %s", m.Language)
			}
		}
	})
}

var _ = fmt.Sprint
