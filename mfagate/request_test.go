package mfagate_test

import (
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

const resetDelay = 72 * time.Hour

// requesting is a staffed site where people can ask for a reset.
func requesting(c *mfagate.BlockConfig) {
	staffed(c)
	c.Site.Admins = []string{"dora", "dirk", "@helpdesk"}
	c.Site.ResetDelay = resetDelay
}

// stuck is the same person, or a thief who knows the password, at another browser
// with nothing but the password, on the page for help.
func (p *person) stuck() *person {
	p.w.t.Helper()
	q := p.w.person(p.name)
	q.get("/").want(303, "/.mfa/challenge").follow().want(200)
	return q.get("/.mfa/help").want(200)
}

// files asks for a reset.
func (p *person) files(message string) *person {
	p.w.t.Helper()
	return p.post("/.mfa/help", "action", "request", "message", message).want(303, "/.mfa/help").follow().want(200)
}

// decides says something to a request, as the page that the administrator looks at
// would.
func (p *person) decides(action, user, reason string) *person {
	p.w.t.Helper()
	p.get(adminPath("requests", "user", user)).want(200)
	return p.sendDecision(action, user, reason)
}

func (p *person) sendDecision(action, user, reason string) *person {
	p.w.t.Helper()
	return p.decidesOn(p.seen(), action, user, reason)
}

// seen is what names what the page shows.
func (p *person) seen() string {
	if m := seenField.FindStringSubmatch(p.body); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

// decidesOn is sendDecision with a page that was opened earlier.
func (p *person) decidesOn(seen, action, user, reason string) *person {
	p.w.t.Helper()
	return p.post("/.mfa/admin/requests", "action", action, "user", user, "reason", reason, "seen", seen)
}

// seenAs is what an administrator is shown of a request.
func (w *world) seenAs(name string) mfagate.ResetRequest {
	w.t.Helper()
	q, err := w.gate.ResetRequest(w.t.Context(), mfagate.Subject{Realm: "default", Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return q
}

func (w *world) count(kind string) (n int) {
	for _, k := range w.kinds() {
		if k == kind {
			n++
		}
	}
	return n
}

// wait lets time pass, and proves for changes anew.
func (p *person) wait(d time.Duration) *person {
	p.w.t.Helper()
	time.Sleep(d)
	if p.get("/.mfa/"); p.last.Code != http.StatusOK {
		p.follow()
		p.post("/.mfa/challenge", "method", "totp", "code", p.code(0)).want(303)
	}
	return p.confirm()
}

var caseNumber = regexp.MustCompile(`<code>([0-9A-Z]{4}-[0-9A-Z]{4})</code>`)

// Somebody who lost everything asks, an administrator makes sure and approves, the
// delay passes, the administrator hands over the link, and the person sets up anew.
func TestResetRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, requesting)
		alice := w.person("alice").enrol("/")
		dora := w.person("dora").enrolByTicket()
		lost := alice.stuck()
		if !strings.Contains(lost.body, "72 hours") {
			t.Errorf("the page does not tell the delay")
		}
		lost.files(" phone stolen\r\non <b>Monday</b>\u202e ")
		number := caseNumber.FindStringSubmatch(lost.body)
		if number == nil || !strings.Contains(lost.body, "has not decided yet") {
			t.Fatalf("the page shows no case number, or not where the request stands: %s", lost.body)
		}

		dora.confirm()
		dora.get("/.mfa/admin/").want(200)
		if !strings.Contains(dora.body, "1 request for a reset is open") {
			t.Errorf("the list of users does not tell of the request")
		}
		dora.get(adminPath("user", "user", "alice")).want(200)
		if !strings.Contains(dora.body, "/.mfa/admin/requests?user=alice") {
			t.Errorf("the user's page does not lead to the request")
		}
		dora.get("/.mfa/admin/requests").want(200)
		dora.get(adminPath("requests", "user", "ALICE")).want(200)
		for _, want := range []string{number[1], "phone stolen on &lt;b&gt;Monday&lt;/b&gt;</bdi>", "127.0.0.1"} {
			if !strings.Contains(dora.body, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		dora.sendDecision("approve", "alice", " \n").want(422)
		dora.sendDecision("approve", "alice", "called her back").want(303, "/.mfa/admin/requests?notice=approved&user=alice").follow().want(200)
		if got := w.seenAs("alice"); got.State != mfagate.RequestApproved || got.Actor != "dora" || got.Due.Sub(got.Filed) != resetDelay {
			t.Errorf("request = %+v; want it approved by dora, and due in 72 hours", got)
		}
		if lost.get("/.mfa/help"); !strings.Contains(lost.body, "it was approved") {
			t.Errorf("the page does not say that it was approved: %s", lost.body)
		}

		dora.wait(resetDelay - time.Hour)
		dora.decides("complete", "alice", "").want(409)
		if !w.user("alice").Enrolled {
			t.Fatal("the reset took effect before its delay was over")
		}
		dora.wait(time.Hour)
		dora.decides("complete", "alice", "").want(200)
		link := ticketLink.FindStringSubmatch(dora.body)
		if link == nil || w.user("alice").Enrolled {
			t.Fatalf("no link, or no reset: %s", dora.body)
		}
		dora.sendDecision("complete", "alice", "").want(409) // once only
		events, _ := w.gate.Events(t.Context(), aliceSubject, 100)
		i := slices.IndexFunc(events, func(e mfagate.Event) bool { return e.Kind == mfagate.EventReset })
		if i < 0 || events[i].Actor != "dora" || !strings.Contains(events[i].Detail, number[1]) || !strings.Contains(events[i].Detail, "called her back") {
			t.Errorf("events = %+v; want a reset by dora, with the case and the reason", events)
		}
		anew := w.person("alice")
		anew.get("/").want(303, "/.mfa/enroll").follow()
		anew.post("/.mfa/enroll/totp").want(403) // the password alone is still not enough
		anew.get(link[1]).want(303, "/.mfa/enroll").follow().want(200)
		anew.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		anew.post("/.mfa/enroll/totp", "code", anew.code(0)).want(303, "/.mfa/recovery-codes")
		if n := w.count(mfagate.EventReset); n != 1 {
			t.Errorf("%d resets; want 1", n)
		}
	})
}

// A thief who has the password asks in the owner's name: nothing changes before the
// approval and the delay, the owner is led to it by the next sign-in and ends it
// with one button, and what was cancelled can be approved by nobody.
func TestThiefAsksForAReset(t *testing.T) {
	for _, approved := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil, requesting)
			alice := w.person("alice").enrol("/")
			dora := w.person("dora").enrolByTicket()
			before := w.user("alice").Factors[0].ID
			thief := alice.stuck().files("it is me, really")
			dora.confirm()
			dora.get(adminPath("requests", "user", "alice")).want(200)
			action, seen := "approve", dora.seen()
			if approved {
				dora.sendDecision("approve", "alice", "believed it").want(303).follow().want(200)
				action, seen = "complete", dora.seen()
			}
			if alice.get("/.mfa/").want(200); !strings.Contains(alice.body, `href="/.mfa/reset-request?`) {
				t.Errorf("the security page does not warn")
			}
			thief.get("/.mfa/reset-request").want(303, "/.mfa/challenge")
			thief.follow().want(200)
			id, _, _ := strings.Cut(w.seenAs("alice").Seen, ".")
			for _, answer := range []string{"keep", "cancel"} {
				thief.post("/.mfa/reset-request", "action", answer, "seen", id).want(401)
			}

			dora.wait(resetDelay)
			owner := alice.elsewhere()
			owner.prove("/reports", 0).want(303, "/.mfa/reset-request?return=%2Freports").follow().want(200)
			if !strings.Contains(owner.body, "127.0.0.1") {
				t.Errorf("the page does not tell from where: %s", owner.body)
			}
			// Until she answers it is on hold.
			dora.decidesOn(seen, action, "alice", "x").want(409)
			if got := w.seenAs("alice"); !got.Held {
				t.Errorf("request = %+v; want it on hold", got)
			}
			owner.post("/.mfa/reset-request", "action", "cancel", "return", "/reports").want(303, "/.mfa/?notice=request_cancelled&return=%2Freports").follow().want(200)
			if !strings.Contains(owner.body, "change your password now") {
				t.Errorf("the page does not say what to do: %s", owner.body)
			}
			for _, action := range []string{"approve", "complete", "refuse"} {
				dora.get("/.mfa/").want(200)
				dora.decidesOn(seen, action, "alice", "x").want(409)
			}
			if u := w.user("alice"); u.RecoveryLeft != 10 || len(u.Factors) != 1 || u.Factors[0].ID != before {
				t.Errorf("alice = %+v; want her factor and codes as they were", u)
			}
			if w.count(mfagate.EventReset) != 0 || w.count(mfagate.EventResetCancelled) != 1 {
				t.Errorf("events = %q; want one cancellation and no reset", w.kinds())
			}
			thief.get("/").want(303, "/.mfa/challenge")
		})
	}
}

// Who signs in with the last recovery code can say that the request is theirs: then
// it goes on, until the next proof.
func TestOwnerKeepsTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, requesting)
		alice := w.person("alice").enrol("/")
		dora := w.person("dora").enrolByTicket()
		alice.stuck().files("")
		time.Sleep(time.Hour)
		p := alice.elsewhere()
		p.get("/").want(303, "/.mfa/challenge").follow().want(200)
		p.post("/.mfa/challenge", "method", "recovery", "code", alice.codes[0]).want(303, "/.mfa/reset-request").follow().want(200)
		time.Sleep(time.Second)
		p.post("/.mfa/reset-request", "action", "keep", "seen", "another").want(303, "/.mfa/reset-request").follow().want(200)
		if !w.seenAs("alice").Held {
			t.Error("a page of another request let this one go on")
		}
		p.post("/.mfa/reset-request", "action", "keep", "seen", p.seen()).want(303, "/.mfa/?notice=request_kept")
		dora.confirm()
		dora.decides("approve", "alice", "seen in person").want(303)
		time.Sleep(time.Hour)
		alice.elsewhere().prove("/", 0).want(303, "/.mfa/reset-request") // she has found her phone
		dora.wait(resetDelay)
		dora.decides("complete", "alice", "").want(409)
		if !w.user("alice").Enrolled {
			t.Error("the reset took effect although its owner has signed in since")
		}
	})
}

// Whoever changes their factors needs no reset: the request is over.
func TestChangeOfFactorsEndsTheRequest(t *testing.T) {
	for what, change := range map[string]func(*person){
		"added": func(p *person) {
			p.post("/.mfa/enroll/totp", "return", "/.mfa/").want(303).follow().want(200).scan()
			p.post("/.mfa/enroll/totp", "code", p.code(0), "return", "/.mfa/").want(303)
		},
		"replaced": func(p *person) {
			p.post("/.mfa/enroll/totp", "replace", p.w.user("alice").Factors[0].ID, "return", "/.mfa/").want(303).follow().want(200).scan()
			p.post("/.mfa/enroll/totp", "code", p.code(0), "return", "/.mfa/").want(303)
		},
		"disabled": func(p *person) { p.get("/.mfa/disable").want(200).post("/.mfa/disable").want(200) },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil, requesting, func(c *mfagate.BlockConfig) { c.Site.Mode = mfagate.Optional })
				alice := w.person("alice")
				alice.get("/.mfa/").want(303, "/.mfa/enroll").follow()
				alice.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
				alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303, "/.mfa/recovery-codes").follow().want(200)
				alice.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set()).want(303)
				alice.stuck().files("")
				alice.confirm()
				alice.get("/.mfa/").want(200)
				change(alice)
				if _, err := w.gate.ResetRequest(t.Context(), aliceSubject); err == nil || w.count(mfagate.EventResetCancelled) != 1 {
					t.Errorf("the request is still open (%v), events = %q", err, w.kinds())
				}
			})
		})
	}
}

// A plain reset is the end of the request too.
func TestResetEndsTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, requesting)
		alice := w.person("alice").enrol("/")
		alice.stuck().files("")
		seen := w.seenAs("alice").Seen
		if _, err := w.gate.Reset(t.Context(), "root", aliceSubject, "seen in person", 0); err != nil {
			t.Fatal(err)
		}
		if _, err := w.gate.ApproveReset(t.Context(), "root", aliceSubject, seen, "x"); err == nil {
			t.Error("a request that is over was approved")
		}
		if list, err := w.gate.ResetRequests(t.Context(), "default", "", 0); err != nil || len(list) != 0 {
			t.Errorf("requests = %+v, %v; want none", list, err)
		}
	})
}
