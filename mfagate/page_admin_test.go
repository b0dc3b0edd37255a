package mfagate_test

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

var (
	ticketLink = regexp.MustCompile(`http://localhost(/\.mfa/enroll\?ticket=[0-9A-Z]+)`)
	seenField  = regexp.MustCompile(`name="seen" value="([^"]*)"`)
	nextLink   = regexp.MustCompile(`href="(/\.mfa/admin/\?[^"]*after=[^"]*)"`)
	listed     = regexp.MustCompile(`href="/\.mfa/admin/user\?user=([^"]*)"`)
)

func (p *person) names() (names []string) {
	for _, m := range listed.FindAllStringSubmatch(p.body, -1) {
		name, _ := url.QueryUnescape(html.UnescapeString(m[1]))
		names = append(names, name)
	}
	return names
}

func adminPath(page string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return "/.mfa/admin/" + page + "?" + q.Encode()
}

// order gives an order as the page of confirmation would.
func (p *person) order(action, user, reason string) *person {
	p.w.t.Helper()
	p.get(adminPath("order", "action", action, "user", user)).want(200)
	return p.sendOrder(action, user, reason)
}

func (p *person) sendOrder(action, user, reason string) *person {
	p.w.t.Helper()
	seen := ""
	if m := seenField.FindStringSubmatch(p.body); m != nil {
		seen = m[1]
	}
	return p.post("/.mfa/admin/order", "action", action, "user", user, "reason", reason, "seen", seen)
}

func (w *world) user(name string) mfagate.UserStatus {
	w.t.Helper()
	u, err := w.gate.User(w.t.Context(), mfagate.Subject{Realm: "default", Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// S37, S64, S66 to S69: an administrator with a fresh proof looks a person up, is
// told what will go, gives a reason, and hands over the link to a new set-up.
func TestAdministratorResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed)
		alice := w.person("alice").enrol("/")
		dora := w.person("dora").enrolByTicket()
		dora.get("/.mfa/").want(200)
		if !strings.Contains(dora.body, `href="/.mfa/admin/"`) {
			t.Errorf("the security page does not lead to the users")
		}
		dora.get("/.mfa/admin").want(303, "/.mfa/admin/").follow().want(200)
		if got := dora.names(); fmt.Sprint(got) != "[alice dora]" {
			t.Errorf("users = %q; want alice and dora", got)
		}
		dora.get(adminPath("user", "user", "ALICE")).want(200)
		there := adminPath("order", "action", "reset", "user", "alice")
		dora.get(there).want(303, "/.mfa/challenge?purpose=settings&return="+url.QueryEscape(there))
		time.Sleep(time.Minute)
		dora.follow().want(200)
		dora.post("/.mfa/challenge", "method", "totp", "code", dora.code(0), "purpose", "settings", "return", there).want(303, there).follow().want(200)
		for _, said := range []string{"Authenticator app", "10 recovery codes", "1 session, "} {
			if !strings.Contains(dora.body, said) {
				t.Errorf("the page does not say that %q will go", said)
			}
		}
		dora.sendOrder("reset", "alice", " \u202e").want(422)
		dora.sendOrder("reset", "alice", "phone lost\r\n, seen").want(200)
		link := ticketLink.FindStringSubmatch(dora.body)
		if link == nil {
			t.Fatalf("the page shows no link: %s", dora.body)
		}
		if c := dora.last.Header().Get("Cache-Control"); c != "no-store" || dora.last.Header().Get("Location") != "" {
			t.Errorf("Cache-Control = %q, Location = %q; want no-store and none", c, dora.last.Header().Get("Location"))
		}
		alice.get("/").want(303, "/.mfa/enroll").follow()
		alice.post("/.mfa/enroll/totp").want(403) // not without the ticket
		dora.get(adminPath("user", "user", "alice")).want(200)
		if !strings.Contains(dora.body, "<bdi>phone lost, seen</bdi>") || !strings.Contains(dora.body, "by dora") || strings.Contains(dora.body, "ticket=") {
			t.Errorf("the history does not tell who did it and why, or shows the link again: %s", dora.body)
		}
		alice.get(link[1]).want(303, "/.mfa/enroll").follow().want(200)
		alice.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303, "/.mfa/recovery-codes")
		events, _ := w.gate.Events(t.Context(), aliceSubject, 100)
		for _, e := range events {
			if e.Kind == mfagate.EventReset && (e.Actor != "dora" || e.Detail != "phone lost, seen") {
				t.Errorf("event = %+v; want dora as the actor, with the reason", e)
			}
		}
	})
}

func TestAdministratorUnlocksAndSignsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed)
		alice := w.person("alice").enrol("/")
		dora := w.person("bob").in("staff helpdesk").enrolByTicket() // by group
		dora.confirm()
		thief := alice.elsewhere()
		thief.get("/").follow()
		for range 5 {
			thief.post("/.mfa/challenge", "method", "totp", "code", "000000").want(401)
		}
		dora.get(adminPath("", "show", "locked")).want(200)
		if got := dora.names(); fmt.Sprint(got) != "[alice]" {
			t.Errorf("locked = %q; want alice", got)
		}
		time.Sleep(time.Second)
		dora.order("unlock", "alice", "typed it wrong").want(303, "/.mfa/admin/user?notice=unlock&user=alice").follow().want(200)
		if !strings.Contains(dora.body, "The wrong codes are forgotten.") || !w.user("alice").LockedUntil.IsZero() {
			t.Errorf("alice is still locked")
		}
		time.Sleep(time.Second)
		dora.order("sign_out", "alice", "left her laptop").want(303, "/.mfa/admin/user?notice=sign_out&user=alice")
		alice.get("/").want(303, "/.mfa/challenge")
		events, _ := w.gate.Events(t.Context(), aliceSubject, 2)
		for i, want := range []string{"left her laptop", "typed it wrong"} {
			if events[i].Actor != "bob" || events[i].Detail != want {
				t.Errorf("event = %+v; want bob as the actor, and %q", events[i], want)
			}
		}
	})
}

func TestAdministratorIssuesATicket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed, func(c *mfagate.BlockConfig) { c.Site.Enrolment.Ticket = true })
		dora := w.person("dora").enrolByTicket()
		dora.confirm()
		dora.get(adminPath("", "q", " Zoe ")).want(200)
		if !strings.Contains(dora.body, "/.mfa/admin/order?action=ticket&amp;user=zoe") {
			t.Errorf("a ticket is not offered: %s", dora.body)
		}
		dora.order("ticket", "zoe", "new colleague").want(200)
		link := ticketLink.FindStringSubmatch(dora.body)
		zoe := w.person("zoe")
		zoe.get(link[1]).want(303, "/.mfa/enroll").follow()
		zoe.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		zoe.post("/.mfa/enroll/totp", "code", zoe.code(0)).want(303, "/.mfa/recovery-codes")
		dora.get(adminPath("order", "action", "ticket", "user", "zoe")).want(409) // she is enrolled now
		if !strings.Contains(dora.body, "The person is set up already") || strings.Contains(dora.body, "Your account") {
			t.Errorf("the page is about dora's account, not about zoe's: %s", dora.body)
		}
		dora.get(adminPath("order", "action", "reset", "user", "nobody")).want(404)
		dora.sendOrder("reset", "nobody", "x").want(404)
	})
}

// 100,000 users: a search by name and a page of the list read no more than a page,
// and a filter goes on where it stopped.
func TestUserListPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed)
		dora := w.person("dora").enrolByTicket()
		for i := range 120 {
			w.person(fmt.Sprintf("user%03d", i)).enrol("/")
		}
		w.person("us/er smith").enrol("/")
		seen := map[string]int{}
		pages := 0
		for path := adminPath("", "q", "US"); path != ""; pages++ {
			dora.get(path).want(200)
			names := dora.names()
			if len(names) > 50 {
				t.Errorf("a page lists %d users; want at most 50", len(names))
			}
			for _, name := range names {
				seen[name]++
			}
			path = ""
			if m := nextLink.FindStringSubmatch(dora.body); m != nil {
				path = html.UnescapeString(m[1])
			}
		}
		if len(seen) != 121 || pages != 3 || seen["us/er smith"] != 1 || seen["dora"] != 0 {
			t.Errorf("%d users on %d pages; want 121 on 3", len(seen), pages)
		}
		dora.get(adminPath("user", "user", "us/er smith")).want(200)
		dora.get(adminPath("", "show", "none")).want(200)
		if got := dora.names(); got != nil {
			t.Errorf("not enrolled = %q; want nobody", got)
		}
		dora.get(adminPath("", "q", "a  b")).want(422)
		dora.get(adminPath("", "after", strings.Repeat("x", 300))).want(400)
	})
}

func TestFewCodesFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed)
		alice := w.person("alice").enrol("/")
		dora := w.person("dora").enrolByTicket()
		dora.get(adminPath("", "show", "low")).want(200)
		if got := dora.names(); got != nil {
			t.Errorf("few codes = %q; want nobody", got)
		}
		for i := range 7 {
			p := alice.elsewhere()
			p.get("/").follow()
			p.post("/.mfa/challenge", "method", "recovery", "code", alice.codes[i]).want(303)
		}
		dora.get(adminPath("", "show", "low")).want(200)
		if got := dora.names(); fmt.Sprint(got) != "[alice]" || !strings.Contains(dora.body, "Only 3 recovery codes left") {
			t.Errorf("few codes = %q; want alice with 3", got)
		}
	})
}

// Whoever calls the help desk with a case number is found by it.
func TestCaseNumberIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed)
		alice := w.person("alice").enrol("/").elsewhere()
		dora := w.person("dora").enrolByTicket()
		alice.get("/").want(303, "/.mfa/challenge").follow().want(200)
		alice.post("/.mfa/help").want(303, "/.mfa/help").follow().want(200)
		number := regexp.MustCompile(`<code>([0-9A-Z]{4}-[0-9A-Z]{4})</code>`).FindStringSubmatch(alice.body)
		dora.get(adminPath("user", "user", "alice")).want(200)
		if number == nil || !strings.Contains(dora.body, "Case number "+number[1]) {
			t.Errorf("the history does not show the case number %q", number)
		}
	})
}
