package mfagate_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/mfagate/recovery"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

// An answer to the form in which there is no sign of success lets nobody in, whatever else
// is in it: a cookie, a page of the user's, or that the app itself takes somebody for signed in.
func TestAnswerWithNeitherSignSignsNobodyIn(t *testing.T) {
	answers := map[string]func(w http.ResponseWriter){
		"a page":               func(w http.ResponseWriter) { _, _ = io.WriteString(w, "Welcome, alice: your secret notes") },
		"a way elsewhere":      func(w http.ResponseWriter) { w.Header().Set("Location", "/maintenance"); w.WriteHeader(302) },
		"success, elsewhere":   func(w http.ResponseWriter) { w.Header().Set("Location", "/home/of"); w.WriteHeader(302) },
		"another status":       func(w http.ResponseWriter) { w.Header().Set("Location", "/home"); w.WriteHeader(303) },
		"nothing":              func(w http.ResponseWriter) { w.WriteHeader(204) },
		"too many of them":     func(w http.ResponseWriter) { w.WriteHeader(429) },
		"no leave":             func(w http.ResponseWriter) { w.WriteHeader(403) },
		"the app is not well":  func(w http.ResponseWriter) { w.WriteHeader(500) },
		"the app is not there": func(w http.ResponseWriter) { w.WriteHeader(502) },
	}
	for name, answer := range answers {
		for _, identify := range []*loginform.Identify{nil, formConfig().Identify} {
			t.Run(fmt.Sprintf("%s, identified %v", name, identify != nil), func(t *testing.T) {
				c := formConfig()
				c.Identify = identify
				w := loginWorld(t, c, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					switch {
					case r.URL.Path == "/me":
						_, _ = io.WriteString(w, `<p id="me">alice</p>`)
					case r.Method == http.MethodPost:
						http.SetCookie(w, &http.Cookie{Name: "sid", Value: "of-alice", Path: "/"})
						answer(w)
					}
				}))
				p := w.person("")
				p.get("/login").want(200)
				p.post("/login", "user", "alice", "password", formPassword)
				if p.last.Code < 400 || strings.Contains(p.body, "secret notes") || p.cookies["mfagate"] != "" {
					t.Errorf("got %d, a session %t; want a page of the gate's and none", p.last.Code, p.cookies["mfagate"] != "")
				}
				p.get("/home").want(303, "/login")
			})
		}
	}
}

// Nobody goes on with the cookies of such an attempt: the app may have signed somebody in by
// it, and some apps let that session in whatever password is sent with it.
func TestUnclearAttemptLeavesNoCookiesBehind(t *testing.T) {
	signedIn, last := map[string]bool{}, "" // by session; the session of the last form
	w := loginWorld(t, formConfig(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sid := ""
		if c, err := r.Cookie("sid"); err == nil {
			sid = c.Value
		}
		switch {
		case r.URL.Path == "/login" && r.Method == http.MethodGet && sid == "":
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: fmt.Sprint("s", len(signedIn)), Path: "/"})
			signedIn[fmt.Sprint("s", len(signedIn))] = false
		case r.URL.Path == "/login" && r.Method == http.MethodPost:
			last = sid
			if signedIn[sid] {
				http.Redirect(w, r, "/home", http.StatusFound)
				return
			}
			signedIn[sid] = r.FormValue("password") == formPassword
			_, _ = io.WriteString(w, "Back in a minute")
		case r.URL.Path == "/me" && signedIn[sid]:
			_, _ = io.WriteString(w, `<p id="me">alice</p>`)
		}
	}))
	p := w.person("")
	p.get("/login").want(200)
	stale := p.cookies["mfagate_login"]
	p.post("/login", "user", "alice", "password", formPassword)
	if first := last; !signedIn[first] || first == "" {
		t.Fatalf("the app has signed nobody in by %q", first)
	} else if p.cookies["mfagate_login"] = stale; stale == "" {
		t.Fatal("the visitor has no lineage")
	} else if p.post("/login", "user", "alice", "password", "wrong"); last == first {
		t.Errorf("the second attempt has session %q of the first; want another, or none", last)
	}
	if p.cookies["mfagate"] != "" {
		t.Error("a wrong password signs in after an answer with neither sign")
	}
}

// Whoever has written a sign that does not fit sees in the log how the app has answered, and none of
// its secrets.
func TestLogTellsHowAnUnclearAnswerLooked(t *testing.T) {
	var log bytes.Buffer
	w := newWorld(t, nil)
	var err error
	if w.gate, err = mfagate.New(mfagate.Config{Records: w.records, Pages: builtIn(), Factors: []mfagate.Factor{&totp.Factor{}}, Recovery: &recovery.Factor{}, Logger: slog.New(slog.NewTextHandler(&log, nil))}); err != nil {
		t.Fatal(err)
	}
	form, err := loginform.Compile(formConfig())
	if err != nil {
		t.Fatal(err)
	}
	w.handler = w.block(func(b *mfagate.BlockConfig) { b.Source, b.Login = nil, &mfagate.Login{Form: form} }).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "of-alice", Path: "/"})
			http.SetCookie(w, &http.Cookie{Name: "old", Path: "/", MaxAge: -1})
			w.Header().Set("Location", "start?ticket=hidden")
			w.WriteHeader(http.StatusSeeOther)
		}
	}))
	p := w.person("")
	p.get("/login").want(200)
	p.post("/login", "user", "alice", "password", formPassword).want(401)
	got := log.String()
	for _, want := range []string{"neither success nor failure", "status=303", "leads_to=start", "sets_cookies=[sid]"} {
		if !strings.Contains(got, want) {
			t.Errorf("got the log %q; want %q in it", got, want)
		}
	}
	for _, secret := range []string{"of-alice", "hidden", formPassword} {
		if strings.Contains(got, secret) {
			t.Errorf("got %q in the log; want none of it", secret)
		}
	}
}
