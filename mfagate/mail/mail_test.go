package mail_test

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/mail"
)

var message = mfagate.Message{
	Subject: "Intranet: Schlüssel „neu“", Language: "de",
	Text: "Guten Tag Jürgen,\n\n.\n- ein Punkt\n", HTML: "<p>Guten Tag <b>Jürgen</b></p>",
}

// patience is how long a busy machine may take for what is a matter of a moment.
const patience = 30 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSend(t *testing.T) {
	trusted, client := authority(t, "localhost")
	for name, tt := range map[string]struct {
		way        mail.TLS
		secure     bool
		mechanisms []string
	}{
		"starttls":                     {"", true, nil},
		"implicit":                     {mail.Implicit, true, nil},
		"none":                         {mail.None, false, nil},
		"starttls, PLAIN":              {mail.StartTLS, true, []string{"PLAIN"}},
		"starttls, LOGIN":              {mail.StartTLS, true, []string{"LOGIN"}},
		"implicit, PLAIN before LOGIN": {mail.Implicit, true, []string{"LOGIN", "PLAIN"}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := &server{mechanisms: tt.mechanisms}
			if tt.way != mail.None {
				srv.tls = trusted
			}
			if tt.mechanisms != nil {
				srv.user, srv.password = "gate", "s3cret"
			}
			s := start(t, srv, tt.way == mail.Implicit)
			s.TLS, s.TLSConfig, s.User, s.Password = tt.way, client, srv.user, srv.password
			if err := s.Validate(); err != nil {
				t.Fatal(err)
			}
			if err := s.Send(t.Context(), "juergen@example.com", message); err != nil {
				t.Fatal(err)
			}
			got := srv.received()
			if len(got) != 1 || got[0].secure != tt.secure || got[0].from != "mfa@example.com" || got[0].to != "juergen@example.com" {
				t.Fatalf("received %+v; want one message, secure %v", got, tt.secure)
			}
			if tt.mechanisms != nil && len(srv.login) != 1 {
				t.Errorf("logins = %q; want one", srv.login)
			}
			wantMessage(t, got[0].data)
		})
	}
}

// wantMessage reads a mail as a mail program does.
func wantMessage(t *testing.T, data string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatalf("reading %q: %v", data, err)
	}
	if subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil || subject != message.Subject {
		t.Errorf("Subject = %q, %v; want %q", subject, err, message.Subject)
	}
	for name, want := range map[string]string{
		"From": `"The gate" <mfa@example.com>`, "To": "<juergen@example.com>", "Content-Language": "de", "Auto-Submitted": "auto-generated", "User-Agent": "",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s = %q; want %q", name, got, want)
		}
	}
	if id := m.Header.Get("Message-ID"); !strings.HasSuffix(id, "@example.com>") {
		t.Errorf("Message-ID = %q; want one of the sender's domain", id)
	}
	if date, err := m.Header.Date(); err != nil || time.Since(date) > time.Minute {
		t.Errorf("Date = %v, %v; want now", date, err)
	}
	media, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || media != "multipart/alternative" {
		t.Fatalf("Content-Type = %q, %v; want multipart/alternative", media, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []struct{ media, body string }{{"text/plain", message.Text}, {"text/html", message.HTML}} {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if text := strings.ReplaceAll(string(body), "\r\n", "\n"); err != nil || !strings.HasPrefix(p.Header.Get("Content-Type"), want.media) || strings.TrimSpace(text) != strings.TrimSpace(want.body) {
			t.Errorf("part %s: %q, %v; want %s: %q", p.Header.Get("Content-Type"), text, err, want.media, want.body)
		}
	}
}

// Whatever cannot be trusted is told nothing: no message, no password.
func TestSendRefusesUntrusted(t *testing.T) {
	trusted, client := authority(t, "localhost")
	other, _ := authority(t, "localhost")
	wrongName, wrongClient := authority(t, "mail.example.com")
	for name, tt := range map[string]struct {
		way      mail.TLS
		server   *server
		implicit bool
		change   func(*mail.Sender)
	}{
		"no STARTTLS":               {mail.StartTLS, &server{}, false, nil},
		"no STARTTLS, but AUTH":     {mail.StartTLS, &server{mechanisms: []string{"PLAIN"}}, false, nil},
		"no TLS at all":             {mail.Implicit, &server{}, false, nil},
		"unknown authority":         {mail.StartTLS, &server{tls: other}, false, nil},
		"unknown authority, TLS":    {mail.Implicit, &server{tls: other}, true, nil},
		"certificate of other name": {mail.StartTLS, &server{tls: wrongName}, false, func(s *mail.Sender) { s.TLSConfig = wrongClient }},
		"no AUTH":                   {mail.StartTLS, &server{tls: trusted}, false, nil},
		"wrong password":            {mail.StartTLS, &server{tls: trusted, mechanisms: []string{"PLAIN"}, user: "gate", password: "other"}, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, tt.server, tt.implicit)
			s.TLS, s.TLSConfig, s.User, s.Password, s.Timeout = tt.way, client, "gate", "s3cret", time.Second
			if tt.change != nil {
				tt.change(s)
			}
			err := s.Send(t.Context(), "alice@example.com", message)
			if err == nil || errors.Is(err, mfagate.ErrUndeliverable) {
				t.Errorf("err = %v; want one after which it is tried again", err)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("err = %v; it tells the password", err)
			}
			if len(tt.server.received()) != 0 || len(tt.server.login) != 0 {
				t.Errorf("the server got %v, logins %v; want nothing", tt.server.got, tt.server.login)
			}
		})
	}
}

func TestServerAnswers(t *testing.T) {
	trusted, client := authority(t, "localhost")
	for name, tt := range map[string]struct {
		rcpt, data []*smtp.SMTPError
		final      bool
	}{
		"greylisting":       {rcpt: []*smtp.SMTPError{{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "come again"}}},
		"full for now":      {data: []*smtp.SMTPError{{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "disk full"}}},
		"refused as spam":   {data: []*smtp.SMTPError{{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "spam"}}},
		"no such mailbox":   {rcpt: []*smtp.SMTPError{{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}}, final: true},
		"two faults in row": {rcpt: []*smtp.SMTPError{{Code: 421, Message: "busy"}, {Code: 451, Message: "busy"}}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := &server{tls: trusted, rcpt: tt.rcpt, data: tt.data}
			s := start(t, srv, false)
			s.TLSConfig = client
			for range len(tt.rcpt) + len(tt.data) {
				if err := s.Send(t.Context(), "alice@example.com", message); err == nil || errors.Is(err, mfagate.ErrUndeliverable) != tt.final {
					t.Errorf("err = %v; want one, final %v", err, tt.final)
				}
			}
			if err := s.Send(t.Context(), "alice@example.com", message); err != nil || len(srv.received()) != 1 {
				t.Errorf("afterwards: %v, received %d; want success", err, len(srv.received()))
			}
		})
	}
}

// A server that takes the connection and says nothing is given up after the
// timeout, and at once when the context is done.
func TestServerHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, way := range []mail.TLS{mail.StartTLS, mail.Implicit, mail.None} {
		s := &mail.Sender{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, From: "mfa@example.com", TLS: way, Timeout: 200 * time.Millisecond}
		begin := time.Now()
		if err := s.Send(t.Context(), "alice@example.com", message); err == nil || time.Since(begin) > 25*time.Second {
			t.Errorf("%s: err = %v after %v; want one after the timeout", way, err, time.Since(begin))
		}
		s.Timeout = time.Hour
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		begin = time.Now()
		if err := s.Send(ctx, "alice@example.com", message); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 25*time.Second {
			t.Errorf("%s: err = %v after %v; want the context's", way, err, time.Since(begin))
		}
		cancel()
	}
	l.Close()
	s := &mail.Sender{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, From: "mfa@example.com"}
	if err := s.Send(t.Context(), "alice@example.com", message); err == nil || errors.Is(err, mfagate.ErrUndeliverable) {
		t.Errorf("no server: err = %v; want one after which it is tried again", err)
	}
}

// What would break out of a header, or be more than one address, is sent to nobody.
func TestSendInjection(t *testing.T) {
	srv := &server{}
	s := start(t, srv, false)
	s.TLS = mail.None
	for _, to := range []string{
		"", "alice", "a@example.com, b@example.com", "Alice <a@example.com>", "a@example.com\r\nBcc: b@example.com", "a@example.com\n",
		"<a@example.com>", "a@example.com>\r\nRCPT TO:<b@example.com", "a@b@c", "a@example.com (x)",
	} {
		if err := s.Send(t.Context(), to, message); !errors.Is(err, mfagate.ErrUndeliverable) {
			t.Errorf("to %q: err = %v; want ErrUndeliverable", to, err)
		}
	}
	for _, m := range []mfagate.Message{
		{Subject: "x\r\nBcc: b@example.com", Text: "x"}, {Subject: "x\ny", Text: "x"}, {Subject: "x", Language: "de\r\nX-Y: z", Text: "x"},
	} {
		if err := s.Send(t.Context(), "a@example.com", m); !errors.Is(err, mfagate.ErrUndeliverable) {
			t.Errorf("%q: err = %v; want ErrUndeliverable", m, err)
		}
	}
	if got := srv.received(); len(got) != 0 {
		t.Errorf("received %v; want nothing", got)
	}
	// A body may hold anything: a line of one dot does not end it.
	m := mfagate.Message{Subject: "x", Text: "a\r\n.\r\nMAIL FROM:<x@example.com>\r\n"}
	if err := s.Send(t.Context(), "a@example.com", m); err != nil {
		t.Fatal(err)
	}
	if got := srv.received(); len(got) != 1 || !strings.Contains(got[0].data, "MAIL FROM") {
		t.Errorf("received %+v; want one message, whole", got)
	}
}

func TestValidate(t *testing.T) {
	good := mail.Sender{Host: "mail.example.com", Port: 587, From: "mfa@example.com"}
	if err := good.Validate(); err != nil {
		t.Errorf("Validate: %v", err)
	}
	for name, change := range map[string]func(*mail.Sender){
		"host":                  func(s *mail.Sender) { s.Host = "" },
		"unix":                  func(s *mail.Sender) { s.Host = "unix://x" },
		"port 0":                func(s *mail.Sender) { s.Port = 0 },
		"port 70000":            func(s *mail.Sender) { s.Port = 70000 },
		"from":                  func(s *mail.Sender) { s.From = "" },
		"from two lines":        func(s *mail.Sender) { s.From = "a@example.com\r\nBcc: b@example.com" },
		"tls":                   func(s *mail.Sender) { s.TLS = "ssl" },
		"tls none far away":     func(s *mail.Sender) { s.TLS = mail.None },
		"password in clear":     func(s *mail.Sender) { s.Host, s.TLS, s.User, s.Password = "localhost", mail.None, "u", "p" },
		"user without password": func(s *mail.Sender) { s.User = "u" },
		"password without user": func(s *mail.Sender) { s.Password = "p" },
		"timeout":               func(s *mail.Sender) { s.Timeout = -1 },
	} {
		s := mail.Sender{Host: good.Host, Port: good.Port, From: good.From}
		change(&s)
		if err := s.Validate(); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: err = %v; want one, in one line", name, err)
		}
	}
}
