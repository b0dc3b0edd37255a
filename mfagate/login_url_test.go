package mfagate_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// A urlApp takes the session's id from the query or the path, writes it there as long as it
// has seen no cookie, and keeps the id at the sign-in.
type urlApp struct {
	users map[string]string
	acts  []string
}

func (a *urlApp) id(r *http.Request) string {
	if id := r.FormValue("PHPSESSID"); id != "" {
		return id
	}
	if _, id, ok := strings.Cut(r.URL.Path, ";jsessionid="); ok {
		return id
	}
	if c, err := r.Cookie("PHPSESSID"); err == nil {
		return c.Value
	}
	return ""
}

func (a *urlApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, suffix := a.id(r), ""
	if _, known := a.users[id]; !known {
		id = fmt.Sprintf("s%d", len(a.users))
		a.users[id] = ""
		http.SetCookie(w, &http.Cookie{Name: "PHPSESSID", Value: id, Path: "/"})
		suffix = "PHPSESSID=" + id
	}
	path, _, _ := strings.Cut(r.URL.Path, ";")
	switch {
	case path == "/login" && r.Method == http.MethodPost && r.FormValue("password") == formPassword:
		a.users[id] = r.FormValue("user")
		http.Redirect(w, r, "/home", http.StatusFound)
	case path == "/login":
		fmt.Fprintf(w, `<form method=post action="/login?%s"><input name=user><input name=password></form>`, suffix)
	case path == "/me":
		fmt.Fprintf(w, `<p id="me">%s</p>`, a.users[id])
	default:
		a.acts = append(a.acts, a.users[id])
		fmt.Fprint(w, "the app, for "+a.users[id])
	}
}

// An id that an app writes into its pages is seen by whoever looks at them, and becomes
// a session of vic's when somebody with his password submits the form.
func TestSessionIDOfAPageInsideAnotherSession(t *testing.T) {
	app := &urlApp{users: map[string]string{}}
	w := loginWorld(t, formConfig(), app)
	eve, half := w.person(""), w.person("")
	eve.name, half.name = "", ""
	eve.get("/login").want(200)
	eve.post("/login", "user", "eve", "password", formPassword).want(303, "/.mfa/enroll")
	eve.enrolHere()
	eve.get("/home").want(200)
	half.get("/login").want(200)
	_, id, _ := strings.Cut(half.body, "PHPSESSID=")
	id, _, _ = strings.Cut(id, `"`)
	half.post("/login", "user", "vic", "password", formPassword).want(303, "/.mfa/enroll")
	if app.users[id] != "vic" {
		t.Fatalf("session %q is %q's; want vic's", id, app.users[id])
	}
	app.acts = nil
	own := maps.Clone(eve.cookies)
	for _, cookies := range []map[string]string{own, {"mfagate": own["mfagate"]}} {
		eve.cookies = maps.Clone(cookies)
		eve.get("/home?PHPSESSID="+id).want(307, "/home")
		eve.get("/home;jsessionid="+id+"?x=1").want(307, "/home?x=1")
		eve.get("/home?%50HPSESSID=" + id).want(400)
		eve.get("/home/;JSESSIONID=" + id + ";x/..").want(307)
		eve.post("/home", "PHPSESSID", id).want(400)
		eve.post("/home?PHPSESSID="+id, "x", "1").want(307, "/home")
	}
	if len(app.acts) > 0 {
		t.Errorf("the app acted for %q", app.acts)
	}
}

// The first page of such an app links to itself with the id; the form is sent again without.
func TestFormWithASessionIDInItsAddress(t *testing.T) {
	app := &urlApp{users: map[string]string{}}
	w := loginWorld(t, formConfig(), app)
	p := w.person("")
	p.name = ""
	p.get("/login").want(200)
	_, id, _ := strings.Cut(p.body, "PHPSESSID=")
	id, _, _ = strings.Cut(id, `"`)
	p.post("/login?PHPSESSID="+id, "user", "alice", "password", formPassword).want(307, "/login")
	p.post("/login", "user", "alice", "password", formPassword).want(303, "/.mfa/enroll")
	p.enrolHere()
	if p.get("/home").want(200); p.body != "the app, for alice" {
		t.Errorf("after the proof: %q", p.body)
	}
}

// Taking an id off leads to no other site.
func TestSessionIDInAnAddressThatLooksLikeAHost(t *testing.T) {
	w := loginWorld(t, formConfig(), &urlApp{users: map[string]string{}})
	p := w.person("")
	p.name = ""
	for _, path := range []string{"//evil.test/;jsessionid=1", "/\\evil.test;jsessionid=1"} {
		r := p.request("GET", "/", "", "")
		r.URL.Path = path
		if p.send(r); p.last.Code == http.StatusTemporaryRedirect {
			t.Errorf("%s leads to %q", path, p.last.Header().Get("Location"))
		}
	}
}

// Where people need such addresses, the operator says so.
func TestSessionIDsThatAreAllowedReachTheApp(t *testing.T) {
	app := &urlApp{users: map[string]string{}}
	c := formConfig()
	c.QueryKeys = []string{"-phpsessid"}
	c.Page = append(c.Page, loginform.Pattern{Text: "GET /login?PHPSESSID=*"})
	p := loginWorld(t, c, app).person("")
	p.name = ""
	p.get("/login?PHPSESSID=x").want(200)
}
