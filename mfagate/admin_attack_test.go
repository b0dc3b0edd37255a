package mfagate_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

var (
	adminPaths = []string{
		"/.mfa/admin", "/.mfa/admin/", "/.mfa/admin/user?user=alice", "/.mfa/admin/order?action=reset&user=alice",
		"/.mfa/admin/no-such-page", "/.mfa/admin/users/alice", "/.mfa/admin//", "/.mfa/admin/?q=a", "/.mfa/admin/user/",
	}
	adminActions = []string{"reset", "unlock", "sign_out", "ticket"}
)

// untouched fails the test if anything happened to alice since f began.
func (w *world) untouched(what string, f func()) {
	w.t.Helper()
	before, events := fmt.Sprint(w.user("alice")), len(w.kinds())
	f()
	if after := fmt.Sprint(w.user("alice")); after != before {
		w.t.Errorf("%s: alice = %s; want %s", what, after, before)
	}
	if got := w.kinds()[events:]; slices.ContainsFunc(got, func(k string) bool {
		return slices.Contains([]string{mfagate.EventReset, mfagate.EventUnlocked, mfagate.EventSignedOutAll, mfagate.EventTicketIssued}, k)
	}) {
		w.t.Errorf("%s: events = %q; want none", what, got)
	}
}

// ST-16: for whoever is neither administrator nor auditor there are no such pages,
// whatever the method, the headers and the body.
func TestAdminPagesDoNotExistForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed)
		w.person("alice").enrol("/")
		bob := w.person("bob").in("staff Helpdesk").enrol("/")
		bob.confirm()
		dora := w.person("dora").enrolByTicket()
		dora.confirm()
		impostor := w.person("bob") // with the administrator's cookies
		impostor.cookies, impostor.body = dora.cookies, dora.body
		claims := w.person("bob").in("")
		claims.cookies, claims.body = bob.cookies, bob.body
		claims.header.Set("Groups", "helpdesk")
		people := map[string]*person{"signed in": bob, "without a factor": w.person("eve"), "nobody": w.person(""), "with stolen cookies": impostor, "who claims a group": claims}
		w.untouched("others", func() {
			for who, p := range people {
				for _, path := range adminPaths {
					for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"} {
						for _, header := range []string{"", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Early-Data: 1"} {
							form := url.Values{"form_token": {p.token()}, "action": {"reset"}, "user": {"alice"}, "reason": {"x"}}
							r := p.request(method, path, "application/x-www-form-urlencoded", form.Encode())
							if name, value, ok := strings.Cut(header, ": "); ok {
								r.Header.Set(name, value)
							}
							rec := httptest.NewRecorder()
							w.handler.ServeHTTP(rec, r)
							if rec.Code != http.StatusNotFound || rec.Header().Get("Allow") != "" || rec.Header().Get("Location") != "" {
								t.Fatalf("%s: %s %s with %q = %d; want 404 and nothing else", who, method, path, header, rec.Code)
							}
						}
					}
				}
			}
		})
		if bob.get("/.mfa/").want(200); strings.Contains(bob.body, "/.mfa/admin") {
			t.Errorf("the security page leads bob to pages that are not his")
		}
	})
}

// S65, S87: an auditor sees all and changes nothing.
func TestAuditorChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed)
		w.person("alice").enrol("/")
		for _, otto := range []*person{w.person("otto").enrolByTicket(), w.person("carl").in("audit").enrolByTicket()} {
			otto.confirm()
			otto.get("/.mfa/admin/").want(200)
			otto.get(adminPath("", "q", "zoe")).want(200)
			if strings.Contains(otto.body, "/order") {
				t.Errorf("the list offers %s an action", otto.name)
			}
			otto.get(adminPath("user", "user", "alice")).want(200)
			if strings.Contains(otto.body, "/order") || !strings.Contains(otto.body, "change nothing") {
				t.Errorf("the page offers %s an action, or does not say that there is none", otto.name)
			}
			w.untouched("auditor", func() {
				for _, action := range adminActions {
					otto.get(adminPath("order", "action", action, "user", "alice")).want(403)
					otto.sendOrder(action, "alice", "x").want(403)
				}
			})
		}
	})
}

// M-02: a change takes a proof for changes, at most five minutes old, and not by a
// recovery code; looking takes a session that was proved.
func TestOrdersTakeAFreshProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed)
		w.person("alice").enrol("/")
		dora := w.person("dora").enrolByTicket()
		path := adminPath("order", "action", "reset", "user", "alice")
		refused := func(what string) {
			t.Helper()
			w.untouched(what, func() {
				dora.get(path).want(303, "/.mfa/challenge?purpose=settings&")
				dora.get("/.mfa/admin/").want(200)
				for _, action := range adminActions {
					dora.get("/.mfa/").want(200)
					dora.sendOrder(action, "alice", "x").want(303, "/.mfa/challenge?purpose=settings&")
				}
			})
		}
		refused("the proof of the sign-in")
		dora.confirm()
		dora.get(path).want(200)
		form := dora.body
		time.Sleep(5*time.Minute + time.Second)
		refused("an old proof")
		dora.body = form
		dora.sendOrder("reset", "alice", "x").want(303, "/.mfa/challenge")
		dora.get("/.mfa/challenge?purpose=settings").want(200)
		dora.post("/.mfa/challenge", "method", "recovery", "code", dora.codes[0], "purpose", "settings").want(303)
		refused("a recovery code")
		dora.confirm()
		dora.get(path).want(200)

		thief := dora.elsewhere() // who has the password alone
		thief.get("/.mfa/admin/").want(303, "/.mfa/challenge?return=%2F.mfa%2Fadmin%2F").follow().want(200)
		w.untouched("a password alone", func() {
			thief.get(path).want(303, "/.mfa/challenge")
			thief.follow().want(200)
			for _, action := range adminActions {
				thief.sendOrder(action, "alice", "x").want(401)
			}
		})
		gone := dora.elsewhere() // whose session was ended
		gone.cookies, gone.body = dora.cookies, dora.body
		if _, err := w.gate.SignOut(t.Context(), "root", mfagate.Subject{Realm: "default", Name: "dora"}); err != nil {
			t.Fatal(err)
		}
		w.untouched("an ended session", func() { gone.sendOrder("reset", "alice", "x").want(403) })
	})
}

func TestNobodyAdministersThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed, func(c *mfagate.BlockConfig) { c.Site.Names.Aliases = map[string]string{"WORKS\\dora": "dora"} })
		w.person("alice").enrol("/")
		dora := w.person("dora").enrolByTicket()
		dora.confirm()
		before := fmt.Sprint(w.user("dora").Factors)
		for _, name := range []string{"dora", "DORA", "WORKS\\dora", "ｄｏｒａ"} {
			dora.get(adminPath("user", "user", name)).want(200)
			if strings.Contains(dora.body, "/order") {
				t.Errorf("the page of %q offers an action", name)
			}
			for _, action := range adminActions {
				dora.get(adminPath("order", "action", action, "user", name)).want(403)
				dora.sendOrder(action, name, "x").want(403)
			}
		}
		if after := fmt.Sprint(w.user("dora").Factors); after != before {
			t.Errorf("dora = %s; want %s", after, before)
		}
	})
}

// M-05: the users of another realm are out of reach, whatever the name says.
func TestOrdersStayInTheRealm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed)
		w.person("alice").enrol("/")
		here := w.handler
		w.handler = w.block(func(c *mfagate.BlockConfig) { c.Site.Name, c.Site.Realm = "other", "other" }).Handler(http.HandlerFunc(w.app))
		w.person("carol").enrol("/")
		w.handler = here
		dora := w.person("dora").enrolByTicket()
		dora.confirm()
		dora.get("/.mfa/admin/").want(200)
		if got := fmt.Sprint(dora.names()); got != "[alice dora]" {
			t.Errorf("users = %s; want those of the realm", got)
		}
		for _, name := range []string{"carol", "other/carol", "../other/carol", "%2e%2e/other/carol", "carol\x00", ""} {
			dora.get(adminPath("user", "user", name, "realm", "other")).want(404)
			for _, action := range adminActions[:3] {
				dora.get(adminPath("order", "action", action, "user", name, "realm", "other")).want(404)
				dora.post("/.mfa/admin/order", "action", action, "user", name, "realm", "other", "reason", "x", "seen", "").want(404)
			}
		}
		u, err := w.gate.User(t.Context(), mfagate.Subject{Realm: "other", Name: "carol"})
		if err != nil || !u.Enrolled || u.Sessions != 1 {
			t.Errorf("carol = %+v, %v; want untouched", u, err)
		}
		dora.get(adminPath("", "q", "o", "after", "../other/")).want(200)
		if got := dora.names(); got != nil {
			t.Errorf("users = %q; want nobody", got)
		}
	})
}

// Other sites cannot make an administrator's browser do anything, and links change
// nothing.
func TestOrdersAreNotForged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed)
		w.person("alice").enrol("/")
		dora := w.person("dora").enrolByTicket()
		dora.confirm()
		bob := w.person("bob").enrol("/")
		dora.get(adminPath("order", "action", "reset", "user", "alice")).want(200)
		form := url.Values{"action": {"reset"}, "user": {"alice"}, "reason": {"x"}, "seen": {seenField.FindStringSubmatch(dora.body)[1]}, "form_token": {dora.token()}}
		bob.get("/.mfa/").want(200)
		send := func(want int, change func(*http.Request, url.Values)) {
			t.Helper()
			f := url.Values{}
			for k, v := range form {
				f[k] = slices.Clone(v)
			}
			r := dora.request("POST", "/.mfa/admin/order", "application/x-www-form-urlencoded", f.Encode())
			change(r, f)
			body := dora.request("POST", r.URL.String(), "", f.Encode())
			r.Body, r.ContentLength = body.Body, body.ContentLength
			rec := httptest.NewRecorder()
			w.handler.ServeHTTP(rec, r)
			if rec.Code != want {
				t.Errorf("status = %d; want %d", rec.Code, want)
			}
		}
		w.untouched("forgery", func() {
			send(403, func(_ *http.Request, f url.Values) { f.Del("form_token") })
			send(403, func(_ *http.Request, f url.Values) { f.Set("form_token", bob.token()) })
			send(403, func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
			send(403, func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "same-site") })
			send(403, func(r *http.Request, _ url.Values) { r.Header.Set("Origin", "https://evil.example") })
			send(403, func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Mode", "cors") }) // a script in the app
			send(415, func(r *http.Request, _ url.Values) { r.Header.Set("Content-Type", "text/plain") })
			send(400, func(_ *http.Request, f url.Values) { f["user"] = []string{"alice", "bob"} })
			send(400, func(_ *http.Request, f url.Values) { f.Set("action", "delete") })
			send(409, func(_ *http.Request, f url.Values) { f.Set("seen", "") })
			dora.get("/.mfa/admin/order?" + form.Encode()).want(200)
			dora.get("/.mfa/admin/user?" + form.Encode()).want(200)
		})
		send(200, func(*http.Request, url.Values) {})
	})
}

// Two administrators at once, or one who clicks twice: one reset, and one ticket
// that somebody holds.
func TestTwoAdministratorsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed, func(c *mfagate.BlockConfig) { c.Site.Admins = []string{"dora", "dirk"} })
		w.person("alice").enrol("/")
		var both []*person
		for _, name := range []string{"dora", "dirk", "dora"} {
			p := w.person(name)
			if len(both) == 2 {
				p.cookies = both[0].cookies
			} else {
				p.enrolByTicket().confirm()
			}
			both = append(both, p)
		}
		for _, p := range both {
			p.get(adminPath("order", "action", "reset", "user", "alice")).want(200)
		}
		var wg sync.WaitGroup
		for _, p := range both {
			wg.Go(func() { p.sendOrder("reset", "alice", "asked by "+p.name) })
		}
		wg.Wait()
		codes := []int{both[0].last.Code, both[1].last.Code, both[2].last.Code}
		if slices.Sort(codes); !slices.Equal(codes, []int{200, 409, 409}) {
			t.Errorf("answers = %d; want one 200, and 409 for who came later", codes)
		}
		resets := 0
		for _, kind := range w.kinds() {
			if kind == mfagate.EventReset {
				resets++
			}
		}
		if resets != 1 {
			t.Errorf("%d resets; want 1", resets)
		}
	})
}

// A phone that alice adds while the page of confirmation is open does not go unseen.
func TestResetTakesWhatWasShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed)
		alice := w.person("alice").enrol("/")
		dora := w.person("dora").enrolByTicket()
		dora.confirm()
		alice.confirm()
		dora.get(adminPath("order", "action", "reset", "user", "alice")).want(200)
		alice.post("/.mfa/enroll/totp", "return", "/.mfa/").want(303).follow().want(200).scan()
		alice.post("/.mfa/enroll/totp", "code", alice.code(0), "label", `Tablet"><script>`, "return", "/.mfa/").want(303)
		dora.sendOrder("reset", "alice", `"><script>alert(1)</script>`).want(409)
		if !strings.Contains(dora.body, "changed meanwhile") || !strings.Contains(dora.body, "Tablet&#34;&gt;") || strings.Contains(dora.body, "><script>") {
			t.Errorf("the page does not show what is there now, or not as text: %s", dora.body)
		}
		dora.sendOrder("reset", "alice", `"><script>alert(1)</script>`).want(200)
		dora.get(adminPath("user", "user", "alice")).want(200)
		if !strings.Contains(dora.body, "&lt;script&gt;alert(1)") || strings.Contains(dora.body, "<script>alert") {
			t.Errorf("the reason is not shown as text: %s", dora.body)
		}
	})
}

// Names are any text that RFC 8265 takes: they must come through links and forms as
// they are.
func TestHostileNamesAreAdministered(t *testing.T) {
	names := []string{
		"<script>alert(1)</script>", "a&user=dora", "a+b c%20d", "../../x", "javascript:alert(1)", "q\"onfocus='x'", "#f?g=h;i", "名前", "\u05d0\u05d1", "{{.token}}",
		strings.Repeat("\u00e9", 128),
	}
	for _, name := range names {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil, staffed)
			w.person("alice").enrol("/")
			dora := w.person("dora").enrolByTicket()
			dora.confirm()
			hostile := w.person(name).enrol("/")
			dora.get("/.mfa/admin/").want(200)
			if got := dora.names(); !slices.Contains(got, name) || strings.Contains(dora.body, "<script>alert") {
				t.Fatalf("users = %q; want %q among them, as text", got, name)
			}
			dora.get(adminPath("", "q", name)).want(200)
			if got := dora.names(); !slices.Equal(got, []string{name}) {
				t.Errorf("search = %q; want %q", got, name)
			}
			dora.order("sign_out", name, strings.Repeat("\u00e4", 1000)).want(303, "/.mfa/admin/user?").follow().want(200)
			hostile.get("/").want(303, "/.mfa/challenge")
			time.Sleep(time.Second)
			dora.order("reset", name, "x").want(200)
			if !ticketLink.MatchString(dora.body) || w.user(name).Enrolled {
				t.Errorf("%q was not reset", name)
			}
		})
	}
}
