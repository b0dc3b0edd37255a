package unseen_test

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// A headerApp takes name and password as Basic credentials on one request, beside a token in a header of its own that
// is in a cookie, too, and has a session or a token from then on, with a WebSocket. It shows its form at any address.
type headerApp struct {
	method string // of the one request
	bearer bool   // the answer is a token, and there are no cookies

	mu       sync.Mutex
	sessions map[string]string // name by session or token; empty for a visitor
	csrf     map[string]string // of a session
	open     int               // WebSockets
}

func (a *headerApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := ""
	if c, err := r.Cookie("sid"); err == nil {
		id = c.Value
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		id = token
	}
	user := a.sessions[id]
	switch {
	case r.URL.Path == "/api/login" && r.Method == a.method:
		a.login(w, r, id)
	case r.URL.Path == "/api/logout":
		delete(a.sessions, id)
	case r.URL.Path == "/me" && user == "" || r.URL.Path == "/ws" && user == "":
		http.Error(w, "{}", http.StatusUnauthorized)
	case user == "" || a.bearer && r.URL.Path == "/":
		if _, known := a.sessions[id]; !known && !a.bearer {
			id = rand.Text()
			a.sessions[id], a.csrf[id] = "", rand.Text()
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: id, Path: "/", HttpOnly: true})
			http.SetCookie(w, &http.Cookie{Name: "csrf", Value: a.csrf[id], Path: "/"})
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<title>Sign in</title><input id=name><input id=password type=password>")
	case r.URL.Path == "/me":
		fmt.Fprintf(w, `{"name":%q}`, user)
	case r.URL.Path == "/ws":
		a.socket(w, user)
	default:
		io.WriteString(w, marker+user)
	}
}

func (a *headerApp) login(w http.ResponseWriter, r *http.Request, visitor string) {
	user, password, ok := r.BasicAuth()
	_, known := a.sessions[visitor]
	switch {
	case !a.bearer && (!known || r.Header.Get("X-Csrf") != a.csrf[visitor]):
		http.Error(w, "the token does not fit", http.StatusForbidden)
	case !ok || password != gatetest.Password || user != "alice" && user != "bob":
		w.Header().Set("WWW-Authenticate", `Basic realm="app"`)
		http.Error(w, wrongWords, http.StatusUnauthorized)
	default:
		id := rand.Text()
		a.sessions[id] = user
		if a.bearer {
			fmt.Fprintf(w, `{"token":%q}`, id)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: id, Path: "/", HttpOnly: true})
		w.WriteHeader(http.StatusNoContent)
	}
}

// socket tells the name and then repeats lines. The lock is not held meanwhile.
func (a *headerApp) socket(w http.ResponseWriter, user string) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	a.open++
	go func() {
		defer func() {
			conn.Close()
			a.mu.Lock()
			a.open--
			a.mu.Unlock()
		}()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n%s%s\n", marker, user)
		_, _ = io.Copy(conn, rw)
	}()
}

func (a *headerApp) sockets() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open
}

// A headerWorld is the app behind a gate.
type headerWorld struct {
	*testing.T
	app  *headerApp
	gate *gatetest.Server
}

func newHeaderWorld(t *testing.T, app *headerApp, block string) *headerWorld {
	app.sessions, app.csrf = make(map[string]string), make(map[string]string)
	upstream := httptest.NewServer(app)
	t.Cleanup(upstream.Close)
	return &headerWorld{t, app, gatetest.Start(t, gatetest.Config{Plain: true, Site: "mfa {\n login_form {\n page /\n submit " + app.method + ` /api/login
		credentials basic
		failure status 401
		identify probe GET /me json /name
		pass_cookies csrf
		logout POST /api/logout
		inject
		` + block + "\n}\n}\nreverse_proxy " + strings.TrimPrefix(upstream.URL, "http://")})}
}

// fetch sends a request as the app's script does.
func (w *headerWorld) fetch(p *gatetest.Person, method, path string, header http.Header) *gatetest.Page {
	w.Helper()
	for _, c := range p.Cookies() {
		if c.Name == "csrf" {
			header.Set("X-Csrf", c.Value)
		}
	}
	header.Set("Sec-Fetch-Mode", "cors")
	header.Set("Sec-Fetch-Dest", "empty")
	header.Set("Sec-Fetch-Site", "same-origin")
	header.Set("Accept", "*/*")
	return p.Do(w, p.Request(w, method, path, nil, header))
}

func credentials(user, password string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}}
}

func (w *headerWorld) signIn(p *gatetest.Person, user, password string) *gatetest.Page {
	w.Helper()
	return w.fetch(p, w.app.method, "/api/login", credentials(user, password))
}

// mistakes are a wrong password and two misspelt names: each has the app's own words, though
// its token for the first name is worth nothing for the second.
func (w *headerWorld) mistakes(p *gatetest.Person) {
	w.Helper()
	page := p.Navigate(w, "/reports")
	if !strings.Contains(page.Body, "Sign in") || !strings.Contains(page.Body, "/.mfa/static/login.") {
		w.Fatalf("at first: got %d at %s: %.300q; want the form with the script", page.Status, page.URL, page.Body)
	}
	for _, name := range []string{"alice", "alcie", "aliec"} {
		got := w.signIn(p, name, "wrong")
		if got.Status != http.StatusUnauthorized || !strings.Contains(got.Body, wrongWords) || got.Header.Get("Www-Authenticate") != "" {
			w.Errorf("a wrong password for %s: got %d %.300q, %q; want the app's answer", name, got.Status, got.Body, got.Header.Get("Www-Authenticate"))
		}
	}
}

func (w *headerWorld) enrol(p *gatetest.Person) *gatetest.Page {
	w.Helper()
	return (&world{w.T, nil, w.gate}).enrol(p)
}

// dial opens the WebSocket, and returns a line that the app sends, and the connection.
func (w *headerWorld) dial(p *gatetest.Person) (line string, conn io.ReadWriteCloser) {
	w.Helper()
	r := p.Request(w, http.MethodGet, "/ws", nil, http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Fetch-Mode": {"websocket"},
		"Sec-Fetch-Site": {"same-origin"}, "Origin": {w.gate.URL}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}})
	for _, c := range p.Cookies() {
		r.AddCookie(c)
	}
	resp, err := w.gate.Transport().RoundTrip(r)
	if err != nil {
		w.Fatal(err)
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		resp.Body.Close()
		return fmt.Sprint(resp.StatusCode), nil
	}
	line, err = bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		w.Fatal(err)
	}
	return strings.TrimSpace(line), conn
}

// An app such as Cockpit, and one that wants POST: the credentials are in a header, the session is a cookie.
func TestBasicCredentialsOnOneRequest(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		t.Run(method, func(t *testing.T) {
			w := newHeaderWorld(t, &headerApp{method: method}, "success status 204 set_cookie sid")
			p := w.gate.Person("")
			w.mistakes(p)
			got := w.signIn(p, "alice", gatetest.Password)
			if got.Status != http.StatusUnauthorized || got.Header.Get("Mfa-Location") != gatetest.PathEnrol {
				t.Fatalf("the right password: got %d %.300q to %q; want the way to the second factor", got.Status, got.Body, got.Header.Get("Mfa-Location"))
			}
			if line, _ := w.dial(p); strings.Contains(line, marker) {
				t.Errorf("before the proof the WebSocket says %q", line)
			}
			if page := w.enrol(p); page.Body != marker+"alice" || page.URL.Path != "/reports" {
				t.Fatalf("after the enrolment: got %.300q at %s; want the page that was asked for", page.Body, page.URL)
			}
			line, conn := w.dial(p)
			if line != marker+"alice" {
				t.Fatalf("the WebSocket says %q; want the app", line)
			}
			defer conn.Close()
			w.sideDoors(p)
			if got := w.fetch(p, http.MethodPost, "/api/logout", http.Header{"Origin": {w.gate.URL}}); got.Status != http.StatusOK {
				t.Errorf("the sign-out: got %d %.300q; want the app's answer", got.Status, got.Body)
			}
			w.wantNoSockets()
			if page := p.Navigate(t, "/reports"); !strings.Contains(page.Body, "Sign in") {
				t.Errorf("after the sign-out: got %d %.300q; want the form", page.Status, page.Body)
			}
			if got := w.signIn(p, "alice", gatetest.Password); got.Header.Get("Mfa-Location") != gatetest.PathChallenge {
				t.Errorf("the next time: got %d to %q; want the challenge", got.Status, got.Header.Get("Mfa-Location"))
			}
		})
	}
}

// sideDoors are other requests with bob's password, which change nothing for alice.
func (w *headerWorld) sideDoors(p *gatetest.Person) {
	w.Helper()
	for _, path := range []string{"/", "/api/login/", "//api/login", "/API/login", "/me"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			header := credentials("bob", gatetest.Password)
			header.Set("Origin", w.gate.URL)
			if got := w.fetch(p, method, path, header); strings.Contains(got.Body, "bob") {
				w.Errorf("%s %s with bob's password: got %d %.300q", method, path, got.Status, got.Body)
			}
		}
	}
	two := credentials("alice", "x")
	two.Add("Authorization", credentials("bob", gatetest.Password).Get("Authorization"))
	if got := w.fetch(p, w.app.method, "/api/login", two); got.Status != http.StatusBadRequest {
		w.Errorf("two headers: got %d %.300q; want 400", got.Status, got.Body)
	}
	if page := p.Navigate(w, "/reports"); page.Body != marker+"alice" {
		w.Errorf("after the side doors: got %d %.300q; want alice's session to go on", page.Status, page.Body)
	}
}

// wantNoSockets wants the connections to have ended with their session.
func (w *headerWorld) wantNoSockets() {
	w.Helper()
	for deadline := time.Now().Add(time.Minute); w.app.sockets() > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Error("a WebSocket outlives its session")
			return
		}
	}
}

// Likewise, with a token in the answer in place of the cookie.
func TestBasicCredentialsForAToken(t *testing.T) {
	w := newHeaderWorld(t, &headerApp{method: http.MethodPost, bearer: true}, "success status 200 json /token\nsession bearer /token")
	p := w.gate.Person("")
	w.mistakes(p)
	got := w.signIn(p, "alice", gatetest.Password)
	_, token, _ := strings.Cut(got.Body, `"token":"`)
	token, _, _ = strings.Cut(token, `"`)
	w.app.mu.Lock()
	_, clear := w.app.sessions[token]
	w.app.mu.Unlock()
	if got.Status != http.StatusOK || token == "" || clear {
		t.Fatalf("the right password: got %d %.300q; want a sealed token", got.Status, got.Body)
	}
	with := func(p *gatetest.Person) *gatetest.Page {
		return w.fetch(p, http.MethodGet, "/data", http.Header{"Authorization": {"Bearer " + token}})
	}
	if got := with(p); strings.Contains(got.Body, marker) {
		t.Errorf("before the proof: got %d %.300q", got.Status, got.Body)
	}
	w.enrol(p)
	if got := with(p); got.Body != marker+"alice" {
		t.Errorf("after the proof: got %d %.300q; want the app", got.Status, got.Body)
	}
	if got := with(w.gate.Person("")); strings.Contains(got.Body, marker) {
		t.Errorf("in another browser: got %d %.300q", got.Status, got.Body)
	}
	if got := w.fetch(p, http.MethodGet, "/data", credentials("bob", gatetest.Password)); strings.Contains(got.Body, marker) {
		t.Errorf("with bob's password in place of the token: got %d %.300q", got.Status, got.Body)
	}
}
