package legacygate_test

import (
	"slices"
	"strings"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// attemptsEach is after how many ways the gate begins to count attempts anew, so that
// none is refused because there were many.
const attemptsEach = 12

// otherWays tries each way as somebody who knows alice's password and has nothing
// else.
func otherWays(p *person) {
	w := p.w
	for i, way := range w.app.Ways() {
		if i%attemptsEach == attemptsEach-1 {
			w.gate.Restart()
		}
		thief := w.person(p.user.Name)
		before := w.wire.count()
		a := way.Try(thief.app, p.user)
		if a.Status == 429 {
			w.Errorf("%s: refused because of too many attempts, which shows nothing", way.Name)
		}
		if thief.app.LetIn(a) || thief.app.Who() != "" {
			w.Errorf("%s: leads in without a second factor (status %d)\n%.300s", way.Name, a.Status, a.Body)
		}
		if asked(a) == gatetest.PathEnrol || thief.Navigate(w, w.uses.pages[0].path).URL.Path == gatetest.PathEnrol {
			w.Errorf("%s: leads to an enrolment, as if nobody had a factor", way.Name)
		}
		w.wantFormOnly(way, w.wire.since(before), p.user.Password)
	}
}

// wantFormOnly wants a password to have reached the app in its login form only, with
// no cookie of somebody who is signed in.
func (w *world) wantFormOnly(way legacy.Way, all []sent, password string, signedIn ...string) {
	w.Helper()
	for _, s := range all {
		if !s.has(password) {
			continue
		}
		uri, _, _ := strings.Cut(s.uri, "?")
		method := "POST"
		if w.uses.basic { // asked once whether it is right
			method = "GET"
		}
		if s.method != method || !slices.Contains(w.uses.forms, uri) {
			w.Errorf("%s: the password reached the app by %s %s", way.Name, s.method, s.uri)
		}
		for _, c := range s.cookies {
			if slices.Contains(signedIn, c.Value) && !w.uses.passes(c.Name) {
				w.Errorf("%s: the password reached the app with %s of somebody's session", way.Name, c.Name)
			}
		}
	}
}

// insideAnothers tries each way within the session of bob, who has a second factor
// of his own and knows alice's password.
func insideAnothers(alice *person) {
	w := alice.w
	bob := w.person("bob")
	bob.signIn(gatetest.PathEnrol)
	bob.enrol()
	if got := bob.app.Who(); got != "bob" {
		w.Fatalf("the app calls bob %q", got)
	}
	proofs := 0
	for i, way := range w.app.Ways() {
		if strings.HasPrefix(way.Name, "the name ") && way.Name != "the name in capitals" {
			continue // the same request for the gate: it ends bob's session
		}
		if i%attemptsEach == attemptsEach-1 {
			w.gate.Restart()
		}
		if bob.app.Who() != "bob" {
			bob.signIn(gatetest.PathChallenge)
			bob.recover()
			proofs++
		}
		before := w.wire.count()
		signedIn := bob.cookiesAtApp()
		a := way.Try(bob.app, alice.user)
		if got := bob.app.Who(); got == alice.user.Name {
			w.Errorf("%s: bob is in the app as alice (status %d)", way.Name, a.Status)
			return
		}
		if slices.Contains([]string{"a token in a WebSocket", "a token in the request for a WebSocket"}, way.Name) && strings.Contains(a.Body, legacy.Marker) {
			w.Errorf("%s: the app takes alice's token from bob: %.200s", way.Name, a.Body)
		}
		w.wantFormOnly(way, w.wire.since(before), alice.user.Password, signedIn...)
	}
	if bob.app.Who() != "bob" {
		bob.signIn(gatetest.PathChallenge)
		bob.recover()
	}
	a := bob.app.SignIn(alice.user.Name, alice.user.Password)
	if asked(a) == "" { // where a token is in the form, that of his session does not fit any more
		bob.wantWithheld(a)
		a = bob.app.SignIn(alice.user.Name, alice.user.Password)
	}
	if to := asked(a); to != gatetest.PathChallenge {
		w.Errorf("alice's password at the form leads to %q (%d); want the challenge for her factor", to, a.Status)
	}
	bob.wantWithheld(a)
	page := bob.Prove(w, w.uses.pages[0].path, "totp", bob.Phone.Code(w))
	if bob.app.SignedIn() {
		w.Errorf("bob's factor opens alice's session (%d at %s)", page.Status, page.URL)
	}
}

// cookiesAtApp are the values of the cookies that the app gets from the person now.
func (p *person) cookiesAtApp() []string {
	p.w.Helper()
	before := p.w.wire.count()
	p.app.SignedIn()
	var values []string
	for _, s := range p.w.wire.since(before) {
		for _, c := range s.cookies {
			values = append(values, c.Value)
		}
	}
	return values
}
