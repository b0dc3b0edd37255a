package browser_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// optional is a site where people may do without, and whose links for forgotten
// passwords ask for a code.
const optional = `
	@reset path /reset
	mfa @reset {
		ask
	}
	@rest not path /reset
	mfa @rest {
		mode optional
	}
	reverse_proxy APP`

// TestOptional leads people who may choose: they put it off, set it up after all,
// prove it behind a link for a forgotten password, and switch it off again.
func TestOptional(t *testing.T) {
	s := gatetest.Start(t, gatetest.Config{Plain: true, Options: "recovery_codes {\norder confirm\n}", Site: gatetest.BasicAuth("alice", "bob", "carol") + optional})
	for _, v := range visitors {
		t.Run(v.look.name, func(t *testing.T) {
			b := open(t, s, v.user, v.look.of("optional"))
			b.visit(want)
			b.wantAt("/.mfa/reminder")
			b.judge("reminder")
			b.press("button[value=later]")
			b.wantApp(want)
			b.visit(gatetest.PathSecurity)
			p := b.setUpPhone()
			b.judge("codes to confirm")
			b.saveCodes()
			b.answerAsk(p)
			b.switchOff(p)
		})
	}
}

// setUpPhone goes from the choice of a factor to the page after its first code.
func (b *tab) setUpPhone() *phone {
	b.Helper()
	b.wantAt(gatetest.PathEnrol)
	b.press(`form[action="/.mfa/enroll/totp"] button`)
	if b.at() == gatetest.PathCodes || strings.HasPrefix(b.at(), gatetest.PathCodes+"?") {
		b.judge("codes before")
		b.saveCodes()
	}
	b.wantAt(gatetest.PathTOTP)
	b.judge("scan")
	if b.look.phone {
		b.click("details:has(svg) > summary")
	}
	p := b.scan(".qr")
	b.fill("#code", p.code(b.T))
	b.press(`form[action="/.mfa/enroll/totp"] button`)
	return p
}

// answerAsk opens a link for a forgotten password, for which no sign-in counts.
func (b *tab) answerAsk(p *phone) {
	b.Helper()
	b.server.App.Quiet(b.T, func() { b.visit("/reset") })
	b.wantAt("/.mfa/ask")
	b.judge("ask")
	b.fill("#user", b.user)
	b.fill("#code", p.wrong(b.T))
	b.wantStatus(b.press("main form button.primary"), 401)
	b.judge("ask wrong")
	b.fill("#code", p.code(b.T))
	b.press("main form button.primary")
	b.wantApp("/reset")
}

// wantTimesHere holds that times are told as the person's clock shows them, with the
// zone, and without a script in UTC.
func (b *tab) wantTimesHere() {
	b.Helper()
	b.check(call(b, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Kolkata"}))
	b.visit(gatetest.PathSecurity)
	const times = `main dd time`
	told, at := b.text(times), ask[string](b, fmt.Sprintf("document.querySelector(%q).dateTime", times))
	utc, err := time.Parse("2006-01-02T15:04Z", at)
	b.check(err)
	want := utc.Add(5*time.Hour + 30*time.Minute).Format("15:04")
	if b.look.noScript {
		want = utc.Format("15:04")
	}
	if !strings.Contains(told, want) || strings.Contains(told, "UTC") != b.look.noScript {
		b.Errorf("the page tells %q of %s; want %s", told, at, want)
	}
	b.check(call(b, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{}))
}

// switchOff switches the second factor off, after a wrong password.
func (b *tab) switchOff(p *phone) {
	b.Helper()
	b.visit(gatetest.PathSecurity)
	b.wantTimesHere()
	b.press(`a[href="/.mfa/disable"]`)
	b.wantAt(gatetest.PathChallenge)
	b.fill("#code", p.code(b.T))
	b.press("form:has(#code) button.primary")
	b.wantAt("/.mfa/disable")
	b.judge("disable")
	b.fill("#password", "no idea")
	b.wantStatus(b.press("main form button.primary"), 422)
	b.judge("disable wrong")
	b.fill("#password", gatetest.Password)
	b.press("main form button.primary")
	b.judge("disabled")
	b.visit(want)
	b.wantApp(want)
}

// TestGrace leads people who must set it up within two weeks. Here the codes come
// before the phone.
func TestGrace(t *testing.T) {
	s := gatetest.Start(t, gatetest.Config{Plain: true, Options: "recovery_codes {\norder before\n}", Block: "grace 14d"})
	for _, v := range visitors {
		t.Run(v.look.name, func(t *testing.T) {
			b := open(t, s, v.user, v.look.of("grace"))
			b.visit(want)
			b.wantAt("/.mfa/reminder")
			b.judge("reminder")
			b.press(`main a[href^="/.mfa/enroll"]`)
			b.setUpPhone()
			b.wantApp(want)
		})
	}
}
