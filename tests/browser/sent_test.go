package browser_test

import (
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// visitors are people with a device each, who share one gateway.
var visitors = []struct {
	user, admin string
	look        look
}{
	{"alice", "dora", look{name: "light"}},
	{"bob", "erin", look{name: "phone-dark-german", phone: true, dark: true, language: "de"}},
	{"carol", "fred", look{name: "no-script-german", noScript: true, language: "de"}},
}

// of names the story, which keeps its pictures apart from those of other stories.
func (l look) of(story string) look {
	l.name = story + "-" + l.name
	return l
}

// TestSentCodes leads people who have no authenticator app: their codes come to a
// phone, and later to a mailbox.
func TestSentCodes(t *testing.T) {
	p := newPost(t)
	s := gatetest.Start(t, gatetest.Config{Plain: true, Options: p.options() + "factor totp\nfactor sms {\ncountries DE\n}\nfactor email"})
	for i, v := range visitors {
		t.Run(v.look.name, func(t *testing.T) {
			p.open(true)
			b := open(t, s, v.user, v.look.of("sent"))
			number := "+4917012345" + string(rune('0'+i)) + "7"
			b.enrolNumber(p, number)
			b.textedCode(p, number)
			b.addMailbox(p, number, v.user+"@example.org")
			b.unsent(p)
		})
	}
}

// enrolNumber is the first visit, with every mistake that one can make.
func (b *tab) enrolNumber(p *post, number string) {
	b.Helper()
	b.visit(want)
	b.wantAt(gatetest.PathEnrol)
	b.judge("choose")
	b.press(`form[action="/.mfa/enroll/sms"] button`)
	b.judge("number")
	b.fill("#to", "170 123")
	b.wantStatus(b.press("button[value=send]"), 422)
	b.judge("number wrong")
	b.retype("#to", number)
	b.press("button[value=send]")
	b.judge("number code")
	if strings.Contains(b.text("main"), number) {
		b.Errorf("the page tells the number:\n%s", b.text("main"))
	}
	b.fill("#code", "000000")
	b.wantStatus(b.press("form:has(#code) button.primary"), 422)
	b.judge("number code wrong")
	b.fill("#code", p.code(b.T, number))
	b.press("form:has(#code) button.primary")
	b.saveCodes()
	b.wantApp(want)
}

// textedCode is the next visit: the code comes when it is asked for.
func (b *tab) textedCode(p *post, number string) {
	b.Helper()
	b.forget()
	b.visit(want)
	b.wantAt(gatetest.PathChallenge)
	b.judge("challenge")
	if code := p.find(number); code != "" {
		b.Error("a code came before it was asked for")
	}
	b.press("button[value=send]")
	b.click("details:not(:has(#recovery)) > summary")
	b.judge("challenge sent")
	b.fill("#code", p.code(b.T, number))
	b.press("form:has(#code) button.primary")
	b.wantApp(want)
}

// addMailbox adds a second way, after a fresh code by the first.
func (b *tab) addMailbox(p *post, number, mailbox string) {
	b.Helper()
	b.visit(gatetest.PathSecurity)
	b.press(`main section a[href^="/.mfa/enroll"]`)
	b.wantAt(gatetest.PathChallenge)
	b.press("button[value=send]")
	b.judge("fresh proof")
	b.fill("#code", p.code(b.T, number))
	b.press("form:has(#code) button.primary")
	b.wantAt(gatetest.PathEnrol)
	b.judge("add")
	b.press(`form[action="/.mfa/enroll/email"] button`)
	b.judge("mailbox")
	b.fill("#to", mailbox)
	b.press("button[value=send]")
	b.judge("mailbox code")
	b.fill("#code", p.code(b.T, mailbox))
	b.press("form:has(#code) button.primary")
	b.wantAt(gatetest.PathSecurity)
	b.judge("security")
}

// unsent is a visit on a day on which nothing can be sent.
func (b *tab) unsent(p *post) {
	b.Helper()
	p.open(false)
	b.forget()
	b.visit(want)
	b.judge("two ways")
	b.press(`nav a[href*="method="]`)
	b.wantAt(gatetest.PathChallenge)
	b.press("button[value=send]")
	if b.text("[role=alert]") == "" {
		b.Error("the page does not say that the code could not be sent")
	}
	if strings.Contains(b.text("main > p"), "••") {
		b.Errorf("the page says that a code was sent:\n%s", b.text("main"))
	}
	b.judge("unsent")
}
