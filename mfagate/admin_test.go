package mfagate_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

var aliceSubject = mfagate.Subject{Realm: "default", Name: "alice"}

func TestReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		alice.get("/").want(200)
		ticket, err := w.gate.Reset(t.Context(), "root", aliceSubject, "lost her phone", 0)
		if err != nil {
			t.Fatal(err)
		}
		alice.get("/").want(303, "/.mfa/enroll") // her session ended at once
		old := alice.elsewhere()
		old.get("/").want(303, "/.mfa/enroll").follow().want(200)
		old.post("/.mfa/enroll/totp").want(403) // M-06: a password alone does not enrol after a reset

		eve := w.person("eve")
		eve.get("/.mfa/enroll?ticket=" + ticket.Code).want(403) // M-10: it is not hers
		guess := alice.elsewhere()
		guess.get("/.mfa/enroll?ticket=0123456789ABCDEFGHJKMNPQRS").want(403)

		again := alice.elsewhere()
		again.get("/.mfa/enroll?ticket="+strings.ToLower(ticket.Code)).want(303, "/.mfa/enroll").follow().want(200)
		if strings.Contains(again.body, ticket.Code) {
			t.Errorf("the page shows the ticket")
		}
		again.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		again.post("/.mfa/enroll/totp", "code", again.code(0)).want(303, "/.mfa/recovery-codes").follow().want(200)
		again.post("/.mfa/recovery-codes", "saved", "yes", "set", again.set()).want(303)
		again.get("/").want(200)

		// Once more, with the same ticket after another reset.
		if _, err := w.gate.Reset(t.Context(), "root", aliceSubject, "", 0); err != nil {
			t.Fatal(err)
		}
		reuse := alice.elsewhere()
		reuse.get("/.mfa/enroll?ticket=" + ticket.Code).want(403)
	})
}

// A reset while an enrolment is under way does not let it through.
func TestResetDuringEnrolment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.person("alice").enrol("/")
		if _, err := w.gate.Reset(t.Context(), "root", aliceSubject, "", time.Hour); err != nil {
			t.Fatal(err)
		}
		k, err := w.gate.IssueTicket(t.Context(), "root", aliceSubject, 10*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		p := w.person("alice")
		p.get("/.mfa/enroll?ticket=" + k.Code).want(303).follow()
		p.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		time.Sleep(11 * time.Minute) // the ticket is over, the session is not
		p.post("/.mfa/enroll/totp", "code", p.code(0)).want(403)
		if u, err := w.gate.User(t.Context(), aliceSubject); err != nil || u.Enrolled {
			t.Errorf("User = %+v, %v; want not enrolled", u, err)
		}
	})
}

func TestEnrolmentByTicketOrNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, func(c *mfagate.BlockConfig) { c.Site.Enrolment.Ticket = true })
		p := w.person("alice")
		p.get("/").want(303, "/.mfa/enroll").follow().want(200)
		if !strings.Contains(p.body, `name="ticket"`) {
			t.Errorf("the page has no field for a ticket")
		}
		p.post("/.mfa/enroll", "ticket", "nonsense").want(403)
		k, err := w.gate.IssueTicket(t.Context(), "root", aliceSubject, 0)
		if err != nil {
			t.Fatal(err)
		}
		p.post("/.mfa/enroll", "ticket", " "+k.Code[:4]+"-"+k.Code[4:]+" ").want(303, "/.mfa/enroll").follow().want(200)
		p.post("/.mfa/enroll/totp").want(303, "/.mfa/enroll/totp")

		office := newWorld(t, nil, func(c *mfagate.BlockConfig) {
			c.Site.Enrolment.From = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		})
		q := office.person("bob")
		q.get("/").want(303, "/.mfa/enroll").follow()
		q.post("/.mfa/enroll/totp").want(403)
	})
}

func TestUnlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Minute)
		p := alice.elsewhere()
		p.get("/").follow()
		for range 5 {
			p.post("/.mfa/challenge", "method", "totp", "code", "000000").want(401)
		}
		p.post("/.mfa/challenge", "method", "totp", "code", p.code(0)).want(429)
		if p.last.Header().Get("Retry-After") != "30" {
			t.Errorf("Retry-After = %q; want 30", p.last.Header().Get("Retry-After"))
		}
		if u, err := w.gate.User(t.Context(), aliceSubject); err != nil || u.LockedUntil.IsZero() || u.FailedCodes24 != 5 {
			t.Errorf("User = %+v, %v; want locked with 5 failed codes", u, err)
		}
		if err := w.gate.Unlock(t.Context(), "root", aliceSubject); err != nil {
			t.Fatal(err)
		}
		p.post("/.mfa/challenge", "method", "totp", "code", p.code(0)).want(303, "/")
	})
}

func TestAdministration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		for _, name := range []string{"carol", "alice", "bob smith"} {
			w.person(name).enrol("/")
		}
		users, err := w.gate.Users(t.Context(), "default", "", 2)
		if err != nil || len(users) != 2 || users[0].Name != "alice" || users[1].Name != "bob smith" {
			t.Errorf("Users = %+v, %v; want alice and bob smith", users, err)
		}
		users, err = w.gate.Users(t.Context(), "default", "bob smith", 2)
		if err != nil || len(users) != 1 || users[0].Name != "carol" || !users[0].Enrolled || users[0].RecoveryLeft != 10 || users[0].Sessions != 1 {
			t.Errorf("Users after bob smith = %+v, %v; want carol", users, err)
		}
		time.Sleep(time.Second)
		if n, err := w.gate.SignOut(t.Context(), "root", aliceSubject); n != 1 || err != nil {
			t.Errorf("SignOut = %d, %v; want 1", n, err)
		}
		events, err := w.gate.Events(t.Context(), aliceSubject, 2)
		if err != nil || len(events) != 2 || events[0].Kind != mfagate.EventSignedOutAll || events[0].Actor != "root" {
			t.Errorf("Events = %+v, %v", events, err)
		}
		nobody := mfagate.Subject{Realm: "default", Name: "nobody"}
		if _, err := w.gate.User(t.Context(), nobody); !errors.Is(err, mfagate.ErrUnknownUser) {
			t.Errorf("User(nobody) = %v; want ErrUnknownUser", err)
		}
		if _, err := w.gate.Reset(t.Context(), "root", nobody, "", 0); !errors.Is(err, mfagate.ErrUnknownUser) {
			t.Errorf("Reset(nobody) = %v; want ErrUnknownUser", err)
		}
		if realms, err := w.gate.Realms(t.Context()); err != nil || len(realms) != 1 || realms[0] != "default" {
			t.Errorf("Realms = %q, %v", realms, err)
		}
	})
}

// I4: nothing that is told of a user, and no event, holds a secret.
func TestNoSecretIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		alice.get("/")
		wrong := alice.elsewhere()
		wrong.get("/").follow()
		wrong.post("/.mfa/challenge", "method", "totp", "code", "123456").want(401)
		user, _ := w.gate.User(t.Context(), aliceSubject)
		events, _ := w.gate.Events(t.Context(), aliceSubject, 100)
		b, err := json.Marshal([]any{user, events, w.events})
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range append(alice.codes, alice.secret, alice.cookies["mfagate"], "123456") {
			if strings.Contains(string(b), secret) {
				t.Errorf("%q is told: %s", secret, b)
			}
		}
	})
}

// Parallel administrators and users leave one outcome.
func TestResetRacesWithAProof(t *testing.T) {
	for range 20 {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		p := alice.elsewhere()
		p.get("/").follow()
		done := make(chan error)
		go func() {
			_, err := w.gate.Reset(context.WithoutCancel(t.Context()), "root", aliceSubject, "", 0)
			done <- err
		}()
		p.post("/.mfa/challenge", "method", "recovery", "code", alice.codes[0])
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if p.get("/"); p.last.Code == http.StatusOK {
			t.Fatalf("a session outlived the reset")
		}
	}
}
