package gatetest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// An App is a legacy app that remembers every request that reached it.
//
//	/slow     answers after a second
//	/ws       upgrades to a protocol that echoes lines, and counts as open until it ends
//	/status/N answers with the status N
//	others    answer with a page that greets the user of the X-Gate-User header
type App struct {
	*httptest.Server

	mu   sync.Mutex
	seen []Seen
	open int
}

// Seen is a request as it reached the app.
type Seen struct {
	Method, URI, Host, Body string
	Header                  http.Header
}

// NewApp starts an app that ends with the test.
func NewApp(t testing.TB) *App {
	a := &App{}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(func() {
		a.CloseClientConnections()
		a.Close()
	})
	return a
}

// Addr returns host and port.
func (a *App) Addr() string { return a.Listener.Addr().String() }

// Seen returns all requests so far.
func (a *App) Seen() []Seen {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Seen(nil), a.seen...)
}

// Open returns the number of upgraded connections that are open.
func (a *App) Open() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open
}

// Quiet runs f and fails the test if anything reached the app meanwhile.
func (a *App) Quiet(t testing.TB, f func()) {
	t.Helper()
	before := len(a.Seen())
	f()
	for _, s := range a.Seen()[before:] {
		t.Errorf("the app received %s %s (user %q)", s.Method, s.URI, s.Header.Get("X-Gate-User"))
	}
}

// Last returns the request that reached the app last.
func (a *App) Last(t testing.TB) Seen {
	t.Helper()
	seen := a.Seen()
	if len(seen) == 0 {
		t.Fatal("nothing reached the app")
	}
	return seen[len(seen)-1]
}

func (a *App) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	a.mu.Lock()
	a.seen = append(a.seen, Seen{r.Method, r.RequestURI, r.Host, string(body), r.Header.Clone()})
	a.mu.Unlock()

	var status int
	switch {
	case r.URL.Path == "/slow":
		time.Sleep(time.Second)
	case r.URL.Path == "/ws":
		a.upgrade(w)
		return
	case strings.HasPrefix(r.URL.Path, "/status/"):
		if _, err := fmt.Sscanf(r.URL.Path, "/status/%3d", &status); err == nil && status >= 200 {
			w.WriteHeader(status)
			return
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// The icon keeps browsers from asking for one of their own accord, at a time when nothing should reach the app.
	fmt.Fprintf(w, "<!doctype html><html lang=en><title>App</title><link rel=icon href='data:,'><h1>Welcome to the app</h1><p id=user>%s</p>", r.Header.Get("X-Gate-User"))
}

// upgrade is the least that counts as a WebSocket for a proxy.
func (a *App) upgrade(w http.ResponseWriter) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "no upgrade here", http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	a.count(1)
	defer a.count(-1)
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	for {
		line, err := rw.ReadString('\n')
		if err != nil {
			return
		}
		if _, err := io.WriteString(conn, line); err != nil {
			return
		}
	}
}

func (a *App) count(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open += n
}
