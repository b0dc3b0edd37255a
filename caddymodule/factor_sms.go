package caddymodule

import (
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/sms"
)

func init() {
	caddy.RegisterModule(SMS{})
}

// SMS lets people enrol mobile phones that codes are sent to by text message.
type SMS struct {
	SentCodes

	// The countries whose numbers are allowed, as ISO codes such as DE, or all. A
	// number without a country code is one of the first. Required: without it,
	// strangers make money with messages to far-away numbers.
	Countries []string `json:"countries"`
}

// CaddyModule returns the Caddy module information.
func (SMS) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "mfa.factors.sms",
		New: func() caddy.Module { return new(SMS) },
	}
}

// Factor implements FactorProvider.
func (s *SMS) Factor(string) (mfagate.Factor, error) {
	numbers := sms.Numbers{Countries: s.Countries}
	if err := numbers.Validate(); err != nil {
		return nil, err
	}
	return s.factor(numbers)
}

// Sends implements CodeProvider.
func (s *SMS) Sends() (sender, reach string) { return s.Sender, ReachPhone }

// UnmarshalCaddyfile sets up s from Caddyfile tokens. Syntax:
//
//	factor sms {
//	    countries    <codes...>|all
//	    sender       <name>
//	    only_known
//	    per_user     <number>
//	    per_address  <number>
//	    per_day      <number>
//	}
func (s *SMS) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume module name
	if d.NextArg() {
		return d.Errf("factor sms: unexpected value %q", d.Val())
	}
	o := s.options()
	o["countries"] = words(&s.Countries, "ISO codes of countries, such as DE AT CH, or all")
	if err := o.parse(d, guests{}); err != nil {
		return err
	}
	for i, country := range s.Countries {
		if !strings.EqualFold(country, sms.All) {
			s.Countries[i] = strings.ToUpper(country)
		}
	}
	if _, err := s.Factor(""); err != nil {
		return d.Errf("factor sms: %s", strings.TrimPrefix(err.Error(), "sms: "))
	}
	return nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*SMS)(nil)
	_ CodeProvider          = (*SMS)(nil)
)
