package mfagate_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/outofband"
)

func TestEnrolByTextMessage(t *testing.T) {
	w := newCodesWorld(t)
	p := w.person("alice")
	p.get("/").want(303, "/.mfa/enroll").follow().want(200)
	if app, text := strings.Index(p.body, "/.mfa/enroll/totp"), strings.Index(p.body, "/.mfa/enroll/sms"); app < 0 || text < app {
		t.Errorf("the app is offered at %d and text messages at %d; want the app first", app, text)
	}
	if !strings.Contains(p.body, "Less safe than an app") {
		t.Error("got no word on the risk of text messages; want one")
	}
	p.post("/.mfa/enroll/sms").want(303, "/.mfa/enroll/sms").follow().want(200)
	p.post("/.mfa/enroll/sms", "to", "0151 1234 5642", "enrollment", p.field("enrollment")).want(303, "/.mfa/enroll/sms").follow().want(200)
	m := w.all()[0]
	code := w.code(t)
	if m.to != aliceNumber || !strings.HasPrefix(m.Text, code+" is your code for Example. Never tell") {
		t.Errorf("got the message %q to %q; want code, app and warning to %s", m.Text, m.to, aliceNumber)
	}
	if got, want := lastLine(m.Text), "@localhost #"+code; got != want {
		t.Errorf("last line: got %q; want %q", got, want)
	}
	if !strings.Contains(p.body, "•• 42") || strings.Contains(p.body, "5642") || strings.Contains(p.body, code) {
		t.Errorf("got a page without the masked number, or with the number or the code: %s", p.body)
	}
	p.post("/.mfa/enroll/sms", "code", other(code)).want(422)
	if !strings.Contains(p.body, "This code is wrong") {
		t.Error("got no word on the wrong code; want one")
	}
	p.post("/.mfa/enroll/sms", "code", code).want(303, "/.mfa/recovery-codes")
	if n := len(w.all()); n != 1 {
		t.Errorf("got %d messages; want 1", n)
	}
}

func TestChallengeByTextMessage(t *testing.T) {
	w := newCodesWorld(t)
	p := w.enrolPhone("alice", aliceNumber).elsewhere().at("/")
	if n := len(w.all()); n != 1 {
		t.Fatalf("got %d messages after the page was opened; want none besides that of the enrolment", n)
	}
	p.ask().want(303, "/.mfa/challenge?").follow().want(200)
	if !strings.Contains(p.body, "sent by text message to \u2068•• 42\u2069") {
		t.Errorf("got a page that does not say where the code went: %s", p.body)
	}
	code := w.code(t)
	p.answer(code[:3]+" "+code[3:]).want(303, "/")
	p.get("/").want(200)
	if !slices.Contains(w.kinds(), mfagate.EventCodeSent) {
		t.Errorf("got the events %v; want %s among them", w.kinds(), mfagate.EventCodeSent)
	}
}

func TestMessageInTheLanguageOfThePerson(t *testing.T) {
	w := newCodesWorld(t)
	p := w.enrolPhone("alice", aliceNumber).elsewhere()
	p.header.Set("Accept-Language", "de")
	p.at("/").ask().want(303)
	if m := w.all()[1]; m.Language != "de" || !strings.Contains(m.Text, "ist Ihr Code für Example. Nennen Sie ihn niemandem") {
		t.Errorf("got %q in %q; want it in German", m.Text, m.Language)
	}
}

func TestEnrolByMailFilledIn(t *testing.T) {
	w := newCodesWorld(t)
	p := w.person("alice")
	p.header.Set("First-Email", "alice@example.com")
	p.get("/").want(303).follow().want(200)
	p.post("/.mfa/enroll/email").want(303).follow().want(200)
	if !strings.Contains(p.body, `value="alice@example.com"`) {
		t.Error("got the form without the known address; want it filled in")
	}
	p.post("/.mfa/enroll/email", "to", "alice@example.com", "enrollment", p.field("enrollment")).want(303).follow().want(200)
	if m := w.all()[0]; m.to != "alice@example.com" || sixDigits.MatchString(m.Subject) || !strings.Contains(m.Subject, "Example") {
		t.Errorf("got %q to %q; want a subject with the app and without the code", m.Subject, m.to)
	}
	p.post("/.mfa/enroll/email", "code", w.code(t)).want(303, "/.mfa/recovery-codes")
}

func TestTwoPhones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCodesWorld(t)
		p := w.enrolPhone("alice", aliceNumber)
		time.Sleep(time.Minute)
		p.get("/.mfa/challenge?purpose=settings").want(200)
		p.ask("purpose", "settings").want(303).follow().want(200)
		p.answer(w.code(t), "purpose", "settings", "return", "/.mfa/enroll").want(303, "/.mfa/enroll").follow().want(200)
		p.post("/.mfa/enroll/sms").want(303).follow().want(200)
		time.Sleep(time.Minute)
		p.post("/.mfa/enroll/sms", "to", "+43 664 1234599", "enrollment", p.field("enrollment")).want(303).follow().want(200)
		p.post("/.mfa/enroll/sms", "code", w.code(t), "label", "Work").want(303, "/")

		q := p.elsewhere().at("/")
		ids := phoneID.FindAllStringSubmatch(q.body, -1)
		if len(ids) != 2 || !strings.Contains(q.body, "Work (•• 99)") || !strings.Contains(q.body, "•• 42") {
			t.Fatalf("got %d phones to choose from; want both: %s", len(ids), q.body)
		}
		for i, id := range ids {
			time.Sleep(time.Hour)
			q := p.elsewhere().at("/")
			q.ask("credential", id[1]).want(303).follow().want(200)
			q.answer(w.code(t)).want(303, "/")
			if q.get("/").last.Code != http.StatusOK {
				t.Errorf("phone %d: got no way in with its code", i)
			}
		}
		all := w.all()
		if a, b := all[len(all)-2].to, all[len(all)-1].to; a == b {
			t.Errorf("got both codes at %s; want one at each phone", a)
		}
	})
}

func TestUnlockAllowsCodesAgain(t *testing.T) {
	w := newCodesWorld(t)
	p := w.enrolPhone("alice", aliceNumber).elsewhere().at("/")
	p.ask().want(303)
	p.get("/.mfa/challenge").ask().want(429)
	if err := w.gate.Unlock(t.Context(), "root", mfagate.Subject{Realm: "default", Name: "alice"}); err != nil {
		t.Fatal(err)
	}
	p.get("/.mfa/challenge").ask().want(303)
}

func TestOnlyTheNumberOnFile(t *testing.T) {
	w := newCodesWorld(t, func(phone, _ *outofband.Factor) { phone.OnlyKnown = true })
	p := w.person("alice")
	p.get("/").want(303).follow().want(200)
	p.post("/.mfa/enroll/sms").want(409)
	if !strings.Contains(p.body, "Nothing is on file for you") {
		t.Errorf("got %s; want a word on the missing number", p.body)
	}
	p = w.person("bob")
	p.header.Set("First-Phone", "0151 12345642")
	p.get("/").want(303).follow().want(200)
	p.post("/.mfa/enroll/sms").want(303).follow().want(200)
	if !strings.Contains(p.body, "•• 42") || strings.Contains(p.body, `type="tel"`) {
		t.Error("got a form for a number; want the one on file, masked")
	}
	p.post("/.mfa/enroll/sms", "to", "+436641234599", "enrollment", p.field("enrollment")).want(303).follow().want(200)
	if m := w.all()[0]; m.to != aliceNumber {
		t.Errorf("got a code at %s; want it at %s, which is on file", m.to, aliceNumber)
	}
	p.post("/.mfa/enroll/sms", "action", "other", "enrollment", p.field("enrollment")).want(303).follow().want(200)
	p.post("/.mfa/enroll/sms", "to", "+436641234599", "enrollment", p.field("enrollment")).want(429)
}

func TestCodesByAPI(t *testing.T) {
	w := newCodesWorld(t)
	p := w.person("alice")
	begun := p.api("POST", "enroll/sms", map[string]string{"to": "0151 12345642"})
	p.want(201)
	if begun["sent_to"] != "•• 42" {
		t.Errorf("got sent_to %v; want •• 42", begun["sent_to"])
	}
	id := begun["enrollment"].(string)
	p.api("POST", "enroll/sms/confirm", map[string]string{"enrollment": id, "code": other(w.code(t))})
	p.want(422)
	p.api("POST", "enroll/sms/confirm", map[string]string{"enrollment": id, "code": w.code(t)})
	p.want(200)

	q := w.person("alice")
	got := q.api("POST", "challenge/begin", map[string]string{"method": "sms"})
	q.want(200)
	if got["sent_to"] != "•• 42" || len(got) != 1 {
		t.Errorf("got %v; want sent_to alone", got)
	}
	q.api("POST", "challenge", map[string]string{"method": "sms", "code": w.code(t)})
	q.want(200)

	for _, bad := range []string{"+49 900 1234567", "112", "+48 512 345 678", ""} {
		r := w.person("bob")
		if got := r.api("POST", "enroll/sms", map[string]string{"to": bad}); got["type"] != "urn:mfagate:problem:address" {
			t.Errorf("number %q: got %v; want the problem address", bad, got)
		}
		r.want(422)
	}
}
