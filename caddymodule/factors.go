package caddymodule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/recovery"
)

// profileNIST is the profile that follows NIST SP 800-63B.
const profileNIST = "nist"

// A FactorProvider is a module in the namespace mfa.factors.
type FactorProvider interface {
	// Factor returns the factor as the module configures it, under the app's
	// profile, which may be empty. It is called once, by the app's Provision.
	Factor(profile string) (mfagate.Factor, error)
}

func (a *App) loadFactors(ctx caddy.Context) error {
	if len(a.FactorsRaw) == 0 {
		a.FactorsRaw = caddy.ModuleMap{"totp": []byte("{}")}
	}
	mods, err := ctx.LoadModule(a, "FactorsRaw")
	if err != nil {
		return fmt.Errorf("loading factors: %w", err)
	}
	byName := mods.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		provider, ok := byName[name].(FactorProvider)
		if !ok {
			return fmt.Errorf("factor %s: %T provides no factor", name, byName[name])
		}
		factor, err := provider.Factor(a.Profile)
		if err != nil {
			return fmt.Errorf("factor %s: %w", name, err)
		}
		a.factors = append(a.factors, factor)
		if p, ok := provider.(CodeProvider); ok {
			a.codes = append(a.codes, p)
		}
	}
	return nil
}

// checkFactors refuses names that no configured factor has.
func (a *App) checkFactors(names []string) error {
	var known []string
	for _, f := range a.factors {
		known = append(known, f.Name())
	}
	if a.recovery != nil {
		known = append(known, a.recovery.Name())
	}
	for _, name := range names {
		if !slices.Contains(known, name) && name != mfagate.FactorTrusted { // the gate knows whether anybody is
			return fmt.Errorf("factors: %q is not configured; known here: %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

// RecoveryCodes are the codes that let a person in who lost their device.
type RecoveryCodes struct {
	// There are none.
	Off bool `json:"off,omitempty"`

	// How many there are in a set: 4 to 20. Default: 10.
	Count int `json:"count,omitempty"`

	// Keep only hashes of the codes, so that a set cannot be shown again.
	Hashed bool `json:"hashed,omitempty"`

	// When a person gets them at the first enrolment: "after" the factor was turned
	// on; "before" it is enrolled; "confirm", where the factor is turned on once the
	// codes are saved. Default: after.
	Order string `json:"order,omitempty"`
}

var orders = map[string]mfagate.CodesOrder{
	"": mfagate.CodesAfter, "after": mfagate.CodesAfter, "before": mfagate.CodesBefore, "confirm": mfagate.CodesConfirm,
}

const leastCodes, mostCodes = 4, 20

func (a *App) loadRecovery(caddy.Context) error {
	var c RecoveryCodes
	if a.RecoveryCodes != nil {
		c = *a.RecoveryCodes
	}
	if c.Off {
		return nil
	}
	if c.Count != 0 && (c.Count < leastCodes || c.Count > mostCodes) {
		return fmt.Errorf("recovery_codes: count %d: want %d to %d", c.Count, leastCodes, mostCodes)
	}
	if _, ok := orders[c.Order]; !ok {
		return fmt.Errorf("recovery_codes: order %q: want before, after or confirm", c.Order)
	}
	a.recovery = recovery.Factor{Count: c.Count, Hashed: c.Hashed}
	return nil
}

// UnmarshalCaddyfile sets up c from Caddyfile tokens. Syntax:
//
//	recovery_codes off
//	recovery_codes {
//	    count  <number>
//	    hashed
//	    order  before|after|confirm
//	}
func (c *RecoveryCodes) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		if d.Val() != "off" {
			return d.Errf("recovery_codes %q: want off, or a block", d.Val())
		}
		c.Off = true
		return nil
	}
	return options{
		"count":  number(&c.Count, leastCodes, mostCodes),
		"hashed": toggle(&c.Hashed),
		"order":  oneOf(&c.Order, "before", "after", "confirm"),
	}.parse(d, guests{})
}
