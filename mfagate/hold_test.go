package mfagate_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

// unsaved goes through the wizard up to the recovery codes.
func (p *person) unsaved() *person {
	p.w.t.Helper()
	p.get("/").want(303).follow().want(200)
	p.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
	return p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303, "/.mfa/recovery-codes").follow().want(200)
}

// Recovery codes that are switched off while somebody has yet to save theirs hold
// nobody up.
func TestRecoveryCodesSwitchedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").unsaved()
		alice.get("/").want(303, "/.mfa/recovery-codes")
		var err error
		w.gate, err = mfagate.New(mfagate.Config{Records: w.records, Pages: builtIn(), Factors: []mfagate.Factor{&totp.Factor{}}})
		if err != nil {
			t.Fatal(err)
		}
		w.handler = w.block().Handler(http.HandlerFunc(w.app)) // as after a reload
		alice.get("/").want(200)
		alice.get("/.mfa/").want(200)
		alice.get("/.mfa/recovery-codes").want(303, "/.mfa/")
		w.person("bob").get("/").want(303, "/.mfa/enroll")
	})
}
