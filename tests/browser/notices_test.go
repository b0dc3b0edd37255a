package browser_test

import (
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// TestNoticesAndAddress leads people for whom no address is known: what happened is
// told on the pages, until they give an address.
func TestNoticesAndAddress(t *testing.T) {
	p := newPost(t)
	s := gatetest.Start(t, gatetest.Config{Plain: true, Options: p.options() + "notify {\nask_address\n}"})
	for _, v := range visitors {
		t.Run(v.look.name, func(t *testing.T) {
			phone := enrolled(t, s, v.user)
			b := open(t, s, v.user, v.look.of("notices"))
			b.signInTo(phone, "/.mfa/notices")
			b.judge("missed")
			b.visit(gatetest.PathSecurity)
			b.judge("security")
			b.visit("/.mfa/notices?return=" + want)
			b.press("form[action='/.mfa/notices'] button")
			b.visit(gatetest.PathSecurity)
			if n := b.count("form[action='/.mfa/notices']"); n > 0 {
				b.Error("the security page tells again what was read")
			}
			b.giveAddress(p, phone, v.user+"@example.org")
		})
	}
}

// giveAddress gives an address from the security page, with the mistakes that one
// can make.
func (b *tab) giveAddress(p *post, phone *phone, address string) {
	b.Helper()
	b.press(`a[href^="/.mfa/address"]`)
	b.wantAt(gatetest.PathChallenge)
	b.fill("#code", phone.code(b.T))
	b.press("form:has(#code) button.primary")
	b.wantAt("/.mfa/address")
	b.judge("address")
	eval[bool](b, "document.querySelector('#email').type = 'text'; true")
	b.fill("#email", "nobody")
	b.wantStatus(b.press("button[value=send]"), 422)
	b.judge("address wrong")
	b.fill("#email", address)
	b.press("button[value=send]")
	b.wantAt("/.mfa/address")
	b.judge("address code")
	b.fill("#code", "000000")
	b.wantStatus(b.press("button[value=confirm]"), 422)
	b.judge("address code wrong")
	b.fill("#code", p.code(b.T, address))
	b.press("button[value=confirm]")
	b.wantAt(gatetest.PathSecurity)
	if !strings.Contains(b.text("#mail ~ p"), "example.org") {
		b.Errorf("the security page does not tell where messages go:\n%s", b.text("main"))
	}
	b.judge("address confirmed")
}
