package mfagate_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/outofband"
)

// waiting is somebody at a new browser to whom a code was sent.
func (w *codesWorld) waiting(name string) (*person, string) {
	w.t.Helper()
	p := w.person(name).at("/")
	p.ask().want(303).follow().want(200)
	return p, w.code(w.t)
}

func TestSentCodeTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCodesWorld(t)
		w.enrolPhone("alice", aliceNumber)
		p, code := w.waiting("alice")
		q := w.person("alice").at("/")
		p.answer(code).want(303, "/")
		p.get("/.mfa/challenge?purpose=settings").want(200)
		p.answer(code, "purpose", "settings").want(401)
		q.answer(code).want(401)
	})
}

func TestSentCodeTwiceInParallel(t *testing.T) {
	w := newCodesWorld(t)
	w.enrolPhone("alice", aliceNumber)
	p, code := w.waiting("alice")
	token := p.token()
	var passed atomic.Int32
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if p.try(token, code) == http.StatusSeeOther {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if n := passed.Load(); n != 1 {
		t.Errorf("got %d proofs by one code; want 1", n)
	}
}

// The code is good in the session that it was asked for in, and nowhere else.
func TestSentCodeElsewhere(t *testing.T) {
	w := newCodesWorld(t)
	w.enrolPhone("alice", aliceNumber)
	w.enrolPhone("bob", "+4915112345643")
	thief := w.person("alice").at("/")
	colleague := w.person("bob").at("/")
	p, code := w.waiting("alice")
	thief.answer(code).want(401)
	colleague.answer(code).want(401)
	w.person("bob").at("/").answer(code).want(401)
	p.answer(code).want(303, "/")
}

// A code for signing in must not switch factors: whoever reads it over the shoulder
// would rather have that.
func TestSentCodeForAnotherPurpose(t *testing.T) {
	w := newCodesWorld(t)
	w.enrolPhone("alice", aliceNumber)
	p, code := w.waiting("alice")
	p.answer(code, "purpose", "settings").want(401)
	p.answer(code).want(303, "/")
}

func TestSentCodeAfterTenMinutes(t *testing.T) {
	for _, test := range []struct {
		after time.Duration
		want  int
	}{{10*time.Minute - time.Second, 303}, {10 * time.Minute, 401}} {
		synctest.Test(t, func(t *testing.T) {
			w := newCodesWorld(t)
			w.enrolPhone("alice", aliceNumber)
			p, code := w.waiting("alice")
			time.Sleep(test.after)
			p.answer(code).want(test.want)
			if test.want == 401 && !strings.Contains(p.body, "no longer valid") {
				t.Errorf("got %s; want a word on the code's age", p.body)
			}
		})
	}
}

func TestSentCodeSixthTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCodesWorld(t)
		w.enrolPhone("alice", aliceNumber)
		p, code := w.waiting("alice")
		for range 5 {
			p.answer(other(code)).want(401)
		}
		time.Sleep(5 * time.Minute) // for the delay after five wrong answers
		p.answer(code).want(401)
		if !strings.Contains(p.body, "no longer valid") {
			t.Errorf("got %s; want a word on too many tries", p.body)
		}
		p.ask().want(303).follow().want(200)
		p.answer(w.code(t)).want(303, "/")
	})
}

func TestSentCodeManyTriesInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCodesWorld(t)
		p := w.person("alice")
		p.get("/").want(303).follow().want(200)
		p.post("/.mfa/enroll/sms").want(303).follow().want(200)
		p.post("/.mfa/enroll/sms", "to", aliceNumber, "enrollment", p.field("enrollment")).want(303).follow().want(200)
		token, code := p.token(), w.code(t)
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				q := w.person("alice")
				maps.Copy(q.cookies, p.cookies)
				form := url.Values{"form_token": {token}, "code": {fmt.Sprintf("%06d", i)}}
				if form.Get("code") != code {
					q.send(q.request("POST", "/.mfa/enroll/sms", "application/x-www-form-urlencoded", form.Encode()))
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Minute) // for the delay after five wrong answers
		p.post("/.mfa/enroll/sms", "code", code).want(422)
		if !strings.Contains(p.body, "no longer valid") {
			t.Errorf("got %s; want a word on too many tries", p.body)
		}
	})
}

func TestOlderCodeAfterANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCodesWorld(t)
		w.enrolPhone("alice", aliceNumber)
		p, older := w.waiting("alice")
		time.Sleep(31 * time.Second)
		p.ask().want(303).follow().want(200)
		if w.code(t) == older {
			return // as one pair in a million is
		}
		p.answer(older).want(401)
		p.answer(w.code(t)).want(303, "/")
	})
}

func TestResendWaitGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCodesWorld(t)
		w.enrolPhone("alice", aliceNumber)
		p := w.person("alice").at("/")
		for _, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute} {
			p.ask().want(303)
			p.get("/.mfa/challenge?method=sms").want(200)
			time.Sleep(wait - time.Second)
			p.ask().want(429)
			if got := p.last.Header().Get("Retry-After"); got != "1" && got != "2" {
				t.Errorf("Retry-After %v after the wait of %v: got %s; want 1 or 2", wait-time.Second, wait, got)
			}
			time.Sleep(2 * time.Second)
		}
		if n := len(w.all()); n != 5 {
			t.Errorf("got %d messages; want 5, one of them for the enrolment", n)
		}
	})
}

func TestResendInParallel(t *testing.T) {
	w := newCodesWorld(t)
	w.enrolPhone("alice", aliceNumber)
	var wg sync.WaitGroup
	for range 8 {
		p := w.person("alice").at("/")
		wg.Go(func() { p.ask() })
	}
	wg.Wait()
	if n := len(w.all()); n != 2 {
		t.Errorf("got %d messages; want 2, one of them for the enrolment", n)
	}
}

// Who has the password alone cannot use up the codes of the owner's own browser.
func TestStrangerUsesUpTheCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCodesWorld(t)
		owner := w.enrolPhone("alice", aliceNumber)
		sent := 0
		for range 40 {
			thief := w.person("alice").at("/")
			if thief.ask().last.Code == 303 {
				sent++
			}
			time.Sleep(16 * time.Minute)
		}
		if sent != 9 { // the enrolment's was the first of ten
			t.Errorf("got %d codes sent in a day; want 9", sent)
		}
		owner.get("/.mfa/challenge").want(200)
		owner.ask().want(303).follow().want(200)
		owner.answer(w.code(t)).want(303, "/")
	})
}

func TestFloodOfOneNumber(t *testing.T) {
	w := newCodesWorld(t, func(phone, _ *outofband.Factor) { phone.Limits.Address = 6 })
	sent := 0
	for i := range 6 {
		p := w.person(fmt.Sprintf("user%d", i))
		p.get("/").want(303).follow().want(200)
		p.post("/.mfa/enroll/sms").want(303).follow().want(200)
		if p.post("/.mfa/enroll/sms", "to", aliceNumber, "enrollment", p.field("enrollment")).last.Code == 303 {
			sent++
		}
	}
	if sent != 3 || len(w.all()) != 3 {
		t.Errorf("got %d codes sent to one number by six users who enrol it; want 3 of 6", sent)
	}
}

func TestFloodOfTheGateway(t *testing.T) {
	w := newCodesWorld(t, func(phone, _ *outofband.Factor) { phone.Limits.All = 8 })
	w.enrolPhone("alice", aliceNumber)
	var wg sync.WaitGroup
	for i := range 8 {
		p := w.person(fmt.Sprintf("user%d", i))
		p.get("/").want(303).follow().want(200)
		p.post("/.mfa/enroll/sms").want(303).follow().want(200)
		id := p.field("enrollment")
		wg.Go(func() { p.post("/.mfa/enroll/sms", "to", fmt.Sprintf("+49151123456%02d", i), "enrollment", id) })
	}
	wg.Wait()
	if n := len(w.all()); n != 4 {
		t.Errorf("got %d messages; want 4, half of what there are", n)
	}
	alice := w.person("alice").at("/") // nobody is kept from signing in
	if alice.ask().want(303).follow().want(200); len(w.all()) != 5 {
		t.Errorf("got %d messages; want one more, to sign in with", len(w.all()))
	}
	alice.answer(w.code(t)).want(303, "/")
	if !strings.Contains(w.log.String(), "limit=all") {
		t.Error("got no line in the log on the limit; want one")
	}
}

func TestNumbersThatCost(t *testing.T) {
	w := newCodesWorld(t)
	p := w.person("alice")
	p.get("/").want(303).follow().want(200)
	p.post("/.mfa/enroll/sms").want(303).follow().want(200)
	for _, number := range []string{"+49 900 1234567", "+48 512 345 678", "+881 6 12345678", "+49 180 5123456"} {
		p.post("/.mfa/enroll/sms", "to", number, "enrollment", p.field("enrollment")).want(422)
		if !strings.Contains(p.body, "No codes are sent to this number") || !strings.Contains(p.body, `value="`+number) && !strings.Contains(p.body, `value="&#43;`+number[1:]) {
			t.Errorf("%s: got %s; want a word on it, and the number to be mended", number, p.body)
		}
	}
	if n := len(w.all()); n != 0 {
		t.Errorf("got %d messages; want none", n)
	}
}

func TestHeadersInAnAddress(t *testing.T) {
	w := newCodesWorld(t)
	p := w.person("alice")
	p.get("/").want(303).follow().want(200)
	p.post("/.mfa/enroll/email").want(303).follow().want(200)
	for _, address := range []string{"a@example.com\r\nBcc: b@example.com", "a@example.com,b@example.com", `"a"@example.com`, "a@example.com\x00", "A <a@example.com>"} {
		p.post("/.mfa/enroll/email", "to", address, "enrollment", p.field("enrollment")).want(422)
	}
	if n := len(w.all()); n != 0 {
		t.Errorf("got %d messages; want none", n)
	}
}

// Browsers open links in advance, and other sites can make them open any.
func TestNoCodeWithoutAClick(t *testing.T) {
	w := newCodesWorld(t)
	w.enrolPhone("alice", aliceNumber)
	p := w.person("alice").at("/")
	for _, path := range []string{"/.mfa/challenge?method=sms&action=send", "/.mfa/challenge?method=sms", "/.mfa/enroll/sms?to=" + aliceNumber} {
		p.get(path)
		p.send(p.request("HEAD", path, "", ""))
	}
	form := "method=sms&action=send"
	p.send(p.request("POST", "/.mfa/challenge", "application/x-www-form-urlencoded", form)).want(403)
	r := p.request("POST", "/.mfa/api/v1/challenge/begin", "text/plain", `{"method":"sms"}`)
	p.send(r).want(415)
	r = p.request("POST", "/.mfa/api/v1/challenge/begin", "application/json", `{"method":"sms"}`)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	p.send(r).want(403)
	stranger := w.person("")
	stranger.api("POST", "challenge/begin", map[string]string{"method": "sms"})
	stranger.want(401)
	if n := len(w.all()); n != 1 {
		t.Errorf("got %d messages; want that of the enrolment alone", n)
	}
}

// IDOR: bob asks for a code at alice's phone, and alice at bob's.
func TestCodeAtSomebodyElsesPhone(t *testing.T) {
	w := newCodesWorld(t)
	w.enrolPhone("alice", aliceNumber)
	w.enrolPhone("bob", "+4915112345643")
	alice := w.person("alice").at("/")
	id := phoneID.FindStringSubmatch(alice.body)[1]
	bob := w.person("bob").at("/")
	bob.ask("credential", id).want(422)
	bob.ask("credential", "x").want(422)
	if n := len(w.all()); n != 2 {
		t.Errorf("got %d messages; want those of the enrolments alone", n)
	}
	bob.ask("method", "email").want(422)
	bob.ask("method", "totp").want(422)
}

func TestEnrolmentOfAnotherTab(t *testing.T) {
	w := newCodesWorld(t)
	p := w.person("alice")
	p.get("/").want(303).follow().want(200)
	p.post("/.mfa/enroll/sms").want(303).follow().want(200)
	p.post("/.mfa/enroll/sms", "to", aliceNumber, "enrollment", "ANOTHER")
	if n := len(w.all()); n != 0 || p.last.Code == 303 && strings.Contains(p.last.Header().Get("Location"), "sms") {
		t.Errorf("got %d messages for an enrolment that is not the session's; want none", n)
	}
	p.get("/.mfa/enroll/sms").want(200)
	p.post("/.mfa/enroll/sms", "code", "123456").want(409) // nothing was sent yet
}

func TestSenderInTrouble(t *testing.T) {
	for name, send := range map[string]func(context.Context, string, mfagate.Message) error{
		"down": func(_ context.Context, to string, m mfagate.Message) error {
			return errors.New("Get \"http://gateway/send?to=" + url.QueryEscape(to) + "&text=" + m.Text + "\": connection refused")
		},
		"hangs":        func(ctx context.Context, _ string, _ mfagate.Message) error { <-ctx.Done(); return ctx.Err() },
		"hangs longer": func(context.Context, string, mfagate.Message) error { time.Sleep(30 * time.Second); return nil },
		"panics":       func(_ context.Context, _ string, m mfagate.Message) error { panic(m.Text) },
		"undeliverable": func(context.Context, string, mfagate.Message) error {
			return fmt.Errorf("unknown number: %w", mfagate.ErrUndeliverable)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newCodesWorld(t)
				w.enrolPhone("alice", aliceNumber)
				w.broken(send)
				p := w.person("alice").at("/")
				begin := time.Now()
				p.ask().want(503)
				if took := time.Since(begin); took > 11*time.Second {
					t.Errorf("the person waited %v; want at most 10 seconds", took)
				}
				if !strings.Contains(p.body, "could not be sent") || p.last.Header().Get("Retry-After") != "30" {
					t.Errorf("got %s; want a word on it", p.body)
				}
				if log := w.log.String(); !strings.Contains(log, "code was not sent") || strings.Contains(log, w.code(t)) || strings.Contains(log, "5642") {
					t.Errorf("got the log %q; want the trouble in it, and neither code nor number", log)
				}
				p.answer(w.code(t)).want(303, "/") // it arrived after all
				time.Sleep(time.Minute)            // for the one that hangs longer
			})
		})
	}
}

// A gateway that hangs for one person must not hold up the next.
func TestSenderHangsForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCodesWorld(t)
		w.enrolPhone("alice", aliceNumber)
		w.enrolPhone("bob", "+4915112345643")
		w.broken(func(ctx context.Context, _ string, _ mfagate.Message) error { <-ctx.Done(); return ctx.Err() })
		begin := time.Now()
		var wg sync.WaitGroup
		for _, p := range []*person{w.person("alice").at("/"), w.person("bob").at("/")} {
			wg.Go(func() { p.ask() })
			time.Sleep(time.Second)
		}
		wg.Wait()
		if took := time.Since(begin); took > 12*time.Second {
			t.Errorf("two people waited %v; want 11 seconds", took)
		}
	})
}

// I4: the code is in the message, and nowhere else that anybody could look.
func TestSentCodeIsInTheMessageOnly(t *testing.T) {
	w := newCodesWorld(t)
	w.enrolPhone("alice", aliceNumber)
	p, code := w.waiting("alice")
	seen := p.body + p.last.Header().Get("Location") + w.log.String()
	got := p.api("POST", "challenge/begin", map[string]string{"method": "sms"})
	seen += fmt.Sprint(got, p.body, p.last.Header())
	events, err := w.gate.Events(t.Context(), mfagate.Subject{Realm: "default", Name: "alice"}, 100)
	if err != nil {
		t.Fatal(err)
	}
	seen += fmt.Sprint(events)
	records, err := w.store.List(t.Context(), "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		seen += r.Key + "\n"
	}
	if strings.Contains(seen, code) || strings.Contains(seen, "5112345642") {
		t.Error("got the code or the number in an answer, the log, an event or a key; want it in none")
	}
	if !slices.ContainsFunc(events, func(e mfagate.Event) bool { return e.Kind == mfagate.EventCodeSent && e.Label == "•• 42" }) {
		t.Error("got no event of the code; want one with the masked number")
	}
}
