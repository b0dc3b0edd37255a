// Package mail sends the gate's messages by e-mail, over SMTP.
package mail

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// TLS says how the connection to the server is protected.
type TLS string

// The ways. The zero value is STARTTLS.
const (
	StartTLS TLS = "starttls" // begins in clear; a server without STARTTLS is given nothing (RFC 3207)
	Implicit TLS = "implicit" // TLS from the first byte, usually on port 465 (RFC 8314 section 3)
	None     TLS = "none"     // only to this machine
)

// defaultTimeout is how long the server may take for a step.
const defaultTimeout = 30 * time.Second

// A Sender sends messages over one SMTP server (RFC 5321), each over a connection
// of its own. Host, Port and From are required. It is safe for concurrent use;
// its fields must not change once it is used.
type Sender struct {
	Host string // the server's certificate must be for this name
	Port int
	From string // an address, or "Name <address>"
	TLS  TLS

	User     string // empty means no authentication; never sent without TLS
	Password string

	Timeout   time.Duration // of a step of the conversation; zero means 30 seconds
	TLSConfig *tls.Config   // nil means the system's authorities, TLS 1.2 and up
}

var _ mfagate.Sender = (*Sender)(nil)

// Validate says what is wrong with s.
func (s *Sender) Validate() error {
	switch {
	case s.Host == "" || strings.ContainsAny(s.Host, "/ \r\n"):
		return fmt.Errorf("mail: server %q: want the name of a host", s.Host)
	case s.Port < 1 || s.Port > 65535:
		return fmt.Errorf("mail: port %d: want one from 1 to 65535", s.Port)
	case s.TLS != "" && s.TLS != StartTLS && s.TLS != Implicit && s.TLS != None:
		return fmt.Errorf("mail: tls %q: want one of: starttls, implicit, none", s.TLS)
	case s.TLS == None && !loopback(s.Host):
		return fmt.Errorf("mail: tls none: only for a server on this machine, such as localhost; %s is another", s.Host)
	case s.TLS == None && s.User != "":
		return errors.New("mail: tls none: the password would go in clear; leave out the user, or use starttls or implicit")
	case (s.User == "") != (s.Password == ""):
		return errors.New("mail: want both a user and a password, or neither")
	case s.Timeout < 0:
		return fmt.Errorf("mail: timeout is %v; it cannot be negative", s.Timeout)
	}
	if _, err := mail.ParseAddress(s.From); err != nil || strings.ContainsAny(s.From, "\r\n") {
		return fmt.Errorf("mail: from %q: want an address, such as mfa@example.com", s.From)
	}
	return nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// Send implements [mfagate.Sender]. An address that the server refuses for good is
// an error wrapping [mfagate.ErrUndeliverable].
func (s *Sender) Send(ctx context.Context, to string, m mfagate.Message) error {
	msg, err := s.message(to, m)
	if err != nil {
		return fmt.Errorf("%w: %w", mfagate.ErrUndeliverable, err)
	}
	var line connection
	client, err := gomail.NewClient(s.Host, append(s.options(), gomail.WithDialContextFunc(line.dial(s)))...)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	// The library looks at the context only while it dials, and after an error
	// leaves the connection open.
	defer line.close()
	defer context.AfterFunc(ctx, line.close)()
	err = client.DialAndSendWithContext(ctx, msg)
	if err == nil || msg.IsDelivered() { // what went wrong after that is of no concern
		return nil
	}
	if ctx.Err() != nil {
		err = errors.Join(ctx.Err(), err)
	}
	if failed, ok := errors.AsType[*gomail.SendError](err); ok && failed.Reason == gomail.ErrSMTPRcptTo && failed.ErrorCode() >= 500 {
		return fmt.Errorf("%w: %w", mfagate.ErrUndeliverable, err)
	}
	return fmt.Errorf("mail: sending over %s: %w", s.Host, err)
}

func (s *Sender) options() []gomail.Option {
	timeout := s.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	options := []gomail.Option{
		gomail.WithPort(s.Port), gomail.WithTimeout(timeout), gomail.WithTLSConfig(s.tlsConfig()), gomail.WithoutNoop(), gomail.WithoutRset(),
	}
	switch s.TLS {
	case Implicit:
		options = append(options, gomail.WithSSL())
	case None:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.User != "" {
		options = append(options, gomail.WithUsername(s.User), gomail.WithPassword(s.Password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	return options
}

func (s *Sender) tlsConfig() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.TLSConfig != nil {
		c = s.TLSConfig.Clone()
	}
	if c.ServerName == "" {
		c.ServerName = s.Host
	}
	return c
}

// message puts m into the form of e-mail. What would break out of a header is
// refused.
func (s *Sender) message(to string, m mfagate.Message) (*gomail.Msg, error) {
	a, err := mail.ParseAddress(to)
	if err != nil || a.Address != to || strings.ContainsAny(to, "\r\n") {
		return nil, fmt.Errorf("mail: address %q is not a plain one", to)
	}
	if strings.ContainsAny(m.Subject+m.Language, "\r\n") {
		return nil, errors.New("mail: a header has more than one line")
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := errors.Join(msg.From(s.From), msg.To(to)); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return nil, fmt.Errorf("mail: from: %w", err)
	}
	// By default the name of this machine would be in it.
	msg.SetMessageIDWithValue(rand.Text() + from.Address[strings.LastIndexByte(from.Address, '@'):])
	msg.SetDate()
	msg.Subject(m.Subject)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no answers from those on holiday
	if m.Language != "" {
		msg.SetGenHeader(gomail.HeaderContentLang, m.Language)
	}
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return msg, nil
}
