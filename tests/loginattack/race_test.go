package loginattack

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// TestLineageCopiedIntoTwoBrowsers: eve signs in and proves in one browser, while
// the other, with the same login page and cookies, posts vic's password; in each order.
func TestLineageCopiedIntoTwoBrowsers(t *testing.T) {
	each(t, func(w *world) {
		w.enrol("vic", "eve")
		for range 2 {
			first := w.client().get("/login")
			second := first.copied()
			first.submit("eve", w.app.Password("eve"))
			second.submit("vic", w.app.Password("vic"))
			second.look()
			first.prove("eve")
			first.get("/").want(200).shows(`<p id="user">eve</p>`)
			for _, c := range []*client{first, second, first.copied().withOld(second), second.copied().withOld(first)} {
				c.look()
			}

			first = w.client().get("/login")
			second = first.copied()
			second.submit("vic", w.app.Password("vic"))
			first.submit("eve", w.app.Password("eve"))
			first.prove("eve")
			for _, c := range []*client{first, second, first.copied().withOld(second), second.copied().withOld(first)} {
				c.look()
			}
		}
	})
}

// TestOlderCookiesOfAnEarlierSignIn: eve, verified, signs in as vic, leaves, signs
// in as eve again, and uses the cookies of each earlier time.
func TestOlderCookiesOfAnEarlierSignIn(t *testing.T) {
	each(t, func(w *world) {
		w.enrol("vic", "eve")
		eve := w.verified("eve")
		own := eve.copied()
		eve.signIn("vic")
		asVic := eve.copied()
		eve.get("/logout")
		eve.signIn("eve")
		eve.prove("eve")
		eve.get("/").want(200)
		for _, old := range []*client{own, asVic} {
			old.look()
			eve.copied().withOld(old).look()
			for name, value := range old.cookies {
				c := eve.copied()
				c.cookies[name] = value
				c.look()
			}
		}
	})
}

// TestO12WhileTheAnswerIsHeld: the app has signed vic in and not answered yet. 64
// requests with the same cookies arrive meanwhile.
func TestO12WhileTheAnswerIsHeld(t *testing.T) {
	var entered, release chan struct{}
	o := oracle.Options{Rotation: oracle.RotateNever, BeforeAnswer: func(user string) {
		if entered != nil && user == "vic" {
			close(entered)
			<-release
		}
	}}
	attackers(t, o, func(w *world, c *client) {
		c.get("/login")
		thief := c.copied()
		entered, release = make(chan struct{}), make(chan struct{})
		defer func() { entered = nil }()
		var all sync.WaitGroup
		all.Go(func() { c.submit("vic", w.app.Password("vic")) })
		<-entered
		for i := range 64 {
			all.Go(func() {
				k := thief.copied()
				k.get([]string{"/login", "/", "/notes", "/static/app.css", "/.mfa/challenge", "/logout"}[i%6])
				if i%7 == 0 {
					k.submit("vic", "wrong")
				}
			})
		}
		synctest.Wait()
		time.Sleep(5 * time.Second)
		close(release)
		all.Wait()
		entered = nil
		thief.look()
	})
}

// slow marks requests that take a while on their way to the app, and answers that take
// one on their way back.
const slow = "X-Slow"

// slowly delays what a browser says is slow.
func slowly(app http.Handler, delay time.Duration) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get(slow) == "there" {
			time.Sleep(delay)
		}
		if r.Context().Err() != nil {
			return // a proxy sends no request whose time is over
		}
		app.ServeHTTP(rw, r)
		if r.Header.Get(slow) == "back" {
			time.Sleep(delay)
		}
	})
}

// TestO12VisitorOvertaken: a visitor's request was on its way before vic's password, and
// reaches the app after it. What the app makes of it is delivered to nobody.
func TestO12VisitorOvertaken(t *testing.T) {
	in(t, oracle.Options{Rotation: oracle.RotateNever}, func(w *world) {
		w.enrol("vic")
		w.behind = slowly(w.app, time.Minute)
		w.restart()
		c := w.client().get("/login")
		thief := c.copied()
		thief.header.Set(slow, "there")
		w.ledger.Surface = func(a oracle.Act) bool { return oracle.LoginSurface(a) || a.URI == "/login" }
		var all sync.WaitGroup
		all.Go(func() { thief.get("/login") })
		synctest.Wait()
		c.submit("vic", w.app.Password("vic"))
		all.Wait()
		thief.want(200).shows("<h1>Sign in</h1>")
		w.ledger.Surface = nil
		thief.header = http.Header{}
		thief.look()
	})
}

// TestO33ClientLeaves: the person leaves while the app answers. What it has made is
// nobody's.
func TestO33ClientLeaves(t *testing.T) {
	each(t, func(w *world) {
		w.enrol("vic")
		w.behind = slowly(w.app, 30*time.Second)
		w.restart()
		c := w.client().get("/login")
		c.header.Set(slow, "there")
		ctx, leave := context.WithCancel(w.t.Context())
		r := c.request("POST", "/login", formType, c.form("user", "vic", "password", w.app.Password("vic"), "token", c.find(appToken))).WithContext(ctx)
		c.header = http.Header{}
		kept := c.copied()
		var all sync.WaitGroup
		all.Go(func() { w.front.ServeHTTP(httptest.NewRecorder(), r) })
		synctest.Wait()
		leave()
		kept.look()
		all.Wait()
		kept.look()
		kept.submit("vic", "wrong")
		kept.look()
	})
}

// TestO26RestartWhilePending: a gate that was stopped between password and proof asks for
// the proof all the same.
func TestO26RestartWhilePending(t *testing.T) {
	each(t, func(w *world) {
		w.enrol("vic", "eve")
		c := w.client().signIn("vic")
		w.restart()
		c.look()
		if c.prove("eve") {
			t.Error("eve's code counts for vic")
		}
		w.restart()
		c.look()
		if !c.prove("vic") {
			t.Errorf("vic's code is refused: %d %.300q", c.last.Code, c.body)
		}
		w.restart()
		c.get("/").want(200).shows(`<p id="user">vic</p>`)
	})
}

// shared is a store of several gates.
type shared struct{ storage.Store }

func (shared) Shared() bool { return true }

// TestO27TwoNodes: each request goes to the other of two gates over one store.
func TestO27TwoNodes(t *testing.T) {
	in(t, oracle.Options{Rotation: oracle.RotateNever}, func(w *world) {
		w.store = shared{w.store}
		w.restart()
		first, firstRecords := w.front, w.records
		defer firstRecords.Close()
		w.start(w.app)
		second, n := w.front, 0
		w.front = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if n++; n%2 == 0 {
				first.ServeHTTP(rw, r)
			} else {
				second.ServeHTTP(rw, r)
			}
		})
		w.enrol("vic", "eve")
		eve := w.verified("eve")
		eve.look()
		page := w.client().get("/login")
		copied := page.copied()
		page.submit("vic", w.app.Password("vic"))
		copied.submit("eve", w.app.Password("eve"))
		copied.prove("eve")
		copied.look()
		page.look()
		eve.get("/logout")
		w.ledger.Grace = time.Second
		time.Sleep(2 * time.Second)
		for range 3 {
			eve.look()
		}
	})
}

// TestO14TwoSteps: name and password on two pages, in every order and in two tabs.
func TestO14TwoSteps(t *testing.T) {
	o := oracle.Options{TwoSteps: true, Rotation: oracle.RotateNever}
	steps := func(c *loginform.Config) {
		c.User = loginform.Field{}
		c.Reset, c.Submit = patterns("POST /login"), patterns("POST /login/password")
	}
	in(t, o, func(w *world) {
		w.enrolInSteps("vic", "eve")
		eve := w.client().first("eve")
		tab := eve.copied().first("vic")
		eve.second("eve") // the app has vic's name by now
		eve.look()
		tab.second("vic")
		tab.look()
		eve = w.client().first("eve")
		eve.copied().first("vic")
		eve.second("vic").want(303, "/.mfa/challenge")
		if eve.prove("eve") {
			t.Error("eve's code counts for vic")
		}
		eve.look()
		late := w.client().first("vic")
		time.Sleep(time.Hour)
		late.second("vic")
		late.look()
		w.client().second("vic").look()
		both := w.client().first("eve").second("eve")
		both.prove("eve")
		both.first("vic").second("vic")
		both.look()
		both.second("vic").look()
	}, steps)
}

func (c *client) first(user string) *client {
	c.w.t.Helper()
	c.get("/login")
	return c.send(c.request("POST", "/login", formType, "user="+user))
}

func (c *client) second(user string) *client {
	c.w.t.Helper()
	return c.send(c.request("POST", "/login/password", formType, "password="+strings.ReplaceAll(c.w.app.Password(user), " ", "+")))
}

func (w *world) enrolInSteps(users ...string) {
	w.t.Helper()
	for _, user := range users {
		c := w.client().first(user).want(200)
		c.second(user).want(303, "/.mfa/enroll")
		c.enrol(user)
		c.signOut()
	}
}

// TestSecondNameBringsNoCookies: the cookies with which the app has refused a name are shown to it again for that name,
// and not for another.
func TestSecondNameBringsNoCookies(t *testing.T) {
	in(t, oracle.Options{Rotation: oracle.RotateNever}, func(w *world) {
		var sids []string // with each submitted form
		w.behind = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				sid := ""
				if k, err := r.Cookie("sid"); err == nil {
					sid = k.Value
				}
				sids = append(sids, sid)
			}
			w.app.ServeHTTP(rw, r)
		})
		w.restart()
		c := w.client().get("/login")
		c.submit("eve", "wrong")
		c.submit("eve", "wrong")
		c.submit("vic", w.app.Password("vic")).want(303, "/.mfa/enroll")
		if len(sids) != 3 || sids[0] == "" || sids[1] != sids[0] {
			t.Fatalf("the app got the sessions %q; want three, the first two the same", sids)
		}
		if sids[2] == sids[0] {
			t.Errorf("vic signs in with session %q, that of eve's attempts; want another, or none", sids[2])
		}
	})
}
