package browser_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// A basicForm is an app whose script asks for Basic credentials on a page of its own, and how
// a person uses it.
type basicForm struct {
	block                      string // of login_form
	at, user, password, button string
	wrong                      string // what the page shows of a wrong password
	inside                     string // what only people who signed in see
	twice                      bool   // the script forgets the password on the way to the second factor
	account                    string
	right                      string // password
}

// basicPage asks with a header, and the page waits for the answer, or goes on meanwhile.
const basicPage = `<!doctype html><html lang="en"><title>Keys</title><link rel="icon" href="/app/icon.ico">
<main><form><input id="name"><input id="password" type="password"><button>Sign in</button><p></p></form></main>
<script src="/app/app.js"></script>`

const basicFetch = `
  fetch("/data", {headers: {Authorization: "Basic " + btoa(name + ":" + password)}}).then(async (answer) => shown({status: answer.status, responseText: await answer.text()}));`

const basicHeader = `
  const ask = new XMLHttpRequest();
  ask.open("GET", "/data", false);
  ask.setRequestHeader("Authorization", "Basic " + btoa(name + ":" + password));
  ask.send();
  shown(ask);`

const basicScript = `
function shown(ask) {
  if (ask.status !== 200) { document.querySelector("p").textContent = "Wrong, try again"; return }
  document.querySelector("main").innerHTML = '<p id="inside"></p>';
  document.querySelector("#inside").textContent = ask.responseText;
}
document.querySelector("form").onsubmit = (event) => {
  event.preventDefault();
  const name = document.querySelector("#name").value, password = document.querySelector("#password").value;
  ASK
};`

func basicFormApp(ask string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, ok := r.BasicAuth()
		switch {
		case strings.HasPrefix(r.URL.Path, "/app/") && ok:
			http.Error(w, "credentials for what is public", http.StatusInternalServerError)
		case r.URL.Path == "/app/":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, basicPage)
		case r.URL.Path == "/app/app.js":
			w.Header().Set("Content-Type", "text/javascript")
			io.WriteString(w, strings.Replace(basicScript, "ASK", ask, 1))
		case r.URL.Path == "/app/icon.ico":
		case !ok || user != "alice" || password != gatetest.Password:
			w.Header().Set("WWW-Authenticate", `Basic realm="app"`)
			http.Error(w, "no", http.StatusUnauthorized)
		case r.URL.Path == "/me":
			fmt.Fprintf(w, `{"name":%q}`, user)
		default:
			io.WriteString(w, "Welcome, "+user)
		}
	})
}

// TestBasicCredentialsTypedIntoAFormOfTheApps: the browser asks for no password in a window of
// its own, a wrong one is the script's to tell, and a right one leads to the second factor.
func TestBasicCredentialsTypedIntoAFormOfTheApps(t *testing.T) {
	for name, ask := range map[string]string{"by fetch": basicFetch, "by a request for which the page waits": basicHeader} {
		t.Run(name, func(t *testing.T) {
			app := httptest.NewServer(basicFormApp(ask))
			t.Cleanup(app.Close)
			basicForm{
				block: "page /app/\npublic /app/**\nidentify probe GET /me json /name\nhome /app/",
				at:    "/app/", user: "#name", password: "#password", button: "button", wrong: "Wrong, try again", inside: "#inside",
				twice: true, account: "alice", right: gatetest.Password,
			}.walk(t, app.URL)
		})
	}
}

// walk signs in, out, and in again.
func (f basicForm) walk(t *testing.T, upstream string) {
	s := gatetest.Start(t, gatetest.Config{Plain: true, Site: "mfa {\nlogin_form {\nsession basic\ninject\n" + f.block + "\n}\n}\nreverse_proxy " + strings.TrimPrefix(upstream, "http://")})
	b := open(t, s, "", look{name: "form of a script"})
	b.visit(f.at)
	f.signIn(b, "wrong")
	b.until("the app's own words", func() bool { return strings.Contains(b.text("body"), f.wrong) })
	b.shoot("wrong password")
	b.wantAt(f.at)
	f.signIn(b, f.right)
	b.waitAt(gatetest.PathEnrol)
	b.user = f.account
	b.enrolPhone()
	b.wantAt(f.at)
	if f.twice {
		f.signIn(b, f.right)
	}
	b.waitFor(f.inside)
	b.shoot("inside")
	b.visit("/.mfa/")
	b.press(`form[action="/.mfa/sign-out"] button`)
	time.Sleep(6 * time.Second) // for so long what the app said of the credentials holds
	b.visit(f.at)
	if f.twice {
		f.signIn(b, f.right)
	}
	b.waitAt(gatetest.PathChallenge)
}

func (f basicForm) signIn(b *tab, password string) {
	b.Helper()
	b.waitFor(f.user)
	b.until("the form", func() bool { return ask[bool](b, "!!document.querySelector("+quote(f.user)+")?.checkVisibility()") })
	b.retype(f.user, f.account)
	b.retype(f.password, password)
	b.click(f.button)
}
