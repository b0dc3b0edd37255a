package mfagate_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
	"github.com/mfagate/caddy-mfagate/storage/storagetest"
)

var decisions = []string{"approve", "refuse", "complete"}

// undecided fails the test if anything happened to alice's request or factors since
// f began.
func (w *world) undecided(what string, f func()) {
	w.t.Helper()
	before, seen := fmt.Sprint(w.user("alice").Factors), fmt.Sprint(w.seenAs("alice"))
	f()
	if after := fmt.Sprint(w.user("alice").Factors); after != before {
		w.t.Errorf("%s: alice = %s; want %s", what, after, before)
	}
	if after := fmt.Sprint(w.seenAs("alice")); after != seen {
		w.t.Errorf("%s: request = %s; want %s", what, after, seen)
	}
}

// Nobody but an administrator with a fresh proof decides: not an auditor, not by a
// password alone, not by an old proof or a recovery code, and nobody on their own.
func TestWhoDecidesOnRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, requesting)
		alice := w.person("alice").enrol("/")
		alice.stuck().files("")
		dora := w.person("dora").enrolByTicket()
		dora.get(adminPath("requests", "user", "alice")).want(200)
		seen := dora.seen()
		if seen != "" || !strings.Contains(dora.body, "purpose=settings") {
			t.Errorf("without a fresh proof the page has a form, or leads to no proof: %s", dora.body)
		}
		seen = w.seenAs("alice").Seen
		try := func(what string, p *person, status int, location ...string) {
			t.Helper()
			w.undecided(what, func() {
				for _, action := range decisions {
					p.get("/.mfa/")
					if p.last.Code == http.StatusSeeOther {
						p.follow().want(200)
					}
					p.decidesOn(seen, action, "alice", "x").want(status, location...)
				}
			})
		}
		const proof = "/.mfa/challenge?purpose=settings&return=%2F.mfa%2Fadmin%2Frequests%3Fuser%3Dalice"
		try("the proof of the sign-in", dora, 303, proof)
		dora.confirm()
		time.Sleep(5*time.Minute + time.Second)
		try("an old proof", dora, 303, proof)
		dora.get("/.mfa/challenge?purpose=settings").want(200)
		dora.post("/.mfa/challenge", "method", "recovery", "code", dora.codes[0], "purpose", "settings").want(303)
		try("a recovery code", dora, 303, proof)
		try("a password alone", dora.elsewhere(), 401)
		otto := w.person("otto").enrolByTicket()
		otto.confirm()
		otto.get("/.mfa/admin/requests").want(200)
		otto.get(adminPath("requests", "user", "alice")).want(200)
		if strings.Contains(otto.body, `name="action"`) || !strings.Contains(otto.body, "change nothing") {
			t.Errorf("the page offers an auditor a decision: %s", otto.body)
		}
		try("an auditor", otto, 403)
		bob := w.person("bob").enrol("/")
		bob.confirm()
		bob.get("/.mfa/admin/requests").want(404)
		try("somebody else", bob, 404)
		try("the person", alice, 404)

		// Dora has lost her phone and files one, too: another one decides.
		dora.stuck().files("")
		dora.confirm()
		dora.get(adminPath("requests", "user", "DORA")).want(200)
		if strings.Contains(dora.body, `name="action"`) {
			t.Error("the page offers dora a decision on her own request")
		}
		for _, action := range decisions {
			dora.get("/.mfa/").want(200)
			dora.decidesOn(w.seenAs("dora").Seen, action, "DORA", "x").want(403)
		}
		if got := w.seenAs("dora").State; got != mfagate.RequestFiled {
			t.Errorf("dora's request is %s; want undecided", got)
		}
	})
}

// Other sites, scripts in the app and links decide and answer nothing.
func TestDecisionsAreNotForged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, requesting)
		alice := w.person("alice").enrol("/")
		alice.stuck().files("")
		dora := w.person("dora").enrolByTicket()
		dora.confirm()
		seen := w.seenAs("alice").Seen
		id, _, _ := strings.Cut(seen, ".")
		alice.get("/.mfa/").want(200)
		bob := w.person("bob").enrol("/").get("/.mfa/").want(200)
		for path, form := range map[string]struct {
			p      *person
			fields url.Values
		}{
			"/.mfa/admin/requests": {dora, url.Values{"action": {"approve"}, "user": {"alice"}, "reason": {"x"}, "seen": {seen}}},
			"/.mfa/reset-request":  {alice, url.Values{"action": {"keep"}, "seen": {id}}},
			"/.mfa/help":           {alice, url.Values{"action": {"request"}, "message": {"x"}}},
		} {
			token := form.p.token()
			for what, change := range map[string]func(http.Header, url.Values){
				"no token":     func(_ http.Header, f url.Values) { f.Del("form_token") },
				"other token":  func(_ http.Header, f url.Values) { f.Set("form_token", bob.token()) },
				"cross-site":   func(h http.Header, _ url.Values) { h.Set("Sec-Fetch-Site", "cross-site") },
				"same-site":    func(h http.Header, _ url.Values) { h.Set("Sec-Fetch-Site", "same-site") },
				"other origin": func(h http.Header, _ url.Values) { h.Set("Origin", "https://evil.example") },
				"script":       func(h http.Header, _ url.Values) { h.Set("Sec-Fetch-Mode", "cors") },
				"early data":   func(h http.Header, _ url.Values) { h.Set("Early-Data", "1") },
			} {
				fields := url.Values{"form_token": {token}}
				maps.Copy(fields, form.fields)
				header := http.Header{}
				change(header, fields)
				r := form.p.request("POST", path, "application/x-www-form-urlencoded", fields.Encode())
				maps.Copy(r.Header, header)
				w.undecided(what+" at "+path, func() {
					rec := httptest.NewRecorder()
					w.handler.ServeHTTP(rec, r)
					if rec.Code != http.StatusForbidden && rec.Code != http.StatusTooEarly {
						t.Errorf("%s at %s = %d; want 403 or 425", what, path, rec.Code)
					}
				})
			}
			w.undecided("a link to "+path, func() { form.p.get(path + "?" + form.fields.Encode()) })
		}
	})
}

// A decision is on the request that was shown: neither on another user's, nor on
// one of another realm, nor on one that was filed after the first was over.
func TestDecisionsAreOnWhatWasSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, requesting)
		here := w.handler
		w.handler = w.block(requesting, func(c *mfagate.BlockConfig) { c.Site.Name, c.Site.Realm = "other", "other" }).Handler(http.HandlerFunc(w.app))
		w.person("carol").enrol("/").stuck().files("")
		w.handler = here
		alice, bob := w.person("alice").enrol("/"), w.person("bob").enrol("/")
		dora := w.person("dora").enrolByTicket()
		alice.stuck().files("")
		bob.stuck().files("")
		dora.confirm()
		carol, err := w.gate.ResetRequest(t.Context(), mfagate.Subject{Realm: "other", Name: "carol"})
		if err != nil {
			t.Fatal(err)
		}
		dora.get("/.mfa/admin/requests").want(200)
		if strings.Contains(dora.body, "carol") {
			t.Error("the list shows a request of another realm")
		}
		w.undecided("other ids", func() {
			for _, seen := range []string{"", "x", w.seenAs("bob").Seen, carol.Seen, strings.Replace(w.seenAs("alice").Seen, "filed", "approved", 1)} {
				dora.get("/.mfa/").want(200)
				dora.decidesOn(seen, "approve", "alice", "x").want(409)
			}
			for _, name := range []string{"carol", "other/carol", "../other/carol", "", "nobody"} {
				dora.get("/.mfa/").want(200)
				if dora.decidesOn(carol.Seen, "approve", name, "x"); dora.last.Code != 404 && dora.last.Code != 409 {
					t.Errorf("approve %q = %d; want 404 or 409", name, dora.last.Code)
				}
			}
		})
		// The owner cancels, the thief files again: the page that dora has open is worth nothing.
		old := w.seenAs("alice").Seen
		alice.get("/.mfa/reset-request").want(200)
		alice.post("/.mfa/reset-request", "action", "cancel").want(303)
		alice.stuck().files("again")
		w.undecided("an earlier request", func() {
			dora.get("/.mfa/").want(200)
			dora.decidesOn(old, "approve", "alice", "x").want(409)
		})
		if again, err := w.gate.ResetRequest(t.Context(), mfagate.Subject{Realm: "other", Name: "carol"}); err != nil || again != carol {
			t.Errorf("carol's request = %+v, %v; want %+v", again, err, carol)
		}
	})
}

// Of all that people do to one request at once, one thing happens, and the others
// are told.
func TestRequestDecidedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, requesting)
		alice := w.person("alice").enrol("/")
		alice.stuck().files("")
		dora, dirk := w.person("dora").enrolByTicket(), w.person("dirk").enrolByTicket()
		both := []*person{dora, dirk}
		race := func(want []int, act ...func()) {
			t.Helper()
			var wg sync.WaitGroup
			for _, f := range act {
				wg.Go(f)
			}
			wg.Wait()
			got := []int{dora.last.Code, dirk.last.Code}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("answers = %d; want %d", got, want)
			}
		}
		for _, p := range both {
			p.confirm()
		}
		for _, p := range both {
			p.get(adminPath("requests", "user", "alice")).want(200)
		}
		race([]int{303, 409}, func() { dora.sendDecision("approve", "alice", "by dora") }, func() { dirk.sendDecision("refuse", "alice", "by dirk") })
		if n := w.count(mfagate.EventResetApproved) + w.count(mfagate.EventResetRefused); n != 1 {
			t.Errorf("%d decisions; want 1", n)
		}
		if w.count(mfagate.EventResetRefused) == 1 {
			alice.stuck().files("")
			dora.decides("approve", "alice", "x").want(303)
		}
		for _, p := range both {
			p.wait(resetDelay)
		}
		for _, p := range both {
			p.confirm()
		}
		for _, p := range both {
			p.get(adminPath("requests", "user", "alice")).want(200)
		}
		race([]int{200, 409}, func() { dora.sendDecision("complete", "alice", "") }, func() { dirk.sendDecision("complete", "alice", "") })
		if n := w.count(mfagate.EventReset); n != 1 || w.count(mfagate.EventTicketIssued) != 3 { // those of dora and dirk themselves
			t.Errorf("%d resets, events = %q; want one, with one ticket", n, w.kinds())
		}
	})
}

// The owner cancels in the very moment in which the reset is carried out: one of the
// two happens.
func TestCancelledWhileCarriedOut(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil, requesting, func(c *mfagate.BlockConfig) { c.Site.ResetDelay = time.Hour })
			alice := w.person("alice").enrol("/")
			alice.stuck().files("")
			if _, err := w.gate.ApproveReset(t.Context(), "root", aliceSubject, w.seenAs("alice").Seen, "x"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(59 * time.Minute)
			owner := alice.elsewhere()
			owner.prove("/", 0).want(303, "/.mfa/reset-request").follow().want(200)
			time.Sleep(time.Minute)
			owner.post("/.mfa/reset-request", "action", "keep", "seen", owner.seen()).want(303).follow().want(200)
			seen := w.seenAs("alice").Seen
			var wg sync.WaitGroup
			var err error
			wg.Go(func() { _, err = w.gate.CompleteReset(t.Context(), "root", aliceSubject, seen, 0) })
			wg.Go(func() { owner.post("/.mfa/reset-request", "action", "cancel") })
			wg.Wait()
			cancelled := w.count(mfagate.EventResetCancelled) == 1
			if cancelled == (err == nil) || cancelled != w.user("alice").Enrolled {
				t.Errorf("cancelled %v, carried out %v, enrolled %v; want one of the two", cancelled, err == nil, w.user("alice").Enrolled)
			}
		})
	}
}

// Strangers, people without a factor and floods file nothing; on a site without the
// option nobody does.
func TestWhoFilesRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, requesting)
		w.person("").get("/.mfa/help").want(401)
		w.person("").post("/.mfa/help", "action", "request").want(401)
		eve := w.person("eve")
		eve.get("/.mfa/help").want(200)
		if strings.Contains(eve.body, `value="request"`) {
			t.Error("a reset is offered to somebody who has nothing to reset")
		}
		eve.post("/.mfa/help", "action", "request").want(303, "/.mfa/enroll")

		alice := w.person("alice").enrol("/")
		thief := alice.stuck()
		var wg sync.WaitGroup
		for range 10 { // at once, from ten browsers
			p := alice.stuck()
			wg.Go(func() { p.post("/.mfa/help", "action", "request", "message", strings.Repeat("flood ", 100)) })
		}
		wg.Wait()
		if n := w.count(mfagate.EventResetRequested); n != 1 {
			t.Errorf("%d requests of one user; want 1", n)
		}
		if m := w.seenAs("alice").Message; len(m) > 500 {
			t.Errorf("the message has %d bytes; want at most 500", len(m))
		}
		for range 5 {
			if q, err := w.gate.ResetRequest(t.Context(), aliceSubject); err == nil {
				if err := w.gate.RefuseReset(t.Context(), "root", aliceSubject, q.Seen, "flood"); err != nil {
					t.Fatal(err)
				}
			}
			thief = alice.stuck()
			thief.post("/.mfa/help", "action", "request", "message", "once more")
		}
		thief.want(429)
		if !strings.Contains(thief.body, "several times in the last 30 days") || !strings.Contains(thief.body, "once more") {
			t.Errorf("the page does not say why, or lost what was typed: %s", thief.body)
		}
		if n := w.count(mfagate.EventResetRequested); n != 3 {
			t.Errorf("%d requests in a month; want 3", n)
		}
		if list, err := w.gate.ResetRequests(t.Context(), "default", "", 0); err != nil || len(list) != 0 {
			t.Errorf("open requests = %+v, %v; want none", list, err)
		}
		time.Sleep(30 * 24 * time.Hour)
		alice.stuck().files("a month later")
		w.seenAs("alice")

		w.handler = w.block(staffed).Handler(http.HandlerFunc(w.app)) // as after the option was taken away
		bob := w.person("bob").enrol("/").stuck()
		if strings.Contains(bob.body, `value="request"`) {
			t.Error("a reset is offered although the option is off")
		}
		bob.post("/.mfa/help", "action", "request").want(404)
		owner := alice.elsewhere()
		owner.prove("/", 0).want(303, "/.mfa/reset-request").follow().want(200) // she can still cancel
		owner.post("/.mfa/reset-request", "action", "cancel").want(303)
	})
}

// A request that nobody carries out is void in the end.
func TestRequestExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, requesting)
		alice := w.person("alice").enrol("/")
		alice.stuck().files("")
		q := w.seenAs("alice")
		approved, err := w.gate.ApproveReset(t.Context(), "root", aliceSubject, q.Seen, "x")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(q.Expires))
		if _, err := w.gate.CompleteReset(t.Context(), "root", aliceSubject, approved.Seen, 0); !errors.Is(err, mfagate.ErrNoRequest) {
			t.Errorf("a request that is too old: %v; want ErrNoRequest", err)
		}
		if !w.user("alice").Enrolled {
			t.Error("a request that is too old took effect")
		}
		alice.stuck().files("")
		if w.seenAs("alice").Seen == q.Seen {
			t.Error("the request that is too old keeps the place of a new one")
		}
	})
}

// Whatever call of the store fails while a reset is carried out, it is done whole or
// not at all, and at the second try at the latest.
func TestStoreFailsWhileCarriedOut(t *testing.T) {
	for _, fault := range []error{errDisk, storage.ErrConflict, storage.ErrUnknown} {
		for _, applied := range []bool{false, true} {
			if applied && !errors.Is(fault, storage.ErrUnknown) {
				continue
			}
			for call, over := 1, false; !over; call++ {
				synctest.Test(t, func(t *testing.T) {
					faulty := &storagetest.Faulty{Store: new(memory.Store), Err: fault, Applied: applied}
					w := newWorld(t, faulty, requesting, func(c *mfagate.BlockConfig) { c.Site.ResetDelay = time.Hour })
					w.person("alice").enrol("/").stuck().files("")
					approved, err := w.gate.ApproveReset(t.Context(), "root", aliceSubject, w.seenAs("alice").Seen, "x")
					if err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Hour)
					before := faulty.Calls()
					faulty.Call = before + call
					_, err = w.gate.CompleteReset(t.Context(), "root", aliceSubject, approved.Seen, 0)
					faulty.Call, over = 0, faulty.Calls()-before < call
					_, open := w.gate.ResetRequest(t.Context(), aliceSubject)
					if enrolled := w.user("alice").Enrolled; enrolled != (open == nil) || err == nil && enrolled {
						t.Errorf("error %v: enrolled %v, request %v; want both or neither", err, enrolled, open)
					}
					if err != nil && open == nil {
						if _, err := w.gate.CompleteReset(t.Context(), "root", aliceSubject, approved.Seen, 0); err != nil {
							t.Errorf("the second try: %v", err)
						}
					}
				})
				if t.Failed() {
					t.Fatalf("error %v, applied %v, call %d", fault, applied, call)
				}
			}
		}
	}
}
