package mfagate_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// A databaseApp takes every name and password, leads to the person's page, and finds out
// there whether the database takes them, too.
func databaseApp(w http.ResponseWriter, r *http.Request) {
	const form = `<form method=post><select name=driver><option value=old><option value=server selected>MySQL</select><input name=user><input name=password></form>`
	if r.Method == http.MethodPost {
		if r.FormValue("driver") != "server" {
			http.Error(w, "no such driver", http.StatusBadRequest)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "login", Value: r.FormValue("user") + ":" + r.FormValue("password"), Path: "/"})
		http.Redirect(w, r, "/db/?as="+r.FormValue("user"), http.StatusFound)
		return
	}
	c, _ := r.Cookie("login")
	name := r.URL.Query().Get("as")
	switch {
	case name == "":
		fmt.Fprint(w, form)
	case c == nil || c.Value != name+":"+formPassword:
		fmt.Fprint(w, "<p>Access denied for "+name+form)
	default:
		fmt.Fprintf(w, "<b id=me>%s</b> the tables", name)
	}
}

func databaseWorld(t *testing.T, submit string) *world {
	c := formConfig()
	c.Page = []loginform.Pattern{{Text: "GET /db/"}}
	c.Submit = []loginform.Pattern{{Text: "POST " + submit}}
	c.Follow = true
	c.Success = []loginform.Signs{{Status: []string{"200"}, Selector: []string{"#me"}}}
	c.Failure = []loginform.Signs{{Body: []string{"Access denied"}}}
	c.Identify = &loginform.Identify{Selector: "#me"}
	return loginWorld(t, c, http.HandlerFunc(databaseApp))
}

func TestPageBehindTheRedirectIsJudged(t *testing.T) {
	w := databaseWorld(t, "/db/")
	p := w.person("")
	p.get("/db/?as=alice").want(303, "/db/")
	p.get("/db/").want(200)
	for _, name := range []string{"alice", "alcie"} {
		p.post("/db/", "driver", "server", "user", name, "password", "wrong").want(200)
		if !strings.Contains(p.body, "Access denied for "+name) {
			t.Errorf("a wrong password as %s: got %q; want the app's words", name, p.body)
		}
	}
	p.post("/db/", "driver", "server", "user", "alice", "password", formPassword).want(303, "/.mfa/enroll")
	p.get("/db/?as=alice").want(303, "/.mfa/enroll")
	if strings.Contains(p.body, "tables") {
		t.Error("the app is open without a second factor")
	}
	p.enrolHere()
	p.get("/db/?as=alice").want(200)
	if !strings.Contains(p.body, "<b id=me>alice</b>") {
		t.Errorf("after the proof: %q; want alice's tables", p.body)
	}
}

// A page whose links would mean something else at the form's own address is not shown there.
func TestPageOfAnotherFolderIsNotShownInPlaceOfTheForm(t *testing.T) {
	w := databaseWorld(t, "/sign/in")
	p := w.person("")
	p.get("/db/").want(200)
	p.post("/sign/in", "driver", "server", "user", "alice", "password", "wrong").want(401)
	if strings.Contains(p.body, "Access denied") || !strings.Contains(p.body, "/db/") {
		t.Errorf("got %.300q; want the gate's page with the way back", p.body)
	}
}

// A redirect that leads around for ever, or away, is judged as it is.
func TestEndlessRedirectSignsNobodyIn(t *testing.T) {
	for _, to := range []string{"/login", "//elsewhere.example/", "http://elsewhere.example/", "/loop", ":"} {
		var asked int
		c := formConfig()
		c.Follow = true
		w := loginWorld(t, c, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			if r.Method == http.MethodPost || r.URL.Path == "/loop" {
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusFound)
				return
			}
			fmt.Fprint(w, "<form><input name=user><input name=password></form>")
		}))
		p := w.person("")
		p.get("/login").want(200)
		p.submitLogin("alice", formPassword).want(401)
		if asked > 10 {
			t.Errorf("%s: the app was asked %d times", to, asked)
		}
	}
}

// Where the app signs out whoever opens its login page, that page still shows to strangers, and ends the
// session of whoever is signed in.
func TestLoginPageThatSignsOut(t *testing.T) {
	w, _ := newFormWorld(t, func(c *loginform.Config) { c.Logout = []loginform.Pattern{{Text: "GET /login"}} })
	p := w.person("")
	p.get("/home").want(303, "/login")
	p.get("/login").want(200)
	p.submitLogin("alice", formPassword).want(303, "/.mfa/enroll")
	p.enrolHere()
	p.get("/home").want(200)
	p.get("/login").want(303, "/login")
	p.get("/login").want(200)
	p.get("/home").want(303, "/login")
}
