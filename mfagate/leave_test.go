package mfagate_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// program makes the browser of p one that is never reminded: it says
// that it is a program.
func (p *person) program() *person {
	p.header.Set("Accept", "application/json")
	return p
}

func graceFor(d time.Duration) func(*mfagate.BlockConfig) {
	return func(c *mfagate.BlockConfig) { c.Site.Grace.For = d }
}

// A grace counts from when the user was first seen, to the second, and ends in
// the set-up; each user has an own one.
func TestGraceForEachUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, graceFor(14*24*time.Hour))
		alice, bob := w.person("alice").program(), w.person("bob").program()
		alice.get("/").want(200)
		time.Sleep(7 * 24 * time.Hour)
		bob.get("/").want(200)
		time.Sleep(7*24*time.Hour - time.Second)
		alice.get("/").want(200)
		time.Sleep(time.Second)
		alice.get("/").want(401)
		w.person("alice").get("/").want(303, "/.mfa/enroll")
		bob.get("/").want(200)
		if got := w.user("alice").FirstSeen; time.Since(got) != 14*24*time.Hour {
			t.Errorf("first seen %v ago; want 14 days", time.Since(got))
		}
	})
}

// A grace until a date ends for everybody at once.
func TestGraceUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Add(36 * time.Hour)
		w := newWorld(t, nil, func(c *mfagate.BlockConfig) { c.Site.Grace.Until = end })
		alice := w.person("alice").program()
		alice.get("/").want(200)
		time.Sleep(time.Until(end) - time.Nanosecond)
		alice.get("/").want(200)
		time.Sleep(time.Nanosecond)
		alice.get("/").want(401)
		w.person("bob").program().get("/").want(401)
	})
}

// A grace is for people who have no factor: it opens nothing to a thief of the
// password of somebody who has one, or whose factor was reset.
func TestGraceIsNoWayAround(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, graceFor(14*24*time.Hour))
		alice := w.person("alice")
		alice.get("/.mfa/enroll").want(200)
		alice.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303).follow().want(200).note()
		alice.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set()).want(303)
		w.person("alice").get("/").want(303, "/.mfa/challenge")
		if _, err := w.gate.Reset(t.Context(), "cli", aliceSubject, "", 0); err != nil {
			t.Fatal(err)
		}
		thief := w.person("alice")
		thief.get("/").want(303, "/.mfa/enroll").follow().want(200)
		thief.post("/.mfa/enroll/totp").want(403)
		thief.get("/.mfa/reminder").want(303, "/")
		thief.get("/").want(303, "/.mfa/enroll")
	})
}

// S71: whoever still passes is reminded once per session, with the days that are
// left, and goes on with "later" to where they wanted to go.
func TestReminderInAGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, graceFor(3*24*time.Hour))
		alice := w.person("alice")
		alice.get("/reports?year=2026").want(303, "/.mfa/reminder?return=%2Freports%3Fyear%3D2026").follow().want(200)
		if !strings.Contains(alice.body, "You have 3 days left.") {
			t.Errorf("the page does not say how many days are left: %s", alice.body)
		}
		if w.hit() != 0 {
			t.Errorf("the app was asked %d times; want 0", w.hit())
		}
		alice.post("/.mfa/reminder", "action", "later", "return", "/reports?year=2026").want(303, "/reports?year=2026").follow().want(200)
		alice.get("/").want(200)
		time.Sleep(13 * time.Hour)
		alice.get("/").want(303, "/.mfa/reminder")
		alice.get("/").want(200) // it was shown; to go on without a word is enough
		time.Sleep(2*24*time.Hour + 10*time.Hour)
		alice.get("/").want(303, "/.mfa/reminder").follow().want(200)
		if !strings.Contains(alice.body, "You have 1 day left.") {
			t.Errorf("the page does not say that it is the last day: %s", alice.body)
		}
		alice.get("/.mfa/enroll?return=/").want(200)
	})
}

// S1, S73: where the factor is optional the reminder comes at most every so often,
// or never.
func TestReminderWhereOptional(t *testing.T) {
	tests := map[string]struct {
		every, next time.Duration
		change      func(*mfagate.BlockConfig)
	}{
		"usual":                               {0, 7 * 24 * time.Hour, nil},
		"every hour":                          {time.Hour, time.Hour, nil},
		"off":                                 {-1, 0, nil},
		"who needs a ticket cannot set it up": {0, 0, func(c *mfagate.BlockConfig) { c.Site.Enrolment.Ticket = true }},
	}
	for name, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil, func(c *mfagate.BlockConfig) {
				c.Site.Mode, c.Site.RemindEvery = mfagate.Optional, test.every
				if test.change != nil {
					test.change(c)
				}
			})
			alice := w.person("alice")
			if test.next == 0 {
				for range 3 {
					alice.get("/").want(200)
					time.Sleep(8 * 24 * time.Hour)
				}
				return
			}
			alice.get("/").want(303, "/.mfa/reminder").follow().want(200)
			if strings.Contains(alice.body, "left") {
				t.Errorf("%s: the page counts days: %s", name, alice.body)
			}
			alice.post("/.mfa/reminder", "action", "later").want(303, "/")
			alice.elsewhere().get("/").want(200)
			time.Sleep(test.next - time.Second)
			alice.get("/").want(200)
			time.Sleep(time.Second)
			alice.get("/").want(303, "/.mfa/reminder")
		})
	}
}

// A reminder takes the place of nothing but a page that a person opens.
func TestReminderEatsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, graceFor(24*time.Hour))
		alice := w.person("alice")
		for name, change := range map[string]func(*http.Request){
			"POST":     func(r *http.Request) { r.Method = "POST" },
			"PUT":      func(r *http.Request) { r.Method = "PUT" },
			"HEAD":     func(r *http.Request) { r.Method = "HEAD" },
			"fetch":    func(r *http.Request) { r.Header.Set("Sec-Fetch-Mode", "cors") },
			"XHR":      func(r *http.Request) { r.Header.Set("X-Requested-With", "XMLHttpRequest") },
			"API":      func(r *http.Request) { r.Header.Set("Accept", "application/json") },
			"image":    func(r *http.Request) { r.Header.Set("Accept", "image/*") },
			"socket":   func(r *http.Request) { r.Header.Set("Upgrade", "websocket") },
			"prefetch": func(r *http.Request) { r.Header.Set("Sec-Purpose", "prefetch;prerender") },
			"frame": func(r *http.Request) {
				r.Header.Set("Sec-Fetch-Mode", "navigate")
				r.Header.Set("Sec-Fetch-Dest", "iframe")
			},
		} {
			r := alice.request("GET", "/", "", "")
			change(r)
			if alice.send(r); alice.last.Code != 200 {
				t.Errorf("%s: status = %d; want 200, from the app", name, alice.last.Code)
			}
		}
		alice.get("/").want(303, "/.mfa/reminder")
	})
}

// Ten tabs that open at once are reminded once.
func TestReminderOfManyTabs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, graceFor(24*time.Hour))
		tabs := make([]*person, 10)
		var wait sync.WaitGroup
		for i := range tabs {
			tabs[i] = w.person("alice")
			wait.Go(func() { tabs[i].get("/") })
		}
		wait.Wait()
		n := 0
		for _, tab := range tabs {
			if tab.last.Code == 303 {
				n++
			} else if tab.last.Code != 200 {
				t.Errorf("status = %d; want 200 or 303", tab.last.Code)
			}
		}
		if n != 1 {
			t.Errorf("%d of 10 tabs were reminded; want 1", n)
		}
	})
}

// Whoever was only invited to the set-up finds the way on from it, also where it takes
// a ticket that they have not got; whoever must set it up does not.
func TestSetUpLeadsOn(t *testing.T) {
	ticket := func(c *mfagate.BlockConfig) { c.Site.Enrolment.Ticket = true }
	tests := map[string]struct {
		from, later string
		change      []func(*mfagate.BlockConfig)
	}{
		"optional":         {"/reports?year=2026", "/reports?year=2026", []func(*mfagate.BlockConfig){optional}},
		"from our page":    {"/.mfa/", "/", []func(*mfagate.BlockConfig){optional}},
		"nowhere":          {"//evil.example/", "/", []func(*mfagate.BlockConfig){optional}},
		"grace and ticket": {"/reports", "/reports", []func(*mfagate.BlockConfig){graceFor(time.Hour), ticket}},
		"observed":         {"/reports", "/reports", []func(*mfagate.BlockConfig){func(c *mfagate.BlockConfig) { c.Site.Mode = mfagate.Observe }}},
		"required":         {"/reports", "", nil},
		"grace is over":    {"/reports", "", []func(*mfagate.BlockConfig){func(c *mfagate.BlockConfig) { c.Site.Grace.Until = time.Now() }}},
	}
	for name, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			alice := newWorld(t, nil, test.change...).person("alice")
			alice.get("/.mfa/enroll?return=" + url.QueryEscape(test.from)).want(200)
			if forced := strings.Contains(alice.body, "From now on"); forced != (test.later == "") {
				t.Errorf("%s: the page says that it must be = %v; want %v", name, forced, !forced)
			}
			_, link, offered := strings.Cut(alice.body, `<p class="back"><a href="`)
			link, _, _ = strings.Cut(link, `"`)
			if offered != (test.later != "") || html.UnescapeString(link) != test.later {
				t.Errorf("%s: leads on to %q; want %q", name, link, test.later)
			}
		})
	}
}

// The reminder is a form of the gate's own, and leads nowhere else.
func TestReminderAttacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, graceFor(24*time.Hour))
		alice := w.person("alice")
		alice.get("/").want(303, "/.mfa/reminder").follow().want(200)
		page := alice.body
		alice.post("/.mfa/reminder", "return", "//evil.example/").want(303, "/")
		if to := alice.last.Header().Get("Location"); to != "/" {
			t.Errorf("Location = %q; want /", to)
		}
		alice.body = page
		alice.header.Set("Sec-Fetch-Site", "cross-site")
		alice.post("/.mfa/reminder").want(403)
		alice.header.Del("Sec-Fetch-Site")
		alice.body = ""
		alice.post("/.mfa/reminder").want(403)
		w.person("").get("/.mfa/reminder").want(401)
	})
}

func exempting(c *mfagate.BlockConfig) {
	staffed(c)
	c.Site.Exempt = []string{"Robot", "@kiosks"}
}

// S72: whoever is exempt passes without a factor, for as long as they have none;
// the report tells of it.
func TestExempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, exempting)
		w.person("ROBOT").in("").get("/").want(200)
		kiosk := w.person("hall").in("staff kiosks")
		kiosk.get("/").want(200)
		if at := w.user("hall").LastExempt; !at.Equal(time.Now()) {
			t.Errorf("last exempt = %v; want now", at)
		}
		kiosk.get("/.mfa/enroll").want(200)
		kiosk.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		kiosk.post("/.mfa/enroll/totp", "code", kiosk.code(0)).want(303).follow().want(200).note()
		kiosk.post("/.mfa/recovery-codes", "saved", "yes", "set", kiosk.set()).want(303)
		w.person("hall").in("kiosks").get("/").want(303, "/.mfa/challenge") // they have one now
	})
}

// M-14: nobody is exempt by claiming so, by an old session, by the groups of
// another request, or in spite of a role.
func TestExemptAttacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, exempting)
		for name, p := range map[string]*person{
			"not in a group":           w.person("eve").in("staff"),
			"another case":             w.person("eve").in("Kiosks"),
			"a group with the mark":    w.person("eve").in("@kiosks"),
			"a group called as a user": w.person("eve").in("robot"),
			"a user called as a group": w.person("kiosks").in(""),
			"an administrator":         w.person("dora").in("kiosks"),
			"an auditor":               w.person("otto").in("kiosks"),
			"of the help desk":         w.person("eve").in("kiosks helpdesk"),
		} {
			if p.get("/"); p.last.Code != 303 || p.last.Header().Get("Location") != "/.mfa/enroll?return=%2F" {
				t.Errorf("%s: answer = %d to %q; want the set-up", name, p.last.Code, p.last.Header().Get("Location"))
			}
		}
		hall := w.person("hall").in("kiosks")
		hall.get("/").want(200)
		if _, err := w.gate.Reset(t.Context(), "cli", mfagate.Subject{Realm: "default", Name: "hall"}, "", 0); err != nil {
			t.Fatal(err)
		}
		hall.get("/").want(303, "/.mfa/enroll") // reset: a ticket is needed
	})
}

// Administrators and auditors cannot be named as exempt.
func TestExemptAdministratorsAreAnError(t *testing.T) {
	for _, exempt := range []string{"DORA", "@helpdesk", "otto", "@audit", "@ ", ""} {
		c := mfagate.BlockConfig{Source: mfagate.SourceFunc(withGroups)}
		staffed(&c)
		c.Site.Exempt = []string{exempt}
		if err := c.Validate(); err == nil {
			t.Errorf("exempt %q: Validate = nil; want an error", exempt)
		}
	}
}

// A grace that cannot be is an error.
func TestGraceBounds(t *testing.T) {
	for _, g := range []mfagate.Grace{{For: -1}, {For: 10000 * time.Hour}, {For: time.Hour, Until: time.Now()}} {
		c := mfagate.BlockConfig{Source: mfagate.SourceFunc(firstFactor), Site: mfagate.Site{Grace: g}}
		if err := c.Validate(); err == nil {
			t.Errorf("grace %+v: Validate = nil; want an error", g)
		}
	}
}

// Where the source does not tell groups nobody is exempt: the robot may be one of
// the help desk.
func TestExemptWithoutGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, exempting, func(c *mfagate.BlockConfig) { c.Source = mfagate.SourceFunc(firstFactor) })
		w.person("robot").get("/").want(303, "/.mfa/enroll")
		w.person("hall").in("kiosks").get("/").want(303, "/.mfa/enroll")
	})
}
