package loginattack

import (
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// TestO19NextUserOfTheBrowser: whoever comes next is asked for his own password
// and his own factor, however the one before has left.
func TestO19NextUserOfTheBrowser(t *testing.T) {
	leave := map[string]func(w *world, c *client){
		"by the app's logout": func(_ *world, c *client) { c.get("/logout").want(302, "/login") },
		"by the gate's":       func(_ *world, c *client) { c.signOut() },
		"by another spelling": func(_ *world, c *client) { c.get("/LOGOUT/").want(303, "/login") },
		"not at all":          func(*world, *client) {},
		"the app forgets her": func(w *world, c *client) { w.app.EndSessions("alice"); time.Sleep(time.Minute) },
		"the password changes": func(w *world, c *client) {
			w.app.SetPassword("alice", "x")
			w.app.EndSessions("alice")
			time.Sleep(time.Minute)
		},
		"after a day": func(*world, *client) { time.Sleep(24 * time.Hour) },
	}
	for how, leaves := range leave {
		for name, o := range map[string]oracle.Options{"cookie stays": {Rotation: oracle.RotateNever, LogoutKeeps: true, LogoutStatus: 500}, "plain": {}} {
			if how == "by the app's logout" {
				o.LogoutStatus = 0
			}
			t.Run(how+"/"+name, func(t *testing.T) {
				in(t, o, func(w *world) {
					w.enrol("alice", "bob")
					c := w.verified("alice")
					before := c.copied()
					leaves(w, c)
					w.ledger.Check(t)
					c.get("/login")
					c.submit("bob", w.app.Password("bob")).want(303, "/.mfa/challenge")
					w.over() // nobody is verified now
					c.look()
					before.look()
					if !c.prove("bob") {
						t.Fatalf("bob's code is refused: %d %.200q", c.last.Code, c.body)
					}
					c.get("/").want(200).shows(`<p id="user">bob</p>`)
					c.copied().withOld(before).look()
				})
			})
		}
	}
}

// withOld gives a browser the cookies of another, but for the gate's own.
func (c *client) withOld(old *client) *client {
	for name, value := range old.cookies {
		if !strings.HasPrefix(name, gateCookie) {
			c.cookies[name] = value
		}
	}
	return c
}

// TestLogoutIsNoWayAroundTheGate: a sign-out that some app takes for another page
// does not reach it, and neither does one with credentials.
func TestLogoutIsNoWayAroundTheGate(t *testing.T) {
	o := oracle.Everything()
	for _, uri := range []string{
		"/logout?do=out&user=vic&password=password+of+vic", "/logout?do=out&do=notes", "/LOGOUT?do=out", "/logout;x?do=out", "/logout/?do=out", "/notes/../logout?do=out",
		"/logout?do=out&as=vic", "/logout?do=out&key=key-of-vic", "/logout?do=out&do[]=x",
	} {
		in(t, o, func(w *world) {
			w.enrol("vic")
			eve := w.verified("eve")
			from := w.app.Count()
			eve.get(uri)
			for _, a := range w.app.Acts()[from:] {
				if a.URI != "/logout?do=out" || a.User != "eve" && a.User != "" {
					t.Errorf("%s reached the app as %s %s, which acted as %q", uri, a.Method, a.URI, a.User)
				}
			}
			eve.get("/notes").want(303, "/login")
		}, func(c *loginform.Config) { c.Logout = patterns("GET /logout?do=out") })
	}
}

// TestSignInLeadsNotBackToTheLogout: somebody whose session is over clicks "sign
// out", and signs in anew.
func TestSignInLeadsNotBackToTheLogout(t *testing.T) {
	in(t, oracle.Options{}, func(w *world) {
		w.enrol("alice")
		c := w.client()
		c.get("/logout").want(303, "/login")
		c.signIn("alice").want(303, "/.mfa/challenge")
		c.prove("alice")
		c.want(303, "/").follow().want(200).shows("Welcome")
	})
}

// TestO23ConcurrentLogins: of two browsers of one user each has its own session.
func TestO23ConcurrentLogins(t *testing.T) {
	each(t, func(w *world) {
		w.enrol("alice")
		a, b := w.verified("alice"), w.verified("alice")
		b.get("/logout")
		a.get("/notes").want(200)
		b.get("/notes").want(303, "/login")
		a.copied().withOld(b).look()
	})
}

// TestO24PasswordChange: the app ends the sessions of somebody who has left.
func TestO24PasswordChange(t *testing.T) {
	each(t, func(w *world) {
		w.enrol("alice")
		c := w.verified("alice")
		w.app.SetPassword("alice", "")
		w.app.EndSessions("alice")
		time.Sleep(time.Minute)
		c.get("/notes")
		if c.last.Code == 200 {
			t.Errorf("a page is shown a minute after the app has ended the session: %.200q", c.body)
		}
		c.look()
	})
}
