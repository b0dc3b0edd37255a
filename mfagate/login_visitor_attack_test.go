package mfagate_test

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// One browser asks for the login page again and again while another, with a copy of its cookies,
// signs in: an app that keeps its session shows the first one the page of whoever has just
// signed in. That answer was not for a visitor.
func TestPageThatWasAskedForBeforeTheSignInIsDropped(t *testing.T) {
	app := &formApp{sessions: map[string]string{}}
	w := newWorld(t, nil)
	var meanwhile func()
	w.handler = w.formBlock(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/login" || meanwhile == nil {
			app.ServeHTTP(rw, r)
			return
		}
		sign := meanwhile
		meanwhile = nil
		sign()
		if c, err := r.Cookie("PHPSESSID"); err == nil {
			io.WriteString(rw, "welcome back, "+app.sessions[c.Value])
		}
	}), mfagate.Site{})
	watcher, owner := w.person(""), w.person("")
	watcher.get("/login").want(200)
	owner.cookies, owner.body = maps.Clone(watcher.cookies), watcher.body
	meanwhile = func() { owner.submitLogin("alice", formPassword).want(303, "/.mfa/enroll") }
	if watcher.get("/login"); strings.Contains(watcher.body, "alice") {
		t.Errorf("a visitor is shown %q", watcher.body)
	}
}

// What no page of the form sends does not reach the app before a sign-in.
func TestVisitorsRequestsThatNoPageMakes(t *testing.T) {
	for name, test := range map[string]struct {
		method, path string
		header       http.Header
		want         int
	}{
		"WebSocket":            {"GET", "/login", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, 401},
		"service worker":       {"GET", "/login", http.Header{"Service-Worker": {"script"}}, 403},
		"reset, cross-site":    {"POST", "/reset", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		"reset, replayed":      {"POST", "/reset", http.Header{"Early-Data": {"1"}}, 425},
		"sign-in, replayed":    {"POST", "/login", http.Header{"Early-Data": {"1"}}, 425},
		"sign-in, cross-site":  {"POST", "/login", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		"public, as WebSocket": {"GET", "/style.css", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			c := formConfig()
			c.Reset = []loginform.Pattern{{Text: "/reset"}}
			asked := 0
			w := loginWorld(t, c, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
			p := w.person("")
			p.header = test.header
			r := p.request(test.method, test.path, "application/x-www-form-urlencoded", "user=alice&password="+strings.ReplaceAll(formPassword, " ", "+"))
			if test.path == "/reset" {
				r = p.request(test.method, test.path, "application/x-www-form-urlencoded", "mail=alice%40example.com")
			}
			p.send(r).want(test.want)
			if asked > 0 {
				t.Errorf("%d requests reached the app", asked)
			}
		})
	}
}

// Nobody is signed out by another site, and no request goes on as a sign-out that some app
// takes for something else.
func TestSignOutThatIsNotThePersonsOwn(t *testing.T) {
	for name, test := range map[string]struct {
		path string
		site string
		want int
	}{
		"from another site":   {"/logout", "cross-site", 403},
		"with credentials":    {"/logout?user=bob&password=x", "same-origin", 303},
		"in another spelling": {"//logout", "same-origin", 303},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			app := &formApp{sessions: map[string]string{}}
			w := newWorld(t, nil)
			w.handler = w.formBlock(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.URL.RequestURI())
				app.ServeHTTP(rw, r)
			}), mfagate.Site{})
			p := w.person("")
			p.signIn("alice", formPassword).want(303, "/.mfa/enroll")
			p.enrolHere()
			p.get("/home").want(200)
			asked = nil
			r := p.request("GET", "/logout", "", "")
			r.URL.Path, r.URL.RawQuery, _ = strings.Cut(test.path, "?")
			r.Header.Set("Sec-Fetch-Site", test.site)
			p.send(r).want(test.want)
			for _, uri := range asked {
				if uri == test.path && uri != "/logout" {
					t.Errorf("%s reached the app", uri)
				}
			}
			if test.want == 403 {
				p.get("/home").want(200)
			} else {
				p.get("/home").want(303, "/login")
			}
		})
	}
}

// A block that follows another has nothing to say by itself: without the one that watches the form
// its requests would bring the app the sealed cookies, and whatever else the browser sends.
func TestBlockThatFollowsOpensNothingByItself(t *testing.T) {
	form, err := loginform.Compile(formConfig())
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, nil)
	app := &formApp{sessions: map[string]string{}}
	block := func(follow bool) http.Handler {
		return w.block(func(b *mfagate.BlockConfig) {
			b.Source, b.Login = nil, &mfagate.Login{Form: form, Follow: follow}
		}).Handler(app)
	}
	w.handler = block(false)
	p := w.person("")
	p.signIn("alice", formPassword).want(303, "/.mfa/enroll")
	p.enrolHere()
	p.get("/home").want(200)
	w.handler = block(true)
	app.acts = nil
	p.get("/home").want(303, "/login")
	if len(app.acts) > 0 {
		t.Errorf("the app did %q", app.acts)
	}
}
