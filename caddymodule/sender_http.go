package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/httpsender"
)

func init() {
	caddy.RegisterModule(HTTPSender{})
}

// HTTPSender sends messages over the HTTP interface of a gateway for text
// messages, or of any other service. In the values of header, query, form and json
// stand {user}, {password} and {from} for those options, {env.NAME} and {file./path} for
// what is kept outside of the configuration; in query, form and json also {to}, {to_digits}, {text},
// {subject}, {language} and {sms_coding} for the message.
type HTTPSender struct {
	// Fills in what is left out here: twilio or kannel.
	Preset string `json:"preset,omitempty"`

	// An https URL, or an http one with an address of this machine or a private
	// network.
	URL string `json:"url,omitempty"`

	// GET, POST or PUT. Default: GET, and POST with form or json.
	Method string `json:"method,omitempty"`

	// The gate's account there. Without a preset this is basic authentication.
	// Placeholders such as {env.SMS_PASSWORD} keep the password out of the
	// configuration.
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`

	// What messages come from: a number or a name.
	From string `json:"from,omitempty"`

	Header map[string]string `json:"header,omitempty"`
	Query  map[string]string `json:"query,omitempty"`
	Form   map[string]string `json:"form,omitempty"`

	// A JSON document.
	JSON string `json:"json,omitempty"`

	// What it brings messages to: phone or email. Default: phone.
	Reaches string `json:"reaches,omitempty"`

	// How long the service may take, 1s to 1m. Default: 15s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// Statuses of a message that was taken. Default: 200 to 299.
	Success []int `json:"success,omitempty"`

	// A regular expression that the answer must match as well.
	SuccessBody string `json:"success_body,omitempty"`

	// Answers that say that the address is bad, so that trying again is of no use.
	Undeliverable []httpsender.Rule `json:"undeliverable,omitempty"`

	// A regular expression whose first group is the number of an error, for the log.
	ErrorCode string `json:"error_code,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (HTTPSender) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "mfa.senders.http",
		New: func() caddy.Module { return new(HTTPSender) },
	}
}

// Reach implements Reacher.
func (s *HTTPSender) Reach() string {
	if s.Reaches == "" {
		return ReachPhone
	}
	return s.Reaches
}

// Validate checks what can be checked without the placeholders.
func (s *HTTPSender) Validate() error {
	if s.Reach() != ReachPhone && s.Reach() != ReachEmail {
		return fmt.Errorf("reaches %q: want phone or email", s.Reaches)
	}
	_, err := httpsender.New(s.config(), func(name string) (string, error) {
		if !outside(name) {
			return "", errUnknownName
		}
		return "x", nil
	})
	return err
}

// Sender implements SenderProvider.
func (s *HTTPSender) Sender() (mfagate.Sender, error) {
	repl := caddy.NewReplacer()
	return httpsender.New(s.config(), func(name string) (string, error) {
		if !outside(name) {
			return "", errUnknownName
		}
		value, err := repl.ReplaceOrErr("{"+name+"}", true, true)
		// A file ends with a line break that is none of the password's.
		return strings.TrimRight(value, "\r\n"), err
	})
}

var errUnknownName = errors.New("want {env.NAME}, {file./path}, {user}, {password}, {from}, or of the message {to}, {to_digits}, {text}, {subject}, {language}, {sms_coding}")

// outside tells whether a placeholder is kept outside of the configuration.
func outside(name string) bool {
	return strings.HasPrefix(name, "env.") || strings.HasPrefix(name, "file.")
}

func (s *HTTPSender) config() httpsender.Config {
	return httpsender.Config{
		Preset: s.Preset, URL: s.URL, Method: s.Method, User: s.User, Password: s.Password, From: s.From,
		Basic:  s.Preset == "" && s.User+s.Password != "" && !s.names("{user}") && !s.names("{password}"),
		Header: s.Header, Query: s.Query, Form: s.Form, JSON: s.JSON, Timeout: time.Duration(s.Timeout),
		Success: s.Success, SuccessBody: s.SuccessBody, Undeliverable: s.Undeliverable, ErrorCode: s.ErrorCode,
	}
}

// names tells whether a field has a placeholder.
func (s *HTTPSender) names(placeholder string) bool {
	if strings.Contains(s.URL+s.JSON, placeholder) {
		return true
	}
	for _, fields := range []map[string]string{s.Header, s.Query, s.Form} {
		for _, value := range fields {
			if strings.Contains(value, placeholder) {
				return true
			}
		}
	}
	return false
}

// UnmarshalCaddyfile sets up s from Caddyfile tokens. Syntax:
//
//	sender http [<url>] {
//	    preset         twilio|kannel
//	    method         GET|POST|PUT
//	    user           <name>
//	    password       <password>
//	    from           <number or name>
//	    header         <name> <value>
//	    query          <name> <value>
//	    form           <name> <value>
//	    json           <document>
//	    reaches        phone|email
//	    timeout        <duration>
//	    success        <statuses...>
//	    success_body   <regexp>
//	    undeliverable  <status> [<regexp>]
//	    error_code     <regexp>
//	}
func (s *HTTPSender) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume module name
	if d.NextArg() {
		s.URL = d.Val()
	}
	if d.NextArg() {
		return d.Errf("sender http: unexpected value %q", d.Val())
	}
	err := options{
		"preset":        choice(&s.Preset, httpsender.Presets()...),
		"method":        choice(&s.Method, http.MethodGet, http.MethodPost, http.MethodPut),
		"user":          text(&s.User, "the name of the gate's account there"),
		"password":      text(&s.Password, "a password, or where it is, such as {env.SMS_PASSWORD}"),
		"from":          text(&s.From, "a number or name, such as +4930123456"),
		"header":        pairs(&s.Header),
		"query":         pairs(&s.Query),
		"form":          pairs(&s.Form),
		"json":          text(&s.JSON, "a JSON document in backquotes, such as `{\"to\": \"{to}\", \"text\": \"{text}\"}`"),
		"reaches":       choice(&s.Reaches, ReachPhone, ReachEmail),
		"timeout":       duration(&s.Timeout, time.Second, httpsender.MaxTimeout, "15s"),
		"success":       {parse: s.parseSuccess},
		"success_body":  text(&s.SuccessBody, "a regular expression"),
		"undeliverable": {parse: s.parseUndeliverable, many: true},
		"error_code":    text(&s.ErrorCode, "a regular expression with a group"),
	}.parse(d, guests{})
	if err != nil {
		return err
	}
	if err := s.Validate(); err != nil {
		return d.Errf("sender http: %v", err)
	}
	return nil
}

// pairs takes a name and a value, several times.
func pairs(to *map[string]string) option {
	return option{many: true, parse: func(d *caddyfile.Dispenser) error {
		option := d.Val()
		var name, value string
		if !d.Args(&name, &value) || name == "" {
			return d.Errf("%s: want a name and a value", option)
		}
		if _, twice := (*to)[name]; twice {
			return d.Errf("%s %s is given twice", option, name)
		}
		if *to == nil {
			*to = make(map[string]string)
		}
		(*to)[name] = value
		return nil
	}}
}

func (s *HTTPSender) parseSuccess(d *caddyfile.Dispenser) error {
	for d.NextArg() {
		status, err := strconv.Atoi(d.Val())
		if err != nil {
			return d.Errf("success %q: want statuses, such as 200 202", d.Val())
		}
		s.Success = append(s.Success, status)
	}
	if s.Success == nil {
		return d.Errf("success: want statuses, such as 200 202")
	}
	return nil
}

func (s *HTTPSender) parseUndeliverable(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 1 || len(args) > 2 {
		return d.Errf("undeliverable: want a status and perhaps a regular expression, such as: undeliverable 400 \"invalid number\"")
	}
	status, err := strconv.Atoi(args[0])
	if err != nil {
		return d.Errf("undeliverable %q: want a status, such as 400", args[0])
	}
	rule := httpsender.Rule{Status: status}
	if len(args) == 2 {
		rule.Body = args[1]
	}
	s.Undeliverable = append(s.Undeliverable, rule)
	return nil
}

// Interface guards
var (
	_ caddy.Validator       = (*HTTPSender)(nil)
	_ caddyfile.Unmarshaler = (*HTTPSender)(nil)
	_ SenderProvider        = (*HTTPSender)(nil)
	_ Reacher               = (*HTTPSender)(nil)
)
