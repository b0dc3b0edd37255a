package caddymodule

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/emersion/go-smtp"
)

// A mailbox is a real SMTP server on this machine.
type mailbox struct {
	smtp.Session
	to    string
	mails chan string
}

func newMailbox(t *testing.T) (port int, mails chan string) {
	t.Helper()
	mails = make(chan string, 10)
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailbox{mails: mails}, nil }))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		s.Close()
		done.Wait()
	})
	return l.Addr().(*net.TCPAddr).Port, mails
}

func (m *mailbox) Mail(string, *smtp.MailOptions) error { return nil }

func (m *mailbox) Rcpt(to string, _ *smtp.RcptOptions) error {
	m.to = to
	return nil
}

func (m *mailbox) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	m.mails <- m.to + "\n" + string(data)
	return err
}

func (m *mailbox) Reset()        {}
func (m *mailbox) Logout() error { return nil }

func wantMail(t *testing.T, mails chan string, want ...string) {
	t.Helper()
	select {
	case mail := <-mails:
		for _, w := range want {
			if !strings.Contains(mail, w) {
				t.Errorf("mail lacks %q:\n%s", w, mail)
			}
		}
	case <-time.After(time.Minute):
		t.Errorf("no mail; want one with %q", want)
	}
}

// Each of two configurations, one after the other, tells alice once.
func TestNotify(t *testing.T) {
	port, mails := newMailbox(t)
	global := fmt.Sprintf("sender smtp 127.0.0.1:%d {\nfrom mfa@example.com\ntls none\n}\nnotify {\naddress {user}@example.com\n}", port)
	g := newGateway(t)
	if err := g.load(global, "PASSWORD\nmfa"); err != nil {
		t.Fatal(err)
	}
	p := enrol(g)
	wantMail(t, mails, "alice@example.com\n", "To: <alice@example.com>", "Subject: localhost", "multipart/alternative")
	if err := g.load(global+"\nissuer Reloaded", "PASSWORD\nmfa"); err != nil {
		t.Fatal(err)
	}
	gate, err := app(t).Gate()
	if err != nil {
		t.Fatal(err)
	}
	users, err := gate.Users(t.Context(), "default", "", 0)
	if err != nil || len(users) != 1 {
		t.Fatalf("users = %v, %v; want alice", users, err)
	}
	if _, err := gate.SignOut(t.Context(), "root", users[0].Subject); err != nil {
		t.Fatal(err)
	}
	wantMail(t, mails, "Subject: Reloaded: You were signed out everywhere")
	if p.get("/").reachedApp() {
		t.Error("alice is signed in still")
	}
	select {
	case mail := <-mails:
		t.Errorf("one mail too many:\n%s", mail)
	case <-time.After(200 * time.Millisecond):
	}
}

// A mail server that takes connections and says nothing delays neither the person
// nor a reload or stop.
func TestNotifyServerHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	global := fmt.Sprintf("sender smtp %s {\nfrom mfa@example.com\ntls none\n}\nnotify {\naddress {user}@example.com\n}", l.Addr())
	g := newGateway(t)
	if err := g.load(global, "PASSWORD\nmfa"); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if p := enrol(g); !p.get("/").reachedApp() {
		t.Error("alice does not get in while the mail server hangs")
	}
	if err := g.load(global+"\nissuer Reloaded", "PASSWORD\nmfa"); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(begin); d > 25*time.Second {
		t.Errorf("enrolment, reload and stop took %v; want no wait for the mail server", d)
	}
}

// What was probably forgotten is in the log.
func TestNotifyForgotten(t *testing.T) {
	for global, want := range map[string]string{
		"profile nist": "4.2.3",
		"sender smtp localhost {\nfrom mfa@example.com\n}": "nothing is sent",
	} {
		g := newGateway(t)
		if err := g.load(global, "PASSWORD\nmfa"); err != nil {
			t.Fatal(err)
		}
		if log, err := os.ReadFile(g.dir + "/log"); err != nil || !strings.Contains(string(log), want) {
			t.Errorf("%s: log = %s, %v; want a line with %q", global, log, err, want)
		}
	}
}

// A password that is not there stops the start, and is no fault for "caddy
// validate", which may run without the server's environment.
func TestNotifyPassword(t *testing.T) {
	const global = "sender smtp mail.example.com {\nfrom mfa@example.com\nuser gate\npassword %s\n}\nnotify"
	g := newGateway(t)
	err := g.load(fmt.Sprintf(global, "{env.MFAGATE_TEST_IS_NOT_SET}"), "PASSWORD\nmfa")
	if err == nil || !strings.Contains(err.Error(), "sender smtp: password") {
		t.Errorf("err = %v; want one that names the password", err)
	}
	file := g.dir + "/password"
	if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.load(fmt.Sprintf(global, "{file."+file+"}"), "PASSWORD\nmfa"); err != nil {
		t.Error(err)
	}
}
