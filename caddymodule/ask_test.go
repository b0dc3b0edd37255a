package caddymodule

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

var askStyle = regexp.MustCompile(`/\.mfa/static/[^"]*\.css`)

var askToken = regexp.MustCompile(`name="form_token" value="([^"]*)"`)

// stranger sends a request without a password.
func (g *gateway) stranger(method, path, cookie, form string, headers ...string) answer {
	g.t.Helper()
	req, err := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d%s", g.port, path), strings.NewReader(form))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Host = fmt.Sprintf("localhost:%d", g.port)
	req.Header.Set("Accept", "text/html")
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return g.send(req)
}

// answers answers what a reset link asks.
func (g *gateway) answers(user, code string) (answer, *person) {
	g.t.Helper()
	p := &person{g: g}
	stopped := g.stranger("GET", "/reset?token=1", "", "")
	if got := stopped.header.Get("Location"); stopped.status != http.StatusSeeOther || got != "/.mfa/ask?return=%2Freset%3Ftoken%3D1" {
		g.t.Fatalf("GET /reset = %d to %q; want the page that asks", stopped.status, got)
	}
	page := g.stranger("GET", stopped.header.Get("Location"), "", "")
	p.keep(page)
	m := askToken.FindStringSubmatch(page.body)
	if page.status != http.StatusOK || m == nil {
		g.t.Fatalf("the page that asks: %d %s", page.status, page.body)
	}
	form := url.Values{"form_token": {html.UnescapeString(m[1])}, "user": {user}, "code": {code}, "return": {"/reset?token=1"}}
	got := g.stranger("POST", "/.mfa/ask", p.cookie, form.Encode())
	p.keep(got)
	return got, p
}

// askedSite has a reset link that asks, and a first factor for the rest: in either
// order, each block serves the pages of both.
func askedSite(askFirst bool) string {
	ask := "@reset path /reset /reset/*\nmfa @reset {\nask\n}\n"
	tell := "@rest not path /reset /reset/*\nmfa @rest {\nuser {header.X-User}\nheader_from 127.0.0.1\n}\n"
	if askFirst {
		return ask + tell
	}
	return tell + ask
}

// S89, through the whole server.
func TestAsk(t *testing.T) {
	for _, askFirst := range []bool{true, false} {
		t.Run(fmt.Sprint(askFirst), func(t *testing.T) {
			g := serve(t, askedSite(askFirst))
			alice := &person{g: g, headers: []string{"X-User", "alice"}}
			alice.enrol() // on the pages of the other block
			if got, _ := g.answers("alice", "000000"); got.status != http.StatusUnauthorized {
				t.Errorf("a wrong code: %d", got.status)
			}
			got, p := g.answers("alice", codeAt(t, alice.seed, time.Now().Add(30*time.Second)))
			if got.status != http.StatusSeeOther || got.header.Get("Location") != "/reset?token=1" {
				t.Fatalf("a right code: %d to %q; want the link", got.status, got.header.Get("Location"))
			}
			if got := g.stranger("GET", "/reset?token=1", p.cookie, ""); !got.reachedApp() {
				t.Errorf("afterwards: %d %s", got.status, got.body)
			}
			for _, headers := range [][]string{nil, {"X-User", "alice"}} {
				if got := g.stranger("GET", "/", p.cookie, "", headers...); got.reachedApp() {
					t.Errorf("what was asked opens the rest to %q", headers)
				}
				if got := g.stranger("GET", "/.mfa/", p.cookie, "", headers...); got.status == http.StatusOK {
					t.Errorf("what was asked opens the security page to %q", headers)
				}
			}
			if got := g.stranger("GET", "/reset?token=1", alice.cookie, "", "X-User", "alice"); got.reachedApp() {
				t.Error("alice's own session opens the link without being asked")
			}
		})
	}
}

// A page that is handed on to another block of the site meets that block's own rules on
// who may say who somebody is.
func TestAskForgedIdentity(t *testing.T) {
	g := serve(t, strings.Replace(askedSite(true), "127.0.0.1", "192.0.2.1", 1))
	if got := g.user("X-User", "alice"); got != "" {
		t.Errorf("the browser says it is %q, and was believed", got)
	}
}

// A site that does nothing but ask serves no other pages, and lets nothing through.
func TestAskAlone(t *testing.T) {
	g := serve(t, "mfa {\nask\n}\n")
	for _, path := range []string{"/.mfa/", "/.mfa/enroll", "/.mfa/api/v1/session", "/.mfa/admin/"} {
		if got := g.stranger("GET", path, "", ""); got.status != http.StatusNotFound || got.reachedApp() {
			t.Errorf("GET %s = %d %s; want 404", path, got.status, got.body)
		}
	}
	style := askStyle.FindString(g.stranger("GET", "/.mfa/ask", "", "").body)
	if got := g.stranger("GET", style, "", ""); style == "" || got.status != http.StatusOK {
		t.Errorf("the style of the page, %q: %d", style, got.status)
	}
}

// TestAskBeforeTheAppsOwnLogin goes from the ticket to the app, through the whole server, and back out.
func TestAskBeforeTheAppsOwnLogin(t *testing.T) {
	g := serveAdmin(t, "mfa {\nask {\nlifetime 1h\nidle 10m\n}\n}")
	issued := g.admin("POST", "/mfa/users/default/alice/tickets", "{}")
	m := regexp.MustCompile(`"ticket": ?"([0-9A-Z]{26})"`).FindStringSubmatch(issued.body)
	if m == nil {
		t.Fatalf("issuing a ticket: %d %s", issued.status, issued.body)
	}
	p := &person{g: g}
	page := g.stranger("GET", "/.mfa/enroll?ticket="+m[1], "", "")
	p.keep(page)
	form := func(fields ...string) string {
		v := url.Values{"form_token": {html.UnescapeString(askToken.FindStringSubmatch(page.body)[1])}}
		for i := 0; i+1 < len(fields); i += 2 {
			v.Set(fields[i], fields[i+1])
		}
		return v.Encode()
	}
	if got := g.stranger("POST", "/.mfa/enroll", p.cookie, form("user", "bob", "ticket", m[1])); got.status != http.StatusUnauthorized {
		t.Errorf("somebody else's name with the ticket: %d", got.status)
	}
	got := g.stranger("POST", "/.mfa/enroll", p.cookie, form("user", "alice", "ticket", m[1]))
	p.keep(got)
	if got.status != http.StatusSeeOther || got.header.Get("Location") != "/.mfa/enroll" {
		t.Fatalf("the name with the ticket: %d to %q %s", got.status, got.header.Get("Location"), got.body)
	}
	if got := g.stranger("GET", "/", p.cookie, ""); got.reachedApp() {
		t.Error("the ticket alone opens the app")
	}
	if page = g.stranger("GET", "/.mfa/enroll", p.cookie, ""); page.status != http.StatusOK || !strings.Contains(page.body, `action="/.mfa/enroll/totp"`) {
		t.Errorf("the set-up: %d %s", page.status, page.body)
	}
	if got := g.stranger("POST", "/.mfa/sign-out", p.cookie, form()); got.status != http.StatusOK {
		t.Errorf("signing out: %d", got.status)
	}
}
