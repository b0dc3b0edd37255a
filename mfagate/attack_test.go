package mfagate_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// I-01, S-14: the session of one user is worth nothing to another.
func TestIdentitySwitchInsideASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		eve := w.person("eve").enrol("/")
		w.person("bob").enrol("/")
		eve.get("/").want(200)
		hits := w.hit()
		eve.name = "bob" // whose password she has
		eve.get("/").want(303, "/.mfa/challenge").follow().want(200)
		eve.post("/.mfa/challenge", "method", "totp", "code", eve.code(1)).want(401)
		eve.get("/").want(303, "/.mfa/challenge")
		if w.hit() != hits {
			t.Errorf("the app was reached as bob")
		}
	})
}

// I-02: a session without the first factor does not open the app.
func TestIdentityDisappears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		alice.name = ""
		alice.get("/").want(401)
		if w.hit() != 0 {
			t.Errorf("the app was reached without a first factor")
		}
	})
}

// I-11, I-12: spellings of one name are one person; what has no canonical form is
// nobody.
func TestSpellingsOfAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, func(c *mfagate.BlockConfig) { c.Site.Names.Aliases = map[string]string{`CORP\alice`: "alice"} })
		w.person("alice").enrol("/")
		for name, want := range map[string]string{
			"ALICE": "/.mfa/challenge", "ａｌｉｃｅ": "/.mfa/challenge", `CORP\alice`: "/.mfa/challenge", `corp\ALICE`: "/.mfa/challenge",
			"alice ": "", " alice": "", "alice\u200b": "", "al\x00ice": "", strings.Repeat("a", 300): "", "a  b": "",
			"bob smith": "/.mfa/enroll", "{env.HOME}": "/.mfa/enroll",
		} {
			p := w.person(name).get("/")
			if want == "" {
				p.want(400)
			} else {
				p.want(303, want)
			}
		}
		if w.hit() != 0 {
			t.Errorf("the app was reached")
		}
	})
}

// T-01, T-04: a code works once, and no earlier one after it.
func TestReplayOfACode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		code := alice.code(0)
		p := alice.elsewhere()
		p.get("/").follow()
		p.post("/.mfa/challenge", "method", "totp", "code", code).want(401) // T-12: it enrolled
		time.Sleep(time.Minute)
		code = alice.code(0)
		earlier := alice.code(-1)
		p.get("/").follow()
		p.post("/.mfa/challenge", "method", "totp", "code", code).want(303)
		for _, again := range []string{code, earlier} {
			q := alice.elsewhere()
			q.get("/").follow()
			q.post("/.mfa/challenge", "method", "totp", "code", again).want(401)
		}
	})
}

// T-02, T-16: what is not exactly one code of six digits is none.
func TestDecoratedCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		for i, decorate := range []func(string) string{
			func(c string) string { return c + "\u00a0" },
			func(c string) string { return "+" + c },
			func(c string) string { return c + "\n1" },
			func(c string) string {
				return strings.Map(func(r rune) rune { return r + '０' - '0' }, c)
			},
			func(c string) string { return c + "0" },
			func(string) string { return "" },
			func(c string) string { return c + "&code=" + c },
		} {
			time.Sleep(2 * time.Hour) // past any delay
			p := alice.elsewhere()
			p.get("/").follow()
			p.post("/.mfa/challenge", "method", "totp", "code", decorate(alice.code(0)))
			if p.last.Code == 303 {
				t.Errorf("decoration %d was accepted", i)
			}
		}
		time.Sleep(2 * time.Hour)
		p := alice.elsewhere()
		p.get("/").follow()
		body := "method=totp&code=" + alice.code(0) + "&code=000000&form_token=" + p.token()
		p.send(p.request("POST", "/.mfa/challenge", "application/x-www-form-urlencoded", body)).want(400)
		p.get("/").follow()
		p.post("/.mfa/challenge?code="+alice.code(0), "method", "totp").want(401)
		time.Sleep(2 * time.Hour)
		p.get("/").follow()
		p.post("/.mfa/challenge", "method", "totp", "code", alice.code(0)[:3]+" "+alice.code(0)[3:]).want(303) // people type this
	})
}

// T-03: sixty-four posts of one right code are one success.
func TestParallelPostsOfOneCode(t *testing.T) {
	w := newWorld(t, nil)
	alice := w.person("alice").enrol("/")
	code := alice.code(1) // the next one, since the present one has enrolled
	people := make([]*person, 64)
	for i := range people {
		people[i] = alice.elsewhere()
		people[i].get("/").want(303, "/.mfa/challenge").follow().want(200)
	}
	var wg sync.WaitGroup
	var passed atomic.Int32
	for _, p := range people {
		wg.Go(func() {
			p.post("/.mfa/challenge", "method", "totp", "code", code)
			switch p.last.Code {
			case http.StatusSeeOther:
				passed.Add(1)
			case http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable:
			default:
				t.Errorf("status = %d", p.last.Code)
			}
		})
	}
	wg.Wait()
	if n := passed.Load(); n != 1 {
		t.Errorf("%d posts of one code succeeded; want 1", n)
	}
}

// T-06, T-17, G6: whatever the sessions and addresses, few guesses reach the
// verifier; the other factor stays open; and the owner gets in.
func TestGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		reached, days := 0, 0
		for range 24 * 60 { // a guess a minute, each from a new session
			time.Sleep(time.Minute)
			p := w.person("alice")
			p.get("/").follow()
			p.post("/.mfa/challenge", "method", "totp", "code", "12345"+fmt.Sprint(days%10))
			switch p.last.Code {
			case http.StatusUnauthorized:
				reached++
			case http.StatusTooManyRequests:
				if p.last.Header().Get("Retry-After") == "" {
					t.Fatalf("429 without Retry-After")
				}
			default:
				t.Fatalf("status = %d", p.last.Code)
			}
		}
		if reached > 50 || reached < 5 {
			t.Errorf("%d guesses reached the verifier in a day; want 5 to 50", reached)
		}
		owner := alice.elsewhere() // at the browser that has proved before
		owner.cookies["mfagate_browser"] = alice.cookies["mfagate_browser"]
		owner.prove("/", 0).want(303, "/").follow().want(200)

		stranger := alice.elsewhere()
		stranger.get("/").follow()
		stranger.post("/.mfa/challenge", "method", "totp", "code", alice.code(1))
		if stranger.last.Code != http.StatusUnauthorized && stranger.last.Code != http.StatusTooManyRequests && stranger.last.Code != http.StatusSeeOther {
			t.Errorf("status = %d", stranger.last.Code)
		}
		lost := alice.elsewhere()
		lost.get("/").follow()
		lost.post("/.mfa/challenge", "method", "recovery", "code", alice.codes[0]).want(303)
	})
}

// T-05: the owner's sign-ins do not pay for a thief's guesses.
func TestSlowGuessingBetweenSignIns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		reached := 0
		for range 200 { // 30 days less a bit
			for range 4 {
				thief := w.person("alice")
				thief.get("/").follow()
				if thief.post("/.mfa/challenge", "method", "totp", "code", "000000").last.Code == http.StatusUnauthorized {
					reached++
				}
			}
			time.Sleep(3*time.Hour + 30*time.Minute)
			p := alice.elsewhere()
			p.cookies["mfagate_browser"] = alice.cookies["mfagate_browser"]
			p.prove("/", 0).want(303, "/")
		}
		if reached > 100 {
			t.Errorf("%d guesses reached the verifier in 30 days; want at most 100", reached)
		}
	})
}

// M-01: whoever is enrolled must prove before enrolling, and a password alone
// changes nothing.
func TestEnrolmentOverAnExistingFactor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.person("alice").enrol("/")
		thief := w.person("alice")
		thief.get("/").follow().want(200)
		thief.post("/.mfa/enroll/totp").want(303, "/.mfa/challenge")
		thief.get("/.mfa/challenge").want(200)
		thief.post("/.mfa/enroll/totp", "code", "123456").want(303, "/.mfa/challenge")
		thief.get("/.mfa/challenge").want(200)
		thief.post("/.mfa/recovery-codes", "action", "new").want(401)
		thief.api("POST", "enroll/totp", map[string]any{})
		thief.want(409)
		thief.api("POST", "recovery-codes", map[string]any{})
		thief.want(401)
		thief.get("/.mfa/").want(303, "/.mfa/challenge")
	})
}

// M-07: the secret is made by the gate for one session; another session's
// enrolment is not affected, and a secret in the form is ignored.
func TestSeedFromTheForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person("alice")
		p.get("/").follow()
		p.post("/.mfa/enroll/totp").follow().want(200).scan()
		planted := &person{w: w, secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}
		p.post("/.mfa/enroll/totp", "code", planted.code(0), "secret", planted.secret).want(422)
	})
}

// B-01: a state change takes a form of this very session from this very site.
func TestCrossSitePosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		alice.get("/.mfa/").want(200)
		token := alice.token()
		for _, test := range []struct {
			name   string
			header http.Header
			token  string
		}{
			{"other origin", http.Header{"Origin": {"https://evil.test"}}, token},
			{"null origin", http.Header{"Origin": {"null"}}, token},
			{"cross-site", http.Header{"Sec-Fetch-Site": {"cross-site"}}, token},
			{"sibling domain", http.Header{"Sec-Fetch-Site": {"same-site"}}, token},
			{"no origin and no token", nil, ""},
			{"no origin and another's token", nil, "AAAAAAAAAAAAAAAAAAAAAA"},
		} {
			alice.header = test.header
			for _, path := range []string{"sign-out", "recovery-codes", "challenge", "enroll/totp", "enroll"} {
				body := "form_token=" + test.token + "&everywhere=yes&action=new&code=123456&method=totp"
				alice.send(alice.request("POST", "/.mfa/"+path, "application/x-www-form-urlencoded", body))
				if alice.last.Code != http.StatusForbidden {
					t.Errorf("%s: POST %s = %d; want 403", test.name, path, alice.last.Code)
				}
			}
			for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""} {
				r := alice.request("POST", "/.mfa/api/v1/recovery-codes", media, `{"x":1}`)
				if alice.send(r); alice.last.Code != 403 && alice.last.Code != 415 {
					t.Errorf("%s: API with %q = %d; want 403 or 415", test.name, media, alice.last.Code)
				}
			}
		}
		alice.header = nil
		alice.get("/").want(200) // she is still signed in
	})
}

// B-03: the way back stays on the site.
func TestOpenRedirects(t *testing.T) {
	bad := []string{
		"//evil.test", "///evil.test", "/\\evil.test", "\\\\evil.test", "https://evil.test", "https:evil.test", "/%09/evil.test", "/\t/evil.test",
		"/%2f/evil.test", "/\n/evil.test", "javascript:alert(1)", " /x", "evil.test", "/%5cevil.test", "/.mfa/sign-out", "/.mfa", "http:/evil.test",
		"/\r\nSet-Cookie:x=1", "/ġ", "/" + strings.Repeat("x", 4000), "//", "/%2F%2Fevil.test", "/.%0d./evil",
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		for _, to := range bad {
			time.Sleep(time.Minute)
			p := alice.elsewhere()
			p.get("/app/page").want(303, "/.mfa/challenge").follow()
			p.post("/.mfa/challenge", "method", "totp", "code", p.code(0), "return", to).want(303)
			got := p.last.Header().Get("Location")
			if got != "/app/page" && got != "/%2f/evil.test" && got != "/" {
				t.Errorf("return=%q led to %q", to, got)
			}
			if strings.HasPrefix(got, "//") || !strings.HasPrefix(got, "/") {
				t.Errorf("return=%q led off the site, to %q", to, got)
			}
		}
	})
}

// S-01, S-02, S-09, S-11: sessions that the gate did not make are none.
func TestCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		good := alice.cookies["mfagate"]
		for _, test := range []struct {
			cookie string
			want   int
		}{
			{"mfagate=" + good, 200},
			{"mfagate=" + strings.Repeat("A", 43), 303},
			{"mfagate=", 303},
			{"mfagate=" + good[:42], 303},
			{"mfagate=" + good + "x", 303},
			{"mfagate=" + strings.Repeat("x", 10_000), 303},
			{`mfagate="` + good + `"`, 303},
			{"MFAGATE=" + good, 303},
			{"__Host-mfagate=" + good, 303},
			{"mfagate=" + good + "; mfagate=" + good, 400},
			{"mfagate=x; mfagate=" + good, 400},
			{"a=\"; mfagate=" + good + "; b=\"", 200}, // found as a strict reader would, and hidden from the app
			{"theme=dark; mfagate=" + good + "; lang=de", 200},
		} {
			r := alice.request("GET", "/", "", "")
			r.Header["Cookie"] = []string{test.cookie}
			before := w.hit()
			alice.send(r)
			if alice.last.Code != test.want {
				t.Errorf("Cookie %.80q: status = %d; want %d", test.cookie, alice.last.Code, test.want)
			}
			if w.hit() > before && strings.Contains(strings.Join(w.hits[before].Header["Cookie"], ";"), good) {
				t.Errorf("Cookie %.80q: the app was sent the gate's cookie: %q", test.cookie, w.hits[before].Header["Cookie"])
			}
			alice.cookies = map[string]string{"mfagate": good}
		}
		r := alice.request("GET", "/", "", "")
		r.Header["Cookie"] = []string{"theme=dark; mfagate=" + good + "; odd=a b\"c", "more=1"}
		alice.send(r).want(200)
		if got, want := w.hits[len(w.hits)-1].Header["Cookie"], []string{"theme=dark; odd=a b\"c", "more=1"}; !slices.Equal(got, want) {
			t.Errorf("the app's cookies = %q; want %q", got, want)
		}
	})
}

// S-12: a session of one site is worth nothing on another, though the user is
// the same.
func TestSessionOfAnotherSite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, func(c *mfagate.BlockConfig) { c.Site.Name = "hr" })
		alice := w.person("alice").enrol("/")
		w.handler = w.block(func(c *mfagate.BlockConfig) { c.Site.Name = "wiki" }).Handler(http.HandlerFunc(w.app))
		alice.get("/").want(303, "/.mfa/challenge")
		if w.hit() != 0 {
			t.Errorf("the other site was reached")
		}
	})
}

// Plain HTTP is for this machine only, and its name must say so.
func TestPlainHTTP(t *testing.T) {
	w := newWorld(t, nil)
	for _, test := range []struct {
		host, remote string
		want         int
	}{
		{"localhost:8080", "127.0.0.1:1", 303},
		{"[::1]:8080", "[::1]:1", 303},
		{"127.0.0.1", "127.0.0.1:1", 303},
		{"app.example.com", "127.0.0.1:1", 403}, // a proxy on this machine that is not trusted
		{"localhost", "192.0.2.7:1", 403},
	} {
		p := w.person("alice")
		r := p.request("GET", "/", "", "")
		r.Host, r.RemoteAddr = test.host, test.remote
		if p.send(r); p.last.Code != test.want {
			t.Errorf("Host %s from %s: status = %d; want %d", test.host, test.remote, p.last.Code, test.want)
		}
		if test.want != 303 && p.last.Header().Get("Set-Cookie") != "" {
			t.Errorf("Host %s from %s: a cookie was set", test.host, test.remote)
		}
	}
}

// By HTTPS the cookie is one that no sibling domain can plant.
func TestCookieAttributes(t *testing.T) {
	w := newWorld(t, nil, func(c *mfagate.BlockConfig) {
		c.Site.Client = func(*http.Request) mfagate.Client {
			return mfagate.Client{Secure: true, Addr: netip.MustParseAddr("192.0.2.7")}
		}
	})
	p := w.person("alice").get("/").want(303)
	cookies := p.last.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies = %v; want one", cookies)
	}
	c := cookies[0]
	if c.Name != "__Host-mfagate" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || !c.Expires.IsZero() {
		t.Errorf("cookie = %v", c)
	}
	if p.last.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("the redirect can be cached")
	}
}

// XHR, programs and WebSockets get words and a status that they understand.
func TestStoppedPrograms(t *testing.T) {
	w := newWorld(t, nil)
	for name, header := range map[string]http.Header{
		"fetch":     {"Accept": {"*/*"}, "Sec-Fetch-Mode": {"cors"}},
		"json":      {"Accept": {"application/json"}},
		"curl":      {"Accept": {"*/*"}},
		"xhr":       {"Accept": {"text/html, */*"}, "X-Requested-With": {"XMLHttpRequest"}},
		"websocket": {"Accept": {"text/html"}, "Upgrade": {"websocket"}, "Connection": {"Upgrade"}},
		"nothing":   {"Accept": nil},
	} {
		p := w.person("alice")
		p.header = header
		p.get("/api/data").want(401)
		if got := p.last.Header().Get("WWW-Authenticate"); got != `MFA realm="default", url="/.mfa/enroll"` {
			t.Errorf("%s: WWW-Authenticate = %q", name, got)
		}
		if got := p.last.Header().Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("%s: Content-Type = %q", name, got)
		}
		if !strings.Contains(p.body, `"state":"enroll"`) {
			t.Errorf("%s: body = %s", name, p.body)
		}
	}
	if w.hit() != 0 {
		t.Errorf("the app was reached")
	}
}

// D-02 and the like: what is malformed is told so, and nothing happens.
func TestMalformedRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		alice.get("/.mfa/").want(200)
		form := "form_token=" + alice.token()
		for _, test := range []struct {
			method, path, media, body string
			want                      int
		}{
			{"POST", "challenge", "application/x-www-form-urlencoded", form + "&code=" + strings.Repeat("1", 1<<20), 413},
			{"POST", "challenge", "multipart/form-data; boundary=x", "--x--", 415},
			{"POST", "challenge", "", form, 415},
			{"POST", "challenge", "application/x-www-form-urlencoded", form + "&code=%zz", 400},
			{"POST", "challenge", "application/x-www-form-urlencoded", form + "&code=\xff", 400},
			{"PUT", "challenge", "application/x-www-form-urlencoded", form, 405},
			{"TRACE", "", "", "", 405},
			{"DELETE", "challenge", "", "", 405},
			{"POST", "nowhere", "application/x-www-form-urlencoded", form, 404},
			{"GET", "enroll/carrier-pigeon", "", "", 404},
			{"GET", "enroll/totp/", "", "", 404},
			{"GET", "..%2fapp", "", "", 404},
			{"POST", "api/v1/challenge", "application/json", "[]", 400},
			{"POST", "api/v1/challenge", "application/json", `{"code":"1","code":"2"}`, 400},
			{"POST", "api/v1/challenge", "application/json", `{"code":"1"} {}`, 400},
			{"POST", "api/v1/challenge", "application/json", `{"code":`, 400},
			{"POST", "api/v1/challenge", "application/json", strings.Repeat(`{"a":`, 20000), 413},
			{"POST", "api/v1/challenge", "application/json", `{"method":"carrier-pigeon","code":"1"}`, 422},
			{"POST", "api/v1/challenge", "application/json", `{"method":"totp","purpose":"fun","code":"1"}`, 400},
			{"PATCH", "api/v1/session", "application/json", `{}`, 405},
		} {
			alice.send(alice.request(test.method, "/.mfa/"+test.path, test.media, test.body))
			if alice.last.Code != test.want {
				t.Errorf("%s %s (%.60q) = %d; want %d", test.method, test.path, test.body, alice.last.Code, test.want)
			}
			if test.want == 405 && alice.last.Header().Get("Allow") == "" {
				t.Errorf("%s %s: no Allow header", test.method, test.path)
			}
		}
		alice.get("/").want(200)
	})
}

// a state change in early data could be a replay.
func TestEarlyData(t *testing.T) {
	w := newWorld(t, nil)
	p := w.person("alice")
	p.header.Set("Early-Data", "1")
	p.post("/.mfa/challenge").want(http.StatusTooEarly)
}

// The session of a stream that is with the app ends the stream.
func TestStreamEndsWithItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		ended := make(chan time.Time, 1)
		app := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/stream" {
				<-r.Context().Done()
				ended <- time.Now()
			}
		})
		w.handler = w.block().Handler(app)
		alice := w.person("alice").enrol("/")
		r := alice.request("GET", "/stream", "", "")
		go w.handler.ServeHTTP(httptest.NewRecorder(), r)
		time.Sleep(10 * time.Minute)
		alice.get("/.mfa/").want(200)
		signedOut := time.Now()
		alice.post("/.mfa/sign-out").want(200)
		if d := (<-ended).Sub(signedOut); d > time.Second {
			t.Errorf("the stream ended %v after its session; want at most 1 s", d)
		}
	})
}

// D-01: somebody who has only a password cannot fill the disk with sessions.
func TestFloodOfPendingSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memory.Store)
		w := newWorld(t, store)
		alice := w.person("alice").enrol("/")
		for range 1000 {
			w.person("alice").get("/")
		}
		sessions, err := store.List(t.Context(), "session/", "", 0)
		if err != nil || len(sessions) > 301 {
			t.Errorf("%d sessions are stored, %v; want at most 301", len(sessions), err)
		}
		w.person("alice").get("/").want(429)
		alice.get("/").want(200)           // whoever is signed in notices nothing
		w.person("bob").get("/").want(303) // nor does anybody else
		w.person("").get("/").want(401)    // and strangers store nothing
		time.Sleep(16 * time.Minute)
		w.person("alice").get("/").want(303)
	})
}

func TestAliasesThatContradict(t *testing.T) {
	for range 20 { // the order of a map is random
		c := mfagate.BlockConfig{Source: mfagate.SourceFunc(firstFactor)}
		c.Site.Names.Aliases = map[string]string{"Bob": "robert", "bob": "bobby"}
		if err := c.Validate(); err == nil {
			t.Fatalf("Validate accepted two people under one alias")
		}
	}
}
