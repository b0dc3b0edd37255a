package legacygate_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// A wire lies between the gate and the app, and remembers what passes: what the gate
// lets through, and what the app would give to a browser.
type wire struct {
	*httptest.Server

	mu    sync.Mutex
	sent  []sent
	set   map[string]string // cookies and tokens of the app: name by value
	bytes int               // of bodies that have come so far
}

// sent is a request as it goes to the app.
type sent struct {
	method, uri   string
	authorization string
	proto, host   string // as the proxy tells
	cookies       []*http.Cookie
	body          string
}

// newWire listens before the app until the test ends.
func newWire(t *testing.T, app *legacy.App) *wire {
	t.Helper()
	target, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{set: make(map[string]string)}
	proxy := &httputil.ReverseProxy{
		Transport: legacy.Transport(),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"} {
				r.Out.Header[name] = r.In.Header[name]
			}
		},
		ModifyResponse: w.answered,
		ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, _ error) { // the client of the gate may leave
			rw.WriteHeader(http.StatusBadGateway)
		},
	}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked(r)
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(func() {
		w.CloseClientConnections()
		w.Close()
	})
	return w
}

func (w *wire) asked(r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Body = &tapped{ReadCloser: r.Body, wire: w, at: len(w.sent)}
	w.sent = append(w.sent, sent{method: r.Method, uri: r.RequestURI, authorization: r.Header.Get("Authorization"), cookies: r.Cookies(), proto: r.Header.Get("X-Forwarded-Proto"), host: r.Header.Get("X-Forwarded-Host")})
}

// tapped is a body of which the beginning is remembered.
type tapped struct {
	io.ReadCloser
	wire *wire
	at   int // in wire.sent
}

// Read implements io.Reader.
func (b *tapped) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.wire.mu.Lock()
	defer b.wire.mu.Unlock()
	b.wire.bytes += n
	s := &b.wire.sent[b.at]
	s.body += string(p[:min(n, 1<<20-len(s.body))])
	return n, err
}

// received is how much of bodies has come so far.
func (w *wire) received() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bytes
}

func (w *wire) answered(r *http.Response) error {
	token := ""
	if r.Request.URL.Path == "/auth/token" {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		r.Body = io.NopCloser(bytes.NewReader(body))
		token = legacy.Answer{Body: string(body)}.Find(`"access_token":"([^"]*)"`)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if token != "" {
		w.set[token] = "access_token"
	}
	for _, c := range r.Cookies() {
		if len(c.Value) >= 8 {
			w.set[c.Value] = c.Name
		}
	}
	return nil
}

// sets returns the name of the cookie of the app that has the value, or nothing.
func (w *wire) sets(value string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.set[value]
}

// since returns what went to the app after the first n requests, and count how many
// there are.
func (w *wire) since(n int) []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]sent(nil), w.sent[n:]...)
}

func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.sent)
}

// has tells whether a password is in the request, wherever it may be.
func (s sent) has(password string) bool {
	text := s.uri + "\n" + s.body
	if plain, err := url.QueryUnescape(text); err == nil {
		text += plain
	}
	if _, encoded, ok := strings.Cut(s.authorization, " "); ok {
		plain, _ := base64.StdEncoding.DecodeString(encoded)
		text += s.authorization + string(plain)
	}
	return strings.Contains(text, password)
}
