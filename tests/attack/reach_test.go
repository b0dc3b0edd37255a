package attack_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// oddPaths are ways to write /admin/panel that a proxy and an app may read
// differently.
var oddPaths = []string{
	"/admin/panel", "//admin/panel", "/./admin/panel", "/public/../admin/panel", "/public/..;/admin/panel",
	"/public/%2e%2e/admin/panel", "/public%2f..%2fadmin/panel", "/public/..%5cadmin/panel", "/%61dmin/panel", "/%2e/admin/panel",
	"/public/%252e%252e/admin/panel", "/admin%2fpanel", "/admin/panel/", "/admin/panel%20", "/admin/panel%09", "/admin;.css",
	"/admin/panel;x=1/../../public", "/admin/x.css", "/admin%2f.js", "/admin?/public/", "/admin?x=/login", "/admin%23/login",
	"/ADMIN/panel", "/Admin%2Fpanel", "/.mfa/../admin/panel", "/.mfa/static/../../admin/panel", "/.mfa/..%2fadmin/panel",
	"/.mfa%2f..%2fadmin/panel", "/.MFA/../admin/panel", "/.mfa/%2e%2e/admin/panel", "/.mfa;/../admin/panel",
}

// whatever the path looks like, without a second factor nothing
// reaches an app that is protected as a whole.
func TestOddPathsReachNothing(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	s.App.Quiet(t, func() {
		for _, p := range oddPaths {
			statuses, _ := raw(t, s, "GET "+p+" HTTP/1.1\r\nHost: localhost\r\nAuthorization: "+basic("alice")+"\r\nConnection: close\r\n\r\n")
			if len(statuses) == 1 && statuses[0] == "200" && !strings.HasPrefix(path.Clean(p), "/.mfa") {
				t.Errorf("GET %s: got 200; want a refusal", p)
			}
		}
	})
}

// where only a part is protected: what reaches the app must not
// be a way to write the protected path.
func TestOddPathsAroundAMatcher(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{
		Site: gatetest.BasicAuth("alice") + "\n\tmfa /admin*\n\treverse_proxy APP",
	})
	for _, p := range oddPaths {
		before := len(s.App.Seen())
		raw(t, s, "GET "+p+" HTTP/1.1\r\nHost: localhost\r\nAuthorization: "+basic("alice")+"\r\nConnection: close\r\n\r\n")
		for _, seen := range s.App.Seen()[before:] {
			if readAs := mostLiberal(seen.URI); strings.HasPrefix(readAs, "/admin") {
				t.Errorf("GET %s: the app received %s and may read it as %s", p, seen.URI, readAs)
			}
		}
	}
	if len(s.App.Seen()) == 0 {
		t.Error("nothing at all reached the app; the matcher protects too much")
	}
}

// mostLiberal reads a request URI as Go's, PHP's and most servers do: decoded
// once, cleaned, without regard to case. Apps that decode twice, or take "..;" or
// a backslash for a way up, need the whole site protected; the manual says so.
func mostLiberal(uri string) string {
	p, _, _ := strings.Cut(uri, "?")
	if decoded, err := url.PathUnescape(p); err == nil {
		p = decoded
	}
	return strings.ToLower(path.Clean("/" + p))
}

// headers that name another path, method or client do not
// open anything.
func TestOverridesOpenNothing(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	headers := map[string]string{
		"X-Original-URL": "/.mfa/challenge", "X-Rewrite-URL": "/.mfa/static/", "X-Forwarded-Uri": "/.mfa/", "X-Forwarded-Path": "/.mfa/",
		"X-Original-Method": "OPTIONS", "X-HTTP-Method-Override": "OPTIONS", "X-Mfa-User": "alice", "X-Gate-User": "alice",
		"User-Agent": "kube-probe/1.0", "X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1",
		"Sec-WebSocket-Protocol": "mfa", "Purpose": "prefetch",
	}
	s.App.Quiet(t, func() {
		for name, value := range headers {
			p := s.Person("alice")
			p.Header.Set(name, value)
			wantStopped(t, name+": "+value, p.Open(t, "/admin"))
		}
	})
}

// no method walks past the gate.
func TestOddMethodsReachNothing(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	s.App.Quiet(t, func() {
		for _, m := range []string{"HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "FOO", "PRI", "PROPFIND", "DELETE", "PATCH"} {
			statuses, answer := raw(t, s, m+" / HTTP/1.1\r\nHost: localhost\r\nAuthorization: "+basic("alice")+"\r\nConnection: close\r\n\r\n")
			if len(statuses) > 0 && statuses[0] == "200" {
				t.Errorf("%s: got %s; want a refusal", m, answer)
			}
		}
	})
}

// a client cannot have the gate's headers removed as hop-by-hop ones.
func TestHopByHopKeepsTheUser(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	p.Header.Set("Connection", "close, X-Gate-User, x-gate-user, Cookie")
	wantReaches(t, p)
	if got := s.App.Last(t).Header.Get("X-Gate-User"); got != "alice" {
		t.Errorf("the app was told the user %q; want alice", got)
	}
}

// an upgrade is refused before it is made.
func TestWebSocketWithoutSession(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	s.App.Quiet(t, func() {
		statuses, answer := raw(t, s, upgrade("alice", ""))
		if len(statuses) != 1 || statuses[0] != "401" || !strings.Contains(answer, "Www-Authenticate: MFA ") {
			t.Errorf("got %s; want 401 that says MFA", answer)
		}
	})
}

func upgrade(name, cookie string) string {
	return "GET /ws HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + basic(name) + "\r\nCookie: " + cookie +
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
}

// a stream ends with its session.
func TestStreamEndsWithItsSession(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	var cookies []string
	for _, c := range p.Cookies() {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", "127.0.0.1:"+u.Port())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, upgrade("alice", strings.Join(cookies, "; "))); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the stream to open", func() bool { return s.App.Open() == 1 })
	signOut(t, p)
	start := time.Now()
	waitFor(t, "the stream to end", func() bool { return s.App.Open() == 0 })
	if took := time.Since(start); took > 20*time.Second { // one, and what a busy machine takes
		t.Errorf("the stream lived for %v after its session; want about 1 s", took)
	}
}

// patience is how long a busy machine may take for what is a matter of a moment.
const patience = 30 * time.Second

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// an operator's error pages that come from the app do not open a way to it.
func TestErrorRouteOpensNothing(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{Before: "handle_errors {\n\t\treverse_proxy APP\n\t}"})
	p := s.Person("alice")
	s.App.Quiet(t, func() {
		wantStopped(t, "navigation", p.Open(t, "/"))
		wantStopped(t, "script", p.Fetch(t, "GET", "/", nil))
		p.PostValues(t, gatetest.PathChallenge, url.Values{"code": {"123456"}})
		p.Fetch(t, "DELETE", "/.mfa/nothing-here", nil)
	})
}

// neither rewriting nor stripping walks around a matcher.
func TestRewritesAroundAMatcher(t *testing.T) {
	t.Parallel()
	sites := map[string]string{
		"rewrite before":   "rewrite * /index.php\n\tmfa /admin*",
		"try_files":        "try_files {path} /index.php\n\tmfa /admin*",
		"strip_prefix":     "uri strip_prefix /app\n\tmfa /admin*",
		"handle_path":      "mfa /app/admin*\n\thandle_path /app/* {\n\t\treverse_proxy APP\n\t}",
		"rewrite to admin": "rewrite /open /admin\n\tmfa /admin*",
		"regexp":           "@a path_regexp ^/admin\n\tmfa @a\n\trewrite * /index.php",
		"expression":       "@a expression path('/admin*')\n\tmfa @a\n\trewrite * /index.php",
	}
	ask := map[string]string{"strip_prefix": "/app/admin/x", "handle_path": "/app/admin/x", "rewrite to admin": "/open"}
	for name, site := range sites {
		t.Run(name, func(t *testing.T) {
			s := gatetest.Start(t, gatetest.Config{Site: gatetest.BasicAuth("alice") + "\n\t" + site + "\n\treverse_proxy APP"})
			path := "/admin/x"
			if p, ok := ask[name]; ok {
				path = p
			}
			s.App.Quiet(t, func() { wantStopped(t, path, s.Person("alice").Open(t, path)) })
		})
	}
}

// what strangers say was forwarded appears nowhere, and makes no
// cookie. Over plain HTTP such a request is refused: it is not from this machine.
func TestForwardedHeadersAreNotBelieved(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	q := s.Person("bob")
	for _, browser := range []*gatetest.Person{p, q} {
		for _, h := range []string{"X-Forwarded-Host", "X-Forwarded-Server", "Forwarded", "X-Forwarded-Prefix"} {
			browser.Header.Set(h, "evil.example")
		}
		browser.Header.Set("X-Forwarded-Proto", "https")
		for _, path := range []string{"/wanted", gatetest.PathEnrol, gatetest.PathSecurity, gatetest.PathChallenge, "/.mfa/api/v1/session"} {
			page := browser.Open(t, path)
			if strings.Contains(page.Body, "evil.example") || strings.Contains(fmt.Sprint(page.Header), "evil.example") {
				t.Errorf("%s: the answer names the forged host", path)
			}
			if cookies := strings.Join(page.Header.Values("Set-Cookie"), "\n"); strings.Contains(cookies, "__Host-") {
				t.Errorf("%s: %s believes a stranger's X-Forwarded-Proto", path, cookies)
			}
		}
	}
	s.App.Quiet(t, func() { wantStopped(t, "somebody without a proof", q.Open(t, "/")) })
}

// of two requests that hide in one, the app sees neither.
func TestSmuggledRequests(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	head := "POST /.mfa/challenge HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + basic("alice") + "\r\n"
	hidden := "GET /admin HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + basic("alice") + "\r\n\r\n"
	s.App.Quiet(t, func() {
		for _, r := range []string{
			fmt.Sprintf("%sContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n%s", head, len(hidden)+5, hidden),
			fmt.Sprintf("%sTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n%s", head, hidden),
			fmt.Sprintf("%sTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n%s", head, hidden),
			fmt.Sprintf("%sContent-Length: 3\r\nContent-Length: 5\r\n\r\nabc%s", head, hidden),
		} {
			raw(t, s, r)
		}
	})
}

// what came in early data could be a replay.
func TestEarlyData(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice").Elsewhere()
	form := p.Challenge(t).Form(t, gatetest.PathChallenge)
	form.Values.Set("code", p.Phone.Code(t))
	r := p.PostRequest(t, gatetest.PathChallenge, form.Values)
	r.Header.Set("Early-Data", "1")
	s.App.Quiet(t, func() {
		if page := p.Do(t, r); page.Status != http.StatusTooEarly {
			t.Errorf("got %d; want 425", page.Status)
		}
	})
}

// no address, however it looks, is an exemption.
func TestForwardedAddresses(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{Globals: "servers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t}"})
	s.App.Quiet(t, func() {
		for _, v := range []string{"a", "", "::1%eth0", "::ffff:127.0.0.1", "127.0.0.1", "unix", strings.Repeat("1.2.3.4, ", 10000)} {
			p := s.Person("alice")
			p.Header.Set("X-Forwarded-For", v)
			wantStopped(t, "X-Forwarded-For: "+v[:min(len(v), 30)], p.Open(t, "/"))
		}
	})
}

// parameters beyond any limit hide nothing.
func TestVeryManyParameters(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := s.Person("alice")
	s.App.Quiet(t, func() {
		wantStopped(t, "100,000 in the query", p.Open(t, "/?"+strings.Repeat("a&", 100_000)))
		page := p.Do(t, p.Request(t, http.MethodPost, gatetest.PathChallenge, strings.NewReader(strings.Repeat("a=1&", 20_000)), http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {s.URL},
		}))
		wantClientError(t, "20,000 in the body", page)
	})
}
