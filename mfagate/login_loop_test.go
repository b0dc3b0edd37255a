package mfagate_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// An app that leads back from its login page to a page where it knows nobody would have a
// browser go round without end. The person gets a page with words instead, and
// whoever only asks for the same page now and then never does.
func TestAppThatLeadsBackAndForth(t *testing.T) { synctest.Test(t, backAndForth) }

func backAndForth(t *testing.T) {
	c := formConfig()
	c.Identify.Probe = "GET /here/me"
	w := loginWorld(t, c, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch _, err := r.Cookie("sid"); {
		case r.Method == http.MethodPost:
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "s", Path: "/"})
			http.SetCookie(w, &http.Cookie{Name: "near", Value: "n", Path: "/", SameSite: http.SameSiteStrictMode})
			http.Redirect(w, r, "/home", http.StatusFound)
		case r.URL.Path == "/here/me" && err == nil && strings.Contains(r.Header.Get("Cookie"), "near="):
			_, _ = io.WriteString(w, `<p id="me">alice</p>`)
		case r.URL.Path == "/login" && err == nil:
			http.Redirect(w, r, "/far", http.StatusFound)
		}
	}))
	p := w.signedInByForm()
	p.get("/home").want(200)
	near := p.cookies["near"]
	delete(p.cookies, "near") // the browser keeps it back by its SameSite
	for range 20 {
		time.Sleep(6 * time.Second)
		p.get("/far").want(303, "/login")
	}
	turns := 0
	for p.get("/far"); p.last.Code == http.StatusSeeOther && turns < 20; turns++ {
		p.cookies["near"] = near
		p.get("/login").want(302, "/far")
		delete(p.cookies, "near")
		p.get("/far")
	}
	if turns < 4 || turns > 8 {
		t.Errorf("the browser was led round %d times; want about six", turns)
	}
	p.want(502)
	if !strings.Contains(p.body, "back and forth") {
		t.Errorf("got %.300s; want words", p.body)
	}
	time.Sleep(6 * time.Second)
	p.get("/far").want(303, "/login")
}

// The same befalls visitors where the app shows its form at an address that nobody has listed.
func TestFormAtAnUnlistedAddressEndsInWords(t *testing.T) {
	w := loginWorld(t, formConfig(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "s", Path: "/"})
			http.Redirect(w, r, "/signin", http.StatusFound)
		}
	}))
	p := w.person("")
	turns := 0
	for p.get("/signin"); p.last.Code == http.StatusSeeOther && turns < 20; turns++ {
		p.get("/login").want(302, "/signin").get("/signin")
	}
	p.want(502)
	if turns != 6 || !strings.Contains(p.body, "back and forth") {
		t.Errorf("after %d rounds: %.300s; want words after six", turns, p.body)
	}
}
