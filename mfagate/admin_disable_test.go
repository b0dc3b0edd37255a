package mfagate_test

import (
	"encoding/csv"
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

// auditorsMay are the forms that change nothing of anybody's account.
var auditorsMay = []string{"admin/report"}

// S64 to S69: where a second factor may be missing, an administrator switches one
// off: all goes, the person passes by the password, and may enrol without a ticket.
func TestAdministratorDisables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, optional, staffed)
		alice := w.person("alice").in("staff")
		alice.get("/.mfa/enroll").want(200)
		alice.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303, "/.mfa/recovery-codes").follow().want(200).note()
		alice.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set()).want(303)
		thief := alice.elsewhere()
		thief.get("/").want(303, "/.mfa/challenge")
		dora := w.person("dora").enrolByTicket()
		dora.confirm()
		dora.get(adminPath("user", "user", "alice")).want(200)
		if !strings.Contains(dora.body, "action=disable&amp;user=alice") {
			t.Errorf("the page does not offer to switch off: %s", dora.body)
		}
		dora.get(adminPath("order", "action", "disable", "user", "alice")).want(200)
		for _, said := range []string{"Authenticator app", "10 recovery codes", "1 session, ", "the password alone is enough"} {
			if !strings.Contains(dora.body, said) {
				t.Errorf("the page does not say that %q", said)
			}
		}
		dora.sendOrder("disable", "alice", "").want(422)
		dora.sendOrder("disable", "alice", "left the project").want(303, "/.mfa/admin/user?notice=disable&user=alice").follow().want(200)
		if !strings.Contains(dora.body, "The second factor is switched off.") || !strings.Contains(dora.body, "<bdi>left the project</bdi>") {
			t.Errorf("the page does not say what was done, and why: %s", dora.body)
		}
		if u := w.user("alice"); u.Enrolled || u.Sessions != 0 || u.RecoveryLeft != 0 || u.RecoveryMade != 0 || u.TicketNeeded {
			t.Errorf("alice = %+v; want nothing left, and no ticket needed", u)
		}
		alice.get("/").want(200)
		alice.get("/.mfa/enroll").want(200)
		alice.post("/.mfa/enroll/totp").want(303).follow().want(200)
	})
}

// Where a second factor is required, here or elsewhere in the realm, nobody's is
// switched off: the next one to enrol would be whoever has the password.
func TestNobodyIsDisabledWhereAFactorIsRequired(t *testing.T) {
	for name, change := range map[string]func(*mfagate.BlockConfig){
		"here":      func(*mfagate.BlockConfig) {},
		"elsewhere": func(c *mfagate.BlockConfig) { c.Site.Mode, c.Site.RequiredElsewhere = mfagate.Optional, true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil, staffed, change)
				alice := w.person("alice").enrolByTicket()
				dora := w.person("dora").enrolByTicket()
				dora.confirm()
				dora.get(adminPath("user", "user", "alice")).want(200)
				if strings.Contains(dora.body, "action=disable") {
					t.Error("the page offers what is refused")
				}
				w.untouched("disable", func() {
					dora.get(adminPath("order", "action", "disable", "user", "alice")).want(403)
					dora.get(adminPath("order", "action", "reset", "user", "alice")).want(200)
					dora.sendOrder("disable", "alice", "x").want(403)
					if !strings.Contains(dora.body, "required here") {
						t.Errorf("the page does not say why: %s", dora.body)
					}
				})
				alice.get("/").want(200)
			})
		})
	}
}

// A page that was opened before the person replaced their phone switches nothing
// off; nor does one administrator repeat what another has done; nor is a ticket of
// before worth anything afterwards.
func TestDisableIsOfWhatWasShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, optional, staffed, func(c *mfagate.BlockConfig) { c.Site.Admins = []string{"dora", "dirk"} })
		w.person("alice").enrolByTicket()
		var both []*person
		for _, name := range []string{"dora", "dirk"} {
			both = append(both, w.person(name).enrolByTicket())
		}
		for _, p := range both {
			p.confirm()
			p.get(adminPath("order", "action", "disable", "user", "alice")).want(200)
		}
		w.untouched("an empty fingerprint", func() {
			p := both[0]
			p.post("/.mfa/admin/order", "action", "disable", "user", "alice", "reason", "x", "seen", "").want(409)
		})
		for _, p := range both {
			p.get(adminPath("order", "action", "disable", "user", "alice")).want(200)
		}
		statuses := make([]int, len(both))
		var wait sync.WaitGroup
		for i, p := range both {
			wait.Go(func() { statuses[i] = p.sendOrder("disable", "alice", "x").last.Code })
		}
		wait.Wait()
		if slices.Sort(statuses); statuses[0] != 303 || statuses[1] != 409 {
			t.Errorf("statuses = %v; want one that did it, and one that was told", statuses)
		}
		n := 0
		for _, k := range w.kinds() {
			if k == mfagate.EventDisabled {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d events; want one", n)
		}
	})
}

// An auditor tries every form that there is, with every action that there is; so do
// administrators on themselves, and people who are neither.
func TestEveryAdminForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, optional, staffed)
		w.person("alice").enrolByTicket()
		otto := w.person("otto").enrolByTicket()
		otto.confirm()
		dora := w.person("dora").enrolByTicket()
		dora.confirm()
		bob := w.person("bob").enrolByTicket()
		bob.confirm()
		forms, all := mfagate.AdminForms(), mfagate.AdminActions()
		if len(forms) < 2 || len(all) < 5 {
			t.Fatalf("forms = %q, actions = %q; want all that there are", forms, all)
		}
		for _, form := range forms {
			path := "/.mfa/" + form
			for _, action := range all {
				fields := []string{"action", action, "user", "alice", "reason", "x", "seen", "x"}
				w.untouched("bob at "+path, func() { bob.get("/.mfa/"); bob.post(path, fields...).want(404) })
				if slices.Contains(auditorsMay, form) {
					continue
				}
				w.untouched("otto at "+path, func() { otto.get("/.mfa/"); otto.post(path, fields...).want(403) })
				if form == "admin/mode" { // it is about everybody
					continue
				}
				dora.get("/.mfa/")
				before := fmt.Sprint(w.user("dora"))
				fields[3] = "DORA"
				if dora.post(path, fields...); dora.last.Code != 403 || fmt.Sprint(w.user("dora")) != before {
					t.Errorf("%s of oneself at %s = %d; want 403, and nothing changed", action, path, dora.last.Code)
				}
			}
			w.forged(t, dora, path)
		}
	})
}

// forged sends a form as other sites, scripts and old pages would.
func (w *world) forged(t *testing.T, p *person, path string) {
	t.Helper()
	p.get("/.mfa/").want(200)
	token := p.token()
	send := func(token string, change func(http.Header)) int {
		form := url.Values{"form_token": {token}, "action": {"unlock"}, "user": {"alice"}, "reason": {"x"}, "seen": {""}}
		r := p.request("POST", path, "application/x-www-form-urlencoded", form.Encode())
		change(r.Header)
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		return rec.Code
	}
	w.untouched("forgery at "+path, func() {
		for name, code := range map[string]int{
			"no token":    send("", func(http.Header) {}),
			"cross-site":  send(token, func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") }),
			"same-site":   send(token, func(h http.Header) { h.Set("Sec-Fetch-Site", "same-site") }),
			"origin":      send(token, func(h http.Header) { h.Set("Origin", "https://evil.example") }),
			"script":      send(token, func(h http.Header) { h.Set("Sec-Fetch-Mode", "cors") }),
			"wrong token": send(token+"x", func(http.Header) {}),
		} {
			if code != 403 {
				t.Errorf("%s at %s = %d; want 403", name, path, code)
			}
		}
	})
}

// S84, S85: administrators and auditors see how many are set up, and export the list.
func TestReportPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, optional, staffed)
		for i := range 60 {
			w.person(fmt.Sprintf("user%02d", i)).enrolByTicket()
		}
		alice := w.person("alice").enrolByTicket()
		thief := alice.elsewhere()
		thief.get("/").follow()
		for range 5 {
			thief.post("/.mfa/challenge", "method", "totp", "code", "000000").want(401)
		}
		otto := w.person("otto").enrolByTicket()
		if err := w.gate.Disable(t.Context(), "root", mfagate.Subject{Realm: "default", Name: "user07"}, "test"); err != nil {
			t.Fatal(err)
		}
		otto.get("/.mfa/admin/report").want(200)
		for _, said := range []string{"<dt>Users</dt><dd>62</dd>", "<dt>Set up</dt><dd>61</dd>", "<dt>Not set up</dt><dd>1</dd>",
			"<dt>Paused after wrong codes</dt><dd>1</dd>", "<dt>Authenticator app</dt><dd>61</dd>"} {
			if !strings.Contains(otto.body, said) {
				t.Errorf("the report does not say %q: %s", said, otto.body)
			}
		}
		if got := otto.names(); len(got) != 50 {
			t.Errorf("a page lists %d users; want 50", len(got))
		}
		_, link, _ := strings.Cut(otto.body, `href="/.mfa/admin/report?after=`)
		next, _, _ := strings.Cut(link, `"`)
		otto.get("/.mfa/admin/report?after=" + next).want(200)
		if got := otto.names(); len(got) != 12 {
			t.Errorf("the second page lists %d users; want 12", len(got))
		}
		otto.get("/.mfa/admin/report?after=" + strings.Repeat("x", 300)).want(400)
	})
}

func TestReportExport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed)
		for _, name := range []string{"=1+1", "-bob", "@sum", "alice"} {
			w.person(name).enrolByTicket()
		}
		otto := w.person("otto").enrolByTicket()
		otto.get("/.mfa/admin/report").want(200)
		time.Sleep(time.Second)
		otto.post("/.mfa/admin/report").want(200)
		body, marked := strings.CutPrefix(otto.body, "\ufeff")
		rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
		if err != nil || !marked || len(rows) != 6 || rows[0][1] != "user" {
			t.Fatalf("export = %q, %v; want a header and five users", rows, err)
		}
		for _, row := range rows[1:] {
			if strings.ContainsAny(row[1][:1], "=+-@") {
				t.Errorf("cell %q would be a formula", row[1])
			}
		}
		h := otto.last.Header()
		if d := h.Get("Content-Disposition"); !strings.HasPrefix(d, `attachment; filename="mfa-report-`) || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("headers = %v; want an attachment that is not stored", h)
		}
		for _, p := range []*person{otto, w.person("dora")} {
			for _, secret := range append(p.codes, p.secret) {
				if secret != "" && strings.Contains(otto.body, secret) {
					t.Error("the export holds a secret")
				}
			}
		}
		events, err := w.gate.Events(t.Context(), mfagate.Subject{Realm: "default", Name: "otto"}, 1)
		if err != nil || events[0].Kind != mfagate.EventExported {
			t.Errorf("events = %+v, %v; want that otto exported the list", events, err)
		}

		pending := otto.elsewhere() // who has the password alone
		pending.get("/.mfa/admin/report").want(303, "/.mfa/challenge?return=").follow().want(200)
		pending.post("/.mfa/admin/report").want(401)
		otto.get("/.mfa/admin/report?format=csv").want(200)
		if strings.Contains(otto.last.Header().Get("Content-Type"), "csv") {
			t.Error("a link exports the list")
		}
	})
}

// Only so many exports go on at a time; one that stands still does not keep others
// from the pages.
func TestReportFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed)
		otto := w.person("otto").enrolByTicket()
		otto.get("/.mfa/admin/report").want(200)
		release := make(chan struct{})
		form := url.Values{"form_token": {otto.token()}}.Encode()
		for range 2 {
			go w.handler.ServeHTTP(stuck{httptest.NewRecorder(), release}, otto.request("POST", "/.mfa/admin/report", "application/x-www-form-urlencoded", form))
		}
		synctest.Wait()
		otto.post("/.mfa/admin/report").want(429)
		otto.get("/.mfa/admin/report").want(200)
		close(release)
		synctest.Wait()
		time.Sleep(time.Second)
		otto.post("/.mfa/admin/report").want(200)
	})
}

// stuck is a client that does not read.
type stuck struct {
	http.ResponseWriter
	release <-chan struct{}
}

func (s stuck) Write(b []byte) (int, error) {
	<-s.release
	return s.ResponseWriter.Write(b)
}
