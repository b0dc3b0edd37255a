package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"errors"
	"syscall"

	"github.com/caddyserver/caddy/v2"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// A gateway is a whole Caddy in this process.
type gateway struct {
	t      reporter
	dir    string
	port   int
	socket string // of the admin API; empty means that there is none
}

// A reporter is a test, or a script.
type reporter interface {
	Helper()
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	dir, err := os.MkdirTemp("", "gate") // short enough for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, dir: dir, port: gatetest.FreePort(t)}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
		os.RemoveAll(dir)
	})
	return g
}

// serve starts a site behind alice's password whose app answers APP-ANSWERED, with
// lines before its end.
func serve(t *testing.T, lines string) *gateway {
	t.Helper()
	g := newGateway(t)
	if err := g.load("", lines); err != nil {
		t.Fatal(err)
	}
	return g
}

// load gives Caddy a configuration with lines in the global mfa block and in the site.
func (g *gateway) load(global, lines string) error {
	adapted, err := adapt(g.caddyfile(global, lines))
	if err != nil {
		g.t.Fatal(err)
	}
	return g.loadJSON(adapted)
}

// loadJSON returns when no request gets its answer from the configuration before.
func (g *gateway) loadJSON(config []byte) error {
	g.t.Helper()
	err := caddy.Load(config, true)
	if err := gatetest.AwaitReload(g.port); err != nil {
		g.t.Fatal(err)
	}
	return err
}

const alicesPassword = "basic_auth {\n alice $2a$05$lMKbdYaDQbrIPJLxwsfDtu330l96GbLMulpbEZWa3MwBbShhOjYtC\n }\n"

func (g *gateway) caddyfile(global, lines string) string {
	admin := "off"
	if g.socket != "" {
		admin = fmt.Sprintf("%q", "unix/"+g.socket+"|0600")
	}
	return strings.NewReplacer("PASSWORD", alicesPassword, "DIR", g.dir).Replace(fmt.Sprintf(`{
		admin %s
		persist_config off
		auto_https off
		grace_period 1s
		log {
			output file DIR/log
		}
		mfa {
			store badger DIR/db
			%s
		}
	}
	http://localhost:%d {
		bind 127.0.0.1
		%s
		respond APP-ANSWERED
	}`, admin, global, g.port, lines))
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) reachedApp() bool { return strings.Contains(a.body, "APP-ANSWERED") }

// get sends a request with alice's password and further headers, two by two.
func (g *gateway) get(path string, headers ...string) answer {
	g.t.Helper()
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", g.port, path), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Host = fmt.Sprintf("localhost:%d", g.port)
	req.SetBasicAuth("alice", "correct horse battery staple")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header[headers[i]] = append(req.Header[headers[i]], headers[i+1])
	}
	return g.send(req)
}

var noRedirects = &http.Client{
	Timeout:       time.Minute, // a password takes long to check on a busy machine
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{DisableKeepAlives: true},
}

// askAnew sends a request, which has a body only if that can be had again, and sends it once more
// where the server closed the connection unread: Caddy may do that to who comes just
// when it reloads, with this module or without.
func askAnew(client *http.Client, req *http.Request) (*http.Response, error) {
	resp, err := client.Do(req)
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
		resp, err = client.Do(req)
	}
	return resp, err
}

func (g *gateway) send(req *http.Request) answer {
	g.t.Helper()
	resp, err := askAnew(noRedirects, req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// user tells whom the gate takes a request to be from; "" means nobody.
func (g *gateway) user(headers ...string) string {
	g.t.Helper()
	got := g.get("/.mfa/api/v1/session", headers...)
	var s struct {
		User string `json:"user"`
	}
	if err := json.Unmarshal([]byte(got.body), &s); err != nil {
		g.t.Fatalf("session: %d %s", got.status, got.body)
	}
	if s.User == "" && got.status < 400 {
		g.t.Fatalf("session of nobody: %d %s", got.status, got.body)
	}
	return s.User
}

func (g *gateway) file(name, content string) {
	g.t.Helper()
	path := filepath.Join(g.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		g.t.Fatal(err)
	}
}
