package loginattack

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// TestO09Alias: whichever way vic's name is spelled, he is the one who is asked
// for a factor, and nobody is offered to enrol one for him.
func TestO09Alias(t *testing.T) {
	attackers(t, oracle.Options{Names: oracle.AllNames}, func(w *world, c *client) {
		for _, typed := range []string{"VIC", " vic", "vic ", "vic\t", "vic@example.test", `CORP\vic`, `corp\VIC`, "ｖｉｃ", "víc", "vic\u200b", "vіc", "vic%00", "vic\x00", "vic\x00eve", "vic\n"} {
			c.get("/login")
			c.submit(typed, w.app.Password("vic"))
			if to := c.last.Header().Get("Location"); c.last.Code == 303 && to != "/.mfa/challenge" {
				t.Errorf("%q leads to %s", typed, to)
			}
			c.get("/.mfa/enroll")
			c.post("/.mfa/enroll/totp")
			if c.find(secret) != "" {
				t.Errorf("%q leads to an enrolment: %.300q", typed, c.body)
			}
			c.look()
		}
	})
}

// TestO10FailureTakenForSuccess: a wrong password makes nobody signed in, and
// leads to no enrolment, whatever the app does in such a case.
func TestO10FailureTakenForSuccess(t *testing.T) {
	odd := map[string]func(http.ResponseWriter){
		"locked":      func(w http.ResponseWriter) { fmt.Fprint(w, "<h1>Your account is locked</h1>") },
		"maintenance": func(w http.ResponseWriter) { w.WriteHeader(503); fmt.Fprint(w, "<h1>Welcome</h1>") },
		"blocked":     func(w http.ResponseWriter) { w.WriteHeader(403) },
		"500 with a cookie": func(w http.ResponseWriter) {
			w.Header().Set("Set-Cookie", "sid=x; Path=/")
			w.WriteHeader(500)
		},
		"elsewhere":    func(w http.ResponseWriter) { w.Header().Set("Location", "https://sso.test/"); w.WriteHeader(302) },
		"looks right":  func(w http.ResponseWriter) { w.Header().Set("Location", "/"); w.WriteHeader(302) },
		"looks right2": func(w http.ResponseWriter) { fmt.Fprint(w, `<h1>Welcome</h1>`) },
		"looks right3": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"ok": true}`)
		},
	}
	for name, o := range oddVariants() {
		for what, answer := range odd {
			t.Run(name+"/"+what, func(t *testing.T) {
				o := o
				o.FailureCookie = true
				o.AnswerInsteadOf = func(w http.ResponseWriter, _ *http.Request, user string) bool {
					if user == "" {
						answer(w)
					}
					return user == ""
				}
				in(t, o, func(w *world) {
					w.enrol("vic")
					for _, user := range []string{"newbie", "vic", "nobody"} {
						c := w.client()
						c.get("/login").submit(user, "wrong")
						if c.last.Code == 303 || c.cookies[gateCookie] != "" {
							t.Errorf("%s: a wrong password leads to %d %s", user, c.last.Code, c.last.Header().Get("Location"))
						}
						c.get("/.mfa/enroll")
						c.look()
					}
				})
			})
		}
	}
}

// TestO11SuccessTakenForFailure: an app that signs somebody in and does not say so
// has signed in nobody, for all that the browser gets.
func TestO11SuccessTakenForFailure(t *testing.T) {
	odd := map[string]func(http.ResponseWriter){
		"no content":   func(w http.ResponseWriter) { w.WriteHeader(204) },
		"meta refresh": func(w http.ResponseWriter) { fmt.Fprint(w, `<meta http-equiv="refresh" content="0; url=/">`) },
		"compressed": func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "\x1f\x8b<h1>Welcome</h1>")
		},
		"endless":         func(w http.ResponseWriter) { endless(w, "<h1>Welcome</h1>") },
		"breaks off":      func(w http.ResponseWriter) { fmt.Fprint(w, "<h1>Welcome</h1>"); panic(http.ErrAbortHandler) },
		"looks wrong":     func(w http.ResponseWriter) { fmt.Fprint(w, "Wrong user name or password.") },
		"looks wrong too": func(w http.ResponseWriter) { w.WriteHeader(401) },
		"wrong in JSON":   func(w http.ResponseWriter) { fmt.Fprint(w, `{"ok": false}`) },
		"wrong elsewhere": func(w http.ResponseWriter) { w.Header().Set("Location", "/login?error=1"); w.WriteHeader(302) },
		"says both": func(w http.ResponseWriter) {
			w.Header().Set("Location", "/")
			w.Header().Set("Refresh", "0")
			fmt.Fprint(w, "<h1>Welcome</h1> Wrong user name or password.")
		},
	}
	for name, o := range oddVariants() {
		for what, answer := range odd {
			t.Run(name+"/"+what, func(t *testing.T) {
				o := o
				var on bool
				o.AnswerInsteadOf = func(w http.ResponseWriter, _ *http.Request, user string) bool {
					if on && user == "vic" {
						answer(w)
					}
					return on && user == "vic"
				}
				in(t, o, func(w *world) {
					w.enrol("vic", "eve")
					on = true
					c := w.verified("eve")
					c.signIn("vic")
					c.submit("vic", "wrong") // with the cookies that are vic's at the app by now
					c.look()
					c.signIn("eve")
					c.prove("eve")
					c.look()
				})
			})
		}
	}
}

func endless(w http.ResponseWriter, text string) {
	for {
		if _, err := fmt.Fprint(w, strings.Repeat(text, 100)); err != nil {
			return
		}
	}
}

// TestFailurePageOfSomebodyWhoIsSignedIn: an app answers a right password with a page on
// which somebody has written what its failures say. The page is delivered to nobody.
func TestFailurePageOfSomebodyWhoIsSignedIn(t *testing.T) {
	for _, rotation := range []oracle.Rotation{oracle.RotateAtLogin, oracle.RotateNever} {
		in(t, oracle.Options{Answers: oracle.Page, Rotation: rotation}, func(w *world) {
			w.enrol("vic")
			vic := w.verified("vic")
			vic.post("/notes", "note", "Wrong user name or password.")
			vic.get("/logout")
			c := w.client()
			c.signIn("vic") // the ledger sees what is delivered
			c.look()
		}, func(c *loginform.Config) { c.Success[0].NotBody = []string{"Wrong user name"} })
	}
}

// TestO28ProbeAsksForTheCookiesAlone: what else a browser sends has no say in whose
// session it is. Here eve's own key would make the app answer with her name.
func TestO28ProbeAsksForTheCookiesAlone(t *testing.T) {
	in(t, oracle.Everything(), func(w *world) {
		w.enrol("vic", "eve")
		eve := w.client().get("/login")
		eve.header.Set("X-Api-Key", w.app.Key("eve"))
		eve.header.Set("X-Original-Url", "/whoami?key="+w.app.Key("eve"))
		eve.header.Set("Referer", "http://localhost/whoami?key="+w.app.Key("eve"))
		eve.submit("vic", w.app.Password("vic")).want(303, "/.mfa/challenge")
		if eve.prove("eve") {
			t.Error("the gate takes vic's session for eve's")
		}
		eve.header = http.Header{}
		eve.look()
	}, func(c *loginform.Config) { c.Headers = nil })
}

// TestO28KeyHidesNoSwitch: the same where the app is asked again.
func TestO28KeyHidesNoSwitch(t *testing.T) {
	in(t, oracle.Everything(), func(w *world) {
		w.enrol("vic", "eve")
		eve := w.verified("eve")
		w.ledger.Surface = func(a oracle.Act) bool { return oracle.LoginSurface(a) || a.Channel == oracle.BySwitch }
		eve.get("/switch?to=vic")
		w.ledger.Surface = nil
		time.Sleep(time.Minute)
		eve.header.Set("X-Api-Key", w.app.Key("eve"))
		eve.get("/notes")
		eve.header = http.Header{}
		eve.look()
	}, func(c *loginform.Config) { c.Headers, c.Refuse = nil, nil })
}

// TestO30HeadersOfAProbe: it has none by which an app could be led elsewhere, or told
// who is asking.
func TestO30HeadersOfAProbe(t *testing.T) {
	in(t, oracle.Options{}, func(w *world) {
		w.enrol("eve")
		c := w.client()
		for _, h := range []string{"X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override", "X-Api-Key", "Authorization", "Referer", "Range"} {
			c.header.Set(h, "eve")
		}
		c.header.Set("User-Agent", "a browser")
		c.signIn("eve")
		for _, a := range w.app.Acts() {
			if a.URI != "/whoami" || a.Header.Get("User-Agent") != "a browser" {
				continue
			}
			for name, values := range a.Header {
				if values[0] == "eve" {
					t.Errorf("the gate asks with %s: %q", name, values)
				}
			}
		}
	})
}
