package mfagate_test

import (
	"bytes"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// further enrols one more app for codes.
func (p *person) further() *person {
	p.w.t.Helper()
	p.get("/.mfa/").want(200)
	return p.post("/.mfa/enroll/totp").want(303, "/.mfa/enroll/totp").follow().want(200)
}

// Each factor more is one more that a guess may hit.
func TestFactorsOfOneKindFindAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		first := alice.secret
		for range 4 {
			alice.secret = first
			alice.confirm()
			alice.further().scan()
			alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303, "/.mfa/")
		}
		alice.secret = first
		alice.confirm()
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/enroll/totp").want(403)
		if got := len(w.user("alice").Factors); got != 5 {
			t.Errorf("alice has %d factors; want 5", got)
		}
	})
}

// A factor that is added proves nothing of who adds it: the age of the proof stays.
func TestFurtherFactorIsNoNewProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, func(c *mfagate.BlockConfig) { c.Policy.MaxAge = 5 * time.Minute })
		alice := w.person("alice").enrol("/")
		alice.confirm()
		time.Sleep(4 * time.Minute)
		alice.further().scan()
		alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303, "/.mfa/")
		alice.get("/").want(200)
		time.Sleep(2 * time.Minute)
		alice.get("/").want(303, "/.mfa/challenge")
	})
}

// An enrolment that was finished is over: the secret that was shown for it becomes no second
// factor of the same kind.
func TestFinishedEnrolmentIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		alice.confirm()
		alice.further().scan()
		alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303, "/.mfa/").follow().want(200)
		time.Sleep(time.Minute)
		alice.post("/.mfa/enroll/totp", "code", alice.code(0))
		if got := len(w.user("alice").Factors); got != 2 {
			t.Errorf("alice has %d factors; want 2", got)
		}
	})
}

// A program that finishes an enrolment names the one that it has begun: the code may be of
// another that the person did not look at.
func TestEnrolmentIsFinishedUnderItsOwnName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice")
		begun := alice.api("POST", "enroll/totp", map[string]any{})
		alice.want(201)
		alice.secret, _ = begun["secret"].(string)
		alice.api("POST", "enroll/totp/confirm", map[string]any{"enrollment": "another", "code": alice.code(0)})
		if alice.last.Code < 400 || len(w.kinds()) > 0 {
			t.Errorf("got %d and the events %q; want a refusal", alice.last.Code, w.kinds())
		}
		alice.api("POST", "enroll/totp/confirm", map[string]any{"enrollment": begun["enrollment"], "code": alice.code(0)})
		alice.want(200)
	})
}

// Where the codes come first nobody skips them by sending the factor's answer at once.
func TestCodesThatComeFirstCannotBeSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ordered(t, mfagate.CodesBefore)
		alice := w.person("alice")
		alice.get("/.mfa/enroll").want(200)
		page := alice.body
		alice.post("/.mfa/enroll/totp").want(303, "/.mfa/enroll/totp")
		alice.body = page
		begun := alice.api("POST", "enroll/totp", map[string]any{})
		alice.secret, _ = begun["secret"].(string)
		if alice.secret == "" {
			t.Fatalf("the API tells %v; want a secret", begun)
		}
		alice.body = page
		alice.post("/.mfa/enroll/totp", "code", alice.code(0))
		if on, left := w.enrolled(); on || left != 0 {
			t.Errorf("enrolled = %v with %d codes after %d; want nothing before the codes are saved", on, left, alice.last.Code)
		}
	})
}

// A ticket admits one enrolment, also where the factor waits for the codes to be saved.
func TestTicketIsUsedUpWithTheCodesSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ordered(t, mfagate.CodesConfirm)
		w.handler = w.block(func(c *mfagate.BlockConfig) { c.Site.Enrolment.Ticket = true }).Handler(http.HandlerFunc(w.app))
		ticket := w.ticket("alice")
		alice := w.person("alice")
		alice.get("/.mfa/enroll?ticket="+ticket).want(303, "/.mfa/enroll").follow().want(200)
		alice.post("/.mfa/enroll/totp").want(303, "/.mfa/enroll/totp").follow().want(200).scan()
		alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303, "/.mfa/recovery-codes").follow().want(200).note()
		alice.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set()).want(303)
		records, err := w.store.List(t.Context(), "ticket/", "", 0)
		if err != nil || len(records) != 0 {
			t.Errorf("%d tickets are left, %v; want none", len(records), err)
		}
	})
}

// The proof made for switching off is minutes old or none, whatever was proved for since.
func TestProofForSwitchingOffAgesByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, optional, func(c *mfagate.BlockConfig) { c.Site.Confirm = mfagate.ConfirmFactor })
		alice := w.person("alice").enrolByTicket()
		time.Sleep(time.Minute)
		alice.get("/.mfa/challenge?purpose=settings&return=%2F.mfa%2Fdisable").want(200)
		alice.post("/.mfa/challenge", "method", "totp", "code", alice.code(0), "purpose", "settings", "return", "/.mfa/disable").want(303, "/.mfa/disable")
		alice.get("/.mfa/disable").want(200)
		time.Sleep(5 * time.Minute)
		alice.confirm() // a minute later, for something else
		alice.post("/.mfa/disable").want(303, "/.mfa/challenge")
		if !w.user("alice").Enrolled {
			t.Error("alice has no factor any more")
		}
	})
}

// Browsers that were known are strangers once the factors are gone: a thief's would have the
// owner's share of the tries for the next ones.
func TestSwitchingOffForgetsTheBrowsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, optional)
		alice := w.person("alice").enrolByTicket()
		knows := func() bool {
			records, err := w.store.List(t.Context(), "user/", "", 0)
			if err != nil || len(records) != 1 {
				t.Fatalf("%d users, %v; want alice", len(records), err)
			}
			return bytes.Contains(records[0].Value, []byte(`"browsers":`))
		}
		if !knows() {
			t.Fatal("the browser that has proved a factor is not known")
		}
		alice.confirm()
		alice.get("/.mfa/disable").want(200)
		alice.post("/.mfa/disable", "password", "secret").want(200)
		if knows() {
			t.Error("the browser is known without a factor")
		}
	})
}
