package mfagate_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// TestDriftTellsWhoseClockIsWrong: three phones are a minute ahead of this machine, and one is right.
func TestDriftTellsWhoseClockIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		for i := range 4 {
			p := w.person(fmt.Sprintf("user%d", i))
			later := 1
			if i == 3 {
				later = 0
			}
			p.get("/").want(303, "/.mfa/enroll").follow().want(200)
			p.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
			p.post("/.mfa/enroll/totp", "code", p.code(later)).want(303, "/.mfa/recovery-codes")
			time.Sleep(time.Minute)
		}
		got, err := w.gate.Drift(t.Context())
		if want := (mfagate.Drift{Right: 1, Ahead: 3}); err != nil || got != want {
			t.Errorf("Drift = %+v, %v; want %+v", got, err, want)
		}
	})
}
