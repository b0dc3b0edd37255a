package mfagate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/email"
	"github.com/mfagate/caddy-mfagate/mfagate/outofband"
	"github.com/mfagate/caddy-mfagate/mfagate/sms"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

const textOfRequest = "Example: Somebody who knows your password asked to reset your second factor. Not you? Sign in, cancel the request, change your password.\n"

// newTelling is newRequesting with factors that send codes. change may alter the
// configuration.
func newTelling(t *testing.T, sender mfagate.Sender, limits mfagate.Limits, change ...func(*mfagate.Config)) *codesWorld {
	t.Helper()
	w := &codesWorld{carrier: new(carrier), log: new(bytes.Buffer)}
	w.world = newNotifying(t, nil, sender, append([]func(*mfagate.Config){func(c *mfagate.Config) {
		phone := sms.New(sms.Numbers{Countries: []string{"DE"}}, w.carrier)
		phone.Limits = limits
		c.Factors = []mfagate.Factor{&totp.Factor{}, phone, email.New(email.Addresses{}, w.carrier)}
		c.Logger = slog.New(slog.NewTextHandler(&lockedWriter{w: w.log}, nil))
	}}, change...)...)
	w.handler = w.block(mailing, func(c *mfagate.BlockConfig) {
		c.Site.Admins, c.Site.ResetDelay = []string{"dora"}, resetDelay
	}).Handler(http.HandlerFunc(w.app))
	return w
}

// texts waits until nothing more happens and tells what was sent to an address since
// the first messages, which were seen.
func (w *codesWorld) texts(seen int, to string) (list []string) {
	synctest.Wait()
	for _, m := range w.all()[seen:] {
		if m.to == to {
			list = append(list, m.Text)
		}
	}
	return list
}

// A thief with the password counts on a mailbox that nobody looks at: whoever has a
// phone for codes is told there, once, and of what the thief wrote nothing.
func TestOwnerIsToldOfRequestsByTextMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(keeping)
		w := newTelling(t, office, mfagate.Limits{})
		w.enrolPhone("alice", aliceNumber)
		office.delivered()
		seen := len(w.all())

		thief := w.mailed("alice").stuck()
		thief.header.Set("Accept-Language", "de")
		thief.files("call me at 0666, evil.example")
		thief.post("/.mfa/help", "action", "request").want(303)
		got := w.texts(seen, aliceNumber)
		if len(got) != 1 || got[0] != textOfRequest || len(w.all()) != seen+1 {
			t.Errorf("texts to alice = %q of %d messages; want one, %q", got, len(w.all())-seen, textOfRequest)
		}
		countEvents(t, w.world, mfagate.EventResetRequested, 1)
		if _, err := w.gate.ApproveReset(t.Context(), "root", aliceSubject, w.seenAs("alice").Seen, "x"); err != nil {
			t.Fatal(err)
		}
		if got := w.texts(seen, aliceNumber); len(got) != 1 {
			t.Errorf("%d texts after the approval; want no more", len(got))
		}
	})
}

// countEvents counts the events of a kind.
func countEvents(t *testing.T, w *world, kind string, want int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, e := range w.events {
		if e.Kind == kind {
			n++
		}
	}
	if n != want {
		t.Errorf("%d events %s; want %d", n, kind, want)
	}
}

// The mailbox of a factor is told as well, in a whole mail, unless the notice goes there.
func TestOwnerIsToldOfRequestsAtTheAddressOfAFactor(t *testing.T) {
	for _, private := range []string{"alice@home.example", "Alice@example.com"} {
		synctest.Test(t, func(t *testing.T) {
			office := new(keeping)
			w := newTelling(t, office, mfagate.Limits{})
			alice := w.mailed("alice")
			alice.get("/").want(303, "/.mfa/enroll").follow().want(200)
			alice.post("/.mfa/enroll/email").want(303, "/.mfa/enroll/email").follow().want(200)
			alice.post("/.mfa/enroll/email", "to", private, "enrollment", alice.field("enrollment")).want(303, "/.mfa/enroll/email").follow().want(200)
			alice.post("/.mfa/enroll/email", "code", w.code(t)).want(303, "/.mfa/recovery-codes").follow().want(200).note()
			alice.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set(), "return", "/").want(303, "/")
			office.delivered()
			seen := len(w.all())

			alice.stuck().files("")
			wantSubjects(t, "request", office.delivered(), mailRequested)
			got, want := w.texts(seen, private), 1
			if strings.EqualFold(private, "alice@example.com") {
				want = 0 // told by the mail
			}
			if len(got) != want || want == 1 && !strings.Contains(got[0], "Cancel the request") {
				t.Errorf("%s: mails of the factor = %q; want %d", private, got, want)
			}
		})
	}
}

// Without a mail server the phone is all that there is; without notify nobody is told.
func TestRequestsAreToldByTextMessageAlone(t *testing.T) {
	for _, on := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newTelling(t, nil, mfagate.Limits{}, func(c *mfagate.Config) { c.NotifyOnPage = on })
			alice := w.enrolPhone("alice", aliceNumber)
			seen := len(w.all())
			alice.stuck().files("")
			got := w.texts(seen, aliceNumber)
			if told := len(got) == 1 && got[0] == textOfRequest; told != on || len(got) > 1 {
				t.Errorf("notify %v: texts = %q; want one: %v", on, got, on)
			}
			if body := alice.get("/.mfa/").want(200).body; strings.Contains(body, "notices by e-mail") {
				t.Errorf("the page speaks of mails where there is no mail server")
			}
		})
	}
}

// Texts of requests cost what codes cost, and count like them: who has many passwords
// cannot send more than a day's worth, nor can a gateway that fails but sends.
func TestFloodOfRequestsByTextMessage(t *testing.T) {
	t.Run("all", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			const people, most = 4, 7 // as many codes at the enrolment, which leaves three
			w := newTelling(t, new(keeping), mfagate.Limits{All: most})
			var list []*person
			for i := range people {
				list = append(list, w.enrolPhone(fmt.Sprintf("user%d", i), fmt.Sprintf("+491511234560%d", i)))
			}
			for _, p := range list {
				p.stuck().files("")
			}
			synctest.Wait()
			if n := len(w.all()); n != most {
				t.Errorf("%d messages; want %d", n, most)
			}
			time.Sleep(25 * time.Hour) // the others are late, and not lost
			synctest.Wait()
			if n := len(w.all()); n != 2*people {
				t.Errorf("%d messages on the next day; want %d", n, 2*people)
			}
		})
	})
	t.Run("failing gateway", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newTelling(t, new(keeping), mfagate.Limits{})
			alice := w.enrolPhone("alice", aliceNumber)
			seen := len(w.all())
			w.broken(func(_ context.Context, to string, _ mfagate.Message) error {
				return errors.New("no answer about " + to)
			})
			alice.stuck().files("")
			time.Sleep(72 * time.Hour)
			if n := len(w.texts(seen, aliceNumber)); n != 8 {
				t.Errorf("%d tries; want 8", n)
			}
			countEvents(t, w.world, mfagate.EventNoticeFailed, 1)
			for _, told := range []string{w.log.String(), fmt.Sprint(w.events)} {
				if strings.Contains(told, strings.TrimPrefix(aliceNumber, "+")) || !strings.Contains(told, "•• 42") {
					t.Errorf("log or events = %s; want the number masked", told)
				}
			}
		})
	})
}

// A number that its owner has removed meanwhile is told nothing more.
func TestRemovedNumberIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTelling(t, new(keeping), mfagate.Limits{})
		alice := w.enrolPhone("alice", aliceNumber)
		seen := len(w.all())
		w.broken(func(context.Context, string, mfagate.Message) error { return errors.New("no answer") })
		alice.stuck().files("")
		if n := len(w.texts(seen, aliceNumber)); n != 1 {
			t.Fatalf("%d tries; want one that fails", n)
		}
		if _, err := w.gate.Reset(t.Context(), "root", aliceSubject, "x", time.Hour); err != nil {
			t.Fatal(err)
		}
		time.Sleep(72 * time.Hour)
		if n := len(w.texts(seen, aliceNumber)); n != 1 {
			t.Errorf("%d tries; want none after the reset", n)
		}
	})
}

var _ mfagate.Teller = outofband.Factor{}
