package mfagate_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// S86: of whoever is not set up the report tells what they meet on this site, and
// that is what happens to them.
func TestReportTellsWhoIsStopped(t *testing.T) {
	const enrol, reminder, app = "/.mfa/enroll", "/.mfa/reminder", ""
	until := time.Date(2000, 1, 3, 0, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		change func(*mfagate.BlockConfig)
		said   string
		to     string // where bob is led
	}{
		"required": {func(*mfagate.BlockConfig) {}, "Is led to the set-up at the next visit here.", enrol},
		"observed": {func(c *mfagate.BlockConfig) { c.Site.Mode = mfagate.Observe }, "Would be stopped here; now everybody passes.", app},
		"optional": {func(c *mfagate.BlockConfig) { c.Site.Mode = mfagate.Optional }, "May work here without it.", reminder},
		"date":     {func(c *mfagate.BlockConfig) { c.Site.Grace.Until = until }, "Can work here without it until 3 January 2000, 00:00 UTC.", reminder},
		"date over": {func(c *mfagate.BlockConfig) { c.Site.Grace.Until = until.Add(-96 * time.Hour) },
			"Is led to the set-up at the next visit here.", enrol},
		"hours": {graceFor(8 * time.Hour), "Can work here without it for 8 hours after the first visit.", reminder},
		"days":  {graceFor(14 * 24 * time.Hour), "Can work here without it for 14 days after the first visit.", reminder},
	}
	for name, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil, staffed, test.change)
			if _, err := w.gate.Import(t.Context(), "root", "default", []mfagate.ImportedUser{{Name: "bob"}}, false); err != nil {
				t.Fatal(err)
			}
			otto := w.person("otto").enrolByTicket()
			otto.get("/.mfa/admin/report").want(200)
			if got := standingOf(otto, "bob"); got != test.said {
				t.Errorf("%s: of bob it says %q; want %q", name, got, test.said)
			}
			if got := standingOf(otto, "otto"); got != "" {
				t.Errorf("%s: of otto, who is set up, it says %q; want nothing", name, got)
			}
			bob := w.person("bob").in("")
			bob.get("/")
			if to := bob.last.Header().Get("Location"); test.to == app && bob.last.Code != 200 || !strings.HasPrefix(to, test.to) {
				t.Errorf("%s: bob gets %d and is led to %q; want %q", name, bob.last.Code, to, test.to)
			}
		})
	}
}

// A grace that began is told by its end; a reset by the ticket that it takes; a
// screen in the hall by its last visit.
func TestReportTellsWhatBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, exempting, graceFor(48*time.Hour))
		w.person("bob").in("").get("/").want(303, "/.mfa/reminder")
		w.person("hall").in("kiosks").get("/").want(200)
		w.person("eve").in("").enrolByTicket()
		if _, err := w.gate.Reset(t.Context(), "root", mfagate.Subject{Realm: "default", Name: "eve"}, "", 0); err != nil {
			t.Fatal(err)
		}
		otto := w.person("otto").in("").enrolByTicket()
		otto.get("/.mfa/admin/report").want(200)
		for name, want := range map[string]string{
			"bob": "Can work here without it until 3 January 2000, 00:00 UTC.", "hall": "Passed as exempt, last on 1 January 2000, 00:00 UTC.",
			"eve": "Cannot come in here without a ticket.",
		} {
			if got := standingOf(otto, name); got != want {
				t.Errorf("of %s it says %q; want %q", name, got, want)
			}
		}
		time.Sleep(48 * time.Hour)
		otto = otto.elsewhere().in("")
		otto.prove("/.mfa/admin/report", 0).want(303).follow().want(200)
		if got, want := standingOf(otto, "bob"), "Is led to the set-up at the next visit here."; got != want {
			t.Errorf("after the grace it says %q of bob; want %q", got, want)
		}
	})
}

// standingOf is what the report says of a user besides that they are not set up.
func standingOf(p *person, name string) string {
	p.w.t.Helper()
	row := regexp.MustCompile(fmt.Sprintf(`(?s)<bdi>%s</bdi>.*?</tr>`, name)).FindString(p.body)
	if row == "" {
		p.w.t.Fatalf("the report does not list %s: %s", name, p.body)
	}
	_, said, _ := strings.Cut(row, "<br>")
	said, _, _ = strings.Cut(said, "</td>")
	return isolate.Replace(said)
}

var isolate = strings.NewReplacer("\u2068", "", "\u2069", "", "\u00a0", " ")
