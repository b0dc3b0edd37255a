package loginattack

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// upstream lists the cookies that the app has got since act number from.
func (w *world) upstream(from int) (all []string) {
	for _, a := range w.app.Acts()[from:] {
		all = append(all, a.Header["Cookie"]...)
	}
	return all
}

// stolen signs in at the app itself, around the gate, and returns the id of the session
// and the cookie for remembering.
func (w *world) stolen(user string) (sid, remember string) {
	w.t.Helper()
	end := w.ledger.Proved(user) // the thief's own visit is not what is tested
	a := newRecorder()
	r := w.client().request("POST", "/login", formType, "user="+user+"&remember=1&password="+strings.ReplaceAll(w.app.Password(user), " ", "+"))
	w.app.ServeHTTP(a, r)
	for _, k := range a.Result().Cookies() {
		switch k.Name {
		case "sid":
			sid = k.Value
		case "remember":
			remember = k.Value
		}
	}
	w.ledger.Check(w.t)
	end()
	return sid, remember
}

// TestO03CookieThatTheGateDoesNotSee: vic's session, stolen around the gate, in every
// spelling of a cookie header.
func TestO03CookieThatTheGateDoesNotSee(t *testing.T) {
	o := oracle.Everything()
	o.Remember = true
	attackers(t, o, func(w *world, c *client) {
		sid, remember := w.stolen("vic")
		for _, header := range [][]string{
			{"sid=" + sid}, {"remember=" + remember}, {` sid="` + sid + `"`}, {"SID=" + sid}, {"s id=" + sid}, {"s.id=" + sid}, {"sid\x00x=" + sid}, {"sid\t=" + sid},
			{"sid =" + sid}, {"=sid=" + sid}, {"sid[]=" + sid}, {"sid[=" + sid}, {"sid%00=" + sid}, {"si%64=" + sid}, {"sid=x; sid=" + sid}, {"sid=" + sid + "; sid=x"},
			{"sid=" + sid + ", sid=x"}, {"theme=a, sid=" + sid}, {"theme=a,sid=" + sid}, {`theme="a; sid=` + sid + `; x="`}, {"theme=a\x0b; sid=" + sid},
			{`$Version=1; sid="` + sid + `"; $Path="/"`}, {"theme=x", "sid=" + sid}, {"theme=x\r\nCookie: sid=" + sid}, {"theme=x sid=" + sid}, {"theme=x\\; sid=" + sid},
			{"sid~2=" + sid}, {"sid~b=" + sid}, {"sid=1" + sid}, {"sid=2x; sid~2=" + sid}, {strings.Repeat("a=b; ", 5000) + "sid=" + sid},
		} {
			for _, path := range []string{"/", "/login", "/static/app.css", "/notes"} {
				from := w.app.Count()
				r := c.request("GET", path, "", "")
				own := r.Header.Get("Cookie")
				r.Header["Cookie"] = slices.Concat([]string{own}, header)
				c.send(r)
				r = c.request("GET", path, "", "")
				r.Header["Cookie"] = []string{header[0] + "; " + own}
				c.send(r)
				for _, got := range w.upstream(from) {
					if strings.Contains(got, sid) || strings.Contains(got, remember) {
						t.Errorf("%.100q reached the app as %.300q", header, got)
					}
				}
			}
		}
	})
}

// TestO04SessionsFromBefore: sessions and remember-me cookies that were made around
// the gate are worth nothing, to whoever has them.
func TestO04SessionsFromBefore(t *testing.T) {
	attackers(t, oracle.Options{Remember: true}, func(w *world, c *client) {
		sid, remember := w.stolen("vic")
		c.cookies["sid"], c.cookies["remember"] = sid, remember
		c.look()
		c.signIn("eve")
		c.cookies["sid"], c.cookies["remember"] = sid, remember
		c.look()
	})
}

// TestO05FixationAtTheApp: a planted id is not what the victim signs in with.
func TestO05FixationAtTheApp(t *testing.T) {
	in(t, oracle.Options{AnySession: true, Rotation: oracle.RotateNever, SessionInURL: true}, func(w *world) {
		w.enrol("vic", "eve")
		vic := w.client()
		vic.cookies["sid"] = "planted"
		vic.get("/login?sid=planted")
		vic.get("/login;jsessionid=planted")
		vic.signIn("vic")
		vic.prove("vic")
		vic.get("/").want(200).shows(`<p id="user">vic</p>`)
		for _, got := range w.upstream(0) {
			if strings.Contains(got, "planted") {
				t.Errorf("the app got %q", got)
			}
		}
		eve := w.verified("eve")
		eve.cookies["sid"] = "planted"
		eve.look()
		eve.get("/notes?sid=planted")
	})
}

// TestO05WholeBrowserPlanted: eve puts all her cookies, the gate's too, into vic's browser
// before he signs in, and uses her own copy afterwards.
func TestO05WholeBrowserPlanted(t *testing.T) {
	each(t, func(w *world) {
		w.enrol("vic", "eve")
		eve := w.client().get("/login")
		vic := eve.copied()
		vic.submit("vic", w.app.Password("vic"))
		eve.look()
		vic.prove("vic")
		vic.get("/").want(200)
		eve.look()
		eve.submit("eve", w.app.Password("eve"))
		eve.prove("eve")
		eve.look()
		eve.submit("vic", "wrong").look()
	})
}

// TestO06CookiesOfTheFirstStep: what a browser has after the password is of no use
// anywhere, as a cookie, as credentials, or in an address.
func TestO06CookiesOfTheFirstStep(t *testing.T) {
	o := oracle.Everything()
	o.Rotation = oracle.RotateNever
	attackers(t, o, func(w *world, c *client) {
		half := w.client().signIn("vic")
		for _, value := range half.cookies {
			c.get("/notes?access_token=" + value)
			c.get("/notes;jsessionid=" + value)
			for _, h := range []string{"Bearer " + value, "Basic " + value, "Negotiate " + value} {
				r := c.request("GET", "/api/notes", "", "")
				r.Header.Set("Authorization", h)
				c.send(r)
			}
		}
		c.withOld(half).look()
		r := c.request("GET", "/ws", "", "")
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		if c.w.owner(c.cookies[gateCookie]) == "" {
			c.send(r)
		}
	})
}

// TestO17EachCookieAlone: of all that a sign-in gives, each alone and each but one opens
// nothing in any other browser.
func TestO17EachCookieAlone(t *testing.T) {
	in(t, oracle.Options{Remember: true, Rotation: oracle.RotateNever}, func(w *world) {
		w.enrol("vic", "eve")
		vic := w.client().get("/login")
		vic.submit("vic", w.app.Password("vic"), "remember", "1")
		vic.prove("vic")
		vic.get("/").want(200)
		for name, value := range vic.cookies {
			if strings.HasPrefix(name, gateCookie) {
				continue
			}
			for _, thief := range []*client{w.client(), w.client().get("/login"), w.client().signIn("vic"), w.verified("eve")} {
				thief.cookies[name] = value
				thief.look()
			}
		}
		delete(vic.cookies, gateCookie)
		vic.look()
	})
}

// TestO20TabsAndPlantedCookies: two values of one name that both open are refused, and a
// code belongs to the sign-in of its own page.
func TestO20TabsAndPlantedCookies(t *testing.T) {
	in(t, oracle.Options{Rotation: oracle.RotateAlways}, func(w *world) {
		w.enrol("vic", "eve")
		eve := w.verified("eve")
		old := eve.cookies["sid"]
		eve.get("/notes")
		r := eve.request("GET", "/notes", "", "")
		r.Header.Set("Cookie", r.Header.Get("Cookie")+"; sid="+old)
		eve.send(r).want(400)
		r = eve.request("GET", "/notes", "", "")
		r.Header.Set("Cookie", "sid=planted; "+r.Header.Get("Cookie"))
		eve.send(r).want(200)
	})
	each(t, func(w *world) {
		w.enrol("vic", "eve")
		eve := w.client().signIn("eve")
		first := eve.get("/.mfa/challenge").want(200).copied() // a tab that lies open
		eve.signIn("vic")
		second := eve.cookies
		first.cookies = maps.Clone(second)
		if code := first.form("method", "totp", "code", first.code("eve")); first.sendAs(first.request("POST", "/.mfa/challenge", formType, code), "eve").last.Code == 303 && w.owner(first.cookies[gateCookie]) != "" {
			t.Error("eve's code counts for the sign-in as vic")
		}
		first.look()
	})
}

// TestPassedCookieSmugglesNoOther: values that some readers take for several cookies do
// not pass. The app takes any id that it is told.
func TestPassedCookieSmugglesNoOther(t *testing.T) {
	in(t, oracle.Options{AnySession: true, Rotation: oracle.RotateNever}, func(w *world) {
		c := w.client()
		for value, want := range map[string]string{
			"dark": "theme=dark", "a=b+c/d==": "theme=a=b+c/d==", `"dark"`: `theme="dark"`, "%7B%22a%22%7D": "theme=%7B%22a%22%7D",
			"a,sid=planted": "", "a, sid=planted": "", `"a`: "", `a"b`: "", `"a, sid=planted"`: "", "a sid=planted": "", `a\`: "", "\u00e9": "", "a\tb": "",
		} {
			from := w.app.Count()
			r := c.request("GET", "/login", "", "")
			r.Header["Cookie"] = []string{"theme=" + value}
			c.send(r)
			if got := strings.Join(w.upstream(from), "; "); got != want {
				t.Errorf("theme=%s reaches the app as %q; want %q", value, got, want)
			}
		}
	})
}

// TestPlantedSecondThemeLocksNobodyOut: whoever has a sibling domain may set a cookie beside one
// that goes in clear. Then the app gets neither, and vic still works.
func TestPlantedSecondThemeLocksNobodyOut(t *testing.T) {
	each(t, func(w *world) {
		w.enrol("vic")
		vic := w.verified("vic")
		for _, planted := range []string{"theme=dark; theme=planted", "theme=planted; theme=dark; theme=dark", "theme=a; theme=b; theme=a"} {
			for _, c := range []*client{w.client().get("/login"), vic} {
				from := w.app.Count()
				r := c.request("GET", "/login", "", "")
				if c == vic {
					r = c.request("GET", "/notes", "", "")
				}
				r.Header["Cookie"] = []string{planted + "; " + strings.ReplaceAll(r.Header.Get("Cookie"), "theme=", "x=")}
				c.send(r).want(200)
				if got := strings.Join(w.upstream(from), "; "); strings.Contains(got, "theme") || strings.Contains(got, "planted") {
					t.Errorf("%q reaches the app as %q", planted, got)
				}
			}
		}
	})
}

// TestO16RotationInheritance: an app that changes its cookie at any time is asked
// whose session it is before the next answer.
func TestO16RotationInheritance(t *testing.T) {
	o := oracle.Options{Switch: true, Rotation: oracle.RotateAlways}
	in(t, o, func(w *world) {
		w.enrol("vic", "eve")
		eve := w.verified("eve")
		w.ledger.Surface = func(a oracle.Act) bool { return oracle.LoginSurface(a) || a.Channel == oracle.BySwitch }
		eve.get("/switch?to=vic").want(302)
		w.ledger.Surface = nil
		eve.get("/notes").want(403)
		eve.look()
	}, func(c *loginform.Config) { c.RotatingCookies, c.Refuse = nil, nil })
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

// A recorder keeps the header of an answer.
type recorder struct{ header http.Header }

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(p []byte) (int, error) { return len(p), nil }
func (r *recorder) WriteHeader(int)             {}

// Result is the answer without its body.
func (r *recorder) Result() *http.Response { return &http.Response{Header: r.header} }
