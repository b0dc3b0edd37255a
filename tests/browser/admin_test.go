package browser_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

var ticketURL = regexp.MustCompile(`/\.mfa/enroll\?ticket=[0-9A-Z]+`)

const pathUsers = "/.mfa/admin/"

// TestAdministrator leads dora, who looks after others, from root's ticket to the
// one that a reset makes, and carol past the same pages, where she may only look.
func TestAdministrator(t *testing.T) {
	for _, l := range []look{
		{name: "admin-light"},
		{name: "admin-phone-dark-german", phone: true, dark: true, language: "de"},
		{name: "admin-no-script", noScript: true},
	} {
		t.Run(l.name, func(t *testing.T) {
			s := gatetest.Start(t, gatetest.Config{Plain: true, Users: []string{"alice", "carol", "dora"}, Block: "admins dora\nauditors carol"})
			alice := s.Person("alice")
			alice.Enrol(t, "/")

			dora := open(t, s, "dora", l)
			p := dora.enrolAsRootSays()
			dora.findUser("alice")
			dora.judge("user")
			link := dora.resetUser(p)
			if page := alice.Navigate(t, "/"); page.URL.Path != gatetest.PathEnrol {
				t.Errorf("alice is at %s after the reset; want the enrolment", page.URL)
			}
			page := alice.Navigate(t, link)
			if page = alice.Submit(t, page, gatetest.PathTOTP, nil); page.URL.Path != gatetest.PathTOTP {
				t.Errorf("the link leads to %s; want to a new set-up", page.URL)
			}

			carol := open(t, s, "carol", l)
			carol.enrolAsRootSays()
			carol.findUser("alice")
			if n := carol.count(`a[href*="/order"]`); n > 0 {
				t.Errorf("an auditor is offered %d actions; want none", n)
			}
			carol.judge("user for an auditor")
			if status := carol.visit("/.mfa/admin/order?action=reset&user=alice"); status != 403 {
				t.Errorf("a reset by an auditor: got %d; want 403", status)
			}
		})
	}
}

// enrolAsRootSays enrols with a ticket, without which there is no way.
func (b *tab) enrolAsRootSays() *phone {
	b.Helper()
	b.visit("/")
	b.wantAt(gatetest.PathEnrol)
	if b.count("input[name=ticket]") != 1 {
		b.Errorf("no ticket is asked for:\n%s", b.text("main"))
	}
	out, err := b.server.Command("mfa", "enroll", b.user, "--address", "unix/"+b.server.AdminSocket).Output()
	b.check(err)
	b.visit(ticketURL.FindString(string(out)))
	b.press(`form[action="/.mfa/enroll/totp"] button`)
	b.wantAt(gatetest.PathTOTP)
	if b.look.phone {
		b.click("details:has(svg) > summary")
	}
	p := b.scan(".qr")
	b.fill("#code", p.code(b.T))
	b.press(`form[action="/.mfa/enroll/totp"] button`)
	b.click("input[name=saved]")
	b.press("form:has(input[name=saved]) button.primary")
	return p
}

// findUser goes from the security page to the list, and from there to a user.
func (b *tab) findUser(name string) {
	b.Helper()
	b.visit(gatetest.PathSecurity)
	b.press(`a[href="/.mfa/admin/"]`)
	b.wantAt(pathUsers)
	b.judge("users")
	b.fill("#q", strings.ToUpper(name[:3]))
	b.press("form.search button")
	b.wantAt(pathUsers)
	if n := b.count(".people li"); n != 1 {
		b.Errorf("the search finds %d users; want 1:\n%s", n, b.text("main"))
	}
	b.judge("search")
	b.press(".people a")
	b.wantAt(pathUsers + "user")
	if !strings.Contains(b.text("h1"), name) {
		b.Errorf("the page is about %q; want %s", b.text("h1"), name)
	}
}

// resetUser resets the user on the page, and returns the link for the new set-up.
func (b *tab) resetUser(p *phone) string {
	b.Helper()
	user := b.at()
	b.press(`a[href*="action=reset"]`)
	b.wantAt(gatetest.PathChallenge)
	b.judge("proof for an order")
	b.fill("#code", p.code(b.T))
	b.press("form:has(#code) button.primary")
	b.wantAt(pathUsers + "order")
	b.judge("order")
	eval[bool](b, "document.querySelector('#reason').required = false; true")
	if status := b.press("form:has(#reason) button.primary"); status != 422 {
		b.Errorf("without a reason: got %d; want 422", status)
	}
	b.judge("order without a reason")
	b.fill("#reason", "phone lost")
	b.press("form:has(#reason) button.primary")
	link := ticketURL.FindString(eval[string](b, "document.querySelector('#link').value"))
	if link == "" || strings.Contains(b.at(), "ticket") {
		b.Fatalf("at %s: the link is not shown, or in the URL:\n%s", b.at(), b.text("main"))
	}
	b.judge("ticket")
	b.press("main a.primary")
	b.wantAt(pathUsers + "user")
	if b.at() != user || !strings.Contains(b.text("main"), "phone lost") {
		b.Errorf("at %s; want %s with the reason in the history:\n%s", b.at(), user, b.text("main"))
	}
	return link
}
