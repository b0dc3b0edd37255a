package legacygate_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// TestFormLeftOpen has alice leave a form of DokuWiki open until her session is locked, prove
// that she is there, and send it again.
func TestFormLeftOpen(t *testing.T) {
	t.Parallel() // it waits for longer than a minute
	if !slices.Contains(legacy.Chosen(t), "dokuwiki") {
		t.Skip("dokuwiki is not among the apps")
	}
	w := &world{T: t, app: legacy.Start(t, "dokuwiki"), uses: usesOf["dokuwiki"]}
	w.wire = newWire(t, w.app)
	w.gate = gatetest.Start(t, gatetest.Config{Plain: true, Site: w.site("login_form dokuwiki\n\t\tidle 1m")})
	alice := w.person("alice")
	enrolment(alice)
	form := alice.hidden(alice.app.Get("/doku.php?id=long&do=edit"), "wikitext")
	if got := alice.fetch(alice.app, http.MethodGet, wikiMedia(alice, "locked.zip", noise(large)), nil); got.size != large || got.status != http.StatusOK {
		t.Errorf("a download within the session: %d with %d bytes; want %d", got.status, got.size, large)
	}
	time.Sleep(time.Minute + 2*time.Second)
	const edit = "/doku.php?id=long&do=edit"
	alice.app.Header.Set("Referer", w.gate.URL+edit)
	save := func() legacy.Answer {
		return alice.post("/doku.php?id=long", form, "wikitext", "what took a long time to write", "summary", "", "do[save]", "1")
	}
	before := w.wire.count()
	a := save()
	if to := asked(a); to != gatetest.PathChallenge || a.Status != http.StatusSeeOther {
		t.Fatalf("after an idle minute the form leads to %q (%d); want the challenge", to, a.Status)
	}
	for _, s := range w.wire.since(before) {
		if s.method == http.MethodPost {
			t.Errorf("%s %s reached the app from a locked session", s.method, s.uri)
		}
	}
	alice.wantWithheld(alice.app.Get("/doku.php?id=start"))
	page := alice.Follow(t, alice.Do(t, alice.Request(t, http.MethodGet, a.Header.Get("Location"), nil, nil)))
	page = alice.Submit(t, page, gatetest.PathChallenge, url.Values{"method": {"totp"}, "code": {alice.Phone.Code(t)}})
	if page.Status != http.StatusOK || page.URL.RequestURI() != edit {
		t.Errorf("after the proof: %d at %s; want %s, from where the form was sent", page.Status, page.URL, edit)
	}
	if got := alice.app.Who(); got != "alice" {
		t.Errorf("after the proof the app calls alice %q", got)
	}
	if a := save(); a.Status >= 400 { // back in the browser, and once more
		t.Errorf("the form is answered with %d", a.Status)
	}
	alice.posted(alice.app.Get("/doku.php?id=long"), "what took a long time to write")
}

// TestAppEndsItsSession has the app forget alice while the gate's session lives: she is shown
// the login page, and signs in as ever.
func TestAppEndsItsSession(t *testing.T) {
	t.Parallel() // to TestFormLeftOpen, which waits
	for _, name := range legacy.Chosen(t) {
		if keeps[name] != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			w := start(t, name)
			alice := w.person(w.app.Users[0].Name)
			enrolment(alice)
			alice.forgotten()
			if alice.app.SignedIn() {
				t.Fatal("the app has not forgotten alice")
			}
			alice.entersAnew(alice.user.Password)
		})
	}
}

// keeps are the apps whose cookies stay good whatever the app does.
var keeps = map[string]string{
	"dokuwiki": "its cookie has the password in it: see TestPasswordChanged", "jupyter": "its cookie is signed, and good for a month", "transmission": "it has no sessions",
	"wordpress": "its cookies have names that go by the address, and open nothing beside the gate: see TestPasswordChanged",
}

// forgotten has the app end its session, by the app's own way and beside the gate.
func (p *person) forgotten() {
	w := p.w
	w.Helper()
	before := w.wire.count()
	p.app.Who()
	p.app.SignedIn()
	direct := w.app.Visit(w.T, "")
	at, err := url.Parse(direct.Base)
	if err != nil {
		w.Fatal(err)
	}
	for _, s := range w.wire.since(before) {
		for _, c := range s.cookies {
			direct.Client.Jar.SetCookies(at, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/"}})
		}
		if s.authorization != "" {
			direct.Header.Set("Authorization", s.authorization)
		}
	}
	if !direct.SignedIn() {
		w.Fatal("what the app gets from alice does not open it: the sign-out would show nothing")
	}
	direct.SignOut()
}

// entersAnew signs in from a page that leads to the login page, with a second factor.
func (p *person) entersAnew(password string) {
	w := p.w
	w.Helper()
	p.user.Password = password
	page := p.Navigate(w, w.uses.pages[0].path)
	if page.Status >= 500 || strings.HasPrefix(page.URL.Path, "/.mfa/") || strings.Contains(page.Body, legacy.Marker) {
		w.Errorf("%s leads to %s (%d):\n%.400s", w.uses.pages[0].path, page.URL, page.Status, page.Text())
	}
	p.signIn(gatetest.PathChallenge)
	p.wantWithheld(p.app.Get(w.uses.pages[0].path))
	p.recover()
	if got := p.app.Who(); got != p.user.Name {
		w.Errorf("the app calls alice %q", got)
	}
}

// changes are how a password is changed in an app.
var changes = map[string]func(p *person, password string){
	"dokuwiki": func(p *person, password string) {
		form := p.hidden(p.app.Get("/doku.php?id=start&do=profile"), "newpass")
		p.posted(p.post("/doku.php?id=start", form, "fullname", "Alice Example", "email", "alice@example.test",
			"newpass", password, "passchk", password, "oldpass", p.user.Password, "save", "1"), "")
	},
	"wordpress": func(p *person, password string) {
		form := p.hidden(p.app.Get("/wp-admin/profile.php"), "user_login")
		p.posted(p.post("/wp-admin/profile.php", form, "email", "alice@example.test", "nickname", "alice", "display_name", "alice",
			"pass1", password, "pass2", password, "pw_weak", "on", "action", "update"), "")
	},
	"redmine": func(p *person, password string) {
		form := p.hidden(p.app.Get("/my/password"), "new_password")
		p.posted(p.post("/my/password", form, "password", p.user.Password, "new_password", password, "new_password_confirmation", password), "")
	},
}

// TestPasswordChanged has alice change her password in the app: she stays signed in or is led to
// the login page, and from then on signs in with the new one and the factor that she has.
func TestPasswordChanged(t *testing.T) {
	t.Parallel() // to TestFormLeftOpen, which waits
	for _, name := range legacy.Chosen(t) {
		change, ok := changes[name]
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			const password = "Passw0rd-alice-new-9"
			w := start(t, name)
			alice := w.person("alice")
			enrolment(alice)
			other := alice.elsewhere(w)
			other.signIn(gatetest.PathChallenge)
			other.wantWithheld(other.app.Get(w.uses.pages[0].path))
			other.recover()
			alice.Codes = other.Codes
			change(alice, password)
			t.Logf("after the change alice is in: here %v, at her other browser %v", alice.app.SignedIn(), other.app.SignedIn())
			old := alice.elsewhere(w)
			if a := old.app.SignIn("alice", old.user.Password); asked(a) != "" || old.app.LetIn(a) {
				t.Errorf("the old password leads to %q (%d)", asked(a), a.Status)
			}
			q := alice.elsewhere(w)
			q.entersAnew(password)
		})
	}
}
