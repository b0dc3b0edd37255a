package browser_test

import (
	"slices"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// TestLegacyAppLooks has people sign in, set up a phone and prove it without JavaScript, and on a
// phone in the dark, at apps that can be used so.
func TestLegacyAppLooks(t *testing.T) {
	for _, name := range []string{"wordpress", "redmine"} {
		if !long() || !slices.Contains(legacy.Chosen(t), name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			u := newAppUse(t, name)
			for i, l := range []look{{name: name + "-no-script", noScript: true}, {name: name + "-phone-dark", phone: true, dark: true}} {
				u.app.Users[0], u.app.Users[i] = u.app.Users[i], u.app.Users[0]
				b := u.open(l)
				u.mistakes(b)
				p := u.enrol(b)
				u.again(b, p)
			}
		})
	}
}
