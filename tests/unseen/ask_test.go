package unseen_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// An addressApp has its session in addresses only, as the H2 console: the form goes to an address with the id in
// it, and so does everything after that.
type addressApp struct {
	mu       sync.Mutex
	sessions map[string]string // name by id; empty for a visitor
}

func (a *addressApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := r.URL.Query().Get("jsessionid")
	user, known := a.sessions[id]
	switch {
	case !known:
		id = rand.Text()
		a.sessions[id] = ""
		fmt.Fprintf(w, `<script>location.href = "login.jsp?jsessionid=%s"</script>`, id)
	case r.URL.Path == "/login.do" && r.FormValue("password") == gatetest.Password:
		a.sessions[id] = r.FormValue("user")
		fmt.Fprintf(w, `<frame src="query.jsp?jsessionid=%s">`, id)
	case r.URL.Path == "/logout.do":
		delete(a.sessions, id)
	case user == "":
		fmt.Fprintf(w, `<form method=post action="login.do?jsessionid=%s"><input name=user><input name=password></form>`, id)
	default:
		io.WriteString(w, marker+user)
	}
}

// askedSite is a gate that asks before an app, and alice, who came in with a ticket.
func askedSite(t *testing.T, app http.Handler) (*gatetest.Server, *gatetest.Person) {
	upstream := httptest.NewServer(app)
	t.Cleanup(upstream.Close)
	gate := gatetest.Start(t, gatetest.Config{Plain: true, Site: "mfa {\nask {\nlifetime 8h\nidle 30m\n}\n}\nreverse_proxy " + strings.TrimPrefix(upstream.URL, "http://")})
	p := gate.Person("")
	out, err := gate.Command("mfa", "enroll", "alice", "--address", "unix/"+gate.AdminSocket).CombinedOutput()
	if err != nil {
		t.Fatalf("mfa enroll: %v\n%s", err, out)
	}
	_, code, _ := strings.Cut(string(out), "ticket=")
	code, _, _ = strings.Cut(code, "\n")
	page := p.Navigate(t, gatetest.PathEnrol+"?ticket="+strings.TrimSpace(code))
	page = p.Submit(t, page, gatetest.PathEnrol, url.Values{"user": {"alice"}})
	if page.URL.Path != gatetest.PathEnrol || page.Status != http.StatusOK {
		t.Fatalf("with the ticket: got %d at %s:\n%.600s", page.Status, page.URL, page.Text())
	}
	(&world{t, nil, gate}).enrol(p)
	return gate, p
}

// wantAsked wants nothing of the app, and the way to the page that asks.
func wantAsked(t *testing.T, p *gatetest.Person, path, when string) {
	t.Helper()
	if page := p.Navigate(t, path); page.URL.Path != "/.mfa/ask" || strings.Contains(page.Body, marker) {
		t.Errorf("%s: %s leads to %s (%d); want the page that asks", when, path, page.URL, page.Status)
	}
}

func signOut(t *testing.T, p *gatetest.Person) {
	t.Helper()
	p.Submit(t, p.Navigate(t, "/.mfa/sign-out"), "/.mfa/sign-out", nil)
}

// Behind the page that asks an app signs people in by its own habits: credentials in a header, a WebSocket.
func TestAskBeforeAnAppWithCredentialsInAHeader(t *testing.T) {
	app := &headerApp{method: http.MethodGet, sessions: make(map[string]string), csrf: make(map[string]string)}
	gate, p := askedSite(t, app)
	w := &headerWorld{t, app, gate}
	stranger := gate.Person("")
	wantAsked(t, stranger, "/reports", "a stranger")
	if got := w.signIn(stranger, "alice", gatetest.Password); got.Status == http.StatusNoContent {
		t.Errorf("a stranger with the password: got %d", got.Status)
	}
	if page := p.Navigate(t, "/reports"); !strings.Contains(page.Body, "Sign in") {
		t.Fatalf("after the proof: got %d at %s: %.300q; want the app's form", page.Status, page.URL, page.Body)
	}
	if got := w.signIn(p, "alice", "wrong"); got.Status != http.StatusUnauthorized || !strings.Contains(got.Body, wrongWords) || got.Header.Get("Www-Authenticate") == "" {
		t.Errorf("a wrong password: got %d %.300q; want the app's answer as it is", got.Status, got.Body)
	}
	if got := w.signIn(p, "alice", gatetest.Password); got.Status != http.StatusNoContent {
		t.Fatalf("the right password: got %d %.300q", got.Status, got.Body)
	}
	if page := p.Navigate(t, "/reports"); page.Body != marker+"alice" {
		t.Errorf("signed in: got %d %.300q; want the app", page.Status, page.Body)
	}
	line, conn := w.dial(p)
	if line != marker+"alice" {
		t.Fatalf("the WebSocket says %q; want the app", line)
	}
	defer conn.Close()
	signOut(t, p)
	w.wantNoSockets()
	wantAsked(t, p, "/reports", "after the sign-out")
}

// Likewise, with the session in addresses: they are of no use to a stranger.
func TestAskBeforeAnAppWithItsSessionInAddresses(t *testing.T) {
	_, p := askedSite(t, &addressApp{sessions: make(map[string]string)})
	start := p.Navigate(t, "/")
	_, id, _ := strings.Cut(start.Body, "jsessionid=")
	id, _, _ = strings.Cut(id, `"`)
	page := p.Navigate(t, "/login.jsp?jsessionid="+id)
	if !strings.Contains(page.Body, "<form") {
		t.Fatalf("the form: got %d %.300q", page.Status, page.Body)
	}
	page = p.PostValues(t, "/login.do?jsessionid="+id, url.Values{"user": {"alice"}, "password": {gatetest.Password}})
	if !strings.Contains(page.Body, "query.jsp") {
		t.Fatalf("the right password: got %d %.300q", page.Status, page.Body)
	}
	inside := "/query.jsp?jsessionid=" + id
	if page := p.Navigate(t, inside); page.Body != marker+"alice" {
		t.Errorf("signed in: got %d %.300q; want the app", page.Status, page.Body)
	}
	wantAsked(t, p.Elsewhere(), inside, "with the address in another browser")
	signOut(t, p)
	wantAsked(t, p, inside, "after the sign-out")
}
