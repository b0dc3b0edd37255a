package mfagate_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

func TestFirstVisit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/payslips?year=2026")
		if w.hit() != 0 {
			t.Errorf("%d requests reached the app before the end of the enrolment", w.hit())
		}
		alice.follow().want(200)
		if !strings.Contains(alice.body, "the app, for alice") {
			t.Errorf("body = %q; want the app's", alice.body)
		}
		if len(alice.codes) != 10 {
			t.Errorf("recovery codes = %q; want ten", alice.codes)
		}
		want := []string{"enrolled", "codes_made", "codes_saved"}
		if got := w.kinds(); !slices.Equal(got, want) {
			t.Errorf("events = %q; want %q", got, want)
		}
		for name := range w.hits[0].Header {
			if name == "Cookie" {
				t.Errorf("the app was sent cookies: %q", w.hits[0].Header[name])
			}
		}
	})
}

func TestWrongCodeKeepsTheSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person("alice")
		p.get("/").want(303).follow().want(200)
		p.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		secret := p.secret
		p.post("/.mfa/enroll/totp", "code", "000000").want(422).scan()
		if p.secret != secret {
			t.Fatalf("the secret changed after a wrong code")
		}
		if !strings.Contains(p.body, `role="alert"`) {
			t.Errorf("nothing says what was wrong: %.500q", p.body)
		}
		// Back to the first step and forth again.
		p.get("/.mfa/enroll").want(200).post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		if p.secret != secret {
			t.Fatalf("the secret changed by going back")
		}
		p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303, "/.mfa/recovery-codes")
	})
}

func TestLeavingBeforeTheCodesAreSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person("alice")
		p.get("/").want(303).follow()
		p.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303, "/.mfa/recovery-codes").follow().want(200).note()
		first, firstSet, token := p.codes, p.set(), p.token()
		p.post("/.mfa/recovery-codes", "set", p.set()).want(422) // the box is not ticked
		p.get("/.mfa/recovery-codes").want(200).note()
		if !slices.Equal(p.codes, first) {
			t.Errorf("opening the page again changed the codes")
		}
		p.get("/").want(303, "/.mfa/recovery-codes").follow().want(200).note()
		if slices.Equal(p.codes, first) {
			t.Errorf("the same set was shown after leaving")
		}
		if w.hit() != 0 {
			t.Fatalf("the app was reached before the codes were saved")
		}
		p.post("/.mfa/recovery-codes", "set", firstSet, "saved", "yes", "form_token", token).want(409) // from an old tab
		p.get("/").want(303, "/.mfa/recovery-codes")

		time.Sleep(time.Minute)
		q := p.elsewhere()
		q.secret = p.secret
		q.prove("/", 0).want(303, "/.mfa/recovery-codes").follow().want(200).note()
		if slices.Equal(q.codes, p.codes) || len(q.codes) != 10 {
			t.Errorf("the next sign-in showed %q; want ten fresh codes", q.codes)
		}
		q.post("/.mfa/recovery-codes", "set", q.set(), "saved", "yes").want(303, "/").follow().want(200)
	})
}

func TestRecoveryCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		for i := range 8 {
			p := alice.elsewhere()
			p.get("/").want(303, "/.mfa/challenge").follow().want(200)
			p.post("/.mfa/challenge", "method", "recovery", "code", strings.ToLower(alice.codes[i])).want(303, "/.mfa/?").follow().want(200)
			left := 9 - i
			if !strings.Contains(p.body, " "+string(rune('0'+left))+" ") {
				t.Errorf("the page does not tell that %d codes are left", left)
			}
			if i < 3 { // no more, or the limit on guesses answers
				q := alice.elsewhere()
				q.get("/").follow().want(200)
				q.post("/.mfa/challenge", "method", "recovery", "code", alice.codes[i]).want(401)
			}
		}
	})
}

func TestSessionEnds(t *testing.T) {
	for _, test := range []struct {
		name string
		wait []time.Duration
		want int
	}{
		{"in use", []time.Duration{29 * time.Minute, 29 * time.Minute, 29 * time.Minute}, 200},
		{"idle", []time.Duration{31 * time.Minute}, 303},
		{"lifetime", slices.Repeat([]time.Duration{20 * time.Minute}, 37), 303},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				p := w.person("alice").enrol("/")
				for i, d := range test.wait {
					time.Sleep(d)
					p.get("/page")
					if i < len(test.wait)-1 && i < 35 {
						p.want(200)
					}
				}
				p.want(test.want)
			})
		})
	}
}

func TestSignOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		stolen := w.person("alice")
		maps.Copy(stolen.cookies, alice.cookies)
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/sign-out").want(200)
		stolen.get("/").want(303, "/.mfa/challenge")
		if w.hit() != 0 {
			t.Errorf("a signed-out session reached the app")
		}
	})
}

func TestSignOutEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Minute)
		other := alice.elsewhere()
		other.prove("/", 0).want(303, "/").follow().want(200)

		thief := w.person("alice") // has the password only
		thief.get("/").want(303).follow().want(200)
		thief.post("/.mfa/sign-out", "everywhere", "yes").want(403)
		other.get("/").want(200)

		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/sign-out", "everywhere", "yes").want(200)
		other.get("/").want(303, "/.mfa/challenge")
		alice.get("/").want(303, "/.mfa/challenge")
	})
}

func TestNewCodesNeedAFreshProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		old := alice.codes
		time.Sleep(time.Minute)
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/recovery-codes", "action", "new").want(303, "/.mfa/challenge").follow().want(200)
		alice.post("/.mfa/challenge", "method", "totp", "code", alice.code(0), "purpose", "settings", "return", "/.mfa/").want(303, "/.mfa/").follow().want(200)
		alice.post("/.mfa/recovery-codes", "action", "new").want(303, "/.mfa/recovery-codes").follow().want(200).note()
		if len(alice.codes) != 10 || slices.Equal(old, alice.codes) {
			t.Fatalf("codes = %q; want ten new ones", alice.codes)
		}
		p := alice.elsewhere()
		p.get("/").follow().want(200)
		p.post("/.mfa/challenge", "method", "recovery", "code", old[0]).want(401)
		p.post("/.mfa/challenge", "method", "recovery", "code", alice.codes[0]).want(303)
	})
}

// Several blocks on a request must all be satisfied, and share one session.
func TestSeveralBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		strict := w.block(func(c *mfagate.BlockConfig) { c.Policy.MaxAge = 5 * time.Minute })
		w.handler = w.block().Handler(strict.Handler(http.HandlerFunc(w.app)))
		alice := w.person("alice").enrol("/payroll")
		alice.follow().want(200)
		time.Sleep(6 * time.Minute)
		alice.get("/payroll").want(303, "/.mfa/challenge?return=%2Fpayroll").follow().want(200)
		alice.post("/.mfa/challenge", "method", "totp", "code", alice.code(0), "return", "/payroll").want(303, "/payroll").follow().want(200)
		if w.hit() != 2 {
			t.Errorf("%d requests reached the app; want 2", w.hit())
		}
		if c := w.hits[0].Header["Cookie"]; len(c) > 0 {
			t.Errorf("the app was sent cookies: %q", c)
		}
	})
}

// A second phone takes a fresh proof made for that purpose, and then either does.
func TestFurtherPhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Minute)
		alice.get("/.mfa/enroll?return=/.mfa/").want(303, "/.mfa/challenge?purpose=settings").follow().want(200)
		alice.post("/.mfa/enroll/totp").want(303, "/.mfa/challenge")
		alice.get("/.mfa/challenge?purpose=settings&return=/.mfa/enroll").want(200)
		alice.post("/.mfa/challenge", "method", "totp", "code", alice.code(0), "purpose", "settings", "return", "/.mfa/enroll").want(303, "/.mfa/enroll").follow().want(200)
		tablet := alice.elsewhere() // the second device, and a browser of its own
		alice.post("/.mfa/enroll/totp", "return", "/.mfa/").want(303, "/.mfa/enroll/totp").follow().want(200)
		tablet.body = alice.body
		tablet.scan()
		if tablet.secret == alice.secret {
			t.Fatalf("the second phone got the secret of the first")
		}
		alice.post("/.mfa/enroll/totp", "code", tablet.code(0), "label", "Tablet", "return", "/.mfa/").want(303, "/.mfa/?notice=enrolled").follow().want(200)
		if !strings.Contains(alice.body, "Tablet") {
			t.Errorf("the security page does not list the tablet")
		}
		time.Sleep(time.Minute)
		tablet.prove("/", 0).want(303, "/")
		phone := alice.elsewhere()
		time.Sleep(time.Minute)
		phone.prove("/", 0).want(303, "/")
		again := alice.elsewhere()
		again.get("/").follow()
		again.post("/.mfa/challenge", "method", "recovery", "code", alice.codes[0]).want(303)
	})
}

// S41, S91: whoever is stuck gets a case number, which the history knows.
func TestHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.person("alice").enrol("/")
		p := w.person("alice")
		p.get("/reports").want(303).follow().want(200)
		if !strings.Contains(p.body, `href="/.mfa/help`) {
			t.Errorf("the challenge does not lead to help")
		}
		p.get("/.mfa/help?return=/reports").want(200)
		p.post("/.mfa/help", "return", "/reports").want(303, "/.mfa/help").follow().want(200)
		events, err := w.gate.Events(t.Context(), aliceSubject, 50)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(events, func(e mfagate.Event) bool { return e.Kind == mfagate.EventHelp })
		if i < 0 || !strings.Contains(p.body, events[i].Detail) {
			t.Fatalf("events = %+v; want one with the case number on the page", events)
		}
		token := p.token()
		for range 5 { // one number for a session
			p.get("/.mfa/help").want(200)
			p.send(p.request("POST", "/.mfa/help", "application/x-www-form-urlencoded", "form_token="+token)).want(303)
		}
		again, err := w.gate.Events(t.Context(), aliceSubject, 50)
		if err != nil || len(again) != len(events) {
			t.Errorf("%d events, %v; want %d", len(again), err, len(events))
		}
		p.get("/reports").want(303, "/.mfa/challenge")
	})
}
