package mfagate_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// loginWorld starts a gate before an app with the given login.
func loginWorld(t *testing.T, c loginform.Config, app http.Handler) *world {
	t.Helper()
	w := newWorld(t, nil)
	w.handler = w.blockOf(c).Handler(app)
	return w
}

// blockOf is the block of an app with a login form.
func (w *world) blockOf(c loginform.Config) *mfagate.Block {
	w.t.Helper()
	form, err := loginform.Compile(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.block(func(b *mfagate.BlockConfig) { b.Source, b.Login = nil, &mfagate.Login{Form: form} })
}

// basicApp asks for Basic credentials on every request, and notes as whom it acts.
type basicApp struct{ acts []string }

func (a *basicApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, ok := r.BasicAuth()
	if !ok || password != formPassword {
		w.Header().Set("WWW-Authenticate", `Basic realm="app"`)
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	a.acts = append(a.acts, user+" "+r.URL.Path)
	if r.URL.Path == "/me" {
		fmt.Fprintf(w, `{"name":%q}`, user)
		return
	}
	io.WriteString(w, "the app, for "+user)
}

func basicConfig() loginform.Config {
	return loginform.Config{Basic: true, Identify: &loginform.Identify{Probe: "GET /me", JSON: "/name"}}
}

func (p *person) basic(method, path, user, password string) *person {
	p.w.t.Helper()
	p.name = ""
	r := p.request(method, path, "", "")
	r.SetBasicAuth(user, password)
	return p.send(r)
}

func TestBasicCredentialsAreTheFirstFactor(t *testing.T) {
	app := new(basicApp)
	w := loginWorld(t, basicConfig(), app)
	p := w.person("")
	p.get("/files").want(401)
	if got := p.last.Header().Get("WWW-Authenticate"); !strings.HasPrefix(got, "Basic ") {
		t.Errorf("without credentials: WWW-Authenticate = %q; want Basic", got)
	}
	p.basic("GET", "/files", "alice", "wrong").want(401)
	p.basic("GET", "/files", "alice", formPassword).want(303, "/.mfa/enroll")
	for _, act := range app.acts {
		if act != "alice /" && act != "alice /me" {
			t.Errorf("before the second factor the app did %q", act)
		}
	}
	p.enrolHere()
	p.basic("GET", "/files", "alice", formPassword).want(200)
	if p.body != "the app, for alice" {
		t.Errorf("after the proof: %q", p.body)
	}
}

func TestOtherBasicCredentialsInsideASession(t *testing.T) {
	app := new(basicApp)
	w := loginWorld(t, basicConfig(), app)
	vic, eve := w.person(""), w.person("")
	vic.basic("GET", "/", "vic", formPassword).want(303, "/.mfa/enroll")
	vic.enrolHere()
	eve.basic("GET", "/", "eve", formPassword).want(303, "/.mfa/enroll")
	eve.enrolHere()
	app.acts = nil
	eve.basic("GET", "/files", "vic", formPassword).want(303, "/.mfa/challenge")
	eve.basic("POST", "/files", "vic", formPassword).want(303, "/.mfa/challenge")
	eve.get("/files").want(401)
	for _, act := range app.acts {
		if strings.HasPrefix(act, "vic ") && act != "vic /" && act != "vic /me" {
			t.Errorf("the app did %q for eve", act)
		}
	}
}

func TestBasicAppWhosePageNeedsNoPassword(t *testing.T) {
	w := loginWorld(t, basicConfig(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"name":"vic"}`) }))
	p := w.person("")
	p.basic("GET", "/files", "vic", "guessed").want(502)
	p.get("/.mfa/enroll").want(303, "/")
}

// tokenApp answers a JSON login with a bearer token, as single-page apps do.
func tokenApp(acts *[]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, signedIn := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer token-of-")
		switch {
		case r.URL.Path == "/":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, "<!doctype html><title>App</title>")
		case r.URL.Path == "/auth/token":
			var body struct{ Username, Password string }
			if json.NewDecoder(r.Body).Decode(&body); body.Password != formPassword {
				http.Error(w, `{"error":"invalid_grant"}`, http.StatusForbidden)
				return
			}
			fmt.Fprintf(w, `{"access_token":"token-of-%s","token_type":"Bearer","expires_in":60,"mail":"secret@example.com"}`, body.Username)
		case !signedIn:
			http.Error(w, "no", http.StatusUnauthorized)
		case r.URL.Path == "/me":
			fmt.Fprintf(w, `{"user":%q}`, user)
		default:
			*acts = append(*acts, user+" "+r.URL.Path)
			io.WriteString(w, "the app, for "+user)
		}
	})
}

func tokenConfig() loginform.Config {
	return loginform.Config{
		Page:     []loginform.Pattern{{Text: "GET /"}},
		Submit:   []loginform.Pattern{{Text: "POST /auth/token"}},
		User:     loginform.Field{JSON: "/username"},
		Password: loginform.Field{JSON: "/password"},
		Success:  []loginform.Signs{{JSON: []string{"/access_token"}}},
		Failure:  []loginform.Signs{{Status: []string{"403"}}},
		Identify: &loginform.Identify{Probe: "GET /me", JSON: "/user"},
		Bearer:   &loginform.Bearer{JSON: "/access_token"},
		Inject:   true,
	}
}

// fetch sends JSON as a script of the app would.
func (p *person) fetch(method, path, token, body string) *person {
	p.w.t.Helper()
	p.name = ""
	r := p.request(method, path, "application/json", body)
	r.Header.Set("Accept", "*/*")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return p.send(r)
}

func TestTokenReachesTheBrowserSealedAndOpensAfterTheProof(t *testing.T) {
	var acts []string
	w := loginWorld(t, tokenConfig(), tokenApp(&acts))
	vic, eve := w.person(""), w.person("")
	vic.get("/").want(200)
	if !strings.Contains(vic.body, `<script src="/.mfa/static/login.`) {
		t.Errorf("the login page has no script: %q", vic.body)
	}
	if strings.Contains(vic.body, "data-signed-in") {
		t.Errorf("the script takes a visitor for signed in, whom it would lead from the form to the form: %q", vic.body)
	}
	signIn := func(p *person, user string) string {
		p.fetch("POST", "/auth/token", "", fmt.Sprintf(`{"username":%q,"password":%q}`, user, formPassword)).want(200)
		if got := p.last.Header().Get("Mfa-Location"); got != "/.mfa/enroll" {
			t.Errorf("%s: Mfa-Location = %q; want /.mfa/enroll", user, got)
		}
		var told map[string]any
		if err := json.Unmarshal([]byte(p.body), &told); err != nil {
			t.Fatal(err)
		}
		token, _ := told["access_token"].(string)
		if token == "" || strings.Contains(p.body, "token-of") || strings.Contains(p.body, "secret@") || told["expires_in"] != 60.0 {
			t.Errorf("%s: the script is told %s", user, p.body)
		}
		return token
	}
	vics := signIn(vic, "vic")
	vic.fetch("GET", "/data", vics, "").want(401)
	vic.last.Header().Set("Location", "/.mfa/enroll")
	vic.enrolHere()
	if vic.get("/").want(200); !strings.Contains(vic.body, " data-signed-in") {
		t.Errorf("the script does not know that somebody is signed in: %q", vic.body)
	}
	vic.fetch("GET", "/data", vics, "").want(200)
	if vic.body != "the app, for vic" {
		t.Errorf("after the proof: %q", vic.body)
	}
	eves := signIn(eve, "eve")
	eve.last.Header().Set("Location", "/.mfa/enroll")
	eve.enrolHere()
	acts = nil
	eve.fetch("GET", "/data", eves, "").want(200)
	eve.fetch("GET", "/data", vics, "") // another session's token is none
	eve.fetch("GET", "/data", "token-of-vic", "")
	for _, act := range acts {
		if strings.HasPrefix(act, "vic ") {
			t.Errorf("the app did %q for eve", act)
		}
	}
}

func TestRedirectionToTheAppsOwnAddressBecomesLocal(t *testing.T) {
	c := formConfig()
	c.RewriteLocation = true
	for from, want := range map[string]string{
		"http://127.0.0.1:3000/home?a=b#c": "/home?a=b#c", "http://10.1.2.3/x": "/x", "https://localhost:8443/": "/",
		"https://login.example.com/sso": "https://login.example.com/sso", "/plain": "/plain", "//evil.example/x": "//evil.example/x",
	} {
		w := loginWorld(t, c, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Location", from)
			rw.WriteHeader(http.StatusFound)
		}))
		p := w.person("")
		p.name = ""
		if got := p.get("/login").last.Header().Get("Location"); got != want {
			t.Errorf("%s: becomes %q; want %q", from, got, want)
		}
	}
}

// a stream that began with the password alone goes on after its user has enrolled.
func TestStreamAfterTheFormAloneEndsWithEnrolment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, app := newFormWorld(t)
		ended, stop := make(chan struct{}), make(chan struct{})
		w.handler = w.formBlock(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/events" {
				app.ServeHTTP(rw, r)
				return
			}
			select {
			case <-r.Context().Done():
				close(ended)
			case <-stop:
			}
		}), mfagate.Site{Mode: mfagate.Optional, RemindEvery: -1})
		thief, alice := w.person(""), w.person("")
		thief.signIn("alice", formPassword).want(302, "/home")
		go w.handler.ServeHTTP(httptest.NewRecorder(), thief.request("GET", "/events", "", ""))
		synctest.Wait()
		alice.signIn("alice", formPassword).want(302, "/home")
		alice.last.Header().Set("Location", "/.mfa/enroll")
		alice.enrolHere()
		time.Sleep(10 * time.Second)
		select {
		case <-ended:
		default:
			t.Error("the stream is still open")
		}
		close(stop)
		synctest.Wait()
	})
}

// Where the operator lets the very cookie pass in clear by which the app knows people, nobody
// signs in: it would be good in any browser.
func TestTheSessionMustBeSealed(t *testing.T) {
	w, app := newFormWorld(t, func(c *loginform.Config) { c.PassCookies = []string{"PHP*"} })
	p := w.person("")
	p.signIn("alice", formPassword).want(401)
	p.get("/home").want(303, "/login")
	if app.acted("alice") {
		t.Error("the app acted as alice")
	}
}

// A policy that admits scripts by a nonce only admits the gate's by it too; nothing else
// of a policy gets into the page.
func TestScriptOnALoginPageFitsThePolicyOfTheApp(t *testing.T) {
	for policy, want := range map[string]string{
		"":                  "",
		"script-src 'self'": "",
		"default-src 'none'; script-src 'nonce-r4nd0m+/-_==' 'strict-dynamic'": ` nonce="r4nd0m+/-_=="`,
		"Script-Src 'Nonce-x' 'nonce-abc'":                                     ` nonce="abc"`,
		"default-src 'nonce-abc'":                                              ` nonce="abc"`,
		"style-src 'nonce-abc'":                                                "",
		"script-src 'nonce-a' , script-src-elem 'nonce-b'":                     ` nonce="b"`,
		`script-src 'nonce-"><img>'`:                                           "",
		"script-src 'nonce-'":                                                  "",
		"script-src-attr 'nonce-a'; nonce-b":                                   "",
	} {
		app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Security-Policy", policy)
			fmt.Fprint(w, "<form>")
		})
		p := loginWorld(t, tokenConfig(), app).person("")
		p.get("/").want(200)
		_, tag, _ := strings.Cut(p.body, "<form><script src=")
		_, rest, _ := strings.Cut(tag, `.js"`)
		if rest != want+"></script>" {
			t.Errorf("with %q the script's tag ends in %q; want %q", policy, rest, want)
		}
	}
}
