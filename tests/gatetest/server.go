package gatetest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A Server is a running gateway.
type Server struct {
	App         *App
	URL         string // of the site, without a slash at the end
	URL2        string // of the free port for a second site
	Dir         string // of everything that it writes
	Data        string // of the database
	Keyset      string
	Caddyfile   string
	AdminSocket string

	t           testing.TB
	config      Config
	binary      string
	port, port2 int
	logs        lockedBuffer
	logged      int // length of the log when the process started
	cmd         *exec.Cmd
	done        chan struct{} // closed when cmd has ended

	mu         sync.Mutex
	transports []*http.Transport
}

// Start starts a gateway that ends with the test. A data race in it fails the
// test, and so does a panic.
func Start(t testing.TB, c Config) *Server {
	t.Helper()
	s := New(t, c)
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
	return s
}

// New writes the configuration of a gateway without starting it.
func New(t testing.TB, c Config) *Server {
	t.Helper()
	// Not t.TempDir: the name of a test is too long for a socket's path.
	dir, err := os.MkdirTemp("", "gate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{
		App: NewApp(t), Dir: dir, t: t, config: c, port: FreePort(t), port2: FreePort(t),
		Data:        filepath.Join(dir, "db"),
		Keyset:      filepath.Join(dir, "keyset.json"),
		Caddyfile:   filepath.Join(dir, "Caddyfile"),
		AdminSocket: filepath.Join(dir, "admin.sock"),
	}
	s.URL = fmt.Sprintf("http://localhost:%d", s.port)
	s.URL2 = fmt.Sprintf("http://localhost:%d", s.port2)
	if c.Plain {
		s.binary = PlainBinary(t)
	} else {
		s.binary = Binary(t)
	}
	s.WriteConfig(c)
	t.Cleanup(s.finish)
	return s
}

// WriteConfig writes the Caddyfile anew, for a reload or a restart.
func (s *Server) WriteConfig(c Config) {
	s.t.Helper()
	s.config = c
	if err := os.WriteFile(s.Caddyfile, []byte(c.caddyfile(s)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// Run starts the process and waits until it answers.
func (s *Server) Run() error {
	cmd := s.Command("run", "--config", s.Caddyfile, "--adapter", "caddyfile")
	cmd.Stdout, cmd.Stderr = &s.logs, &s.logs
	s.logged = len(s.Logs())
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the gateway: %w", err)
	}
	done := make(chan struct{})
	go func() {
		cmd.Wait()
		close(done)
	}()
	s.cmd, s.done = cmd, done
	return s.ready()
}

// Command returns a command of the gateway's binary, such as "mfa users".
func (s *Server) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.binary, args...)
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), "HOME="+s.Dir, "XDG_DATA_HOME="+s.Dir, "XDG_CONFIG_HOME="+s.Dir)
	cmd.Env = append(cmd.Env, s.config.Env...)
	return cmd
}

func (s *Server) ready() error {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		select {
		case <-s.done:
			return fmt.Errorf("the gateway ended at its start:\n%s", s.Logs())
		case <-time.After(5 * time.Millisecond):
		}
		// It listens before it knows that all of it can start.
		if strings.Contains(s.Logs()[s.logged:], "serving initial configuration") {
			return nil
		}
	}
	return fmt.Errorf("the gateway does not answer:\n%s", s.Logs())
}

// Reload makes the running gateway read its Caddyfile again, and returns when no request gets
// its answer from the configuration before.
func (s *Server) Reload() error {
	out, err := s.Command("reload", "--config", s.Caddyfile, "--adapter", "caddyfile", "--address", "unix/"+s.AdminSocket, "--force").CombinedOutput()
	if err != nil {
		return fmt.Errorf("reloading: %w\n%s", err, out)
	}
	err = AwaitReload(s.port)
	s.hangUp()
	return err
}

// hangUp closes the connections that wait for another request: it would come to the configuration
// or the process before, or be lost with it.
func (s *Server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.transports {
		t.CloseIdleConnections()
	}
}

// Kill ends the process as a loss of power would: it can do nothing about it.
func (s *Server) Kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		s.cmd.Process.Kill()
		<-s.done
	}
}

// Stop ends the process in order, and fails the test if that takes longer than
// ten seconds.
func (s *Server) Stop() {
	s.t.Helper()
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(time.Minute):
		s.t.Errorf("the gateway does not stop:\n%s", s.Logs())
		s.Kill()
	}
}

// Restart stops the process and starts it again on the same folder.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	if err := s.Run(); err != nil {
		s.t.Fatal(err)
	}
	s.hangUp()
}

// PID returns the number of the process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Logs returns all that the gateway has written.
func (s *Server) Logs() string { return s.logs.String() }

// Transport returns a transport that finds localhost on IPv4 without asking
// anybody.
func (s *Server) Transport() *http.Transport {
	var d net.Dialer
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
		MaxIdleConnsPerHost: 64,
		DisableCompression:  true,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transports = append(s.transports, t)
	return t
}

func (s *Server) finish() {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(20 * time.Second):
		s.Kill()
	}
	logs := s.Logs()
	for _, bad := range []string{"WARNING: DATA RACE", "panic: ", "goroutine 1 ["} {
		if i := strings.Index(logs, bad); i >= 0 {
			s.t.Errorf("the gateway wrote %q:\n%s", bad, logs[i:min(len(logs), i+3000)])
		}
	}
	if s.t.Failed() && testing.Verbose() {
		s.t.Logf("the gateway's log:\n%s", tail(logs, 4000))
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// lockedBuffer collects what a process writes while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
