package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

func init() {
	caddy.RegisterModule(PlaceholderSource{})
}

// PlaceholderSource takes the user from a placeholder that a first factor sets.
type PlaceholderSource struct {
	// The placeholder that names the user. Default: {http.auth.user.id}, as
	// basic_auth and other authentication modules set it.
	User string `json:"user,omitempty"`

	// Placeholders for the user's e-mail address and phone number. Optional.
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`

	// The placeholder for the groups that the user is in: names with commas between
	// them or, if there is no comma, with spaces. Optional.
	Groups string `json:"groups,omitempty"`

	// The networks whose word is taken if a placeholder is a header of the
	// request: those of the proxies that are directly in front. From everybody
	// else the header is removed.
	HeaderFrom []string `json:"header_from,omitempty"`

	user, email, phone, groups placeholder
	trusted                    []netip.Prefix
}

// CaddyModule returns the Caddy module information.
func (PlaceholderSource) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "mfa.identity.user",
		New: func() caddy.Module { return new(PlaceholderSource) },
	}
}

// Provision sets up s.
func (s *PlaceholderSource) Provision(caddy.Context) (err error) {
	if s.User == "" {
		s.User = "{http.auth.user.id}"
	}
	if s.trusted, err = parseRanges(s.HeaderFrom); err != nil {
		return fmt.Errorf("header_from: %w", err)
	}
	for _, p := range s.placeholders() {
		if p.text == "" {
			continue
		}
		if *p.to, err = parsePlaceholder(p.text); err != nil {
			return fmt.Errorf("%s: %w", p.option, err)
		}
	}
	return nil
}

type placeholderOption struct {
	option, text string
	to           *placeholder
}

func (s *PlaceholderSource) placeholders() []placeholderOption {
	return []placeholderOption{
		{"user", s.User, &s.user},
		{"email", s.Email, &s.email},
		{"phone", s.Phone, &s.phone},
		{"groups", s.Groups, &s.groups},
	}
}

// Validate checks that no header is believed without saying from whom.
func (s *PlaceholderSource) Validate() error {
	headers := s.headers()
	if len(headers) > 0 && len(s.trusted) == 0 {
		return fmt.Errorf("anybody can send the header %s; name the proxies that set it, such as: header_from 10.0.0.5", headers[0])
	}
	if len(headers) == 0 && len(s.trusted) > 0 {
		return errors.New("header_from: no placeholder here is a header of the request")
	}
	return nil
}

// headers returns the headers of the request that s reads.
func (s *PlaceholderSource) headers() []string {
	var names []string
	for _, p := range s.placeholders() {
		if p.to.header != "" {
			names = append(names, p.to.header)
		}
	}
	return names
}

// Identify implements mfagate.Source.
func (s *PlaceholderSource) Identify(r *http.Request) (mfagate.Identity, error) {
	var id mfagate.Identity
	var err error
	if id.Name, err = s.user.value(r); err != nil {
		return mfagate.Identity{}, err
	}
	if id.Name == "" {
		return mfagate.Identity{}, mfagate.ErrNoIdentity
	}
	if id.Email, err = s.contact(s.email, r); err != nil {
		return mfagate.Identity{}, err
	}
	if id.Phone, err = s.contact(s.phone, r); err != nil {
		return mfagate.Identity{}, err
	}
	if s.Groups != "" {
		if id.Groups, err = s.groups.list(r); err != nil {
			return mfagate.Identity{}, err
		}
	}
	return id, nil
}

func (s *PlaceholderSource) contact(p placeholder, r *http.Request) (string, error) {
	if p.key == "" {
		return "", nil
	}
	return p.value(r)
}

// UnmarshalCaddyfile sets up s from Caddyfile tokens. Syntax:
//
//	user <placeholder>
//
// The options email, phone, groups and header_from stand beside it; see parseHandler.
func (s *PlaceholderSource) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume module name
	return placeholderText(&s.User).parse(d)
}

// placeholderText takes a placeholder and refuses at once what Provision would.
func placeholderText(to *string) option {
	return option{parse: func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if !d.NextArg() {
			return d.Errf("%s: want one placeholder, such as {http.auth.user.id}", name)
		}
		if _, err := parsePlaceholder(d.Val()); err != nil {
			return d.Errf("%s: %v", name, err)
		}
		*to = d.Val()
		return nil
	}}
}

// Interface guards
var (
	_ caddy.Provisioner     = (*PlaceholderSource)(nil)
	_ caddy.Validator       = (*PlaceholderSource)(nil)
	_ caddyfile.Unmarshaler = (*PlaceholderSource)(nil)
	_ mfagate.Source        = (*PlaceholderSource)(nil)
)
