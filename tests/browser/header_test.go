package browser_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// A consoleApp is one like Cockpit: its script sends Basic credentials on one request and loads the page again, where the
// cookie counts. Its form is shown at any address, and its sign-out is a message that no page shows.
type consoleApp struct {
	mu       sync.Mutex
	sessions map[string]bool
}

const consoleForm = `<!doctype html><html lang="en"><title>Console</title><link rel="icon" href="data:,">
<main><form><input id="name"><input id="password" type="password"><button>Sign in</button><p></p></form></main>
<script src="/console/app.js"></script>`

const consoleScript = `
document.querySelector("form").onsubmit = (event) => {
  event.preventDefault();
  const ask = new XMLHttpRequest();
  ask.open("GET", "/console/login", true);
  ask.setRequestHeader("Authorization", "Basic " + btoa(document.querySelector("#name").value + ":" + document.querySelector("#password").value));
  ask.onreadystatechange = () => {
    if (ask.readyState !== 4) return;
    if (ask.status === 200) { location.reload(); return }
    document.querySelector("p").textContent = ask.status === 401 ? "Wrong, try again" : "It does not work: " + ask.status;
  };
  ask.send();
};`

func (a *consoleApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, err := r.Cookie("console")
	user, password, ok := r.BasicAuth()
	switch {
	case r.URL.Path == "/console/app.js":
		w.Header().Set("Content-Type", "text/javascript")
		io.WriteString(w, consoleScript)
	case r.URL.Path == "/console/login" && ok && user == "alice" && password == gatetest.Password:
		id := rand.Text()
		a.sessions[id] = true
		w.Header().Set("Set-Cookie", "console="+id+"; Path=/; SameSite=Strict; HttpOnly")
		fmt.Fprint(w, `{"csrf-token":"x"}`)
	case r.URL.Path == "/console/login":
		w.Header().Set("WWW-Authenticate", `Basic realm="console"`)
		http.Error(w, "no", http.StatusUnauthorized)
	case err == nil && a.sessions[c.Value]:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, `<!doctype html><html lang="en"><title>Console</title><link rel="icon" href="data:,"><p id="inside">Welcome, alice</p>`)
	default:
		w.Header().Set("Set-Cookie", "console=deleted; PATH=/; SameSite=Strict; HttpOnly")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, consoleForm)
	}
}

// TestBasicCredentialsOnOneRequestOfAScript: a wrong password is the script's to tell, a right one leads to the second factor
// and to the page that was asked for; when the app has signed the person out the next page leads to the form that is watched.
func TestBasicCredentialsOnOneRequestOfAScript(t *testing.T) {
	a := &consoleApp{sessions: make(map[string]bool)}
	app := httptest.NewServer(a)
	t.Cleanup(app.Close)
	u := &appUse{T: t}
	u.account = "alice"
	u.gate = gatetest.Start(t, gatetest.Config{Plain: true, Site: `mfa {
		login_form {
			page /
			submit GET /console/login
			credentials basic
			success status 200 set_cookie console
			failure status 401
			public /console/login /console/app.js
			inject
		}
	}
	reverse_proxy ` + strings.TrimPrefix(app.URL, "http://")})
	b := open(t, u.gate, "", look{name: "form of a console"})
	f := basicForm{user: "#name", password: "#password", button: "button", account: "alice"}
	b.visit("/system")
	f.signIn(b, "wrong")
	b.until("the app's own words", func() bool { return strings.Contains(b.text("body"), "Wrong, try again") })
	f.signIn(b, gatetest.Password)
	b.waitAt(gatetest.PathEnrol)
	u.ticket(b)
	b.user = "alice"
	b.enrolPhone()
	b.waitFor("#inside")
	b.wantAt("/system")
	b.shoot("inside")
	a.mu.Lock()
	clear(a.sessions)
	a.mu.Unlock()
	b.visit("/files")
	b.waitAt("/")
	f.signIn(b, gatetest.Password)
	b.waitAt(gatetest.PathChallenge)
}
