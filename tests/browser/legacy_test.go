package browser_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// A legacyLogin is how a person signs in on the app's own page.
type legacyLogin struct {
	site           string // lines of the site beside the recipe's; APP stands for the app
	user, password string // selectors; the first is empty where there are no names
	button         string
	account        string        // that needs a ticket to enrol
	inside         string        // selector of what is there after the sign-in
	wrong          string        // what the page says of a wrong password
	settles        time.Duration // until its script has put the cursor where it wants it
}

var legacyLogins = map[string]legacyLogin{
	"dokuwiki": {
		site: "reverse_proxy APP", user: "input[name=u]", password: "input[name=p]",
		button: "#dw__login button[type=submit]", inside: "li.user", wrong: "username or password was wrong",
	},
	"qbittorrent": {
		site: "reverse_proxy APP {\nheader_up Host {upstream_hostport}\n}", user: "#username", password: "#password",
		button: "#login", inside: "#logoutLink", wrong: "Invalid Username or Password",
	},
	"deluge": {
		site: "reverse_proxy APP", password: "#_password",
		button: ".x-window button", account: "admin", wrong: "incorrect password", settles: time.Second,
		inside: "table.x-btn:not(.x-item-disabled) button.icon-logout",
	},
}

// TestLegacyApps has alice sign in on the app's own page, as its own scripts have it,
// enrol, and see the app; and once more with the phone that she has then.
func TestLegacyApps(t *testing.T) {
	for _, name := range legacy.Chosen(t) {
		login, ok := legacyLogins[name]
		if !ok {
			continue // led through by tests/legacygate
		}
		t.Run(name, func(t *testing.T) {
			app := legacy.Start(t, name)
			s := gatetest.Start(t, gatetest.Config{Plain: true, Site: "mfa {\nlogin_form " + name + "\n}\n" +
				strings.ReplaceAll(login.site, "APP", strings.TrimPrefix(app.URL, "http://"))})
			b := open(t, s, "", look{name: name})
			u := app.Users[0]
			b.typeLogin(login, u.Name, "not the password")
			b.stays(login)
			b.shoot("wrong password")
			b.typeLogin(login, u.Name, u.Password)
			b.waitAt(gatetest.PathEnrol)
			p := b.enrolPhone(login)
			b.waitFor(login.inside)
			b.shoot("app")
			b.forget()
			b.typeLogin(login, u.Name, u.Password)
			b.waitAt(gatetest.PathChallenge)
			b.shoot("challenge")
			b.fill("#code", p.code(t))
			b.press(`form:has(#code) button.primary`)
			b.waitFor(login.inside)
			b.shoot("app again")
		})
	}
}

// typeLogin fills in the form of the app's own page.
func (b *tab) typeLogin(l legacyLogin, user, password string) {
	b.Helper()
	b.visit("/")
	b.waitFor(l.password)
	time.Sleep(l.settles)
	b.shoot("login page")
	if l.user != "" {
		b.fill(l.user, user)
	}
	b.fill(l.password, password)
	b.click(l.button)
}

// stays wants the login page to be there still, and nothing of the app.
func (b *tab) stays(l legacyLogin) {
	b.Helper()
	b.until(l.wrong, func() bool { return strings.Contains(b.text("body"), l.wrong) })
	if at := b.at(); strings.HasPrefix(at, "/.mfa/") {
		b.Errorf("a wrong password leads to %s", at)
	}
}

// enrolPhone goes through the pages of the enrolment.
func (b *tab) enrolPhone(l legacyLogin) *phone {
	b.Helper()
	if l.account != "" {
		out, err := b.server.Command("mfa", "enroll", l.account, "--address", "unix/"+b.server.AdminSocket).CombinedOutput()
		if err != nil {
			b.Fatalf("mfa enroll: %v\n%s", err, out)
		}
		b.shoot("ticket")
		b.fill("input[name=ticket]", ticketOf(b.T, string(out)))
		b.press("form:has(input[name=ticket]) button.primary")
	}
	b.shoot("choose")
	b.press(`form[action="/.mfa/enroll/totp"] button`)
	b.click("details:has(.secret) > summary")
	p := &phone{secret: strings.ReplaceAll(strings.Join(strings.Fields(b.text(".secret")), ""), " ", "")}
	b.fill("#code", p.code(b.T))
	b.press(`form[action="/.mfa/enroll/totp"] button.primary`)
	b.wantAt(gatetest.PathCodes)
	b.click("input[name=saved]")
	b.press("form:has(input[name=saved]) button.primary")
	return p
}

// ticketOf finds the ticket in what the command prints: the longest word in groups.
func ticketOf(t *testing.T, out string) string {
	t.Helper()
	best := ""
	for _, word := range strings.FieldsFunc(out, func(r rune) bool { return !strings.ContainsRune("0123456789ABCDEFGHJKMNPQRSTVWXYZ-", r) }) {
		if len(word) > len(best) {
			best = word
		}
	}
	if len(best) < 26 {
		t.Fatalf("no ticket in %q", out)
	}
	return best
}

// waitFor waits until a script, or the next page, shows an element.
func (b *tab) waitFor(selector string) {
	b.Helper()
	b.until(selector, func() bool { return b.count(selector) > 0 })
}

// waitAt waits until a script has led to a path.
func (b *tab) waitAt(path string) {
	b.Helper()
	b.until(path, func() bool { return strings.HasPrefix(b.at(), path) && b.count("main") > 0 })
}

func (b *tab) until(what string, f func() bool) {
	b.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.shoot("stuck")
			b.Fatalf("%s does not come: at %s the page says:\n%.800s", what, b.at(), b.text("body"))
		}
	}
}
