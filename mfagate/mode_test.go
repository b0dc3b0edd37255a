package mfagate_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// withPassword is a source that knows passwords too.
type withPassword struct{ mfagate.SourceFunc }

func (withPassword) CheckPassword(_ *http.Request, password string) (right, known bool) {
	return password == "secret", true
}

func optional(c *mfagate.BlockConfig) {
	c.Site.Mode, c.Site.RemindEvery = mfagate.Optional, -1
	c.Source = withPassword{firstFactor}
}

func TestOptional(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, optional)
		alice := w.person("alice")
		alice.get("/").want(200)
		alice.get("/.mfa/").want(303, "/.mfa/enroll").follow().want(200)
		alice.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303, "/.mfa/recovery-codes").follow().want(200)
		alice.get("/").want(303, "/.mfa/recovery-codes").follow().want(200) // now she is enrolled
		alice.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set()).want(303)
		alice.get("/").want(200)

		thief := w.person("alice") // whoever has only her password is stopped
		thief.get("/").want(303, "/.mfa/challenge")
		nobody := w.person("")
		nobody.get("/").want(401)
	})
}

// S24, S25, S63: switching off takes a fresh proof and the password, and leaves
// nothing behind.
func TestDisable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, optional)
		alice := w.person("alice")
		alice.get("/.mfa/enroll").want(200)
		alice.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303).follow().want(200).note()
		alice.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set()).want(303)
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/disable", "password", "secret").want(303, "/.mfa/challenge?purpose=settings&return=%2F.mfa%2Fdisable")
		alice.confirm()
		alice.get("/.mfa/disable").want(200)
		if !strings.Contains(alice.body, `type="password"`) {
			t.Errorf("the password is not asked for")
		}
		alice.post("/.mfa/disable", "password", "guess").want(422)
		alice.post("/.mfa/disable", "password", "secret").want(200)
		if got := w.kinds(); got[len(got)-1] != mfagate.EventDisabled {
			t.Errorf("events = %q; want disabled as the last", got)
		}
		alice.get("/").want(200) // with the password alone
		u, err := w.gate.User(t.Context(), aliceSubject)
		if err != nil || u.Enrolled || u.RecoveryLeft != 0 || u.Sessions != 0 {
			t.Errorf("User = %+v, %v; want nothing left", u, err)
		}
	})
}

// Where a second factor is required, nobody switches it off.
func TestDisableWhereRequired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, func(c *mfagate.BlockConfig) { c.Source = withPassword{firstFactor} })
		alice := w.person("alice").enrol("/")
		alice.confirm()
		alice.get("/.mfa/disable").want(200)
		if strings.Contains(alice.body, `action="/.mfa/disable"`) {
			t.Errorf("the page offers to switch off")
		}
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/disable", "password", "secret").want(403)
		time.Sleep(time.Minute)
		alice.elsewhere().prove("/", 0).want(303, "/")
	})
}

func TestObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, func(c *mfagate.BlockConfig) { c.Site.Mode = mfagate.Observe })
		w.person("alice").get("/").want(200)
		p := w.person("bob")
		p.cookies["mfagate"] = strings.Repeat("A", 43)
		p.get("/").want(200)
		if c := w.hits[1].Header["Cookie"]; len(c) > 0 {
			t.Errorf("the app was sent the gate's cookie: %q", c)
		}
		w.person("").get("/").want(401) // that is the first factor's business
	})
}
