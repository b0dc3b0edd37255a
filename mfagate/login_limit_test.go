package mfagate_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Of the people behind one address each has a browser that nobody has seen before.
const office = 330

func TestOfficeBehindOneAddressSignsInAtNine(t *testing.T) {
	w, _ := newFormWorld(t)
	for i := range office {
		p := w.person("")
		if p.signIn(fmt.Sprint("clerk", i), formPassword); p.last.Code != 303 {
			t.Fatalf("clerk %d gets %d; want 303", i, p.last.Code)
		}
	}
	b := loginWorld(t, basicConfig(), new(basicApp))
	for i := range office {
		if p := b.person("").basic("GET", "/", fmt.Sprint("clerk", i), formPassword); p.last.Code != 303 {
			t.Fatalf("with Basic clerk %d gets %d; want 303", i, p.last.Code)
		}
	}
}

// Whoever knows one password signs in with it between guesses at those of others: that makes
// no room for any more.
func TestOwnPasswordMakesNoRoomForGuessingOthers(t *testing.T) {
	w, app := newFormWorld(t)
	own := 0
	for i := range office {
		if i%25 == 0 {
			p := w.person("")
			if p.signIn("eve", formPassword); p.last.Code == 303 {
				own++
			}
		}
		w.person("").post("/login", "user", fmt.Sprint("victim", i), "password", "guess")
	}
	asked := 0
	for _, act := range app.acts {
		if strings.HasSuffix(act, "POST /login") {
			asked++
		}
	}
	if guesses := asked - own; own < 10 || guesses != 300 {
		t.Errorf("%d guesses reached the app beside %d own sign-ins; want 300, beside more than 10", guesses, own)
	}
	if p := w.person("").signIn("eve", formPassword); p.last.Code != 429 {
		t.Errorf("after that the own password gets %d; want 429", p.last.Code)
	}
}

// So it is with Basic credentials, also where several requests bring the same at once.
func TestOwnBasicPasswordMakesNoRoomForGuessingOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, app := newKeyWorld(t)
		for i := range office {
			if i%20 == 0 {
				p.burst(3, "alice", formPassword, false)
				time.Sleep(6 * time.Second) // for the app to be asked again
			}
			p.burst(1, fmt.Sprint("victim", i), "guess", false)
		}
		if app.wrong != 300 || app.right < 10 {
			t.Errorf("%d guesses reached the app beside %d right answers; want 300, beside more than 10", app.wrong, app.right)
		}
	})
}
