package browser_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

const want = "/wanted?page=2"

var config = gatetest.Config{Plain: true, Options: "support \"Help desk, room 12\" tel:+4912345"}

// looks are the devices and habits that the pages must suit.
var looks = []look{
	{name: "light"},
	{name: "no-script", noScript: true},
	{name: "dark", dark: true},
	{name: "phone", phone: true},
	{name: "phone-dark-german", phone: true, dark: true, language: "de"},
	{name: "german-no-script", noScript: true, language: "de"},
}

// TestStory leads alice from her first visit to her last recovery code, once
// for each look.
func TestStory(t *testing.T) {
	for _, l := range looks {
		t.Run(l.name, func(t *testing.T) {
			s := gatetest.Start(t, config)
			b := open(t, s, "alice", l)
			p := b.choose()
			b.secret(p)
			codes := b.save(p)
			b.nextVisit(p)
			b.lostPhone(codes)
			b.securityPage(p)
			b.otherPages()
		})
	}
}

// choose is the first visit: the way to the enrolment, and its first step.
func (b *tab) choose() *phone {
	b.Helper()
	b.server.App.Quiet(b.T, func() { b.visit(want) })
	b.wantAt(gatetest.PathEnrol)
	b.judge("choose")
	b.press(`form[action="/.mfa/enroll/totp"] button`)
	b.wantAt(gatetest.PathTOTP)
	if b.look.phone {
		b.click("details:has(svg) > summary")
	}
	return b.scan(".qr")
}

// secret is the step with the QR code: what it shows, wrong codes, back and forth.
func (b *tab) secret(p *phone) {
	b.Helper()
	b.click("details:has(.secret) > summary")
	b.wantSecret(p)
	b.judge("scan")
	if n := b.count("ul.apps li"); n < 3 {
		b.Errorf("the page names %d apps; want Microsoft Authenticator, Google Authenticator, Authy and others", n)
	}
	b.fill("#code", p.wrong(b.T))
	if status := b.press(`form[action="/.mfa/enroll/totp"] button`); status != 422 {
		b.Errorf("a wrong code: got %d; want 422", status)
	}
	b.wantSecret(p)
	if b.text("[role=alert]") == "" {
		b.Error("the page does not say that the code was wrong")
	}
	b.judge("wrong code")

	b.press("p.back a")
	b.wantAt(gatetest.PathEnrol)
	b.press(`form[action="/.mfa/enroll/totp"] button`)
	b.wantSecret(p)
	b.do(chromedp.NavigateBack())
	b.wantAt(gatetest.PathEnrol)
	b.do(chromedp.NavigateForward())
	b.wantAt(gatetest.PathTOTP)
	b.wantSecret(p)
}

// wantSecret checks that the page shows the secret that the phone has, in
// groups of four.
func (b *tab) wantSecret(p *phone) {
	b.Helper()
	groups := strings.Fields(eval[string](b, "document.querySelector('.secret').textContent"))
	if got := strings.Join(groups, ""); got != p.secret || len(groups) != 8 {
		b.Fatalf("the page shows another secret than the QR code did, or not in groups of four: %d groups", len(groups))
	}
}

// save types the right code, and takes the recovery codes in all three ways.
func (b *tab) save(p *phone) []string {
	b.Helper()
	b.fill("#code", p.code(b.T))
	b.fill("#label", "My phone")
	b.press(`form[action="/.mfa/enroll/totp"] button`)
	b.wantAt(gatetest.PathCodes)
	b.judge("recovery codes")
	codes := strings.Fields(eval[string](b, "[...document.querySelectorAll('ol.codes li')].map(li => li.textContent).join('\\n')"))
	if len(codes) != 10 {
		b.Fatalf("the page shows %d recovery codes; want 10", len(codes))
	}
	b.wantPrinted(codes)
	b.wantDownload(codes)
	if b.look.noScript {
		if got := strings.Fields(eval[string](b, "document.querySelector('#all-codes').value")); strings.Join(got, " ") != strings.Join(codes, " ") {
			b.Errorf("the field to copy from holds %q; want the codes", got)
		}
	} else {
		b.wantCopy(codes)
	}

	// The browser insists on the box, and so does the server.
	eval[bool](b, "document.querySelector('input[name=saved]').required = false; true")
	b.server.App.Quiet(b.T, func() {
		if status := b.press("form:has(input[name=saved]) button.primary"); status != 422 {
			b.Errorf("without the box: got %d; want 422", status)
		}
	})
	b.wantAt(gatetest.PathCodes)
	b.judge("box forgotten")
	b.click("input[name=saved]")
	b.press("form:has(input[name=saved]) button.primary")
	b.wantApp(want)
	return codes
}

func (b *tab) wantApp(path string) {
	b.Helper()
	if at, h := b.at(), b.text("h1"); at != path || h != "Welcome to the app" {
		b.Fatalf("at %s, where it says %q; want the app at %s", at, h, path)
	}
}

// wantPrinted looks at the page as it comes out of a printer: the codes, whose they
// are and how to keep them, and nothing to click at.
func (b *tab) wantPrinted(codes []string) {
	b.Helper()
	b.media("print")
	b.shoot("printed")
	paper := eval[string](b, "document.body.innerText")
	for _, want := range append([]string{b.user, "Example Works"}, codes...) {
		if !strings.Contains(paper, want) {
			b.Errorf("the paper lacks a code, the user or the app:\n%s", paper)
		}
	}
	if n := eval[int](b, "[...document.querySelectorAll('form, button, input, a, nav')].filter(e => e.checkVisibility()).length"); n > 0 {
		b.Errorf("%d things to click at are printed; want none:\n%s", n, paper)
	}
	b.media("")
}

func (b *tab) wantDownload(codes []string) {
	b.Helper()
	b.click("button[value=download]")
	var data []byte
	for deadline := time.Now().Add(patience); len(data) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatal("no file was downloaded")
		}
		if files, _ := filepath.Glob(filepath.Join(b.downloads, "*.txt")); len(files) == 1 {
			data, _ = os.ReadFile(files[0])
		}
	}
	for _, c := range codes {
		if !strings.Contains(string(data), c) {
			b.Errorf("the file lacks a code:\n%s", data)
		}
	}
}

// wantCopy presses "copy all", and looks at what a script could put into the
// clipboard and what the page says of it.
func (b *tab) wantCopy(codes []string) {
	b.Helper()
	eval[bool](b, `window.copied = "";
		Object.defineProperty(navigator, "clipboard", {value: {writeText: text => { window.copied = text; return Promise.resolve(); }}}); true`)
	b.click("[data-copy]")
	b.until("what was copied", func() bool { return b.text("#copy-done") != "" })
	if got := strings.Fields(eval[string](b, "window.copied")); strings.Join(got, " ") != strings.Join(codes, " ") {
		b.Errorf("copied %q; want the codes", got)
	}
}

// forget empties the browser, as the next morning does.
func (b *tab) forget() {
	b.Helper()
	_, err := chromedp.Call(b.ctx, network.ClearBrowserCookies, cdp.Empty{})
	b.check(err)
}

// nextVisit proves the phone: a wrong code, then a right one.
func (b *tab) nextVisit(p *phone) {
	b.Helper()
	b.forget()
	b.server.App.Quiet(b.T, func() { b.visit(want) })
	b.wantAt(gatetest.PathChallenge)
	b.judge("challenge")
	for attr, value := range map[string]string{"autocomplete": "one-time-code", "inputmode": "numeric"} {
		if got := eval[string](b, fmt.Sprintf("document.querySelector('#code').getAttribute(%q)", attr)); got != value {
			b.Errorf("the field's %s is %q; want %q", attr, got, value)
		}
	}
	if got := eval[string](b, "document.activeElement.id"); got != "code" {
		b.Errorf("the cursor is in %q; want the code's field", got)
	}
	b.fill("#code", p.wrong(b.T))
	b.press(`form:has(#code) button.primary`)
	b.wantAt(gatetest.PathChallenge)
	if b.text("[role=alert]") == "" {
		b.Error("the page does not say that the code was wrong")
	}
	b.judge("challenge wrong")
	b.fill("#code", p.code(b.T))
	b.press(`form:has(#code) button.primary`)
	b.wantApp(want)
}

// lostPhone signs in by a recovery code, on the same page.
func (b *tab) lostPhone(codes []string) {
	b.Helper()
	b.forget()
	b.visit(want)
	b.click("details:has(#recovery) > summary")
	b.judge("lost phone")
	b.fill("#recovery", "0000-0000-0000-0000")
	b.press("form:has(#recovery) button")
	if b.text("[role=alert]") == "" || b.count("details[open] #recovery") != 1 {
		b.Error("after a wrong recovery code the page does not say so, or hides the field")
	}
	b.judge("recovery wrong")
	b.fill("#recovery", strings.ToLower(codes[0]))
	b.press("form:has(#recovery) button")
	if !strings.Contains(b.text("main"), "9") {
		b.Errorf("the page does not say that 9 codes are left:\n%s", b.text("main"))
	}
	b.judge("recovered")
	b.press("main a.primary")
	b.wantApp(want)
}

// securityPage makes new codes after a fresh proof, and signs out.
func (b *tab) securityPage(p *phone) {
	b.Helper()
	b.visit(gatetest.PathSecurity)
	if !strings.Contains(b.text("main"), "My phone") {
		b.Error("the security page does not show the phone's label")
	}
	b.click("details.boxed > summary")
	b.judge("security")
	b.press("details.boxed button")
	b.wantAt(gatetest.PathChallenge)
	b.judge("fresh proof")
	b.fill("#code", p.code(b.T))
	b.press(`form:has(#code) button.primary`)
	if b.count("ol.codes") == 0 {
		b.press("details.boxed button")
	}
	b.wantAt(gatetest.PathCodes)
	b.judge("new codes")
	b.click("input[name=saved]")
	b.press("form:has(input[name=saved]) button.primary")
	b.visit(gatetest.PathSecurity)
	b.press("section form[action='/.mfa/sign-out'] button:not([name])")
	b.judge("signed out")
	b.server.App.Quiet(b.T, func() { b.visit(want) })
	b.wantAt(gatetest.PathChallenge)
}

// otherPages are those that nobody wants to see.
func (b *tab) otherPages() {
	b.Helper()
	if status := b.visit("/.mfa/no-such-page"); status != 404 {
		b.Errorf("no such page: got %d; want 404", status)
	}
	b.judge("not found")
	b.visit(want)
	for range 8 {
		b.fill("#code", "000000")
		if b.press(`form:has(#code) button.primary`) == 429 {
			break
		}
	}
	b.judge("locked")
	if !strings.ContainsAny(b.text("main"), "0123456789") {
		b.Error("the locked page does not say how long to wait")
	}
}
