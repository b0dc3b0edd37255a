package caddymodule

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/mail"
)

func init() {
	caddy.RegisterModule(SMTPSender{})
}

// SMTPSender sends messages by e-mail over an SMTP server.
type SMTPSender struct {
	// The host and port of the server. Without a port: 587, with implicit TLS 465,
	// without TLS 25.
	Address string `json:"address"`

	// The address that the messages come from, perhaps with a name:
	// "Example Works <mfa@example.com>".
	From string `json:"from"`

	// starttls, implicit, or none: the last only for a server on this machine.
	// Default: starttls, and nothing is sent to a server without it.
	TLS string `json:"tls,omitempty"`

	// With what to sign in there. Placeholders such as {env.SMTP_PASSWORD} and
	// {file./run/secrets/smtp} keep the password out of the configuration.
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (SMTPSender) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "mfa.senders.smtp",
		New: func() caddy.Module { return new(SMTPSender) },
	}
}

// Validate checks what can be checked without the placeholders.
func (s *SMTPSender) Validate() error {
	_, err := s.sender()
	return err
}

// Sender implements SenderProvider.
func (s *SMTPSender) Sender() (mfagate.Sender, error) {
	known := *s
	var err error
	repl := caddy.NewReplacer()
	if known.User, err = repl.ReplaceOrErr(s.User, true, true); err != nil {
		return nil, fmt.Errorf("user: %w", err)
	}
	if known.Password, err = repl.ReplaceOrErr(s.Password, true, true); err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	// A file ends with a line break that is none of the password's.
	known.Password = strings.TrimRight(known.Password, "\r\n")
	return known.sender()
}

func (s *SMTPSender) sender() (*mail.Sender, error) {
	host, port, err := s.hostPort()
	if err != nil {
		return nil, err
	}
	out := &mail.Sender{Host: host, Port: port, From: s.From, TLS: mail.TLS(s.TLS), User: s.User, Password: s.Password}
	return out, out.Validate()
}

func (s *SMTPSender) hostPort() (host string, port int, err error) {
	host, number, err := net.SplitHostPort(s.Address)
	if err != nil {
		defaults := map[string]int{"": 587, string(mail.StartTLS): 587, string(mail.Implicit): 465, string(mail.None): 25}
		return strings.Trim(s.Address, "[]"), defaults[s.TLS], nil //nolint:nilerr // an address without a port has the usual one
	}
	if port, err = strconv.Atoi(number); err != nil {
		return "", 0, fmt.Errorf("port %q: want a number from 1 to 65535", number)
	}
	return host, port, nil
}

// UnmarshalCaddyfile sets up s from Caddyfile tokens. Syntax:
//
//	sender smtp <host>[:<port>] {
//	    from      <address>
//	    tls       starttls|implicit|none
//	    user      <name>
//	    password  <password>
//	}
func (s *SMTPSender) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume module name
	if !d.NextArg() {
		return d.Errf("sender smtp: want the address of a server, such as mail.example.com:587")
	}
	s.Address = d.Val()
	if d.NextArg() {
		return d.Errf("sender smtp: unexpected value %q", d.Val())
	}
	err := options{
		"from":     text(&s.From, "an address, such as mfa@example.com"),
		"tls":      choice(&s.TLS, string(mail.StartTLS), string(mail.Implicit), string(mail.None)),
		"user":     text(&s.User, "the name of the gate's account there"),
		"password": text(&s.Password, "a password, or where it is, such as {env.SMTP_PASSWORD}"),
	}.parse(d, guests{})
	if err != nil {
		return err
	}
	if s.From == "" {
		return d.Errf("sender smtp: want the address that messages come from, such as: from mfa@example.com")
	}
	if err := s.Validate(); err != nil {
		return d.Errf("sender smtp: %s", strings.TrimPrefix(err.Error(), "mail: "))
	}
	return nil
}

// Interface guards
var (
	_ caddy.Validator       = (*SMTPSender)(nil)
	_ caddyfile.Unmarshaler = (*SMTPSender)(nil)
	_ SenderProvider        = (*SMTPSender)(nil)
)
