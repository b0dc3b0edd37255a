package mfagate_test

import (
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// signedInByForm is a person with a session of the app that was used, so that all that is kept
// with a session is warm.
func (w *world) signedInByForm() *person {
	w.t.Helper()
	p := w.person("")
	p.signIn("alice", formPassword).want(303, "/.mfa/enroll")
	p.enrolHere()
	p.get("/home").want(200)
	return p
}

// What is kept of a binding so that it need not be made anew ends with it: neither
// the whole browser as it was nor its old cookies in a new session of the same user open
// anything.
func TestNothingThatIsKeptOutlivesTheBinding(t *testing.T) {
	alice := mfagate.Subject{Realm: "default", Name: "alice"}
	for name, end := range map[string]func(*world, *person) error{
		"sign-out": func(_ *world, p *person) error {
			p.get("/.mfa/")
			p.post("/.mfa/sign-out").want(200)
			return nil
		},
		"sign-out by an administrator": func(w *world, _ *person) error {
			_, err := w.gate.SignOut(t.Context(), "root", alice)
			return err
		},
		"reset": func(w *world, _ *person) error {
			_, err := w.gate.Reset(t.Context(), "root", alice, "phone lost", 0)
			return err
		},
		"another sign-in": func(_ *world, p *person) error {
			p.signIn("alice", formPassword).want(303)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, app := newFormWorld(t)
			p := w.signedInByForm()
			before := maps.Clone(p.cookies)
			if err := end(w, p); err != nil {
				t.Fatal(err)
			}
			app.acts = nil
			p.cookies = maps.Clone(before)
			p.get("/home").want(303, "/login")
			if app.acted("alice") {
				t.Errorf("the app acted for the browser as it was: %q", app.acts)
			}
			if name == "reset" {
				return // a new session takes a ticket
			}
			p.signIn("alice", formPassword).want(303, "/.mfa/challenge").follow()
			p.post("/.mfa/challenge", "code", p.code(1)).want(303)
			app.acts = nil
			p.cookies["PHPSESSID"] = before["PHPSESSID"]
			p.get("/home")
			if app.acted("alice") {
				t.Errorf("an old cookie opens in a new session: %q", app.acts)
			}
		})
	}
}

// keyOf returns the number of the key with which a cookie was sealed, which stands behind
// the number of its pieces.
func keyOf(t *testing.T, sealed string) byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(sealed, "1"))
	if err != nil || len(b) == 0 {
		t.Fatalf("%q is no sealed cookie: %v", sealed, err)
	}
	return b[0]
}

// A new key for cookies comes in the midst of a session: what the old one has sealed goes
// on opening, and so does what is sealed with the new one.
func TestKeyOfCookiesChangesWithinASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, app := newFormWorld(t)
		w.person("").get("/login").want(200) // makes the first key
		time.Sleep(30*24*time.Hour - 10*time.Minute)
		p := w.signedInByForm()
		old := p.cookies["PHPSESSID"]
		for range 6 {
			time.Sleep(20 * time.Minute)
			p.get("/home").want(200)
		}
		if p.body != "the app, for alice" || p.cookies["PHPSESSID"] != old {
			t.Errorf("after the change: %q; want the same session of the app", p.body)
		}
		p.get("/theme").want(200)
		if before, now := keyOf(t, old), keyOf(t, p.cookies["theme"]); now == before {
			t.Errorf("a cookie set after the change has key %d; want another one", now)
		}
		if p.get("/theme").want(200); p.body != "the theme is dark" {
			t.Errorf("the app reads %q; want the cookie of the new key", p.body)
		}
		if len(app.sessions) > 2 {
			t.Errorf("the app has made %d sessions; want none anew", len(app.sessions))
		}
	})
}

// A countingWriter tells which way a body has taken.
type countingWriter struct {
	*httptest.ResponseRecorder
	files int
}

func (w *countingWriter) ReadFrom(r io.Reader) (int64, error) {
	w.files++
	return io.Copy(w.ResponseRecorder, r)
}

// The cookies of the app are in the header: its files still go the fast way.
func TestFileOfTheAppGoesTheFastWay(t *testing.T) {
	w, _ := newFormWorld(t)
	p := w.signedInByForm()
	form, err := loginform.Compile(formConfig())
	if err != nil {
		t.Fatal(err)
	}
	handler := w.block(func(c *mfagate.BlockConfig) { c.Source, c.Login = nil, &mfagate.Login{Form: form} }).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/me" {
			io.WriteString(w, `<p id="me">alice</p>`)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "in-clear"})
		http.ServeContent(w, r, "a.txt", time.Time{}, strings.NewReader("0123456789"))
	}))
	rec := &countingWriter{ResponseRecorder: httptest.NewRecorder()}
	r := p.request("GET", "/file", "", "")
	r.Header.Set("Range", "bytes=2-4")
	handler.ServeHTTP(rec, r)
	if rec.Code != http.StatusPartialContent || rec.Body.String() != "234" || rec.files != 1 {
		t.Errorf("got %d %q, the fast way %d times; want 206 \"234\" once", rec.Code, rec.Body, rec.files)
	}
	if set := rec.Header().Get("Set-Cookie"); !strings.HasPrefix(set, "seen=1") || strings.Contains(set, "in-clear") {
		t.Errorf("its cookie goes out as %q; want it sealed", set)
	}
}

// An app may keep its session in a cookie whose name is no token. It passes sealed, and a
// sign-out deletes it like any other.
func TestCookiesWithOddNamesPassSealedAndGoAtSignOut(t *testing.T) {
	for _, name := range []string{"express:sess", "pref[lang]", "(s)"} {
		app := &formApp{sessions: map[string]string{}}
		var got string
		w := loginWorld(t, formConfig(), http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/home" {
				got = r.Header.Get("Cookie")
				rw.Header().Add("Set-Cookie", name+"=of-alice; Path=/")
			}
			app.ServeHTTP(rw, r)
		}))
		p := w.person("")
		p.signIn("alice", formPassword).want(303, "/.mfa/enroll")
		p.enrolHere()
		p.get("/home").want(200)
		sealed := p.setTo(name)
		if sealed == "" || strings.Contains(sealed, "of-alice") {
			t.Fatalf("%s goes out as %q; want it sealed", name, sealed)
		}
		p.cookies[name] = strings.TrimSuffix(sealed, "; Path=/; HttpOnly")
		p.get("/home").want(200)
		if !strings.Contains("; "+got+"; ", "; "+name+"=of-alice; ") {
			t.Errorf("the app reads %q; want %s", got, name)
		}
		p.get("/logout").want(302, "/login")
		if got := p.setTo(name); got != "; Path=/; HttpOnly; Max-Age=0" {
			t.Errorf("after the sign-out %s is set to %q; want it deleted", name, got)
		}
	}
}

// setTo is what the last answer sets a cookie to, with its attributes.
func (p *person) setTo(name string) string {
	for _, line := range p.last.Header()["Set-Cookie"] {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return value
		}
	}
	return ""
}
