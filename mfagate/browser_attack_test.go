package mfagate_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// madeUp is a cookie of a browser that has proved nothing.
const madeUp = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// Somebody who sends any text as the cookie of a browser that has proved has no more tries
// at a factor than other strangers.
func TestMadeUpBrowserHasNoShareAtTheChallenge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.person("alice").enrol("/")
		guesser, judged := w.person("alice"), 0
		for i := range 143 { // of ten minutes: less than a day
			guesser.cookies["mfagate_browser"] = madeUp
			guesser.get("/").want(303, "/.mfa/challenge").follow()
			if guesser.post("/.mfa/challenge", "method", "totp", "code", fmt.Sprintf("%06d", i)); guesser.last.Code == 401 {
				judged++
			}
			time.Sleep(10 * time.Minute)
		}
		if judged < 20 || judged > 30 {
			t.Errorf("%d guesses of a day were judged; want 30 at most", judged)
		}
	})
}

// Nor has he more tries at a password, for one name or for many.
func TestMadeUpBrowserHasNoShareAtTheLoginForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newFormWorld(t)
		p := w.person("")
		for range 20 {
			p.signIn("alice", "wrong").want(200)
		}
		p.signIn("alice", "wrong").want(429)
		p.cookies["mfagate_browser"] = madeUp
		p.signIn("alice", "wrong").want(429)
		for i := range 280 {
			p.signIn(fmt.Sprintf("name%d", i), "wrong")
		}
		p.signIn("another", "wrong").want(429)
	})
}

// A browser's cookie that somebody has put there does not become one that is known.
func TestPlantedBrowserBecomesNoneThatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice")
		alice.cookies["mfagate_browser"] = madeUp
		alice.enrol("/")
		if got := alice.cookies["mfagate_browser"]; got == madeUp || got == "" {
			t.Errorf("the browser is known as %q", got)
		}
	})
}
