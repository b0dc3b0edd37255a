package caddymodule

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/email"
)

func init() {
	caddy.RegisterModule(Email{})
}

// Email lets people enrol mailboxes that codes are sent to.
type Email struct {
	SentCodes

	// The domains whose addresses are allowed, without their subdomains. Default:
	// all.
	Domains []string `json:"domains,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Email) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "mfa.factors.email",
		New: func() caddy.Module { return new(Email) },
	}
}

// Factor implements FactorProvider.
func (e *Email) Factor(profile string) (mfagate.Factor, error) {
	if profile == profileNIST {
		return nil, errors.New("profile nist does not allow codes by e-mail, as SP 800-63B section 3.1.3.1 wants")
	}
	var domains []string
	for _, domain := range e.Domains {
		domain = strings.ToLower(domain)
		if _, err := (email.Addresses{}).Clean("user@" + domain); err != nil {
			return nil, fmt.Errorf("domain %q: want one such as example.com", domain)
		}
		domains = append(domains, domain)
	}
	return e.factor(email.Addresses{Domains: domains})
}

// Sends implements CodeProvider.
func (e *Email) Sends() (sender, reach string) { return e.Sender, ReachEmail }

// UnmarshalCaddyfile sets up e from Caddyfile tokens. Syntax:
//
//	factor email {
//	    domains      <names...>
//	    sender       <name>
//	    only_known
//	    per_user     <number>
//	    per_address  <number>
//	    per_day      <number>
//	}
func (e *Email) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume module name
	if d.NextArg() {
		return d.Errf("factor email: unexpected value %q", d.Val())
	}
	o := e.options()
	o["domains"] = words(&e.Domains, "domains, such as example.com")
	if err := o.parse(d, guests{}); err != nil {
		return err
	}
	if _, err := e.Factor(""); err != nil {
		return d.Errf("factor email: %v", err)
	}
	return nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Email)(nil)
	_ CodeProvider          = (*Email)(nil)
)
