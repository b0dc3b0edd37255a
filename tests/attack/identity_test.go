package attack_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// I-01, S-14: a session is worth nothing with another's password.
func TestSessionOfAnotherUser(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	alice := enrolled(t, s, "alice")
	enrolled(t, s, "bob")
	s.App.Quiet(t, func() {
		for _, name := range []string{"bob", "carol"} {
			alice.Name = name
			wantStopped(t, name+" with alice's session", alice.Open(t, "/"))
			wantStopped(t, name+" with alice's session, by script", alice.Fetch(t, "GET", "/", nil))
			if page := alice.Open(t, gatetest.PathSecurity); page.Status == http.StatusOK && strings.Contains(page.Text(), "alice") {
				t.Errorf("the security page shows alice to %s", name)
			}
		}
	})
}

// S-14: somebody proves themselves in a browser that holds another's session.
func TestSignInOverAnothersSession(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	bob := enrolled(t, s, "bob")
	browser := enrolled(t, s, "alice")
	before := append([]*http.Cookie(nil), browser.Cookies()...)

	browser.Name, browser.Phone = "bob", bob.Phone
	browser.SignIn(t, "/")
	if got := s.App.Last(t).Header.Get("X-Gate-User"); got != "bob" {
		t.Errorf("the app was told %q; want bob", got)
	}
	old := s.Person("bob")
	old.Take(before...)
	s.App.Quiet(t, func() { wantStopped(t, "bob with the cookie of alice's session", old.Open(t, "/")) })
}

// I-02: a session without a first factor opens nothing.
func TestIdentityDisappears(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{Site: gatetest.ByHeader})
	p := s.Named("alice")
	p.Enrol(t, "/")
	delete(p.Header, "Remote-User")
	s.App.Quiet(t, func() {
		for _, page := range []*gatetest.Page{p.Open(t, "/"), p.Fetch(t, "GET", "/", nil)} {
			if page.Status != 401 && page.Status != 403 {
				t.Errorf("without an identity: got %d; want 401 or 403", page.Status)
			}
		}
	})
}

// The password is wrong, or of nobody.
func TestUnknownUser(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	s.App.Quiet(t, func() {
		for _, name := range []string{"nobody", strings.Repeat("x", 300)} {
			p := s.Person("x")
			p.Name = name
			r := p.Request(t, "GET", "/", nil, nil)
			r.SetBasicAuth(name, gatetest.Password)
			if page := p.Do(t, r); page.Status != 401 {
				t.Errorf("user %.20q: got %d; want 401", name, page.Status)
			}
		}
		p := s.Person("alice")
		p.Password = "wrong"
		for _, path := range []string{"/", gatetest.PathEnrol, gatetest.PathChallenge, gatetest.PathSecurity, "/.mfa/api/v1/session"} {
			if page := p.Open(t, path); page.Status != 401 {
				t.Errorf("%s with a wrong password: got %d; want 401", path, page.Status)
			}
		}
	})
}

// I-05, I-12: names that are no names. None of them is alice.
func TestImpossibleNames(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{Site: gatetest.ByHeader})
	alice := s.Named("alice")
	alice.Enrol(t, "/")
	refused := map[string]string{
		"300 bytes": strings.Repeat("a", 300), "10 kB": strings.Repeat("a", 10_000), "zero-width": "alice\u200b",
		"right to left": "alice\u202e", "two spaces inside": "al  ice", "byte order mark": "\ufeffalice",
		"not UTF-8": "alice\xff",
	}
	s.App.Quiet(t, func() {
		for what, name := range refused {
			alice.Header["Remote-User"] = []string{name}
			for _, page := range []*gatetest.Page{alice.Open(t, "/"), alice.Open(t, gatetest.PathEnrol), alice.Fetch(t, "GET", "/", nil)} {
				wantClientError(t, what, page)
			}
		}
		for _, list := range [][]string{{"alice, bob"}, {"alice,bob"}, {"alice", "bob"}, {"bob", "alice"}, {"alice", ""}} {
			alice.Header["Remote-User"] = list
			wantStopped(t, strings.Join(list, "+"), alice.Open(t, "/"))
		}
	})
	if _, answer := raw(t, s, "GET / HTTP/1.1\r\nHost: localhost\r\nRemote-User: ali\x00ce\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 400") {
		t.Errorf("NUL in a header: got %.40q; want 400", answer)
	}
	alice.Header["Remote-User"] = []string{"alice"}
	wantReaches(t, alice)
}

// I-06, A-10: nobody names themselves, by this header or its relatives.
func TestForgedIdentityHeader(t *testing.T) {
	t.Parallel()
	site := strings.Replace(gatetest.ByHeader, "127.0.0.1/32", "10.9.8.0/24", 1)
	s := gatetest.Start(t, gatetest.Config{Site: site})
	s.App.Quiet(t, func() {
		for _, name := range []string{"Remote-User", "remote-user", "REMOTE-USER", "Remote_User", "Remote.User"} {
			p := s.Person("")
			p.Header[name] = []string{"alice"}
			p.Header["X-Forwarded-For"] = []string{"10.9.8.7"}
			if page := p.Open(t, "/"); page.Status != 401 && page.Status != 403 {
				t.Errorf("%s of a stranger: got %d; want 401 or 403", name, page.Status)
			}
		}
	})
}

// relatives of the true header change nothing.
func TestAliasesOfTheIdentityHeader(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{Site: gatetest.ByHeader})
	p := s.Named("alice")
	p.Enrol(t, "/")
	for _, name := range []string{"Remote_User", "Remote.User", "remote_User", "X-Gate-User", "X_Gate_User"} {
		p.Header[name] = []string{"bob"}
	}
	wantReaches(t, p)
	if got := s.App.Last(t).Header["X-Gate-User"]; len(got) != 1 || got[0] != "alice" {
		t.Errorf("the app was told %q; want alice once", got)
	}
}

// I-11: spellings of one name are one user, with one authenticator.
func TestSpellingsOfAName(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{Site: gatetest.ByHeader})
	for name, spellings := range map[string][]string{
		"alice":      {"Alice", "ALICE", "\uff41\uff4c\uff49\uff43\uff45"},
		"ren\u00e9e": {"rene\u0301e", "REN\u00c9E"},
	} {
		p := s.Named(name)
		p.Enrol(t, "/")
		for _, spelling := range spellings {
			q := s.Named(spelling)
			if page := q.Navigate(t, "/"); page.URL.Path != gatetest.PathChallenge {
				t.Errorf("%q after %q enrolled: led to %s; want the challenge", spelling, name, page.URL)
			}
		}
	}
}

// I-12, I-13: names that a careless key would mix up are different users.
func TestNamesThatLookLikeKeys(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{Site: gatetest.ByHeader})
	long := strings.Repeat("x", 80)
	s.Named("a/b").Enrol(t, "/")
	s.Named(long+"1").Enrol(t, "/")
	s.App.Quiet(t, func() {
		for _, name := range []string{"a", "a%2fb", "a%2Fb", "a:b", "a/b/c", "b", "a/../b", "scs:session:a", long + "2", long, "a//b", "a/b/"} {
			if page := s.Named(name).Navigate(t, "/"); page.URL.Path != gatetest.PathEnrol {
				t.Errorf("%q: led to %s; want the enrolment, as nobody with this name has enrolled", name, page.URL)
			}
		}
	})
}

// B-05, B-07, B-10: names and paths are text, wherever they are shown.
func TestNamesThatLookLikeMarkup(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{Site: gatetest.ByHeader})
	for _, name := range []string{`"><script>alert(1)</script>`, `'onmouseover=alert(1)//`, `{{.Token}}`, `a&secret=aaaa`, `a?secret=aaaa:b`, `</title>x`} {
		p := s.Named(name)
		want := "/x?q=" + url.QueryEscape(name)
		page := p.StartEnrol(t, want)
		for _, bad := range []string{"<script>alert", "'onmouseover=alert(1)//'", "</title>x"} {
			if strings.Contains(page.Body, bad) {
				t.Errorf("user %q: the page holds %s", name, bad)
			}
		}
		if link := page.Find("a", "href", ""); link != nil {
			checkOTPAuth(t, page, name)
		}
		page = p.ConfirmCode(t, page)
		p.Submit(t, page, gatetest.PathCodes, url.Values{"saved": {"yes"}})
		if got := s.App.Last(t).URI; got != want {
			t.Errorf("user %q: landed on %s; want %s", name, got, want)
		}
	}
}

// checkOTPAuth looks for the link that opens an authenticator app.
func checkOTPAuth(t *testing.T, page *gatetest.Page, name string) {
	t.Helper()
	secret := page.Secret(t)
	for _, part := range strings.Split(page.Body, `href="`)[1:] {
		href, _, _ := strings.Cut(part, `"`)
		if !strings.HasPrefix(href, "otpauth:") {
			continue
		}
		u, err := url.Parse(strings.ReplaceAll(href, "&amp;", "&"))
		if err != nil {
			t.Errorf("user %q: %v", name, err)
			continue
		}
		if got := u.Query()["secret"]; len(got) != 1 || got[0] != secret {
			t.Errorf("user %q: the link %s holds the secrets %q; want %q", name, href, got, secret)
		}
	}
}
