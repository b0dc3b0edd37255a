package mfagate_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// Whoever navigates gets a page with a way on where the gate stands between them and the
// app's form, in their language; a script gets a problem.
func TestPeopleGetAPageWhereALoginStops(t *testing.T) {
	long := false
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if long {
			http.SetCookie(w, &http.Cookie{Name: "state", Value: strings.Repeat("x", 20000)})
		}
		fmt.Fprint(w, "the app")
	})
	for _, stop := range []struct {
		name   string
		status int
		link   string
		ask    func(p *person) *person
	}{
		{"a cookie that is too long", 502, "/login", func(p *person) *person { long = true; return p.get("/login") }},
		{"a form that reads in two ways", 400, "/login", func(p *person) *person {
			return p.send(p.request("POST", "/login", "application/x-www-form-urlencoded", "user=alice&password=x&password=y"))
		}},
		{"credentials elsewhere", 400, "/login", func(p *person) *person { return p.get("/login?user=alice&password=x") }},
	} {
		t.Run(stop.name, func(t *testing.T) {
			long = false
			c := formConfig()
			c.Page = append(c.Page, loginform.Pattern{Text: "GET " + "/login?user=*&password=*"})
			p := loginWorld(t, c, app).person("")
			stop.ask(p).want(stop.status)
			if ct := p.last.Header().Get("Content-Type"); !strings.HasPrefix(ct, "text/html") || strings.Count(p.body, "<h1>") != 1 {
				t.Fatalf("got %s without one heading:\n%.600s", ct, p.body)
			}
			if want := fmt.Sprintf(`class="primary" href="%s"`, stop.link); !strings.Contains(p.body, want) {
				t.Errorf("no link %s:\n%.2000s", want, p.body)
			}
			if p.last.Header().Get("Cache-Control") != "no-store" || strings.Contains(p.body, "xxxx") {
				t.Error("the page may be kept, or holds what the app has sent")
			}
		})
	}
}

// Who closes the browser's window for the password sees a page, and is asked again by
// its button; a script is told in JSON.
func TestWhoClosesTheWindowForThePasswordGetsAPage(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	c := loginform.Config{Page: []loginform.Pattern{{Text: "GET /files/"}, {Text: "GET /files/?sort=*"}}, Basic: true}
	p := loginWorld(t, c, app).person("")
	p.get("/files/?sort=<b>").want(401)
	if h := p.last.Header(); !strings.HasPrefix(h.Get("WWW-Authenticate"), "Basic ") || !strings.HasPrefix(h.Get("Content-Type"), "text/html") {
		t.Errorf("got %v; want a page that asks for Basic credentials", h)
	}
	if want := `href="/files/?sort=`; !strings.Contains(p.body, want) || strings.Contains(p.body, "<b>") {
		t.Errorf("the page does not lead to itself:\n%s", p.body)
	}
	p.fetch("GET", "/files/list", "", "").want(401)
	if got := p.last.Header().Get("Content-Type"); !strings.HasPrefix(got, "application/problem+json") {
		t.Errorf("a script gets %s; want a problem in JSON", got)
	}
}

// Transmission lets browsers keep its page for a day. After a sign-out they would show it,
// and it would say that its server cannot be reached.
func TestPagesOfTheAppAreAskedForEachTime(t *testing.T) {
	app := &formApp{sessions: map[string]string{}}
	kept := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Expires", "Fri, 31 Dec 2100 00:00:00 GMT")
		w.Header().Set("Cache-Control", "public, max-age=86400")
		switch r.URL.Path {
		case "/page":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
		case "/style.css":
			w.Header().Set("Content-Type", "text/css")
		case "/private":
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Cache-Control", "private, no-store")
		default:
			app.ServeHTTP(w, r)
			return
		}
		fmt.Fprint(w, "x")
	})
	p := loginWorld(t, formConfig(), kept).person("")
	p.signIn("alice", formPassword)
	p.enrolHere()
	for path, want := range map[string]string{
		"/page": "private, no-cache", "/private": "private, no-store", "/style.css": "public, max-age=86400",
	} {
		p.get(path).want(200)
		if got := p.last.Header().Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control = %q; want %q", path, got, want)
		}
	}
}
