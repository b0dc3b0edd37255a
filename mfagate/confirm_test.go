package mfagate_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// S24, S49: what switching off asks for is the operator's choice, and the page
// says what that is and why.
func TestConfirm(t *testing.T) {
	tests := map[string]struct {
		confirm  mfagate.Confirm
		checks   bool // the source knows the password
		factor   bool // a proof for that purpose is wanted
		password bool
		said     string
	}{
		"usual":                {mfagate.ConfirmUsual, true, false, true, ""},
		"usual, unknown":       {mfagate.ConfirmUsual, false, false, false, "cannot be checked"},
		"password":             {mfagate.ConfirmPassword, true, false, true, ""},
		"password, unknown":    {mfagate.ConfirmPassword, false, true, false, "cannot be checked"},
		"factor":               {mfagate.ConfirmFactor, true, true, false, "is not asked for"},
		"both":                 {mfagate.ConfirmBoth, true, true, true, ""},
		"both, unknown":        {mfagate.ConfirmBoth, false, true, false, "cannot be checked"},
		"none":                 {mfagate.ConfirmNone, true, false, false, "is not asked for"},
		"what nobody has made": {mfagate.Confirm(99), true, true, false, "is not asked for"},
	}
	for name, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil, optional, func(c *mfagate.BlockConfig) {
				c.Site.Confirm = test.confirm
				if !test.checks {
					c.Source = mfagate.SourceFunc(firstFactor)
				}
			})
			alice := w.person("alice").enrolByTicket()
			alice.confirm() // for some other change
			if test.factor {
				page := alice.body
				alice.get("/.mfa/disable").want(303, "/.mfa/challenge?purpose=settings&return=%2F.mfa%2Fdisable")
				alice.body = page
				alice.post("/.mfa/disable", "password", "secret").want(303, "/.mfa/challenge")
				time.Sleep(time.Minute)
				alice.get("/.mfa/challenge?purpose=settings&return=%2F.mfa%2Fdisable").want(200)
				alice.post("/.mfa/challenge", "method", "totp", "code", alice.code(0), "purpose", "settings", "return", "/.mfa/disable").want(303, "/.mfa/disable")
			}
			alice.get("/.mfa/disable").want(200)
			page := alice.body
			if got := strings.Contains(page, `type="password"`); got != test.password || !strings.Contains(page, test.said) {
				t.Errorf("%s: the page asks for the password: %v, or does not say that it %q; want %v: %s", name, got, test.said, test.password, page)
			}
			if test.password {
				alice.post("/.mfa/disable", "password", "").want(422)
				alice.body = page
				alice.post("/.mfa/disable", "password", "guess").want(422)
				alice.body = page
			}
			if test.factor {
				time.Sleep(6 * time.Minute)
				alice.post("/.mfa/disable", "password", "secret").want(303, "/.mfa/challenge")
				alice.get("/.mfa/challenge?purpose=settings&return=%2F.mfa%2Fdisable").want(200)
				alice.post("/.mfa/challenge", "method", "totp", "code", alice.code(0), "purpose", "settings", "return", "/.mfa/disable").want(303, "/.mfa/disable")
				alice.get("/.mfa/disable").want(200)
			}
			alice.post("/.mfa/disable", "password", "secret").want(200)
			if w.user("alice").Enrolled {
				t.Errorf("%s: alice still has a factor", name)
			}
		})
	}
}

// Where a recovery code will not do, none is offered: neither on the page after a wrong
// code, nor after one was sent. It would be used up, and the person asked again.
func TestRecoveryCodeIsNotWastedOnTheWayToAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCodesWorld(t)
		alice := w.enrolPhone("alice", aliceNumber)
		w.handler = w.block(optional).Handler(http.HandlerFunc(w.app))
		time.Sleep(time.Minute)
		alice.get("/.mfa/disable").want(303, "/.mfa/challenge?purpose=settings").follow().want(200)
		offered := func(when string) {
			t.Helper()
			if strings.Contains(alice.body, `name="method" value="recovery"`) || !strings.Contains(alice.body, `name="without" value="recovery"`) {
				t.Errorf("%s the page offers recovery codes, or forgets that they will not do: %s", when, alice.body)
			}
		}
		offered("at first")
		send := []string{"method", "sms", "action", "send", "purpose", "settings", "return", "/.mfa/disable", "without", "recovery"}
		alice.post("/.mfa/challenge", send...).want(303).follow().want(200)
		offered("with a code on its way")
		alice.post("/.mfa/challenge", "method", "sms", "code", other(w.code(t)), "purpose", "settings", "return", "/.mfa/disable", "without", "recovery").want(401)
		offered("after a wrong code")
		alice.post("/.mfa/challenge", "method", "sms", "code", w.code(t), "purpose", "settings", "return", "/.mfa/disable", "without", "recovery").want(303, "/.mfa/disable").follow().want(200)
	})
}
