package attack_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// A tokenApp answers a sign-in with a token, and wants it once more in a message of its WebSocket, as the editor of
// Node-RED does. It takes text and binary alike.
type tokenApp struct {
	*httptest.Server

	mu    sync.Mutex
	heard []string
}

func newTokenApp(t *testing.T) *tokenApp {
	a := new(tokenApp)
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(func() {
		a.CloseClientConnections()
		a.Close()
	})
	return a
}

func (a *tokenApp) serve(w http.ResponseWriter, r *http.Request) {
	user, signedIn := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer token-of-")
	switch {
	case r.URL.Path == "/comms":
		a.talk(w, r)
	case r.URL.Path == "/auth/token":
		var body struct{ Username, Password string }
		if json.NewDecoder(r.Body).Decode(&body) != nil || body.Password != gatetest.Password {
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, `{"access_token":"token-of-%s","refresh_token":"refresh-of-%s"}`, body.Username, body.Username)
	case r.URL.Path == "/me" && signedIn:
		fmt.Fprintf(w, `{"user":%q}`, user)
	case r.URL.Path == "/":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!doctype html><html lang=en><title>App</title><p>Sign in")
	default:
		http.Error(w, "no", http.StatusUnauthorized)
	}
}

// talk says of each message that it has heard it. Like Node, it reads the first ones from the body of the request.
func (a *tokenApp) talk(w http.ResponseWriter, r *http.Request) {
	early, _ := io.ReadAll(r.Body)
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "no upgrade here", http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(io.MultiReader(strings.NewReader(string(early)), rw))
	for text := ""; ; {
		first, payload, err := readFrame(in)
		if err != nil {
			return
		}
		if first&0x0f >= 8 {
			continue
		}
		if text += payload; first&0x80 == 0 {
			continue
		}
		a.mu.Lock()
		a.heard = append(a.heard, text)
		a.mu.Unlock()
		if _, err := conn.Write(frameOf(0x81, "heard "+text[:min(len(text), 60)], false)); err != nil {
			return
		}
		text = ""
	}
}

// took lists the messages since then with a token in clear.
func (a *tokenApp) took(since int) (all []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, text := range a.heard[since:] {
		if strings.Contains(text, "token-of-") {
			all = append(all, text)
		}
	}
	return all
}

func (a *tokenApp) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.heard)
}

// readFrame reads a frame (RFC 6455 section 5.2).
func readFrame(r io.Reader) (first byte, payload string, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 0, "", err
	}
	first, size, masked := head[0], uint64(head[1]&0x7f), head[1]&0x80 != 0
	if more := map[uint64]int{126: 2, 127: 8}[size]; more > 0 {
		clear(head[:])
		if _, err := io.ReadFull(r, head[8-more:]); err != nil {
			return 0, "", err
		}
		size = binary.BigEndian.Uint64(head[:])
	}
	var mask [4]byte
	if masked {
		if _, err := io.ReadFull(r, mask[:]); err != nil {
			return 0, "", err
		}
	}
	if size > 4<<20 {
		return 0, "", errors.New("a very long frame")
	}
	b := make([]byte, size)
	_, err = io.ReadFull(r, b)
	for i := range b {
		b[i] ^= mask[i%4]
	}
	return first, string(b), err
}

// frameOf is a frame, masked as a browser's.
func frameOf(first byte, text string, masked bool) []byte {
	head := []byte{first, 0}
	switch n := len(text); {
	case n < 126:
		head[1] = byte(n)
	case n < 1<<16:
		head = binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(n))
	default:
		head = binary.BigEndian.AppendUint64([]byte{first, 127}, uint64(n))
	}
	if !masked {
		return append(head, text...)
	}
	head[1] |= 0x80
	mask := []byte{7, 0, 200, 99}
	out := append(head, mask...)
	for i := range len(text) {
		out = append(out, text[i]^mask[i%4])
	}
	return out
}

// tokenGate starts a gate before the app.
func tokenGate(t *testing.T, app *tokenApp, secure bool) *gatetest.Server {
	t.Helper()
	site := tokenForm + strings.TrimPrefix(app.URL, "http://")
	if !secure {
		return gatetest.Start(t, gatetest.Config{Site: site})
	}
	dir := t.TempDir()
	cert := testCertificate().Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	more := fmt.Sprintf("https://127.0.0.1:PORT2 {\n\tbind 127.0.0.1\n\ttls %s/cert.pem %s/key.pem\n\t%s\n}", dir, dir, site)
	s := gatetest.Start(t, gatetest.Config{Site: "respond nothing", More: more})
	s.URL = strings.Replace(s.URL2, "http://localhost", "https://127.0.0.1", 1)
	return s
}

// testCertificate is one for 127.0.0.1, of the standard library.
var testCertificate = sync.OnceValue(func() *tls.Config {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return s.TLS
})

// person has an empty browser.
func person(t *testing.T, s *gatetest.Server, secure bool) *gatetest.Person {
	t.Helper()
	p := s.Person("")
	if secure {
		trustGate(t, p)
	}
	return p
}

// trustGate makes a browser take the gate's certificate, and speak HTTP/2.
func trustGate(t *testing.T, p *gatetest.Person) {
	t.Helper()
	tr, ok := p.Client().Transport.(*http.Transport)
	leaf, err := x509.ParseCertificate(testCertificate().Certificates[0].Certificate[0])
	if err != nil || !ok {
		t.Fatalf("a browser of type %T: %v", p.Client().Transport, err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	tr.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	tr.ForceAttemptHTTP2 = true
}
