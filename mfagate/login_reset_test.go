package mfagate_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// Where wild cards make a request one for a forgotten password and one that may carry a name and a password, the
// latter holds for people who are signed in.
func TestVisitorsPasswordUnderAccounts(t *testing.T) {
	app := &resetApp{users: map[string]string{}}
	c := formConfig()
	c.Reset = []loginform.Pattern{{Text: "/*"}}
	c.Accounts = []loginform.Pattern{{Text: "POST /**/people"}}
	w := loginWorld(t, c, app)
	p := w.person("")
	p.name = ""
	p.post("/people", "user", "vic", "password", formPassword).want(400)
	for id, user := range app.users {
		if user != "" {
			t.Errorf("session %s is %s's", id, user)
		}
	}
}

// A resetApp signs in whoever follows a link from a mail, and tells nobody that it has. With
// somebody signed in its login takes any password, and its login page is his home.
type resetApp struct {
	cookie bool // it names the user in a cookie
	users  map[string]string
	acts   []string
}

func (a *resetApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := ""
	if c, err := r.Cookie("sid"); err == nil {
		id = c.Value
	}
	if _, known := a.users[id]; !known {
		id = fmt.Sprintf("s%d", len(a.users))
		a.users[id] = ""
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: id, Path: "/"})
	}
	sign := func(user string) {
		a.users[id] = user
		if a.cookie {
			http.SetCookie(w, &http.Cookie{Name: "who", Value: user, Path: "/"})
		}
	}
	switch {
	case r.URL.Path == "/reset" && r.URL.Query().Get("token") == "of-vic":
		sign("vic")
		fmt.Fprint(w, "Welcome, vic")
	case r.URL.Path == "/reset":
		fmt.Fprintf(w, `<form method=post><input name=mail><input type=hidden name=csrf value=%q></form>`, id)
		if r.Method == http.MethodPost && r.FormValue("csrf") == id {
			fmt.Fprint(w, "A mail was sent")
		}
	case r.Method == http.MethodPost && r.FormValue("password") == formPassword:
		sign(r.FormValue("user"))
		http.Redirect(w, r, "/home", http.StatusFound)
	case r.Method == http.MethodPost && a.users[id] != "":
		http.Redirect(w, r, "/home", http.StatusFound)
	case r.URL.Path == "/me":
		fmt.Fprintf(w, `<p id="me">%s</p>`, a.users[id])
	case r.URL.Path == "/logout": // of the gate's own
		a.users[id] = ""
	default:
		if a.users[id] != "" {
			a.acts = append(a.acts, a.users[id]+" "+r.URL.Path)
		}
		fmt.Fprintf(w, `<form method=post action=/login><input name=user><input name=password></form><p>the app, for %s</p>`, a.users[id])
	}
}

func resetConfig(identify *loginform.Identify) loginform.Config {
	c := formConfig()
	c.Identify, c.Failure = identify, nil
	c.Reset = []loginform.Pattern{{Text: "GET|POST /reset?token?=*"}}
	return c
}

// Nobody can ask that app who is signed in: so what a link from a mail has made of the
// visitor's session is of no use, neither to the login page nor to a login with
// somebody else's name.
func TestResetThatSignsInWithoutAnyoneToAsk(t *testing.T) {
	app := &resetApp{users: map[string]string{}}
	w := loginWorld(t, resetConfig(nil), app)
	eve := w.person("")
	eve.name = ""
	eve.get("/login").want(200)
	eve.get("/reset?token=of-vic").want(200)
	eve.get("/login").want(200)
	if strings.Contains(eve.body, "for vic") {
		t.Errorf("the login page shows %q", eve.body)
	}
	eve.get("/reset?token=of-vic").want(200)
	eve.post("/login", "user", "eve", "password", "anything").want(401)
	if len(app.acts) > 0 {
		t.Errorf("the app acted as %q", app.acts)
	}
}

// A form for a forgotten password still has its cookie when it is sent.
func TestResetFormKeepsItsCookieWithoutAnyoneToAsk(t *testing.T) {
	app := &resetApp{users: map[string]string{}}
	w := loginWorld(t, resetConfig(nil), app)
	p := w.person("")
	p.name = ""
	p.get("/login").want(200)
	p.get("/reset").want(200)
	_, token, _ := strings.Cut(p.body, `value="`)
	token, _, _ = strings.Cut(token, `"`)
	p.post("/reset", "mail", "a@example.com", "csrf", token).want(200)
	if !strings.Contains(p.body, "A mail was sent") {
		t.Errorf("the form for a forgotten password: got %q", p.body)
	}
}

// An app that names its user in a cookie need not be asked.
func TestResetThatNamesItsUserInACookie(t *testing.T) {
	app := &resetApp{users: map[string]string{}, cookie: true}
	w := loginWorld(t, resetConfig(&loginform.Identify{Cookie: "who"}), app)
	eve := w.person("")
	eve.name = ""
	eve.get("/login").want(200)
	eve.get("/reset?token=of-vic").want(303, "/login")
	if strings.Contains(eve.body, "vic") {
		t.Errorf("the answer shows %q", eve.body)
	}
	eve.get("/login").want(200)
	eve.post("/login", "user", "eve", "password", "anything").want(401)
	if len(app.acts) > 0 {
		t.Errorf("the app acted as %q", app.acts)
	}
}
