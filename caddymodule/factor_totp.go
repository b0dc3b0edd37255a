package caddymodule

import (
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

func init() {
	caddy.RegisterModule(TOTP{})
}

// TOTP lets people enrol authenticator apps (RFC 6238). What it says of codes
// holds for new enrolments; the others keep theirs.
type TOTP struct {
	// The digits of a code: 6 or 8. Default: 6.
	Digits int `json:"digits,omitempty"`

	// SHA1, SHA256 or SHA512. Many apps silently use SHA1 whatever they are
	// told. Default: SHA1.
	Algorithm string `json:"algorithm,omitempty"`

	// How long a code lasts: 15s to 2m. Default: 30s.
	Period caddy.Duration `json:"period,omitempty"`

	// The apps that the enrolment page recommends. Default: a list of well-known
	// ones. An empty list recommends none.
	Apps *[]totp.App `json:"apps,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (TOTP) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "mfa.factors.totp",
		New: func() caddy.Module { return new(TOTP) },
	}
}

// Factor implements FactorProvider.
func (t *TOTP) Factor(profile string) (mfagate.Factor, error) {
	f := totp.Factor{
		Digits:    t.Digits,
		Algorithm: totp.Algorithm(t.Algorithm),
		Period:    time.Duration(t.Period),
		Strict:    profile == profileNIST,
	}
	if t.Apps != nil {
		f.Apps = append([]totp.App{}, *t.Apps...)
	}
	return f, f.Validate()
}

// UnmarshalCaddyfile sets up t from Caddyfile tokens. Syntax:
//
//	factor totp {
//	    digits     6|8
//	    algorithm  SHA1|SHA256|SHA512
//	    period     <duration>
//	    apps       off|<names of well-known apps...>
//	    app        <name> {
//	        ios      <url>
//	        android  <url>
//	        web      <url>
//	    }
//	}
func (t *TOTP) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume module name
	if d.NextArg() {
		return d.Errf("factor totp: unexpected value %q", d.Val())
	}
	var digits string
	err := options{
		"digits":    choice(&digits, "6", "8"),
		"algorithm": choice(&t.Algorithm, "SHA1", "SHA256", "SHA512"),
		"period":    duration(&t.Period, 15*time.Second, 2*time.Minute, "30s"),
		"apps":      {parse: t.parseApps},
		"app":       {parse: t.parseApp, many: true},
	}.parse(d, guests{})
	if err != nil {
		return err
	}
	if digits != "" {
		t.Digits, err = strconv.Atoi(digits)
	}
	return err
}

func (t *TOTP) addApps(apps ...totp.App) {
	if t.Apps == nil {
		t.Apps = new([]totp.App)
	}
	*t.Apps = append(*t.Apps, apps...)
}

func (t *TOTP) parseApps(d *caddyfile.Dispenser) error {
	names := d.RemainingArgs()
	if len(names) == 0 {
		return d.Errf("apps: want off, or some of: %s", wellKnown())
	}
	if len(names) == 1 && names[0] == "off" {
		t.addApps()
		return nil
	}
	for _, name := range names {
		app, ok := wellKnownApp(name)
		if !ok {
			return d.Errf("apps: %q is not well known here; want some of: %s; or describe it: app %q { ios <url> }", name, wellKnown(), name)
		}
		t.addApps(app)
	}
	return nil
}

func wellKnownApp(name string) (totp.App, bool) {
	for _, app := range totp.DefaultApps() {
		if strings.EqualFold(app.Name, name) {
			return app, true
		}
	}
	return totp.App{}, false
}

func wellKnown() string {
	var names []string
	for _, app := range totp.DefaultApps() {
		names = append(names, strconv.Quote(app.Name))
	}
	return strings.Join(names, ", ")
}

func (t *TOTP) parseApp(d *caddyfile.Dispenser) error {
	var app totp.App
	if !d.NextArg() {
		return d.Errf("app: want its name and a block with ios, android or web")
	}
	app.Name = d.Val()
	err := options{
		"ios":     text(&app.IOS, "an https link"),
		"android": text(&app.Android, "an https link"),
		"web":     text(&app.Web, "an https link"),
	}.parse(d, guests{})
	if err != nil {
		return err
	}
	if err := (totp.Factor{Apps: []totp.App{app}}).Validate(); err != nil {
		return d.Errf("%v", err)
	}
	t.addApps(app)
	return nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*TOTP)(nil)
	_ FactorProvider        = (*TOTP)(nil)
)
