package services_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// A mailServer is a process that takes mail into a folder.
type mailServer struct {
	port        string
	maildir     string
	certificate string // its file
	seen        int
}

// newMailServer starts a server; way is that of the sender's option tls.
func newMailServer(t *testing.T, way, password string) *mailServer {
	t.Helper()
	gatetest.Require(t, "/usr/bin/aiosmtpd") // of the same package as the module
	dir := t.TempDir()
	s := &mailServer{maildir: filepath.Join(dir, "mail"), certificate: filepath.Join(dir, "cert.pem")}
	key := filepath.Join(dir, "key.pem")
	writeCertificate(t, s.certificate, key)
	args := []string{"smtpd.py", s.maildir, way, s.certificate, key}
	if password != "" {
		args = append(args, password)
	}
	cmd := exec.Command("/usr/bin/python3", args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var faults bytes.Buffer
	cmd.Stderr = &faults
	run(t, cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the mail server tells no port: %v\n%s", err, faults.String())
	}
	s.port = strings.TrimSpace(line)
	return s
}

// run starts a process that ends with the test.
func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		timer.Stop()
	})
}

func writeCertificate(t *testing.T, file, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{file: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: b}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// wait returns the messages that came since the last time, once there are n of them.
func (s *mailServer) wait(t *testing.T, n int) []*mail.Message {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		files := s.files(t)
		if len(files) >= s.seen+n {
			files, s.seen = files[s.seen:], len(files)
			return read(t, files)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d messages came; want %d", len(files)-s.seen, n)
		}
	}
}

// files are the messages, in the order in which they came.
func (s *mailServer) files(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.maildir, "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(files, func(a, b string) int { return modified(t, a).Compare(modified(t, b)) })
	return files
}

func modified(t *testing.T, file string) time.Time {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}

func read(t *testing.T, files []string) (all []*mail.Message) {
	t.Helper()
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := mail.ReadMessage(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// parts returns the bodies of a message by media type, decoded.
func parts(t *testing.T, m *mail.Message) map[string]string {
	t.Helper()
	media, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || media != "multipart/alternative" {
		t.Fatalf("Content-Type %q, %v; want multipart/alternative", m.Header.Get("Content-Type"), err)
	}
	bodies := make(map[string]string)
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return bodies
		}
		if err != nil {
			t.Fatal(err)
		}
		media, params, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if err != nil || !strings.EqualFold(params["charset"], "UTF-8") || p.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Errorf("part %v, %v; want UTF-8, quoted-printable", p.Header, err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		bodies[media] = string(body)
	}
}

func subject(t *testing.T, m *mail.Message) string {
	t.Helper()
	s, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// notifying is a gateway whose notices go through a mail server.
func notifying(t *testing.T, s *mailServer, way, more string, env ...string) *gatetest.Server {
	t.Helper()
	return gatetest.Start(t, gatetest.Config{Options: options(s, way, more), Site: gatetest.ByHeader, Env: env})
}

func options(s *mailServer, way, more string) string {
	return fmt.Sprintf("sender smtp localhost:%s {\n\tfrom \"Prüfstelle <mfa@example.com>\"\n\ttls %s\n\t%s\n}\nnotify {\n\taddress {user}@example.com\n}", s.port, way, more)
}

// A notice comes through a real server, over each kind of connection: its parts
// are whole, and its headers are ours alone.
func TestMail(t *testing.T) {
	for _, tt := range []struct{ name, way, password string }{
		{"starttls", "starttls", ""}, {"starttls and password", "starttls", "pässword"}, {"implicit", "implicit", "s3cret"}, {"none", "none", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newMailServer(t, tt.way, tt.password)
			more := ""
			if tt.password != "" {
				more = "user gate\n\tpassword {env.MFAGATE_TEST_SMTP}"
			}
			g := notifying(t, s, tt.way, more, "SSL_CERT_FILE="+s.certificate, "MFAGATE_TEST_SMTP="+tt.password)
			alice := g.Named("alice")
			alice.Header.Set("Accept-Language", "de")
			alice.Enrol(t, "/wanted")
			m := s.wait(t, 1)[0]
			if got, want := subject(t, m), "Example Works: Eine Bestätigung der Anmeldung kam hinzu"; got != want {
				t.Errorf("Subject = %q; want %q", got, want)
			}
			from, err := m.Header.AddressList("From")
			if err != nil || len(from) != 1 || from[0].Name != "Prüfstelle" || from[0].Address != "mfa@example.com" {
				t.Errorf("From = %v, %v; want Prüfstelle <mfa@example.com>", from, err)
			}
			if m.Header.Get("X-Rcptto") != "alice@example.com" || m.Header.Get("Content-Language") != "de" || m.Header.Get("Auto-Submitted") != "auto-generated" {
				t.Errorf("header = %v; want it to alice, in German, marked as automatic", m.Header)
			}
			bodies := parts(t, m)
			for _, media := range []string{"text/plain", "text/html"} {
				for _, want := range []string{"Guten Tag alice", "eine neue Möglichkeit eingerichtet, die Anmeldung zu bestätigen", "Vergebener Name: Phone", "Ändern Sie es sofort"} {
					if !strings.Contains(bodies[media], want) {
						t.Errorf("%s lacks %q:\n%s", media, want, bodies[media])
					}
				}
			}
		})
	}
}

// Nothing that a person chooses makes a header, a recipient or a second message.
func TestMailInjection(t *testing.T) {
	s := newMailServer(t, "none", "")
	names := []string{"alice", "bob,eve@evil.example", "eve@evil.example,bob", "carol> BCC=1", "<carol>", "dave@evil.example"}
	g := gatetest.Start(t, gatetest.Config{Users: names, Options: options(s, "none", "")})
	const evil = "Phone\r\nBcc: eve@evil.example\r\n\r\n.\r\nMAIL FROM:<x@evil.example>"
	for _, name := range names {
		p := g.Person(name)
		page := p.Navigate(t, "/wanted")
		if page.URL.Path != gatetest.PathEnrol {
			t.Fatalf("%s cannot enrol: %d at %s", name, page.Status, page.URL)
		}
		page = p.Submit(t, page, gatetest.PathTOTP, nil)
		p.Phone = &gatetest.Authenticator{Secret: page.Secret(t)}
		page = p.Post(t, page, gatetest.PathTOTP, map[string][]string{"code": {p.Phone.Code(t)}, "label": {evil}})
		if page.Status != http.StatusSeeOther {
			t.Errorf("%s: %d; want the enrolment to succeed", name, page.Status)
		}
	}
	got := s.wait(t, 1)
	time.Sleep(500 * time.Millisecond) // whatever else would come
	if got = append(got, read(t, s.files(t)[s.seen:])...); len(got) != 1 {
		t.Fatalf("%d messages; want the one to alice", len(got))
	}
	m := got[0]
	if m.Header.Get("Bcc") != "" || m.Header.Get("X-Rcptto") != "alice@example.com" || m.Header.Get("To") != "<alice@example.com>" {
		t.Errorf("header = %v; want one recipient, alice", m.Header)
	}
	for media, body := range parts(t, m) {
		if strings.Contains(body, "\nBcc") || strings.Contains(body, "\nMAIL") {
			t.Errorf("%s has a line that the label made:\n%s", media, body)
		}
	}
}

// A mail server whose certificate nobody vouches for is told nothing, and the person
// gets in all the same.
func TestMailServerIsNotTrusted(t *testing.T) {
	s := newMailServer(t, "starttls", "s3cret")
	const account = "user gate\n\tpassword s3cret"
	g := notifying(t, s, "starttls", account)
	g.Named("alice").Enrol(t, "/wanted")
	waitFor(t, func() bool { return strings.Contains(g.Logs(), "notice was not sent") })
	if strings.Contains(g.Logs(), "s3cret") {
		t.Error("the log tells the password")
	}
	if files := s.files(t); len(files) != 0 {
		t.Errorf("%d messages came; want none", len(files))
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within a minute")
		}
	}
}
