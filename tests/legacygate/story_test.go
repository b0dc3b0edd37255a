package legacygate_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// TestApps leads alice through each app, and then tries all that is known to lead
// in without the gate.
func TestApps(t *testing.T) {
	t.Parallel() // to TestFormLeftOpen, which waits
	for _, name := range legacy.Chosen(t) {
		t.Run(name, func(t *testing.T) {
			w := start(t, name)
			alice := w.person(w.app.Users[0].Name)
			run := func(what string, f func(p *person)) {
				t.Run(what, func(t *testing.T) { f(alice.with(t)) })
			}
			run("a stranger", stranger)
			run("mistakes", mistakes)
			if !t.Run("enrolment", func(t *testing.T) { p := alice.with(t); enrolment(p); alice.Person = p.Person }) {
				return
			}
			run("use", use)
			run("channels", useChannels)
			run("log out", logOut)
			run("the next visit", nextVisit)
			run("a wrong password in a live session", wrongInSession)
			run("what ends", whatEnds)
			w.gate.Restart() // counts of attempts to sign in are kept in memory
			run("other ways in", otherWays)
			if one := len(w.app.Users) == 1; one != (w.uses.alone != "") {
				t.Errorf("one user: %v, and the reason is %q", one, w.uses.alone)
			} else if !one {
				t.Run("inside another's session", func(t *testing.T) { insideAnothers(alice.with(t)) })
			}
			want := w.uses.accounts(len(w.app.Users))
			if got := w.accounts(); !slices.Equal(got, want) {
				t.Errorf("accounts %q; want %q", got, want)
			}
		})
	}
}

// stranger sees the login page, and nothing of what is secret.
func stranger(p *person) {
	w := p.w
	page := p.Navigate(w, w.uses.pages[0].path)
	if page.Status >= 400 && !w.uses.basic || strings.Contains(page.Body, legacy.Marker) {
		w.Errorf("%s leads a stranger to %s (%d)", w.uses.pages[0].path, page.URL, page.Status)
	}
	for _, asset := range w.uses.assets {
		if a := p.app.Get(asset); a.Status != http.StatusOK {
			w.Errorf("the login page needs %s: got %d", asset, a.Status)
		}
	}
	for _, use := range w.uses.pages {
		if a := p.open(use); use.path != "/" && strings.Contains(a.Body, use.shows) {
			w.Errorf("%s shows %q to a stranger", use.path, use.shows)
		}
	}
	if p.app.SignedIn() || p.app.Who() != "" {
		w.Error("the app takes a stranger for somebody")
	}
}

// mistakes are a wrong password, and a wrong name.
func mistakes(p *person) {
	w := p.w
	a := p.app.SignIn(p.user.Name, "not the password")
	p.wantWithheld(a)
	if w.uses.wrong != "" && !strings.Contains(a.Body, w.uses.wrong) {
		w.Errorf("after a wrong password the page (%d) does not say %q:\n%.600s", a.Status, w.uses.wrong, a.Body)
	}
	if to := asked(a); to != "" {
		w.Errorf("a wrong password leads to %s", to)
	}
	if p.user.Name != "" {
		a = p.app.SignIn("alcie", p.user.Password)
		p.wantWithheld(a)
		if to := asked(a); to != "" {
			w.Errorf("a name that nobody has leads to %s", to)
		}
	}
}

// enrolment is the way from the page that alice wanted, past a login form that she
// gets right now, to that page.
func enrolment(p *person) {
	w := p.w
	want := w.uses.pages[1].path
	p.Navigate(w, want)
	p.signIn(gatetest.PathEnrol)
	page := p.enrol()
	if page.Status != http.StatusOK || strings.HasPrefix(page.URL.Path, "/.mfa/") {
		w.Fatalf("after the enrolment: %d at %s; want the app:\n%.600s", page.Status, page.URL, page.Text())
	}
	if got := page.URL.RequestURI(); got != want && !w.uses.script {
		w.Errorf("after the enrolment: at %s; want %s, which was asked for first", got, want)
	}
	if !p.app.SignedIn() {
		w.Fatal("alice has proved a second factor, and the app does not know her")
	}
	if got := p.app.Who(); got != p.user.Name {
		w.Errorf("the app calls alice %q", got)
	}
}

// use opens pages, and changes something.
func use(p *person) {
	w := p.w
	for _, use := range w.uses.pages {
		a := p.open(use)
		if a.Status != http.StatusOK || !strings.Contains(a.Body, use.shows) {
			w.Errorf("%s: got %d without %q:\n%.300s", use.path, a.Status, use.shows, a.Body)
		}
	}
	if w.uses.change != nil {
		w.uses.change(p)
	}
	if !p.app.SignedIn() {
		w.Error("signed out by using the app")
	}
}

// logOut leaves the app by its own link, with which the session of the gate ends.
func logOut(p *person) {
	w := p.w
	kept, token := p.Cookies(), p.app.Header.Get("Authorization")
	p.app.SignOut()
	if p.app.SignedIn() {
		w.Error("still in the app after the sign-out")
	}
	thief := w.person(p.user.Name)
	thief.Take(kept...)
	if !w.uses.basic { // where it is the password, which a thief may know
		thief.app.Header.Set("Authorization", token)
	}
	if thief.app.SignedIn() {
		w.Error("the cookies from before the sign-out are good for the app")
	}
}

// nextVisit asks for the second factor, and for no enrolment.
func nextVisit(p *person) {
	w := p.w
	q := p.elsewhere(w)
	q.signIn(gatetest.PathChallenge)
	q.wantWithheld(legacy.Answer{})
	page := q.Prove(w, w.uses.pages[0].path, "totp", p.Phone.Code(w))
	if page.Status != http.StatusOK || !q.app.SignedIn() {
		w.Errorf("after the proof: %d at %s; want the app:\n%.600s", page.Status, page.URL, page.Text())
	}
	if got := q.app.Who(); got != p.user.Name {
		w.Errorf("the app calls alice %q", got)
	}
	other := w.person(p.user.Name) // the app's cookies without the gate's session
	for _, c := range q.Cookies() {
		if !strings.Contains(c.Name, "mfagate") {
			other.Take(c)
		}
	}
	other.app.Header.Set("Authorization", q.app.Header.Get("Authorization"))
	if other.app.SignedIn() {
		w.Error("the app's cookies are good in another browser")
	}
}

// wrongInSession ends the session: in some apps a wrong password looks right as
// long as one lives.
func wrongInSession(p *person) {
	w := p.w
	q := p.elsewhere(w)
	q.signIn(gatetest.PathChallenge)
	q.wantWithheld(legacy.Answer{})
	q.recover()
	p.Codes = q.Codes // one is used up
	a := q.app.SignIn(p.user.Name, "not the password")
	if to := asked(a); to != "" {
		w.Errorf("a wrong password leads to %s", to)
	}
	q.wantWithheld(a)
	if w.uses.basic {
		return // every request is a sign-in
	}
	if page := q.Navigate(w, w.uses.pages[0].path); page.URL.Path == gatetest.PathChallenge || strings.Contains(page.Body, legacy.Marker) {
		w.Errorf("after a wrong password %s leads to %s", w.uses.pages[0].path, page.URL)
	}
}

// TestEveryAppIsUsed wants it told of each app how all of TestApps is done with it, so that
// nobody adds one of which half is tried.
func TestEveryAppIsUsed(t *testing.T) {
	for _, name := range legacy.Names {
		u, ok := usesOf[name]
		if !ok {
			t.Errorf("nobody has told how to use %s", name)
			continue
		}
		pages := make(map[page]bool)
		for _, p := range u.pages {
			if pages[p] = true; p.shows == "" {
				t.Errorf("%s: nothing tells that %s is what was asked for", name, p.path)
			}
		}
		if len(pages) < 3 {
			t.Errorf("%s: %d pages; want three", name, len(pages))
		}
		if u.change == nil {
			t.Errorf("%s: nothing is posted", name)
		}
		if u.wrong == "" && !u.basic {
			t.Errorf("%s: nobody knows what it says of a wrong password", name)
		}
		if len(u.forms) == 0 {
			t.Errorf("%s: nobody knows where its password goes", name)
		}
	}
}
