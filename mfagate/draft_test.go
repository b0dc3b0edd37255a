package mfagate_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/recovery"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

// ordered is a world whose recovery codes come in an order.
func ordered(t *testing.T, order mfagate.CodesOrder) *world {
	t.Helper()
	w := newWorld(t, nil)
	gate, err := mfagate.New(mfagate.Config{
		Records: w.records, Pages: builtIn(), Factors: []mfagate.Factor{&totp.Factor{}}, Recovery: &recovery.Factor{}, Order: order,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.gate = gate
	w.handler = w.block().Handler(http.HandlerFunc(w.app))
	return w
}

// enrolled tells whether alice has a factor, and how many codes.
func (w *world) enrolled() (bool, int) {
	w.t.Helper()
	u, err := w.gate.User(w.t.Context(), aliceSubject)
	return err == nil && u.Enrolled, u.RecoveryLeft
}

// S74: the codes come first, and are valid once the factor is on.
func TestCodesBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ordered(t, mfagate.CodesBefore)
		alice := w.person("alice")
		alice.get("/reports").want(303, "/.mfa/enroll").follow().want(200)
		alice.post("/.mfa/enroll/totp", "return", "/reports").want(303, "/.mfa/enroll/totp").follow().want(303, "/.mfa/recovery-codes").follow().want(200).note()
		if len(alice.codes) != 10 || !strings.Contains(alice.body, "Step 2 of 3") {
			t.Fatalf("%d codes; want 10, in the second step: %s", len(alice.codes), alice.body)
		}
		alice.post("/.mfa/recovery-codes", "set", alice.set()).want(422)
		alice.post("/.mfa/recovery-codes", "action", "download", "set", alice.set()).want(200)
		if !strings.Contains(alice.body, alice.codes[0]) || !strings.HasPrefix(alice.last.Header().Get("Content-Disposition"), "attachment") {
			t.Errorf("the file does not hold the codes: %s", alice.body)
		}
		alice.get("/.mfa/recovery-codes?return=/reports").want(200)
		alice.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set(), "return", "/reports").want(303, "/.mfa/enroll/totp").follow().want(200).scan()
		if on, left := w.enrolled(); on || left != 0 || !strings.Contains(alice.body, "Step 3 of 3") {
			t.Errorf("enrolled = %v with %d codes before the factor was proved; want none, in the third step", on, left)
		}
		alice.post("/.mfa/enroll/totp", "code", alice.code(0), "return", "/reports").want(303, "/reports").follow().want(200)
		if on, left := w.enrolled(); !on || left != 10 {
			t.Errorf("enrolled = %v with %d codes; want 10", on, left)
		}
		other := alice.elsewhere()
		other.get("/").want(303, "/.mfa/challenge").follow().want(200)
		other.post("/.mfa/challenge", "method", "recovery", "code", alice.codes[3]).want(303)
	})
}

// S49: the factor is on only once the person said that the codes are saved.
func TestCodesConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ordered(t, mfagate.CodesConfirm)
		alice := w.person("alice")
		alice.get("/reports").want(303, "/.mfa/enroll").follow().want(200)
		alice.post("/.mfa/enroll/totp", "return", "/reports").want(303, "/.mfa/enroll/totp").follow().want(200).scan()
		alice.post("/.mfa/enroll/totp", "code", alice.code(0), "return", "/reports").want(303, "/.mfa/recovery-codes").follow().want(200).note()
		if on, left := w.enrolled(); on || left != 0 || len(w.kinds()) != 0 {
			t.Errorf("enrolled = %v with %d codes, events = %q; want nothing yet", on, left, w.kinds())
		}
		page := alice.body
		alice.get("/").want(303, "/.mfa/enroll").follow().want(303, "/.mfa/recovery-codes").follow().want(200) // the same codes
		if alice.body = page; !strings.Contains(alice.body, alice.codes[0]) {
			t.Error("another set is shown; want the same")
		}
		alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303, "/.mfa/recovery-codes") // the code is spent
		alice.body = page
		alice.post("/.mfa/recovery-codes", "set", alice.set()).want(422)
		alice.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set(), "return", "/reports").want(303, "/reports").follow().want(200)
		if on, left := w.enrolled(); !on || left != 10 {
			t.Errorf("enrolled = %v with %d codes; want 10", on, left)
		}
		other := alice.elsewhere()
		other.get("/").want(303, "/.mfa/challenge").follow().want(200)
		other.post("/.mfa/challenge", "method", "totp", "code", alice.code(0)).want(401) // spent at the enrolment
		other.post("/.mfa/challenge", "method", "recovery", "code", alice.codes[0]).want(303)
	})
}

// Nothing that is drafted opens anything, and no draft is taken twice, by another
// session, after its time, or unseen.
func TestDraftAttacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, order := range []mfagate.CodesOrder{mfagate.CodesBefore, mfagate.CodesConfirm} {
			w := ordered(t, order)
			begin := func(p *person) *person {
				t.Helper()
				p.get("/.mfa/enroll").want(200)
				p.post("/.mfa/enroll/totp").want(303).follow()
				if order == mfagate.CodesConfirm {
					p.want(200).scan()
					p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303)
				}
				return p.get("/.mfa/recovery-codes").want(200).note()
			}
			alice := begin(w.person("alice"))
			page := alice.body
			alice.get("/").want(303, "/.mfa/enroll")
			alice.body = page
			alice.post("/.mfa/challenge", "method", "recovery", "code", alice.codes[0])
			if alice.last.Code == 303 && alice.last.Header().Get("Location") == "/" {
				t.Error("a drafted code opened the app")
			}
			alice.body = page
			alice.post("/.mfa/recovery-codes", "saved", "yes", "set", "other").want(409)
			thief := begin(w.person("alice")) // another browser with the password has a draft of its own
			alice.body = page
			thief.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set()).want(409)
			alice.body = strings.Replace(page, `name="form_token" value="`, `name="form_token" value="A`, 1)
			alice.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set()).want(403)
		}
	})
}

// Of two browsers that enrol at once one turns its factor on; the other one's draft
// is worth nothing then.
func TestTwoDrafts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ordered(t, mfagate.CodesConfirm)
		both := []*person{w.person("alice"), w.person("alice")}
		for _, p := range both {
			p.get("/.mfa/enroll").want(200)
			p.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
			p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303).follow().want(200)
		}
		var wait sync.WaitGroup
		for _, p := range both {
			wait.Go(func() { p.post("/.mfa/recovery-codes", "saved", "yes", "set", p.set()) })
		}
		wait.Wait()
		if n := len(w.user("alice").Factors); n != 1 {
			t.Errorf("%d factors; want 1", n)
		}
		passed := 0
		for _, p := range both {
			if p.get("/"); p.last.Code == 200 {
				passed++
			}
		}
		if passed != 1 {
			t.Errorf("%d of two browsers pass; want 1", passed)
		}
	})
}

// A draft lives for a quarter of an hour; then the wizard begins anew.
func TestDraftEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ordered(t, mfagate.CodesConfirm)
		alice := w.person("alice")
		alice.get("/.mfa/enroll").want(200)
		alice.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303).follow().want(200)
		set, page := alice.set(), alice.body
		time.Sleep(16 * time.Minute)
		alice.body = page
		alice.post("/.mfa/recovery-codes", "saved", "yes", "set", set)
		if on, _ := w.enrolled(); on || slices.Contains(w.kinds(), mfagate.EventEnrolled) {
			t.Error("an old draft was turned on")
		}
		alice.get("/").want(303, "/.mfa/enroll").follow().want(200)
	})
}

// Programs get the codes with the answer, in whatever order.
func TestCodesOrderOfPrograms(t *testing.T) {
	for _, order := range []mfagate.CodesOrder{mfagate.CodesBefore, mfagate.CodesConfirm} {
		synctest.Test(t, func(t *testing.T) {
			w := ordered(t, order)
			alice := w.person("alice")
			begun := alice.api("POST", "enroll/totp", map[string]string{})
			alice.secret, _ = begun["secret"].(string)
			alice.secret = strings.ReplaceAll(alice.secret, " ", "")
			out := alice.api("POST", "enroll/totp/confirm", map[string]any{"enrollment": begun["enrollment"], "code": alice.code(0)})
			if codes, _ := out["recovery_codes"].([]any); len(codes) != 10 {
				t.Errorf("answer = %v; want ten codes", out)
			}
			alice.get("/").want(200)
		})
	}
}
