package browser_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// oneScript is an app in one page, as they are written today: it asks who is signed in before
// anybody is, keeps its token itself, asks for its data as soon as it has one, and throws
// the token away when that is refused, or when it cannot read from it how long it lives.
const oneScript = `<!doctype html><html lang="en"><title>One page</title><main></main><script>
const main = document.querySelector("main");
const alive = () => { try { return JSON.parse(atob(localStorage.token.split(".")[1])).exp > Date.now() / 1000 } catch { return false } };
async function show() {
  if (!alive()) {
    localStorage.removeItem("token");
    main.innerHTML = '<form><input id="name"><input id="password" type="password"><button>Sign in</button><p></p></form>';
    document.querySelector("form").onsubmit = signIn;
    return;
  }
  const answer = await fetch("/api/data", {headers: {"X-Auth": localStorage.token}});
  if (answer.status === 401) { localStorage.removeItem("token"); return show() }
  main.innerHTML = '<p id="inside"></p>';
  main.firstChild.textContent = await answer.text();
}
async function signIn(event) {
  event.preventDefault();
  const answer = await fetch("/api/login", {method: "POST", body: JSON.stringify({name: document.querySelector("#name").value, password: document.querySelector("#password").value}), headers: {"Content-Type": "application/json"}});
  if (!answer.ok) { document.querySelector("form p").textContent = "Wrong, try again"; return }
  localStorage.token = (await answer.json()).token;
  show();
}
fetch("/api/who").then(show);
</script>`

const scriptToken = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDAsIm5hbWUiOiJhbGljZSJ9.c2lnbmF0dXJl"

func oneScriptApp(page string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/app/":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, page)
		case r.URL.Path == "/api/login":
			var in struct{ Name, Password string }
			if json.NewDecoder(r.Body).Decode(&in); in.Name != "alice" || in.Password != gatetest.Password {
				http.Error(w, "{}", http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"token":%q,"name":"alice"}`, scriptToken)
		case r.URL.Path == "/favicon.ico":
		case r.Header.Get("X-Auth") != scriptToken:
			http.Error(w, "nobody", http.StatusUnauthorized)
		default:
			io.WriteString(w, "Welcome, alice")
		}
	})
}

// inWorker has the page of oneScript send what it sends by a worker, as apps do whose data lies in
// the browser: no script of the page sees the answers there.
func inWorker(page string) string {
	page = strings.Replace(page, `if (answer.status === 401) { localStorage.removeItem("token"); return show() }`, `if (answer.status === 401) return;`, 1)
	return strings.Replace(page, "<script>", `<script>
const worker = new Worker(URL.createObjectURL(new Blob(["onmessage = async e => { const a = await fetch(...e.data.call); e.ports[0].postMessage({status: a.status, text: await a.text()}) }"])));
const fetch = (url, init) => new Promise(done => {
  const line = new MessageChannel();
  line.port1.onmessage = e => done({status: e.data.status, ok: e.data.status < 300, text: async () => e.data.text, json: async () => JSON.parse(e.data.text)});
  worker.postMessage({call: [location.origin + url, init]}, [line.port2]);
});
`, 1)
}

// TestOneScript: the script neither turns in a circle at its login page, nor loses its token to a
// refusal on the way to the second factor, and finds itself signed in after the proof.
func TestOneScript(t *testing.T) {
	t.Run("in the page", func(t *testing.T) { tryOneScript(t, oneScript) })
	t.Run("in a worker", func(t *testing.T) { tryOneScript(t, inWorker(oneScript)) })
}

func tryOneScript(t *testing.T, page string) {
	app := httptest.NewServer(oneScriptApp(page))
	t.Cleanup(app.Close)
	s := gatetest.Start(t, gatetest.Config{Plain: true, Site: `mfa {
		login_form {
			session bearer /token X-Auth
			page /app/
			home /app/
			submit /api/login
			user /name
			password /password
			success status 200 json /token
			failure status 400
			identify json /name
			inject
		}
	}
	reverse_proxy ` + strings.TrimPrefix(app.URL, "http://")})
	b := open(t, s, "", look{name: "one script"})
	signIn := func(password string) {
		b.visit("/app/")
		b.waitFor("form")
		b.fill("#name", "alice")
		b.fill("#password", password)
		b.click("button")
	}
	signIn("wrong")
	b.until("the app's own words", func() bool { return strings.Contains(b.text("body"), "Wrong, try again") })
	signIn(gatetest.Password)
	b.waitAt(gatetest.PathEnrol)
	b.user = "alice"
	b.enrolPhone()
	b.waitFor("#inside")
	if got, want := b.text("#inside"), "Welcome, alice"; got != want {
		t.Errorf("after the proof the page says %q; want %q", got, want)
	}
}
