package loginattack

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// TestO15LoginFromAnotherSite: what a browser says comes from elsewhere reaches neither the
// app nor the session that there is.
func TestO15LoginFromAnotherSite(t *testing.T) {
	in(t, oracle.Options{}, func(w *world) {
		w.enrol("vic", "eve")
		vic := w.verified("vic")
		for _, h := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.test"}, {"Origin", "null"}, {"Origin", "http://sub.localhost"}} {
			from := w.app.Count()
			vic.header.Set(h[0], h[1])
			vic.send(vic.request("POST", "/login", formType, "user=eve&password=password+of+eve")).want(403)
			vic.post("/.mfa/challenge", "method", "totp", "code", "000000").want(403)
			if h[0] == "Sec-Fetch-Site" {
				vic.get("/logout").want(403)
			}
			if got := w.reached(from); len(got) > 0 {
				t.Errorf("with %s the app got %q", h, got)
			}
			vic.header.Del(h[0])
			vic.get("/").want(200).shows(`<p id="user">vic</p>`)
		}
	})
}

// TestForeignPostLeavesTheLoginPageAlone: another site posts something while the login page lies
// open. The browser keeps the cookies back, and the form fits all the same.
func TestForeignPostLeavesTheLoginPageAlone(t *testing.T) {
	in(t, oracle.Options{FormToken: true}, func(w *world) {
		w.enrol("vic")
		for _, h := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.test"}} {
			vic, elsewhere := w.client().get("/login"), w.client()
			elsewhere.header.Set(h[0], h[1])
			elsewhere.send(elsewhere.request("POST", "/notes", formType, "note=x")).want(303, "/login")
			maps.Copy(vic.cookies, elsewhere.cookies)
			vic.submit("vic", w.app.Password("vic")).want(303, "/.mfa/challenge")
		}
	})
}

// TestO13O22NothingBeforeTheProof: the answers of a sign-in hold nothing of the app's, and
// no browser keeps them. The ledger looks at each byte.
func TestO13O22NothingBeforeTheProof(t *testing.T) {
	each(t, func(w *world) {
		w.enrol("vic")
		c := w.client().signIn("vic").want(303, "/.mfa/challenge")
		for _, to := range []string{"", "/.mfa/challenge", "/notes"} {
			if to != "" {
				c.get(to)
			}
			if got := c.last.Header().Get("Cache-Control"); !strings.Contains(got, "no-store") {
				t.Errorf("%d has Cache-Control %q; want no-store", c.last.Code, got)
			}
			for _, name := range []string{"Refresh", "Link", "X-Welcome", "X-Mark", "Set-Cookie2"} {
				if got := c.last.Header().Get(name); got != "" {
					t.Errorf("the browser gets %s: %q", name, got)
				}
			}
		}
	})
}

// TestO24O25NameOfSomebodyElse: whoever gets the name of a person who has left has not
// got the factor, and enrols none.
func TestO24O25NameOfSomebodyElse(t *testing.T) {
	each(t, func(w *world) {
		w.enrol("vic")
		w.app.SetPassword("vic", "another one")
		c := w.client().signIn("vic").want(303, "/.mfa/challenge")
		c.get("/.mfa/enroll")
		c.look()
	})
}

// TestO35O37Guessing: passwords of one name are tried at the app a few times only, from
// however many browsers. His own browser gets in all the while, and no budget of his factors
// is touched.
func TestO35O37Guessing(t *testing.T) {
	in(t, oracle.Options{}, func(w *world) {
		w.enrol("vic", "alice")
		own := w.verified("vic")
		own.get("/logout")
		from, last := w.app.Count(), 0
		for i := range 120 {
			c := w.client()
			typed := []string{"vic", "VIC", " vic", "vic "}[i%4]
			c.submit(typed, fmt.Sprint("guess ", i))
			last = c.last.Code
		}
		tries := 0
		for _, a := range w.app.Acts()[from:] {
			if a.Action == oracle.Refuse {
				tries++
			}
		}
		if tries > 20 || last != 429 {
			t.Errorf("the app was asked %d times, the last answer is %d; want at most 20, and 429", tries, last)
		}
		w.client().signIn("alice").want(303, "/.mfa/challenge")
		own.signIn("vic").want(303, "/.mfa/challenge")
		if !own.prove("vic") {
			t.Errorf("vic's factor is locked: %d %.300q", own.last.Code, own.body)
		}
		for _, e := range w.events {
			if e.Kind == mfagate.EventLocked && e.Subject.Name == "vic" {
				t.Errorf("an event says that vic's factor was locked")
			}
		}
	})
}

var differs = regexp.MustCompile(`(value|content|nonce)="[^"]*"`)

// TestO38NobodyLearnsWhoIsEnrolled: a wrong password is answered alike for everybody.
func TestO38NobodyLearnsWhoIsEnrolled(t *testing.T) {
	each(t, func(w *world) {
		w.enrol("vic")
		var first string
		for _, user := range []string{"vic", "newbie", "nobody"} {
			c := w.client().get("/login").submit(user, "wrong")
			var names []string
			for _, k := range c.last.Result().Cookies() {
				names = append(names, k.Name)
			}
			got := fmt.Sprint(c.last.Code, c.last.Header().Get("Location"), names, differs.ReplaceAllString(c.body, ""))
			if first == "" {
				first = got
			}
			if got != first {
				t.Errorf("%s: %.500q; want as for vic: %.500q", user, got, first)
			}
		}
	})
}

// TestO36NoPasswordIsKept: neither passwords nor ids of the app's sessions are in
// any record.
func TestO36NoPasswordIsKept(t *testing.T) {
	each(t, func(w *world) {
		w.enrol("vic")
		w.client().signIn("vic")
		w.client().get("/login").submit("vic", "a wrong password")
		w.verified("vic")
		records, err := w.store.List(w.t.Context(), "", "", 0)
		if err != nil || len(records) == 0 {
			t.Fatalf("%d records, %v", len(records), err)
		}
		for _, r := range records {
			text := r.Key + string(r.Value)
			if strings.Contains(text, "password of vic") || strings.Contains(text, "a wrong password") || len(w.app.Shown(text)) > 0 {
				t.Errorf("record %s holds a secret of the app: %q", r.Key, text)
			}
		}
	})
}

// TestO29ProbesDoNotMultiply: a sign-in costs the app one request more, and a page none.
func TestO29ProbesDoNotMultiply(t *testing.T) {
	in(t, oracle.Options{}, func(w *world) {
		w.enrol("vic")
		c := w.client().get("/login")
		from := w.app.Count()
		c.submit("vic", w.app.Password("vic"))
		if got := w.reached(from); len(got) != 2 {
			t.Errorf("a sign-in makes %q", got)
		}
		c.prove("vic")
		c.get("/")
		from = w.app.Count()
		for range 5 {
			c.get("/notes")
		}
		if got := w.reached(from); len(got) != 5 {
			t.Errorf("five pages make %q", got)
		}
	})
}

// TestO32NoWorkerBeforeTheSignIn: a script that answers for whole paths of the site is
// none that the login page needs.
func TestO32NoWorkerBeforeTheSignIn(t *testing.T) {
	in(t, oracle.Options{}, func(w *world) {
		c := w.client()
		r := c.request("GET", "/static/app.js", "", "")
		r.Header.Set("Service-Worker", "script")
		c.send(r).want(403)
		c.get("/static/app.js").want(200)
	})
}

// TestO39AnotherName: the app on another site has sessions of its own.
func TestO39AnotherName(t *testing.T) {
	in(t, oracle.Options{Rotation: oracle.RotateNever}, func(w *world) {
		w.enrol("vic", "eve")
		eve, half := w.verified("eve"), w.client().signIn("vic")
		w.site = "another"
		w.restart()
		for _, c := range []*client{eve, half} {
			w.over()
			c.look()
			c.get("/notes").want(303, "/login")
		}
		c := w.verified("eve")
		c.withOld(half).look()
		c.withOld(eve).look()
	})
}

// TestO40KeysMadeInside: a key that somebody has made in the app opens nothing by itself.
func TestO40KeysMadeInside(t *testing.T) {
	in(t, oracle.Everything(), func(w *world) {
		w.enrol("vic")
		for _, path := range []string{"/api/notes", "/notes", "/login", "/static/app.css"} {
			c := w.client()
			c.header.Set("X-Api-Key", w.app.Key("vic"))
			c.get(path)
			c.header = nil
			c.get(path + "?key=" + w.app.Key("vic"))
		}
	})
}

// TestReturnAfterSignIn: people come to the page that they wanted, and to no other site.
func TestReturnAfterSignIn(t *testing.T) {
	for wanted, want := range map[string]string{
		"/notes?x=1&y=%2F": "/notes?x=1&y=%2F", "//evil.test/x": "/", "/%5cevil.test": "/", "/\\evil.test": "/", "/x/..//evil.test": "", "/.mfa/sign-out": "/",
		"/notes#x": "", "/login": "/", "/" + strings.Repeat("x", 5000): "/", "/notes?return=https://evil.test": "/notes?return=https://evil.test",
	} {
		in(t, oracle.Options{}, func(w *world) {
			w.enrol("vic")
			c := w.client()
			if !strings.Contains(wanted, "\\") {
				c.get(wanted)
			}
			c.signIn("vic").prove("vic")
			to := c.last.Header().Get("Location")
			if strings.HasPrefix(to, "//") || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "/\\") || want != "" && to != want {
				t.Errorf("%.60q leads to %.60q; want %q", wanted, to, want)
			}
		})
	}
}

// TestAppThatIsDown: nobody is signed in, nothing is lost, and it is said in words.
func TestAppThatIsDown(t *testing.T) {
	down := false
	o := oracle.Options{Rotation: oracle.RotateNever}
	in(t, o, func(w *world) {
		w.enrol("vic")
		vic := w.verified("vic")
		c := w.client().get("/login")
		w.through(func() bool { return !down })
		time.Sleep(2 * time.Minute)
		down = true
		vic.get("/notes").want(502)
		c.submit("vic", w.app.Password("vic")).want(502)
		w.client().get("/login")
		vic.get("/logout")
		down = false
		vic.look()
		c.signIn("vic").want(303, "/.mfa/challenge")
	}, func(c *loginform.Config) {})
}
