package mfagate_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/outofband"
)

// begins goes to where a number is enrolled, as somebody without a factor.
func (w *codesWorld) begins(name, phone string) *person {
	w.t.Helper()
	p := w.person(name)
	if phone != "" {
		p.header.Set("First-Phone", phone)
	}
	p.get("/").want(303).follow().want(200)
	return p.post("/.mfa/enroll/sms").want(303).follow().want(200)
}

// Whoever types somebody else's number into their own accounts must not use up the codes
// that its owner signs in with.
func TestNumberOfTheOwnerUsedUpByOthers(t *testing.T) {
	w := newCodesWorld(t, func(phone, _ *outofband.Factor) { phone.Limits.Address = 8 })
	alice := w.enrolPhone("alice", aliceNumber)
	for i := range 10 {
		p := w.begins(fmt.Sprintf("mallory%d", i), "")
		p.post("/.mfa/enroll/sms", "to", aliceNumber, "enrollment", p.field("enrollment"))
	}
	before := len(w.all())
	if before != 4 {
		t.Errorf("got %d codes at one number by people who enrol it; want 4 of 8", before)
	}
	alice.elsewhere().at("/").ask().want(303)
	if got := len(w.all()); got != before+1 {
		t.Errorf("got %d messages; want one more than %d, for the owner of the number", got, before)
	}
}

// The number on file is the owner's: who has only the password and guesses at its
// codes meets the same limits as at a challenge.
func TestGuessingAtTheNumberOnFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCodesWorld(t, func(phone, _ *outofband.Factor) { phone.OnlyKnown, phone.Limits.User = true, 100 })
		looked := 0
		for range 30 {
			p := w.begins("bob", aliceNumber)
			if p.post("/.mfa/enroll/sms", "to", "", "enrollment", p.field("enrollment")).last.Code != 303 {
				time.Sleep(20 * time.Minute)
				continue
			}
			p.follow().want(200)
			for range 5 {
				wrong := other(w.code(t))
				if p.post("/.mfa/enroll/sms", "code", wrong).last.Code == 422 {
					looked++
				}
				p.get("/.mfa/enroll/sms").want(200)
			}
			time.Sleep(20 * time.Minute)
		}
		if looked < 5 || looked > 10 {
			t.Errorf("got %d guesses looked at within 10 hours; want at least 5, and at most 10, the strangers' share of a day", looked)
		}
	})
}

// People who enrol mistype too: the page says when to go on, and a right code then does.
func TestEnrolmentAfterManyWrongCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCodesWorld(t)
		p := w.begins("alice", "")
		p.post("/.mfa/enroll/sms", "to", aliceNumber, "enrollment", p.field("enrollment")).want(303).follow().want(200)
		for range 4 {
			p.post("/.mfa/enroll/sms", "code", other(w.code(t))).want(422)
		}
		p.post("/.mfa/enroll/sms", "code", "12").want(422) // what cannot be right is no guess
		p.post("/.mfa/enroll/sms", "action", "resend").want(429)
		time.Sleep(time.Minute)
		p.get("/.mfa/enroll/sms").want(200)
		p.post("/.mfa/enroll/sms", "action", "resend", "enrollment", p.field("enrollment")).want(303).follow().want(200)
		p.post("/.mfa/enroll/sms", "code", other(w.code(t))).want(422)
		p.post("/.mfa/enroll/sms", "code", w.code(t)).want(429)
		if !strings.Contains(p.body, "30 seconds") || !strings.Contains(p.body, `name="code"`) {
			t.Errorf("got %s; want the form again, and how long to wait", p.body)
		}
		time.Sleep(31 * time.Second)
		p.post("/.mfa/enroll/sms", "code", w.code(t)).want(303, "/.mfa/recovery-codes")
	})
}

// A block that asks has no first factor: it sends no code, and takes none that was sent
// elsewhere.
func TestAskTakesNoSentCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCodesWorld(t)
		alice := w.enrolPhone("alice", aliceNumber)
		telling := w.handler
		asking := w.block(func(c *mfagate.BlockConfig) { c.Source, c.Ask = nil, true }).Handler(nil)
		w.handler = byPath(asking, telling)
		time.Sleep(time.Minute)
		alice.elsewhere().at("/").ask().want(303)
		sent := len(w.all())
		thief := w.person("")
		thief.answers("alice", w.code(t)).want(401)
		thief.post("/.mfa/ask", "user", "alice", "method", "sms", "action", "send", "return", resetLink)
		if thief.last.Code == 303 || len(w.all()) != sent {
			t.Errorf("got %d, and %d messages; want a refusal and no more than %d", thief.last.Code, len(w.all()), sent)
		}
		if strings.Contains(thief.body, "sms") || strings.Contains(thief.body, "42") {
			t.Errorf("got %s; want no word on what alice has", thief.body)
		}
	})
}

// The person with the password chooses the Host header where the site takes any: it must
// not make one text message into a hundred, which somebody pays for.
func TestHostThatMakesTheMessageLong(t *testing.T) {
	w := newCodesWorld(t)
	w.enrolPhone("alice", aliceNumber)
	handler := w.handler
	w.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.Host = strings.Repeat("a", 8000) + ".localhost"
		handler.ServeHTTP(rw, r)
	})
	w.person("alice").at("/").ask().want(303)
	all := w.all()
	if got := len(all[len(all)-1].Text); got > 500 {
		t.Errorf("got a message of %d bytes; want at most 500", got)
	}
}
