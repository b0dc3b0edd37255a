package browser_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// TestLegacyAppIdle leaves a page open until the session is locked, whatever its scripts ask for
// meanwhile: whoever goes on is asked for the proof, and comes back to that page.
func TestLegacyAppIdle(t *testing.T) {
	for name, goesOn := range map[string]string{
		"wordpress": "document.querySelector('#menu-posts > a').click(); true",
		"node-red":  "$.get('flows'); true", // as its scripts ask
		"jupyter":   "location.reload(); true",
	} {
		if !long() || !slices.Contains(legacy.Chosen(t), name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			u := newAppUse(t, name, "idle 1m")
			b := u.open(look{name: name + "-idle"})
			u.ask(b)
			p := u.enrol(b)
			time.Sleep(time.Minute + 5*time.Second) // as long as a session may be idle
			b.shoot("idle")
			eval[bool](b, goesOn)
			b.waitAt(gatetest.PathChallenge)
			b.fill("#code", p.code(t))
			b.press(`form:has(#code) button.primary`)
			b.waitFor(u.inside)
			if at := b.at(); !strings.HasPrefix(at, u.deep) {
				t.Errorf("after the proof at %s; want %s, where the person was", at, u.deep)
			}
			b.shoot("after the proof")
		})
	}
}
