package legacy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// TestWays shows that each way leads in, or not, as it says of itself: what is
// refused by the app anyway proves nothing about a gate.
func TestWays(t *testing.T) {
	for _, name := range legacy.Chosen(t) {
		t.Run(name, func(t *testing.T) {
			app := legacy.Start(t, name)
			u := app.Users[0]
			for _, way := range app.Ways() {
				v := app.Visit(t, "")
				a := way.Try(v, u)
				if got := v.LetIn(a); got != way.Opens {
					t.Errorf("%s: leads in %v (status %d); want %v\n%.300s", way.Name, got, a.Status, way.Opens, a.Body)
				}
				if way.Opens && strings.HasPrefix(way.Name, "the name ") && v.Who() != u.Name {
					t.Errorf("%s: signed in as %q; want %q", way.Name, v.Who(), u.Name)
				}
				if slices.Contains(withoutPassword, way.Name) {
					continue
				}
				if name == "node-red" { // it locks a name after five failures, and forgets them when one is right
					app.Visit(t, "").SignIn(u.Name, u.Password)
				}
				wrong := app.Visit(t, "")
				if a := way.Try(wrong, legacy.User{Name: u.Name, Password: "wrong"}); wrong.LetIn(a) {
					t.Errorf("%s: a wrong password leads in", way.Name)
				}
			}
		})
	}
}

// TestEveryAppHasItsWays wants of each app ways of each kind, or a reason why there are
// none, so that nobody adds an app of which half was looked at.
func TestEveryAppHasItsWays(t *testing.T) {
	for _, app := range legacy.Names {
		ways := legacy.WaysOf(app)
		for _, group := range legacy.Groups {
			reason := legacy.NoWays[app][group]
			switch {
			case len(ways[group]) == 0 && reason == "":
				t.Errorf("%s has no ways of the kind %q, and NoWays does not say why", app, group)
			case len(ways[group]) > 0 && reason != "":
				t.Errorf("%s has ways of the kind %q, which NoWays denies: %s", app, group, reason)
			}
		}
		seen := make(map[string]bool)
		for group, all := range ways {
			for _, w := range all {
				if seen[w.Name] {
					t.Errorf("%s: %q is there twice", app, w.Name)
				}
				if seen[w.Name] = true; !slices.Contains(legacy.Groups, group) {
					t.Errorf("%s: %q is of the kind %q, of which nobody has heard", app, w.Name, group)
				}
			}
		}
	}
}

// TestInsideASession shows what a password does in somebody else's live session:
// the reason why a gate must not send one there.
func TestInsideASession(t *testing.T) {
	tests := map[string]struct {
		who   string // after bob's right password; nobody where the session ends
		wrong bool   // whether a wrong password leaves the session as it was
	}{
		"dokuwiki": {"bob", false}, "wordpress": {"bob", true}, "roundcube": {"alice", true},
		"redmine": {"", false}, "qbittorrent": {"alice", true}, "node-red": {"bob", false},
	}
	for _, name := range legacy.Chosen(t) {
		want, ok := tests[name]
		if !ok {
			continue // a password only, or one with each request
		}
		t.Run(name, func(t *testing.T) {
			app := legacy.Start(t, name)
			v := app.Visit(t, "")
			v.SignIn("alice", app.Password("alice"))
			a := v.SignIn("alice", "wrong")
			if got := v.SignedIn(); got != want.wrong {
				t.Errorf("signed in %v after a wrong password (status %d, %.100q); want %v", got, a.Status, a.Body, want.wrong)
			}
			if len(app.Users) == 1 {
				return
			}
			v = app.Visit(t, "")
			v.SignIn("alice", app.Password("alice"))
			v.SignIn("bob", app.Password("bob"))
			if got := v.Who(); got != want.who {
				t.Errorf("%q after bob's password; want %q", got, want.who)
			}
		})
	}
}

// withoutPassword are the ways that use what somebody kept from a sign-in, or
// the rights of somebody else.
var withoutPassword = []string{
	"an application password in XML-RPC", "an application password in REST", "a feed with its key",
	"an administrator who switches to the user", "basic of the flows", "a token in the query", "a token in a WebSocket",
	"a token in the request for a WebSocket",
	"the names of users in REST", "the names of users in REST by path",
}
