package browser_test

import (
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// A post brings what the gate sends: texts by an HTTP gateway, mails by SMTP.
type post struct {
	port int // of the mail server
	url  string

	mu     sync.Mutex
	came   []string // the address, and what was written to it
	closed bool     // whether everything is turned away
}

func newPost(t *testing.T) *post {
	t.Helper()
	p := &post{}
	gateway := httptest.NewServer(http.HandlerFunc(p.text))
	t.Cleanup(gateway.Close)
	p.url = gateway.URL
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &letter{post: p}, nil }))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.port = l.Addr().(*net.TCPAddr).Port
	var done sync.WaitGroup
	done.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		s.Close()
		done.Wait()
	})
	return p
}

// options are the lines of the global block that name both senders.
func (p *post) options() string {
	return fmt.Sprintf("sender smtp 127.0.0.1:%d {\nfrom mfa@example.com\ntls none\n}\nsender http %s {\nform to {to}\nform text {text}\n}\n", p.port, p.url)
}

func (p *post) text(w http.ResponseWriter, r *http.Request) {
	if !p.take(r.PostFormValue("to"), r.PostFormValue("text")) {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func (p *post) take(to, what string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.came = append(p.came, to+"\n"+what)
	}
	return !p.closed
}

// open lets everything come, or turns it away.
func (p *post) open(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = !yes
}

var sixDigits = regexp.MustCompile(`(?m)(?:^|[ >#])([0-9]{6})(?:\b|$)`)

// code returns the code that came to an address last, waiting for it, and forgets
// what came there before.
func (p *post) code(t *testing.T, to string) string {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if code := p.find(to); code != "" {
			return code
		}
	}
	t.Fatalf("no code came to %s", to)
	return ""
}

func (p *post) find(to string) (code string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var others []string
	for _, c := range p.came {
		if m := sixDigits.FindStringSubmatch(c); m != nil && strings.HasPrefix(c, to+"\n") {
			code = m[1]
			continue
		}
		others = append(others, c)
	}
	p.came = others
	return code
}

// A letter is one mail on its way in.
type letter struct {
	smtp.Session
	post *post
	to   string
}

func (l *letter) Mail(string, *smtp.MailOptions) error { return nil }

func (l *letter) Rcpt(to string, _ *smtp.RcptOptions) error {
	l.to = to
	return nil
}

func (l *letter) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return err
	}
	if !l.post.take(l.to, subject+"\n"+string(body)) {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	return nil
}

func (l *letter) Reset()        {}
func (l *letter) Logout() error { return nil }
