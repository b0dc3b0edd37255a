package mfagate_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// A hubApp is a legacy app that knows people by cookies of the folders /hub/ and /books/, and shows
// each a page of their own below either.
type hubApp struct {
	mu    sync.Mutex
	acts  []string // "user path", of pages
	asked int      // how often somebody wanted to know who is signed in
	got   []string // headers Cookie of pages
	last  bool     // of two cookies with one name the last one counts
}

func (a *hubApp) user(r *http.Request, name string) string {
	of := ""
	for _, c := range r.Cookies() {
		if user, ok := strings.CutPrefix(c.Value, "of-"); ok && c.Name == name && (of == "" || a.last) {
			of = user
		}
	}
	return of
}

func (a *hubApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch hub := a.user(r, "sid"); {
	case r.URL.Path == "/hub/login" && r.Method == http.MethodPost:
		w.Header().Add("Set-Cookie", "sid=of-"+r.FormValue("user")+"; Path=/hub/; HttpOnly")
		http.Redirect(w, r, "/hub/home", http.StatusFound)
	case r.URL.Path == "/hub/login":
	case r.URL.Path == "/hub/me":
		a.asked++
		fmt.Fprintf(w, `<p id="me">%s</p>`, hub)
	case strings.HasSuffix(r.URL.Path, "/door"): // of which nobody knows: it signs in whomever one likes, below a folder
		w.Header().Add("Set-Cookie", r.URL.Query().Get("cookie"))
	case r.URL.Path == "/hub/logout":
		w.Header().Add("Set-Cookie", "sid=; Path=/hub/; Max-Age=0")
		http.Redirect(w, r, "/hub/login", http.StatusFound)
	default:
		a.acts = append(a.acts, hub+" "+r.URL.Path)
		a.got = append(a.got, r.Header.Get("Cookie"))
		if strings.HasPrefix(r.URL.Path, "/books/") && hub == "" {
			w.Header().Add("Set-Cookie", "book=mark; Path=/books/")
		}
		fmt.Fprintf(w, "the app, for %s", hub)
	}
}

// hubWorld starts a gate before one of these.
func hubWorld(t *testing.T, change ...func(*loginform.Config)) (*world, *hubApp) {
	t.Helper()
	c, app := formConfig(), new(hubApp)
	c.Page = []loginform.Pattern{{Text: "GET /hub/login"}}
	c.Submit = []loginform.Pattern{{Text: "POST /hub/login"}}
	c.Success = []loginform.Signs{{Status: []string{"302"}, Location: []string{"/hub/home"}}}
	c.Identify.Probe, c.Home = "GET /hub/me", "/hub/home"
	c.Logout = []loginform.Pattern{{Text: "GET /hub/logout"}}
	for _, f := range change {
		f(&c)
	}
	w := loginWorld(t, c, http.HandlerFunc(app.ServeHTTP))
	return w, app
}

// inHub is somebody who has signed in with both factors, in a browser that ignores paths: so
// do people who try things out.
func (w *world) inHub(user string) *person {
	w.t.Helper()
	p := w.person("")
	p.get("/hub/login").want(200)
	p.post("/hub/login", "user", user, "password", formPassword).want(303, "/.mfa/enroll")
	p.enrolHere()
	return p
}

// cookieOf is the name under which a browser keeps the cookie of the app whose name begins so.
func (p *person) cookieOf(name string) string {
	p.w.t.Helper()
	for kept := range p.cookies {
		if strings.HasPrefix(kept, name+"~p") {
			return kept
		}
	}
	p.w.t.Fatalf("no cookie %s among %v", name, slices.Collect(maps.Keys(p.cookies)))
	return ""
}

// Pages outside of the folder of the cookie by which the app knows somebody open, the cookie goes to none of
// them, and the app is asked no more often than for any other app.
func TestPagesOutsideOfTheFolderOfTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, app := hubWorld(t)
		p := w.inHub("alice")
		for range 20 {
			for _, path := range []string{"/hub/home", "/books/1", "/books/2", "/", "/hub/x?y=1"} {
				p.get(path).want(200)
			}
			time.Sleep(time.Second)
		}
		if want := []string{"sid=of-alice", "", "book=mark", "", "sid=of-alice"}; !slices.Equal(app.got[:5], want) {
			t.Errorf("the app gets %q; want %q", app.got[:5], want)
		}
		if app.asked > 10 {
			t.Errorf("100 requests within 20 s made the gate ask %d times", app.asked)
		}
		p.get("/hub/logout").want(302, "/hub/login")
		for name := range p.cookies {
			if strings.HasPrefix(name, "sid") {
				t.Errorf("after the sign-out the browser has %s", name)
			}
		}
	})
}

// Somebody with a second factor of her own finds a door that gives her a colleague's session at
// another folder than that where the gate asks. The app is asked with what it would get.
func TestSessionOfAnotherUserBelowAnotherFolder(t *testing.T) {
	for name, door := range map[string]string{
		"beside":  "/books/door?cookie=sid%3Dof-vic%3B+Path%3D%2Fbooks%2F",
		"above":   "/books/door?cookie=sid%3Dof-vic%3B+Path%3D%2F",
		"below":   "/hub/door?cookie=sid%3Dof-vic%3B+Path%3D%2Fhub%2Fadmin",
		"without": "/books/1/door?cookie=sid%3Dof-vic",
		"the one": "/hub/door?cookie=sid%3Dof-vic%3B+Path%3D%2Fhub%2F",
	} {
		for _, order := range []string{"acts first", "asked first", "last value"} {
			t.Run(name+", "+order, func(t *testing.T) {
				w, app := hubWorld(t)
				app.last = order == "last value"
				p := w.inHub("eve")
				p.get("/hub/home").want(200)
				p.get(door)
				whole := maps.Clone(p.cookies)
				paths := []string{"/books/", "/books/1", "/books/1/x", "/", "/hub/admin", "/hub/admin/x", "/hub/home", "//books/", "/hub/../books/1", "/BOOKS/", "/books%2f1"}
				if order == "asked first" {
					slices.Reverse(paths)
				}
				for _, path := range paths {
					p.cookies = maps.Clone(whole)
					p.get(path)
					for kept := range whole {
						p.cookies = maps.Clone(whole)
						delete(p.cookies, kept)
						p.get(path)
					}
				}
				for i, act := range app.acts {
					if !strings.HasPrefix(act, "eve ") && !strings.HasPrefix(act, " ") {
						t.Errorf("in a session of eve's: %q with %q", act, app.got[i])
					}
				}
			})
		}
	}
}

// A cookie that changes by itself does not make the gate ask each time, where others have paths, too.
func TestRotatingCookieOfAPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, app := hubWorld(t, func(c *loginform.Config) { c.RotatingCookies = []string{"turn"} })
		p := w.inHub("alice")
		p.get("/books/1").want(200)
		p.get("/hub/home").want(200)
		before := app.asked
		for i := range 20 {
			p.get(fmt.Sprintf("/hub/door?cookie=turn%%3D%d%%3B+Path%%3D%%2Fhub%%2F", i)).want(200)
		}
		if app.asked > before+2 {
			t.Errorf("20 turns made the gate ask %d times", app.asked-before)
		}
	})
}

// Cookies of two sign-ins mixed, each under the name of the other's path.
func TestCookiesOfTwoSignInsMixedByPath(t *testing.T) {
	w, app := hubWorld(t)
	vic, eve := w.inHub("vic"), w.inHub("eve")
	for _, p := range []*person{vic, eve} {
		p.get("/books/door?cookie=sid%3Dbooks%3B+Path%3D%2Fbooks%2F").want(200)
	}
	names := slices.Collect(maps.Keys(vic.cookies))
	own := maps.Clone(eve.cookies)
	app.acts, app.got = nil, nil
	for _, from := range names {
		for _, to := range names {
			if strings.HasPrefix(from, "mfagate") || strings.HasPrefix(to, "mfagate") {
				continue
			}
			eve.cookies = maps.Clone(own)
			eve.cookies[to] = vic.cookies[from]
			for _, path := range []string{"/hub/home", "/books/1", "/"} {
				eve.get(path)
			}
		}
	}
	if len(app.acts) == 0 {
		t.Error("the app was never reached")
	}
	for i, act := range app.acts {
		if strings.HasPrefix(act, "vic") || strings.Contains(app.got[i], "vic") {
			t.Errorf("in a session of eve's: %q with %q", act, app.got[i])
		}
	}
}

// Two apps in folders of one host, each with a gate of its own: what is sealed for one is
// nothing to the other, and signing out of one leaves the other's in the browser.
func TestTwoAppsInFoldersOfOneHost(t *testing.T) {
	w, first := hubWorld(t)
	mine := w.handler
	c, second := formConfig(), new(hubApp)
	c.Page = []loginform.Pattern{{Text: "GET /hub/login"}}
	c.Submit = []loginform.Pattern{{Text: "POST /hub/login"}}
	c.Success = []loginform.Signs{{Status: []string{"302"}, Location: []string{"/hub/home"}}}
	c.Identify.Probe = "GET /hub/me"
	form, err := loginform.Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	other := w.block(func(b *mfagate.BlockConfig) {
		b.Source, b.Login, b.Site = nil, &mfagate.Login{Form: form}, mfagate.Site{Name: "other"}
	}).Handler(second)
	p := w.inHub("alice")
	sid := p.cookies[p.cookieOf("sid")]
	w.handler = other
	q := w.person("")
	q.cookies[p.cookieOf("sid")] = sid
	q.get("/hub/login").want(200)
	q.get("/hub/home").want(303, "/hub/login")
	q.cookies = maps.Clone(p.cookies)
	q.get("/hub/home")
	for _, got := range second.got {
		if strings.Contains(got, "sid") {
			t.Errorf("the other app gets %q", got)
		}
	}
	if q.cookies[p.cookieOf("sid")] != sid {
		t.Error("the other gate has taken the first app's cookie out of the browser")
	}
	w.handler = mine
	first.acts = nil
	p.get("/hub/home").want(200)
	if want := []string{"alice /hub/home"}; !slices.Equal(first.acts, want) {
		t.Errorf("afterwards the first app did %q; want %q", first.acts, want)
	}
}
