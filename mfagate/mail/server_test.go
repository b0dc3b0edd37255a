package mail_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/mfagate/caddy-mfagate/mfagate/mail"
)

// A server is a real SMTP server on this machine that keeps what it is given.
type server struct {
	tls  *tls.Config
	port int
	log  sync.Mutex
	got  []envelope

	user, password string
	mechanisms     []string
	login          []string          // mechanisms that were used with the right password
	rcpt, data     []*smtp.SMTPError // answers, one after the other, before it accepts
}

type envelope struct {
	from, to, data string
	secure         bool
}

// start runs the server; implicit is TLS from the first byte. change may alter it
// before.
func start(t *testing.T, s *server, implicit bool) *mail.Sender {
	t.Helper()
	backend := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{server: s, conn: c}, nil }))
	backend.Domain, backend.ReadTimeout, backend.WriteTimeout = "localhost", patience, patience
	backend.ErrorLog = quiet{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	switch {
	case implicit:
		l = tls.NewListener(l, s.tls)
	case s.tls != nil:
		backend.TLSConfig = s.tls
	}
	var done sync.WaitGroup
	done.Go(func() { _ = backend.Serve(l) })
	t.Cleanup(func() {
		backend.Close()
		done.Wait()
	})
	return &mail.Sender{Host: "localhost", Port: s.port, From: "The gate <mfa@example.com>", Timeout: patience}
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func (s *server) received() []envelope {
	s.log.Lock()
	defer s.log.Unlock()
	return s.got
}

type session struct {
	*server
	conn *smtp.Conn
	mail envelope
	auth bool
}

func (s *session) AuthMechanisms() []string { return s.mechanisms }

func (s *session) Auth(mechanism string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != s.user || password != s.password {
			return smtp.ErrAuthFailed
		}
		s.log.Lock()
		defer s.log.Unlock()
		s.login, s.auth = append(s.login, mechanism), true
		return nil
	}
	if mechanism == sasl.Login {
		return &login{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

// login is the server's side of AUTH LOGIN, which the library has not.
type login struct {
	step  int
	user  string
	check func(user, password string) error
}

func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(response))
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.user != "" && !s.auth {
		return smtp.ErrAuthRequired
	}
	_, secure := s.conn.TLSConnectionState()
	s.mail = envelope{from: from, secure: secure}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.to = to
	return s.next(&s.rcpt)
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err := errors.Join(err, s.next(&s.data)); err != nil {
		return s.last(err)
	}
	s.log.Lock()
	defer s.log.Unlock()
	s.mail.data = string(data)
	s.got = append(s.got, s.mail)
	return nil
}

// last unwraps what the library must see as it is.
func (s *session) last(err error) error {
	if answer, ok := errors.AsType[*smtp.SMTPError](err); ok {
		return answer
	}
	return err
}

func (s *session) next(answers *[]*smtp.SMTPError) error {
	s.log.Lock()
	defer s.log.Unlock()
	if len(*answers) == 0 {
		return nil
	}
	answer := (*answers)[0]
	*answers = (*answers)[1:]
	return answer
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// authority makes a certificate for a name, and who trusts it.
func authority(t *testing.T, name string) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(c)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}
