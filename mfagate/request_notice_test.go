package mfagate_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

const (
	mailRequested = "Somebody asked to reset your second factor"
	mailApproved  = "The reset of your second factor was approved"
	mailRefused   = "The reset of your second factor was refused"
	mailCancelled = "The reset of your second factor was cancelled"
	mailRequest   = "Somebody asks for a reset"
)

// newRequesting is newNotifying with administrators and requests.
func newRequesting(t *testing.T, office *keeping) *world {
	t.Helper()
	w := newNotifying(t, nil, office)
	w.handler = w.block(mailing, func(c *mfagate.BlockConfig) {
		c.Site.Admins, c.Site.ResetDelay = []string{"dora", "dirk"}, resetDelay
	}).Handler(http.HandlerFunc(w.app))
	return w
}

// A thief with the password asks: the owner and the administrators are told at once,
// and the owner of each step.
func TestPeopleAreToldOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(keeping)
		w := newRequesting(t, office)
		w.mailed("dora").enrolByTicket()
		alice := w.mailed("alice").enrol("/")
		office.delivered()

		thief := alice.stuck() // whose browser tells another address and language
		thief.header.Set("First-Email", "thief@example.com")
		thief.header.Set("Accept-Language", "de")
		thief.files("call me at 0666, evil.example")
		got := office.delivered()
		if list := subjects(got, "alice@example.com"); !slices.Equal(list, []string{mailRequested}) {
			t.Errorf("mails to alice = %q; want %q", list, mailRequested)
		}
		if list := subjects(got, "dora@example.com"); !slices.Equal(list, []string{mailRequest}) {
			t.Errorf("mails to dora = %q; want %q", list, mailRequest)
		}
		if len(got) != 2 {
			t.Errorf("%d mails; want 2, and none to the thief or to people without an address", len(got))
		}
		due := time.Now().Add(resetDelay).UTC().Format("2 January 2006, 15:04 UTC")
		for _, m := range got {
			if !strings.Contains(m.Text, due) || m.to == "dora@example.com" && !strings.Contains(m.Text, "User: alice") {
				t.Errorf("the mail lacks %s, or whom it is about:\n%s", due, m.Text)
			}
		}
		for _, secret := range []string{"0666", "evil.example"} {
			if strings.Contains(office.all.String(), secret) {
				t.Errorf("what a thief may have written went into a mail: %s", office.all.String())
			}
		}
		for _, e := range w.events {
			if strings.Contains(fmt.Sprint(e), "evil") {
				t.Errorf("what a thief may have written went into an event: %+v", e)
			}
		}

		if _, err := w.gate.ApproveReset(t.Context(), "root", aliceSubject, w.seenAs("alice").Seen, "x"); err != nil {
			t.Fatal(err)
		}
		wantSubjects(t, "approval", office.delivered(), mailApproved)
		time.Sleep(time.Minute)
		owner := w.mailed("alice")
		owner.secret = alice.secret
		owner.prove("/", 0).want(303, "/.mfa/reset-request").follow().want(200)
		owner.post("/.mfa/reset-request", "action", "cancel").want(303)
		wantSubjects(t, "cancellation", office.delivered(), mailCancelled)
		alice.stuck().files("")
		office.delivered()
		if err := w.gate.RefuseReset(t.Context(), "root", aliceSubject, w.seenAs("alice").Seen, "x"); err != nil {
			t.Fatal(err)
		}
		wantSubjects(t, "refusal", office.delivered(), mailRefused)
	})
}

// Who has many passwords cannot fill the administrators' mailboxes; nor can who has
// one keep them from hearing of others.
func TestAdministratorsAreNotFlooded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(keeping)
		w := newRequesting(t, office)
		w.mailed("dora").enrolByTicket()
		people := []*person{}
		for i := range 15 {
			people = append(people, w.person(fmt.Sprintf("user%02d", i)).enrol("/"))
		}
		office.delivered()
		p := people[0].stuck().files("")
		for range 20 {
			p.post("/.mfa/help", "action", "request").want(303).follow().want(200)
		}
		for _, p := range people[1:] {
			p.stuck().files("")
		}
		if n := len(subjects(office.delivered(), "dora@example.com")); n != 10 {
			t.Errorf("%d mails; want 10", n)
		}
		if list, err := w.gate.ResetRequests(t.Context(), "default", "", 0); err != nil || len(list) != 15 {
			t.Errorf("%d requests on the list, %v; want all 15", len(list), err)
		}
		if list, err := w.gate.ResetRequests(t.Context(), "default", "user09", 3); err != nil || len(list) != 3 || list[0].Name != "user10" {
			t.Errorf("the next page = %+v, %v; want three from user10 on", list, err)
		}
		time.Sleep(16 * time.Minute)
		w.person("zoe").enrol("/").stuck().files("")
		if n := len(subjects(office.delivered(), "dora@example.com")); n != 1 {
			t.Errorf("%d mails later; want 1", n)
		}
	})
}
