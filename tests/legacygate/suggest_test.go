package legacygate_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// unrecognised are the apps whose login cannot be learnt by looking on, as docs/login-form.md
// says, and those that nobody has tried.
var unrecognised = map[string]string{
	"deluge":       "its password is in /params/0",
	"transmission": "it has no form",
	"node-red":     "its scripts send a token: that takes session bearer, which is not suggested",
}

// TestSuggestedBlocks looks on while alice uses an app as ever, and then protects it by what
// caddy mfa suggest prints.
func TestSuggestedBlocks(t *testing.T) {
	t.Parallel() // to TestFormLeftOpen, which waits
	for _, name := range legacy.Chosen(t) {
		if unrecognised[name] != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			w := &world{T: t, app: legacy.Start(t, name), uses: usesOf[name]}
			w.wire = newWire(t, w.app)
			w.gate = gatetest.Start(t, gatetest.Config{Plain: true, Site: w.site("login_form\n\t\tmode observe")})
			for range 2 {
				w.asEver()
			}
			block := w.suggested()
			t.Logf("%s", block)
			w.gate.WriteConfig(gatetest.Config{Plain: true, Site: w.site(block)})
			w.gate.Restart()
			w.holds(block)
		})
	}
}

// asEver is how alice uses the app while the gate looks on.
func (w *world) asEver() {
	w.Helper()
	alice := w.app.Visit(w.T, w.gate.URL)
	alice.Header = http.Header{
		"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) gatetest"}, "Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}, "Origin": {w.gate.URL},
	}
	at := w.app.Front
	open := func(path string, from string) legacy.Answer {
		alice.Header.Set("Referer", w.gate.URL+from)
		a := alice.Get(path)
		for range 3 {
			to := strings.TrimPrefix(a.Header.Get("Location"), w.gate.URL)
			if a.Status/100 != 3 || !strings.HasPrefix(to, "/") {
				break
			}
			a = alice.Get(to)
		}
		return a
	}
	open(at, "/")
	for _, asset := range w.uses.assets {
		open(asset, loginPages[w.app.Name])
	}
	alice.Header.Set("Referer", w.gate.URL+loginPages[w.app.Name])
	u := w.app.Users[0]
	if alice.SignIn(u.Name, "a wrong one"); alice.SignedIn() {
		w.Fatal("a wrong password is taken")
	}
	a := alice.SignIn(u.Name, u.Password)
	if to := strings.TrimPrefix(a.Header.Get("Location"), w.gate.URL); strings.HasPrefix(to, "/") {
		open(to, loginPages[w.app.Name])
	}
	for _, use := range w.uses.pages {
		if use.call == "" {
			open(use.path, at)
		}
	}
	if !alice.SignedIn() {
		w.Fatalf("while it observes alice is not let in (%d)", a.Status)
	}
	alice.SignOut()
}

// loginPages show the form.
var loginPages = map[string]string{
	"dokuwiki": "/doku.php?id=start&do=login", "qbittorrent": "/", "redmine": "/login", "wordpress": "/wp-login.php", "roundcube": "/", "jupyter": "/login", "node-red": "/",
}

// suggested returns the block as it is printed. Of what it marks as uncertain only one app needs
// something: Jupyter's scripts read a cookie.
func (w *world) suggested() string {
	w.Helper()
	out, err := w.gate.Command("mfa", "suggest", "--address", "unix/"+w.gate.AdminSocket).Output()
	if err != nil {
		w.Fatalf("mfa suggest: %v\n%s", err, out)
	}
	if w.app.Name == "jupyter" {
		return strings.Replace(string(out), "\t# pass_cookies ", "\tpass_cookies ", 1)
	}
	return string(out)
}

// holds leads alice through the gate by the block.
func (w *world) holds(block string) {
	w.Helper()
	thief := w.person(w.app.Users[0].Name)
	for _, use := range w.uses.pages {
		if a := thief.open(use); use.path != "/" && strings.Contains(a.Body, use.shows) {
			w.Errorf("%s shows %q to a stranger", use.path, use.shows)
		}
	}
	for _, asset := range w.uses.assets {
		if a := thief.app.Get(asset); a.Status != http.StatusOK {
			w.Errorf("the login page needs %s: got %d", asset, a.Status)
		}
	}
	mistakes(thief)
	alice := w.person(w.app.Users[0].Name)
	maps.Copy(alice.app.Header, http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) gatetest"}})
	switch {
	case strings.Contains(block, "\n\tuser const admin\n"):
		w.uses.account = "admin"
	case !strings.Contains(block, "\n\tidentify "):
		w.uses.account = alice.user.Name
	}
	alice.signIn(gatetest.PathEnrol)
	alice.wantWithheld(alice.app.Get(w.uses.pages[1].path))
	alice.enrol()
	if !alice.app.SignedIn() || alice.app.Who() != alice.user.Name {
		w.Fatalf("alice is not in the app after the enrolment")
	}
	use(alice)
	logOut(alice)
	nextVisit(alice)
}
