package oracle

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// An App is the legacy app. Make it with [New] or [Start].
type App struct {
	URL string // where it listens, if [Start] made it

	options Options
	server  *httptest.Server

	mu        sync.Mutex
	passwords map[string]string   // by name
	sessions  map[string]*session // by each of their ids
	remember  map[string]string   // cookie to name
	tokens    map[string]string   // bearer token to name
	resets    map[string]string   // token of a link to name
	notes     map[string][]string
	files     map[string]string
	acts      []Act
	secrets   map[string]Shown // what was made for somebody, by the random text in it
	open      int
}

// New returns an app that nobody has used.
func New(o Options) *App {
	if o.Users == nil {
		o.Users = defaultUsers()
	}
	if o.Encodings == 0 {
		o.Encodings = Form
	}
	if o.UserField == "" {
		o.UserField = "user"
	}
	if o.PasswordField == "" {
		o.PasswordField = "password"
	}
	if o.SessionCookie == "" {
		o.SessionCookie = "sid"
	}
	if o.LogoutStatus == 0 {
		o.LogoutStatus = http.StatusFound
	}
	a := &App{
		options: o, passwords: make(map[string]string), sessions: make(map[string]*session), remember: make(map[string]string),
		tokens: make(map[string]string), resets: make(map[string]string), notes: make(map[string][]string),
		files: make(map[string]string), secrets: make(map[string]Shown),
	}
	for _, u := range o.Users {
		a.passwords[u.Name] = u.Password
	}
	return a
}

// Start runs an app on loopback until the test ends.
func Start(t testing.TB, o Options) *App {
	a := New(o)
	a.server = httptest.NewServer(a)
	a.URL = a.server.URL
	t.Cleanup(func() {
		a.server.CloseClientConnections()
		a.server.Close()
	})
	return a
}

// Addr returns host and port.
func (a *App) Addr() string { return strings.TrimPrefix(a.URL, "http://") }

// A request is one on its way through the app.
type request struct {
	*http.Request
	app     *App
	w       http.ResponseWriter
	route   string // the path as the app understands it
	method  string
	body    []byte
	session *session // never nil
	user    string   // as whom it acts
	channel Channel
}

const largestBody = 1 << 20

// ServeHTTP answers as the options say.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, largestBody))
	r.Body = io.NopCloser(bytes.NewReader(body))
	q := &request{Request: r, app: a, w: w, route: a.route(r), body: body, method: r.Method}
	if a.options.Override {
		q.override()
	}
	q.findSession()
	q.identify()
	q.serve()
}

func (q *request) override() {
	for _, m := range []string{q.Header.Get("X-HTTP-Method-Override"), q.fields()["_method"]} {
		if m != "" {
			q.method = strings.ToUpper(m)
		}
	}
}

// serve finds the page.
func (q *request) serve() {
	o := q.app.options
	switch route := q.route; {
	case route == "/login":
		q.serveLogin()
	case route == "/login/password" && o.TwoSteps:
		q.serveSecondStep()
	case route == "/logout":
		q.serveLogout()
	case strings.HasPrefix(route, "/static/"):
		q.serveStatic()
	case route == "/api/login" && o.JSONLogin:
		q.serveJSONLogin()
	case route == "/xmlrpc" && o.XMLRPC:
		q.serveXMLRPC()
	case route == "/reset" && o.Reset:
		q.serveReset()
	case route == "/switch" && o.Switch:
		q.serveSwitch()
	default:
		q.servePage()
	}
}

func newID() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
