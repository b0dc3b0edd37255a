package loginattack

import (
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// TestO07AutoLogin: a link that signs in signs in nobody here, as a listed way
// to a new password and as any other request.
func TestO07AutoLogin(t *testing.T) {
	for name, change := range map[string]func(*loginform.Config){
		"listed":   func(c *loginform.Config) { c.Refuse, c.Reset = nil, patterns("GET /reset?token=*") },
		"unlisted": func(c *loginform.Config) { c.Refuse = nil },
		"refused":  func(*loginform.Config) {},
	} {
		for _, rotation := range []oracle.Rotation{oracle.RotateAtLogin, oracle.RotateNever, oracle.RotateAlways} {
			t.Run(name, func(t *testing.T) {
				in(t, oracle.Options{Reset: true, Rotation: rotation}, func(w *world) {
					w.enrol("vic")
					w.ledger.Surface = func(a oracle.Act) bool {
						return oracle.LoginSurface(a) || name == "listed" && a.Action == oracle.SignIn && a.Channel == oracle.ByReset
					}
					c := w.client()
					c.get("/login")
					before := c.copied()
					c.get(w.app.ResetLink("vic"))
					if name != "refused" {
						c.want(303, "/login")
					}
					c.look()
					before.look()
					before.get(w.app.ResetLink("vic"))
					before.look()
					before.signIn("vic")
					before.look()
				}, change)
			})
		}
	}
}

// TestResetOfNobodyIsShown: where the app signs nobody in, its pages for forgotten
// passwords are shown, and the login form works afterwards.
func TestResetOfNobodyIsShown(t *testing.T) {
	in(t, oracle.Options{Reset: true, FormToken: true, Rotation: oracle.RotateNever}, func(w *world) {
		w.enrol("vic")
		c := w.client()
		c.get("/login")
		c.get("/reset?token=none").want(403).shows("no longer valid")
		c.signIn("vic").want(303, "/.mfa/challenge")
	}, func(c *loginform.Config) { c.Refuse, c.Reset = nil, patterns("GET /reset?token=*") })
}
