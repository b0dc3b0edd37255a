package mfagate_test

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// onPage are notices without any sender.
func onPage(c *mfagate.Config) { c.Notify, c.NotifyOnPage = nil, true }

var missedItem = regexp.MustCompile(`<li><span><strong>([^<]*)</strong>`)

// missed are the notices that the page tells.
func (p *person) missed() (list []string) {
	for _, m := range missedItem.FindAllStringSubmatch(p.body, -1) {
		list = append(list, html.UnescapeString(m[1]))
	}
	return list
}

func (p *person) wantMissed(what string, want ...string) {
	p.w.t.Helper()
	if got := p.missed(); fmt.Sprint(got) != fmt.Sprint(want) {
		p.w.t.Errorf("%s: the page tells %q; want %q", what, got, want)
	}
}

func (p *person) lastMissed() string {
	p.w.t.Helper()
	m := regexp.MustCompile(`name="seen" value="([^"]+)"`).FindStringSubmatch(p.body)
	if m == nil {
		p.w.t.Fatalf("the page names no last notice: %s", p.body)
	}
	return m[1]
}

// away signs the person in anew, at another browser.
func (p *person) away() *person {
	p.w.t.Helper()
	q := p.elsewhere()
	q.header = p.header
	time.Sleep(time.Minute)
	q.get("/page").want(303)
	q.follow().want(200)
	q.post("/.mfa/challenge", "method", "totp", "code", q.code(0)).want(303)
	return q
}

// Without a mail server a person reads at the next sign-in what happened, until
// they say that they have.
func TestMissedWithoutSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNotifying(t, nil, nil, onPage)
		alice := w.person("alice").enrol("/")
		alice.get("/.mfa/").want(200).wantMissed("in the session that enrolled")

		q := alice.away().want(303, "/.mfa/notices?return=%2Fpage")
		q.follow().want(200).wantMissed("the next sign-in", mailEnrolled)
		q.get("/page").want(200) // it is no wall
		q.get("/.mfa/").want(200).wantMissed("the security page", mailEnrolled)

		q = alice.away().follow().want(200)
		q.wantMissed("one more sign-in", mailEnrolled)
		q.post("/.mfa/notices", "seen", q.lastMissed(), "return", "/page").want(303, "/page")
		q.get("/.mfa/notices").want(303, "/page")
		q.get("/.mfa/").want(200).wantMissed("after it was read")
		alice.away().want(303, "/page")

		if _, err := w.gate.SignOut(t.Context(), "root", mfagate.Subject{Realm: "default", Name: "alice"}); err != nil {
			t.Fatal(err)
		}
		q = alice.away().follow().want(200)
		q.wantMissed("after an administrator's doing", mailSignOut)
	})
}

// A mail server that is down, that hangs, or that refuses for good loses no sign-in
// and no event, and what it did not take is told on the page; what arrives after all is
// told no more.
func TestMissedWhileServerIsDown(t *testing.T) {
	for name, tt := range map[string]struct {
		fault error
		hangs bool
	}{
		"down": {fault: errors.New("connection refused")}, "hangs": {hangs: true},
		"refuses": {fault: fmt.Errorf("%w: no such mailbox", mfagate.ErrUndeliverable)},
	} {
		synctest.Test(t, func(t *testing.T) {
			office := &postOffice{fault: tt.fault, hangs: tt.hangs}
			w := newNotifying(t, nil, office)
			start := time.Now()
			alice := w.mailed("alice").enrol("/")
			alice.get("/").want(200)
			if d := time.Since(start); d != 0 {
				t.Errorf("%s: the enrolment took %v; want no wait for the mail", name, d)
			}
			time.Sleep(5 * time.Minute)
			alice.away().follow().want(200).wantMissed(name, mailEnrolled)
			events, err := w.gate.Events(t.Context(), mfagate.Subject{Realm: "default", Name: "alice"}, 10)
			if err != nil || len(events) < 4 {
				t.Errorf("%s: events = %v, %v; want the enrolment and the sign-in", name, events, err)
			}
			office.set(nil, false)
			time.Sleep(2 * time.Hour)
			q := alice.away()
			if errors.Is(tt.fault, mfagate.ErrUndeliverable) {
				q.follow().want(200).wantMissed(name+", given up", mailEnrolled)
				return
			}
			wantSubjects(t, name+", up again", office.delivered(), mailEnrolled)
			q.want(303, "/page")
		})
	}
}

// What the person has read comes back by no later failure of the same message.
func TestMissedIsDismissedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := &postOffice{fault: errors.New("connection refused")}
		w := newNotifying(t, nil, office)
		alice := w.mailed("alice").enrol("/")
		time.Sleep(5 * time.Minute)
		q := alice.away().follow().want(200)
		q.post("/.mfa/notices", "seen", q.lastMissed(), "action", "stay").want(303, "/.mfa/?return=%2Fpage")
		tries := office.tried()
		time.Sleep(24 * time.Hour)
		if office.tried() == tries {
			t.Error("the message was tried no more")
		}
		alice.away().want(303, "/page")
	})
}

// The list is bounded, the latest stay, and what came after the page was opened is not
// dismissed with it.
func TestMissedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memory.Store)
		w := newNotifying(t, store, nil, onPage)
		alice := w.person("alice").enrol("/")
		signOut := func() {
			time.Sleep(time.Minute)
			if _, err := w.gate.SignOut(t.Context(), "root", mfagate.Subject{Realm: "default", Name: "alice"}); err != nil {
				t.Fatal(err)
			}
		}
		for range 25 {
			signOut()
		}
		q := alice.away().follow().want(200)
		if got := q.missed(); len(got) != 10 || got[0] != mailSignOut {
			t.Fatalf("the page tells %q; want the last ten", got)
		}
		last := q.lastMissed()
		signOut()
		q = alice.away().follow().want(200)
		q.post("/.mfa/notices", "seen", last).want(303)
		q.get("/.mfa/notices").want(200).wantMissed("the later one", mailSignOut)
	})
}

// Nobody else's hand dismisses a notice: another site's form, a session that has only the
// password, another user with the notice's name.
func TestMissedIsNotDismissedByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNotifying(t, nil, nil, onPage)
		alice, bob := w.person("alice").enrol("/"), w.person("bob").enrol("/")
		q := alice.away().follow().want(200)
		last := q.lastMissed()

		q.header.Set("Sec-Fetch-Site", "cross-site")
		q.post("/.mfa/notices", "seen", last).want(http.StatusForbidden)
		q.header.Del("Sec-Fetch-Site")
		q.get("/.mfa/notices").want(200)
		q.post("/.mfa/notices", "seen", last, "form_token", "x").want(http.StatusForbidden)
		bob.get("/.mfa/").want(200)
		bob.post("/.mfa/notices", "seen", last).want(303)

		thief := alice.elsewhere() // has the password
		thief.header = alice.header
		thief.get("/.mfa/notices").want(303, "/.mfa/challenge").follow().want(200)
		thief.post("/.mfa/notices", "seen", last).want(http.StatusUnauthorized)

		alice.away().follow().want(200).wantMissed("after all that", mailEnrolled)
	})
}
