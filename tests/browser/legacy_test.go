package browser_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// TestLegacyApps leads alice through each app by its own pages: from the page that she
// asks for over the app's own form and the enrolment to that page, through other pages, to
// something that she makes, and out; and in again with the phone that she has then.
// What comes after the enrolment but the second sign-in takes MFAGATE_LEGACY to be set.
func TestLegacyApps(t *testing.T) {
	for _, name := range legacy.Chosen(t) {
		t.Run(name, func(t *testing.T) {
			u := newAppUse(t, name)
			b := u.open(look{name: name})
			w := b.watch()
			u.looksTheSame(b)
			u.mistakes(b)
			p := u.enrol(b)
			faults := w.seen()
			if long() {
				u.use(b)
				faults = append(faults, w.seen()...)
				u.twoTabs(b)
				w.seen() // of requests that the sign-out has cut off
			}
			u.again(b, p)
			u.wantNoFaults(b, append(faults, w.seen()...))
		})
	}
}

// An appUse is the use of one app, behind a gate with its recipe.
type appUse struct {
	*testing.T
	legacyLogin
	app  *legacy.App
	gate *gatetest.Server
	wire *wire // between the two, where the apps are used for long
}

func newAppUse(t *testing.T, name string, options ...string) *appUse {
	t.Helper()
	login, ok := legacyLogins[name]
	if !ok {
		t.Fatalf("nobody has told how a person uses %s", name)
	}
	u := &appUse{T: t, legacyLogin: login, app: legacy.Start(t, name)}
	address := u.app.URL
	if long() {
		u.wire = newWire(t, u.app)
		address = u.wire.URL
	}
	var lines []string
	if login.ownHost {
		lines = append(lines, "header_up Host {upstream_hostport}")
	}
	u.gate = gatetest.Start(t, gatetest.Config{Plain: true, Site: fmt.Sprintf("mfa {\nlogin_form %s\n%s\n}\n%s", name, strings.Join(options, "\n"), legacy.Proxy(address, lines...))})
	return u
}

// open opens a browser at the gate.
func (u *appUse) open(l look) *tab {
	u.Helper()
	b := open(u.T, u.gate, "", l)
	b.app = true
	b.answerDialogs()
	return b
}

// looksTheSame compares the login page with the one that the app shows without the gate.
func (u *appUse) looksTheSame(b *tab) {
	u.Helper()
	if u.password == "" {
		return // the browser's own window
	}
	u.ask(b)
	at, gated := b.at(), u.picture(b)
	b.shoot("login page")
	b.forget()
	b.base = u.app.URL
	b.visit(at)
	u.shown(b)
	own := u.picture(b)
	b.shoot("login page of the app")
	b.base = u.gate.URL
	b.forget()
	if !slices.Equal(gated, own) {
		u.Errorf("the login page at %s does not look like the app's own", at)
	}
}

// picture is the page at rest and without the cursor, which blinks.
func (u *appUse) picture(b *tab) []byte {
	u.Helper()
	eval[bool](b, "document.activeElement && document.activeElement.blur(); true")
	var last []byte
	b.until("a page at rest", func() bool {
		picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		b.check(err)
		rests := slices.Equal(picture, last)
		last = picture
		return rests
	})
	return last
}

// ask asks for a page of the app, and waits for the form.
func (u *appUse) ask(b *tab) {
	u.Helper()
	b.visit(u.deep)
	u.shown(b)
}

// shown waits until the form is there and its script has put the cursor where it wants it.
func (u *appUse) shown(b *tab) {
	u.Helper()
	b.waitFor(u.password)
	b.until("the form", func() bool {
		return ask[bool](b, "document.readyState === 'complete' && document.fonts.status === 'loaded' && !!document.querySelector("+quote(u.password)+")?.checkVisibility()")
	})
	if u.cursor != "" && !b.look.noScript {
		b.until("the cursor in "+u.cursor, func() bool { return ask[bool](b, "!!document.activeElement?.matches("+quote(u.cursor)+")") })
	}
}

// typeIn fills in the form that is shown. Where it is the browser that asks, the
// password goes with all that is asked for from then on.
func (u *appUse) typeIn(b *tab, password string) {
	u.Helper()
	name := u.app.Users[0].Name
	if u.password == "" {
		words := base64.StdEncoding.EncodeToString([]byte(name + ":" + password))
		headers := network.Headers{"Accept-Language": "en", "Authorization": "Basic " + words}
		b.check(call(b, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: headers}))
		b.visit(u.deep)
		return
	}
	u.shown(b)
	b.until("both in their fields", func() bool {
		if u.user != "" {
			b.retype(u.user, name)
		}
		b.retype(u.password, password)
		return b.typed(u.password) == password && (u.user == "" || b.typed(u.user) == name)
	})
	b.click(u.button)
}

// mistakes types a wrong password, which is not to lead anywhere.
func (u *appUse) mistakes(b *tab) {
	u.Helper()
	if u.password == "" {
		return
	}
	u.ask(b)
	u.typeIn(b, "not the password")
	b.wantText("body", u.wrong)
	b.shoot("wrong password")
	if at := b.at(); strings.HasPrefix(at, "/.mfa/") {
		u.Errorf("a wrong password leads to %s", at)
	}
}

// enrol types the right password, on the page that said that it was wrong, scans the QR
// code, and wants the page that was asked for first.
func (u *appUse) enrol(b *tab) *phone {
	u.Helper()
	if u.covered {
		u.ask(b)
	}
	u.typeIn(b, u.app.Users[0].Password)
	b.waitAt(gatetest.PathEnrol)
	if u.account != "" {
		u.ticket(b)
	}
	p := b.enrolPhone()
	u.wantDeep(b)
	b.shoot("app")
	return p
}

// enrolPhone goes through the pages of the enrolment.
func (b *tab) enrolPhone() *phone {
	b.Helper()
	b.shoot("choose")
	b.press(`form[action="/.mfa/enroll/totp"] button`)
	if b.look.phone {
		b.click("details:has(svg) > summary")
	}
	p := b.scan(".qr")
	b.shoot("scan")
	b.fill("#code", p.code(b.T))
	b.press(`form[action="/.mfa/enroll/totp"] button.primary`)
	b.shoot("recovery codes")
	b.saveCodes()
	return p
}

// wantDeep wants the page that was asked for first.
func (u *appUse) wantDeep(b *tab) {
	u.Helper()
	b.waitFor(u.inside)
	if at := b.at(); at != u.deep {
		u.Errorf("after the sign-in at %s; want %s, which was asked for", at, u.deep)
	}
}

// ticket has an administrator let the account enrol.
func (u *appUse) ticket(b *tab) {
	u.Helper()
	out, err := u.gate.Command("mfa", "enroll", u.account, "--address", "unix/"+u.gate.AdminSocket).CombinedOutput()
	if err != nil {
		u.Fatalf("mfa enroll: %v\n%s", err, out)
	}
	b.shoot("ticket")
	b.fill("input[name=ticket]", ticketOf(u.T, string(out)))
	b.press("form:has(input[name=ticket]) button.primary")
}

// use clicks through pages, and makes something.
func (u *appUse) use(b *tab) {
	u.Helper()
	for _, c := range u.clicks {
		b.follow(c)
		b.shoot("page")
	}
	if u.act != nil {
		u.act(b)
		b.shoot("made")
	}
}

// follow clicks, once more if a script was not ready to hear of it.
func (b *tab) follow(c click) {
	b.Helper()
	for range 3 {
		b.click(c.on)
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if b.count(c.there) > 0 {
				return
			}
		}
	}
	b.waitFor(c.there)
}

// again signs in with the phone.
func (u *appUse) again(b *tab, p *phone) {
	u.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Navigate("about:blank")) // a page that stays would go on asking, and be refused
	b.check(err)
	b.forget()
	if u.password != "" {
		u.ask(b)
	}
	u.typeIn(b, u.app.Users[0].Password)
	b.waitAt(gatetest.PathChallenge)
	b.shoot("challenge")
	b.fill("#code", p.code(u.T))
	b.press(`form:has(#code) button.primary`)
	u.wantDeep(b)
	b.shoot("app again")
}

// wantNoFaults wants nothing to have failed behind the person's back, but for what does
// so without the gate, too.
func (u *appUse) wantNoFaults(b *tab, faults []string) {
	u.Helper()
	faults = slices.DeleteFunc(faults, func(fault string) bool { return slices.Contains(u.kept, fault) })
	if len(faults) == 0 {
		return
	}
	b.forget()
	direct := b.another()
	direct.base, direct.look.name = u.app.URL, b.look.name+"-direct"
	direct.answerDialogs()
	w := direct.watch()
	if u.password != "" {
		u.ask(direct)
	}
	u.typeIn(direct, u.app.Users[0].Password)
	direct.waitFor(u.inside)
	u.use(direct)
	own := w.seen()
	for _, fault := range faults {
		if !slices.Contains(own, fault) {
			u.Errorf("behind the person's back: %s; without the gate there is only %q", fault, own)
		}
	}
}

// another opens a second tab of the same browser.
func (b *tab) another() *tab {
	b.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.Cleanup(cancel)
	other := *b
	other.ctx, other.look.name = ctx, b.look.name+"-second"
	other.setUp()
	return &other
}

func quote(text string) string { return fmt.Sprintf("%q", text) }

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
