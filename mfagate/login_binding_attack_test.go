package mfagate_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/storage"
)

// plainApp tells once, in its answer to the form, who has signed in. Nobody can ask it later.
func plainApp(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/login" {
		if r.Method == http.MethodPost && r.FormValue("password") == formPassword {
			w.Header().Set("X-User", r.FormValue("user"))
			w.Header().Add("Set-Cookie", "sid=of-"+r.FormValue("user")+"; Path=/")
			http.Redirect(w, r, "/home", http.StatusFound)
			return
		}
		io.WriteString(w, "<form method=post><input name=user><input name=password type=password></form>")
		return
	}
	c, err := r.Cookie("sid")
	if err != nil {
		http.Redirect(w, r, "/login", http.StatusFound)
		return
	}
	io.WriteString(w, "the app, "+c.Value)
}

// Eve keeps the lineage with which she has signed in, and posts vic's password with it from
// another browser: what the app then sets must not open in her own session, where no probe
// would tell whose it is.
func TestLineageKeptForASecondNameHasABindingOfItsOwn(t *testing.T) {
	c := formConfig()
	c.Failure, c.Identify = nil, &loginform.Identify{Header: "X-User"}
	w := loginWorld(t, c, http.HandlerFunc(plainApp))
	vic, eve, other := w.person(""), w.person(""), w.person("")
	vic.signIn("vic", formPassword).want(303, "/.mfa/enroll")
	vic.enrolHere()
	eve.get("/login").want(200)
	lineage := eve.cookies["mfagate_login"]
	if lineage == "" {
		t.Fatal("there is no lineage to keep")
	}
	eve.submitLogin("eve", formPassword).want(303, "/.mfa/enroll")
	eve.enrolHere()
	eve.get("/home").want(200)
	other.cookies["mfagate_login"] = lineage
	other.submitLogin("vic", formPassword).want(303, "/.mfa/challenge")
	eve.cookies["sid"] = other.cookies["sid"]
	if eve.get("/home"); strings.Contains(eve.body, "of-vic") {
		t.Errorf("in eve's session: %q", eve.body)
	}
}

// replace changes a record behind the gate's back, as another node does.
func (w *world) replace(kind, old, now string) {
	w.t.Helper()
	records, err := w.store.List(w.t.Context(), kind, "", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range records {
		change := storage.Change{Key: r.Key, Version: r.Version, Expires: r.Expires, Value: bytes.Replace(r.Value, []byte(old), []byte(now), 1)}
		if err := w.store.Apply(w.t.Context(), change); err != nil {
			w.t.Fatal(err)
		}
	}
}

// While the app is being asked another node ends the attempt, or takes the lineage for another
// binding: whatever the app says then, it says of nothing that still is.
func TestAttemptThatIsOverMeanwhileSignsNobodyIn(t *testing.T) {
	for name, change := range map[string][2]string{
		"ended":         {`"state":"pending"`, `"state":"burnt"`},
		"other binding": {`"binding":"`, `"binding":"X`},
	} {
		for _, password := range []string{formPassword, "wrong"} {
			t.Run(name+", "+password, func(t *testing.T) {
				app := &formApp{sessions: map[string]string{}}
				w := newWorld(t, nil)
				w.handler = w.formBlock(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPost {
						w.replace("lineage/", change[0], change[1])
					}
					app.ServeHTTP(rw, r)
				}), mfagate.Site{})
				p := w.person("").signIn("alice", password)
				if p.last.Code < 400 || p.cookies["mfagate"] != "" {
					t.Errorf("got %d and the session %q; want neither a way on nor a session", p.last.Code, p.cookies["mfagate"])
				}
				if records, err := w.store.List(t.Context(), "lineage/", "", 0); err != nil || len(records) != 1 || !bytes.Contains(records[0].Value, []byte(change[1])) {
					t.Errorf("the records are %v, %v; want one as the other node has left it", records, err)
				}
			})
		}
	}
}

// Whoever finds a browser after its owner has left it proves the sign-in at most, and changes no
// factors with the proof that the owner had made for that.
func TestLockTakesTheProofForChangesToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.handler = w.formBlock(&formApp{sessions: map[string]string{}}, mfagate.Site{Idle: time.Minute})
		p := w.person("")
		p.signIn("alice", formPassword).want(303, "/.mfa/enroll")
		p.enrolHere()
		time.Sleep(31 * time.Second)
		p.get("/.mfa/challenge?purpose=settings&return=/.mfa/").want(200)
		p.post("/.mfa/challenge", "method", "totp", "code", p.code(0), "purpose", "settings", "return", "/.mfa/").want(303, "/.mfa/").follow().want(200)
		time.Sleep(2 * time.Minute) // the session is locked
		p.get("/home").want(303, "/.mfa/challenge").follow().want(200)
		p.post("/.mfa/challenge", "method", "totp", "code", p.code(0)).want(303)
		p.get("/.mfa/").want(200)
		p.post("/.mfa/enroll/totp").want(303, "/.mfa/challenge?purpose=settings")
	})
}

// passwordApp signs in whoever a password belongs to, whatever name was typed, and has an answer
// that says neither yes nor no.
type passwordApp struct {
	mu               sync.Mutex
	guesses, logouts int
}

func (a *passwordApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch owner, right := strings.CutPrefix(r.FormValue("password"), "of-"); {
	case r.URL.Path == "/me":
		if c, err := r.Cookie("sid"); err == nil {
			fmt.Fprintf(w, `<p id="me">%s</p>`, c.Value)
		}
	case r.URL.Path == "/logout":
		a.logouts++
		http.Redirect(w, r, "/login", http.StatusFound)
	case r.URL.Path != "/login":
		io.WriteString(w, "the app")
	case r.Method == http.MethodGet:
		io.WriteString(w, "<form method=post action=/login><input name=user><input name=password type=password></form>")
	case right:
		a.guesses++
		w.Header().Add("Set-Cookie", "sid="+owner+"; Path=/")
		http.Redirect(w, r, "/home", http.StatusFound)
	case r.FormValue("password") == "unclear":
		w.Header().Add("Set-Cookie", "sid=alice; Path=/")
		io.WriteString(w, "please wait")
	default:
		a.guesses++
		io.WriteString(w, "Wrong password")
	}
}

// The password that switching off takes is the own one, clearly right, at most so many times
// asked for, and what the gate has made to ask for it is signed out.
func TestPasswordForSwitchingOffIsTheOwnOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := new(passwordApp)
		w := newWorld(t, nil)
		w.handler = w.formBlock(app, mfagate.Site{Mode: mfagate.Optional})
		p := w.person("")
		p.signIn("alice", "of-alice").want(302, "/home")
		p.get("/.mfa/enroll").want(200)
		p.post("/.mfa/enroll/totp").want(303, "/.mfa/enroll/totp").follow().want(200).scan()
		p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303, "/.mfa/recovery-codes").follow().want(200).note()
		p.post("/.mfa/recovery-codes", "saved", "yes", "set", p.set()).want(303)
		time.Sleep(time.Minute)
		p.get("/.mfa/").want(200)
		before := app.guesses
		p.post("/.mfa/disable", "password", "of-alice").want(303, "/.mfa/challenge") // there is no proof yet
		if app.guesses != before {
			t.Errorf("the app was asked about a password before the proof")
		}
		p.follow().want(200)
		p.post("/.mfa/challenge", "code", p.code(0), "purpose", "settings", "return", "/.mfa/disable").want(303, "/.mfa/disable").follow().want(200)
		page := p.body
		for _, password := range []string{"of-bob", "unclear", "guess"} {
			p.body = page
			if p.post("/.mfa/disable", "password", password); p.last.Code < 400 || !w.user("alice").Enrolled {
				t.Fatalf("%q: got %d, enrolled %v; want a refusal", password, p.last.Code, w.user("alice").Enrolled)
			}
		}
		if app.logouts == 0 {
			t.Errorf("what was signed in to check the password was not signed out")
		}
		begin := app.guesses
		for range 30 {
			p.body = page
			p.post("/.mfa/disable", "password", "guess")
		}
		if got := app.guesses - begin; got > 20 {
			t.Errorf("%d guesses reached the app; want 20 at most", got)
		}
	})
}

// Other credentials end the session that a browser had: who has copied its cookie has nothing.
func TestOtherBasicCredentialsEndTheSessionBefore(t *testing.T) {
	w := loginWorld(t, basicConfig(), new(basicApp))
	p := w.person("")
	p.basic("GET", "/", "alice", formPassword).want(303, "/.mfa/enroll")
	p.enrolHere()
	p.basic("GET", "/files", "alice", formPassword).want(200)
	copied := p.cookies["mfagate"]
	p.basic("GET", "/", "bob", formPassword).want(303, "/.mfa/enroll")
	thief := w.person("")
	thief.cookies["mfagate"] = copied
	thief.basic("GET", "/files", "alice", formPassword).want(303, "/.mfa/challenge")
}

// A form on another site makes the browser send the credentials that it keeps.
func TestCredentialsInAFormOfAnotherSiteAreNotTried(t *testing.T) {
	app := new(basicApp)
	w := loginWorld(t, basicConfig(), app)
	p := w.person("")
	for _, site := range []string{"cross-site", "same-site"} {
		p.header.Set("Sec-Fetch-Site", site)
		p.basic("POST", "/files", "alice", formPassword).want(403)
	}
	if len(app.acts) > 0 || p.cookies["mfagate"] != "" {
		t.Errorf("the app did %q, and the session is %q; want neither", app.acts, p.cookies["mfagate"])
	}
}
