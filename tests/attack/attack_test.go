// Package attack_test attacks the running gateway. Each test is named after an
// attack, and asserts two things: what the attacker is told, and that nothing
// reached the app.
package attack_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

func TestMain(m *testing.M) { os.Exit(gatetest.Main(m)) }

// names returns n user names, so that the attempts of one case do not count for
// another.
func names(n int) []string {
	list := []string{"alice", "bob", "carol", "dave"}
	for i := len(list); i < n; i++ {
		list = append(list, fmt.Sprintf("user%02d", i))
	}
	return list
}

// enrolled returns somebody who went through the wizard and has a session.
func enrolled(t *testing.T, s *gatetest.Server, name string) *gatetest.Person {
	t.Helper()
	p := s.Person(name)
	p.Enrol(t, "/")
	return p
}

// wantStopped checks that an answer is one with which the gate stops a request.
func wantStopped(t *testing.T, what string, page *gatetest.Page) {
	t.Helper()
	switch {
	case page.Status >= 400 && page.Status != 404 && page.Status < 500, page.Status == http.StatusServiceUnavailable:
	case page.Status == http.StatusSeeOther && strings.HasPrefix(page.Header.Get("Location"), "/.mfa/"):
	default:
		t.Errorf("%s: got %d to %q; want a refusal or the way to the gate's pages", what, page.Status, page.Header.Get("Location"))
	}
	if strings.Contains(page.Body, "Welcome to the app") {
		t.Errorf("%s: shows the app", what)
	}
}

// wantClientError checks that an answer is 4xx and says something.
func wantClientError(t *testing.T, what string, page *gatetest.Page) {
	t.Helper()
	if page.Status < 400 || page.Status > 499 {
		t.Errorf("%s: got %d; want 4xx", what, page.Status)
	}
	if len(strings.TrimSpace(page.Body)) == 0 {
		t.Errorf("%s: the answer %d says nothing", what, page.Status)
	}
}

// reaches tells whether a person gets to the app.
func reaches(t *testing.T, p *gatetest.Person, path string) bool {
	t.Helper()
	return strings.Contains(p.Open(t, path).Body, "Welcome to the app")
}

// wantReaches checks that somebody still gets to the app.
func wantReaches(t *testing.T, p *gatetest.Person) {
	t.Helper()
	if page := p.Open(t, "/"); !strings.Contains(page.Body, "Welcome to the app") {
		t.Errorf("%s: got %d to %q; want the app", p.Name, page.Status, page.Header.Get("Location"))
	}
}

func code(method, code string) url.Values { return url.Values{"method": {method}, "code": {code}} }

// raw sends bytes, and returns the status lines of what comes back: until two seconds
// pass after a line, or many without any, since the machine may be busy.
func raw(t *testing.T, s *gatetest.Server, request string) (statuses []string, answer string) {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", "127.0.0.1:"+u.Port())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Logf("writing: %v", err)
	}
	var b strings.Builder
	for in := bufio.NewScanner(conn); in.Scan(); conn.SetDeadline(time.Now().Add(2 * time.Second)) {
		if strings.HasPrefix(in.Text(), "HTTP/1.1 ") {
			statuses = append(statuses, in.Text()[9:12])
		}
		b.WriteString(in.Text() + "\n")
	}
	return statuses, b.String()
}

// basic is alice's password, as the header has it.
func basic(name string) string {
	r, _ := http.NewRequest(http.MethodGet, "/", nil)
	r.SetBasicAuth(name, gatetest.Password)
	return r.Header.Get("Authorization")
}
