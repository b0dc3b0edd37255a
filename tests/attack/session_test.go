package attack_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// signOut presses the button.
func signOut(t *testing.T, p *gatetest.Person) {
	t.Helper()
	page := p.Navigate(t, gatetest.PathSecurity)
	if page = p.Post(t, page, gatetest.PathSignOut, nil); page.Status != http.StatusSeeOther && page.Status != http.StatusOK {
		t.Fatalf("signing out: got %d; want 303 or 200", page.Status)
	}
}

// session returns the cookie of the gate's session.
func session(t *testing.T, p *gatetest.Person) *http.Cookie {
	t.Helper()
	for _, c := range p.Cookies() {
		if strings.TrimPrefix(c.Name, "__Host-") == "mfagate" {
			return c
		}
	}
	t.Fatalf("no session among the cookies %v", p.Cookies())
	return nil
}

// S-01, S-02: a value that somebody planted is never made a session, and each
// step up has a new one.
func TestFixation(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	name := session(t, enrolled(t, s, "alice")).Name
	p := s.Person("bob")
	planted := &http.Cookie{Name: name, Value: strings.Repeat("A", 43), Path: "/"}
	p.Take(planted)
	p.StartEnrol(t, "/")
	pending := *session(t, p)
	if pending.Value == planted.Value {
		t.Error("the planted value became a session")
	}
	page := p.ConfirmCode(t, p.Open(t, gatetest.PathTOTP))
	p.Submit(t, page, gatetest.PathCodes, url.Values{"saved": {"yes"}})
	if session(t, p).Value == pending.Value {
		t.Error("the session of before the proof became the one of after it")
	}
	s.App.Quiet(t, func() {
		for _, c := range []*http.Cookie{planted, {Name: name, Value: pending.Value, Path: "/"}} {
			q := s.Person("bob")
			q.Take(c)
			wantStopped(t, "an older value", q.Open(t, "/"))
		}
	})
}

// S-03: a session without its proof opens nothing, wherever it is written.
func TestPendingSessionUsedAsFull(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice").Elsewhere()
	p.Challenge(t)
	pending := session(t, p)
	s.App.Quiet(t, func() {
		wantStopped(t, "as the cookie", p.Open(t, "/"))
		wantStopped(t, "in the query", p.Open(t, "/?"+pending.Name+"="+pending.Value))
		p.Header.Set("X-Mfa-Session", pending.Value)
		wantStopped(t, "as a header", p.Open(t, "/"))
		p.Name = ""
		p.Header.Set("Authorization", "Bearer "+pending.Value)
		if page := p.Open(t, "/"); page.Status != 401 {
			t.Errorf("as a bearer token: got %d; want 401", page.Status)
		}
	})
}

// S-05, S-07: signing out ends a session at once, on the server, also for
// requests that are under way.
func TestReplayAfterSignOut(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	stolen := *session(t, p)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Try(p.Request(t, "GET", "/slow", nil, nil))
	}()
	waitFor(t, "the request to reach the app", func() bool { return s.App.Last(t).URI == "/slow" })
	signOut(t, p)
	<-done
	s.App.Quiet(t, func() {
		wantStopped(t, "the browser that signed out", p.Open(t, "/"))
		q := s.Person("alice")
		q.Take(&stolen)
		wantStopped(t, "a copy of the cookie", q.Open(t, "/"))
		wantStopped(t, "a copy of the cookie, by script", q.Fetch(t, "GET", "/", nil))
	})
	p.SignIn(t, "/")
}

// S-08: the administrator ends all sessions, in any number of browsers.
func TestAdminEndsSessions(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	q := p.Elsewhere()
	q.SignIn(t, "/")
	other := enrolled(t, s, "bob")
	for _, command := range []string{"sign-out", "reset"} {
		if out, err := s.Command("mfa", command, "alice", "--yes", "--address", "unix/"+s.AdminSocket).CombinedOutput(); err != nil {
			t.Fatalf("mfa %s: %v\n%s", command, err, out)
		}
		s.App.Quiet(t, func() {
			wantStopped(t, "first browser", p.Open(t, "/"))
			wantStopped(t, "second browser", q.Open(t, "/"))
		})
		wantReaches(t, other)
		if command == "sign-out" {
			p.SignIn(t, "/")
			q.Prove(t, "/", "recovery", p.UseCode(t))
			wantReaches(t, q)
		}
	}
}

// S-09: of two cookies with the gate's name, or of one in a disguise, none counts.
func TestCookieTossing(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	c := session(t, p)
	other := strings.Repeat("B", len(c.Value))
	headers := []string{
		c.Name + "=" + c.Value + "; " + c.Name + "=" + other, c.Name + "=" + other + "; " + c.Name + "=" + c.Value,
		"$Version=1; " + c.Name + `="` + c.Value + `x"`, strings.ToUpper(c.Name) + "=" + c.Value, "%5F%5FHost-" + c.Name + "=" + c.Value,
		"\u2000" + c.Name + "=" + c.Value, c.Name + "[]=" + c.Value, "." + c.Name + "=" + c.Value, c.Name + "==" + c.Value,
		c.Name + "=" + c.Value + "=", c.Name + "=" + c.Value[1:], c.Name + "=" + strings.ToLower(c.Value), c.Name + "=", c.Name,
		c.Name + "=" + strings.Repeat(c.Value, 50), c.Name + "=%" + c.Value,
	}
	s.App.Quiet(t, func() {
		for _, h := range headers {
			if strings.HasSuffix(h, "="+c.Value) && strings.HasPrefix(h, c.Name+"=") && strings.Count(h, c.Name+"=") == 1 {
				continue
			}
			q := s.Person("alice")
			q.Header["Cookie"] = []string{h}
			wantStopped(t, "Cookie: "+h, q.Open(t, "/"))
		}
		q := s.Person("alice")
		q.Header["Cookie"] = []string{c.Name + "=" + other, c.Name + "=" + c.Value}
		wantStopped(t, "two Cookie headers", q.Open(t, "/"))
	})
	wantReaches(t, p)
}

// S-10: no number of cookies brings the server down.
func TestCookieBombs(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	s.App.Quiet(t, func() {
		for _, h := range []string{strings.Repeat("a=b; ", 5000), "a=" + strings.Repeat("b", 64<<10), strings.Repeat("mfagate=x; ", 2000), strings.Repeat(";", 20_000)} {
			p := s.Person("alice")
			p.Header["Cookie"] = []string{h}
			wantStopped(t, "many cookies", p.Open(t, "/"))
		}
		p := s.Person("alice")
		p.Header["Cookie"] = []string{"a=" + strings.Repeat("b", 2<<20)}
		if page, err := p.Try(p.Request(t, "GET", "/", nil, nil)); err == nil && page.Status != 431 {
			t.Errorf("2 MB of cookies: got %d; want 431", page.Status)
		}
	})
	enrolled(t, s, "alice")
}

// S-12: a session of one site is worth nothing on another of the same users.
func TestSessionOfAnotherSite(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{
		Block: "realm staff",
		More: "http://localhost:PORT2 {\n\tbind 127.0.0.1\n\t" + gatetest.BasicAuth("alice") +
			"\n\tmfa {\n\t\trealm staff\n\t}\n\treverse_proxy APP\n}",
	})
	p := enrolled(t, s, "alice")
	s.App.Quiet(t, func() {
		// A browser sends cookies to every port of a host.
		r := p.Request(t, "GET", "/", nil, http.Header{"Cookie": {session(t, p).Name + "=" + session(t, p).Value}})
		u, err := url.Parse(s.URL2)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Host, r.Host = u.Host, u.Host
		wantStopped(t, "on the other site", p.Do(t, r))
	})
	wantReaches(t, p)
}

// I5: the gate's cookie stays with the gate; the app's own cookies pass.
func TestOwnCookieStaysHome(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	p.Take(&http.Cookie{Name: "app", Value: "theirs", Path: "/"}, &http.Cookie{Name: "lang", Value: "de", Path: "/"})
	wantReaches(t, p)
	got := s.App.Last(t).Header.Get("Cookie")
	if strings.Contains(got, session(t, p).Value) || strings.Contains(got, session(t, p).Name) {
		t.Errorf("the app received %q; want its own cookies only", got)
	}
	if !strings.Contains(got, "app=theirs") || !strings.Contains(got, "lang=de") {
		t.Errorf("the app received %q; want app=theirs and lang=de", got)
	}
}

// Issue point 4: over loopback HTTP the cookie has a plain name, and behind a
// trusted proxy that says HTTPS it is __Host- and Secure.
func TestCookieAttributes(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{Globals: "servers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t}"})
	for _, proto := range []string{"", "https"} {
		p := s.Person("alice")
		p.Header.Set("X-Forwarded-Proto", proto)
		set := p.Open(t, "/").Header.Values("Set-Cookie")
		all := strings.Join(set, "\n")
		if len(set) == 0 || !strings.Contains(all, "HttpOnly") || !strings.Contains(all, "SameSite=") || strings.Contains(all, "Domain=") {
			t.Errorf("%s: Set-Cookie %q; want HttpOnly, SameSite and no Domain", proto, set)
		}
		if secure := strings.Contains(all, "__Host-") && strings.Contains(all, "; Secure"); secure != (proto == "https") {
			t.Errorf("%s: Set-Cookie %q; want __Host- and Secure on HTTPS only", proto, set)
		}
	}
	// A person elsewhere, whose password and cookie would go in clear.
	p := s.Person("alice")
	p.Header.Set("X-Forwarded-Proto", "http")
	page := p.Open(t, "/")
	if set := page.Header.Values("Set-Cookie"); page.Status != http.StatusForbidden || len(set) > 0 {
		t.Errorf("by plain HTTP through a proxy: got %d, Set-Cookie %q; want 403 and none", page.Status, set)
	}
}

// A restart and a reload keep sessions.
func TestSessionsSurviveRestart(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	wantReaches(t, p)
	s.Restart()
	wantReaches(t, p)
}
