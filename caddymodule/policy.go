package caddymodule

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// modes are those of a Caddyfile. Where none is written, administrators choose.
var modes = map[string]mfagate.Mode{
	"": mfagate.Required, "required": mfagate.Required, "optional": mfagate.Optional, "observe": mfagate.Observe,
}

func (o *SiteOptions) checkMode() error {
	if _, ok := modes[o.Mode]; !ok {
		return fmt.Errorf("mode %q: want required, optional or observe", o.Mode)
	}
	if _, err := o.grace(); err != nil {
		return err
	}
	if _, err := o.remind(); err != nil {
		return err
	}
	if _, ok := confirms[o.Confirm]; !ok {
		return fmt.Errorf("confirm %q: want password, factor, both or none", o.Confirm)
	}
	return nil
}

// confirms are what switching off can ask for.
var confirms = map[string]mfagate.Confirm{
	"": mfagate.ConfirmUsual, "password": mfagate.ConfirmPassword, "factor": mfagate.ConfirmFactor,
	"both": mfagate.ConfirmBoth, "none": mfagate.ConfirmNone,
}

// Bounds of how long a grace and the time between two reminders may be.
const (
	leastGrace, mostGrace   = time.Hour, 366 * 24 * time.Hour
	leastRemind, mostRemind = time.Hour, 366 * 24 * time.Hour
)

// grace reads a date, whose day is the last, or a duration.
func (o *SiteOptions) grace() (mfagate.Grace, error) {
	if o.Grace == "" {
		return mfagate.Grace{}, nil
	}
	if last, err := time.Parse(time.DateOnly, o.Grace); err == nil {
		return mfagate.Grace{Until: last.AddDate(0, 0, 1)}, nil
	}
	d, err := caddy.ParseDuration(o.Grace)
	if err != nil || d < leastGrace || d > mostGrace {
		return mfagate.Grace{}, fmt.Errorf("grace %q: want a date such as 2026-12-24, the last day without, or a duration of 1h to 366d, such as 14d", o.Grace)
	}
	return mfagate.Grace{For: d}, nil
}

// remind reads how often people are reminded; less than zero means never.
func (o *SiteOptions) remind() (time.Duration, error) {
	switch o.Remind {
	case "":
		return 0, nil
	case "off":
		return -1, nil
	}
	d, err := caddy.ParseDuration(o.Remind)
	if err != nil || d < leastRemind || d > mostRemind {
		return 0, fmt.Errorf("remind %q: want off, or a duration of 1h to 366d, such as 7d", o.Remind)
	}
	return d, nil
}

// checked takes one value, which check must find good.
func checked(to *string, what string, check func() error) option {
	return option{parse: func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if !d.NextArg() {
			return d.Errf("%s: want %s", name, what)
		}
		*to = d.Val()
		if err := check(); err != nil {
			return d.Errf("%v", err)
		}
		return nil
	}}
}

// policyOptions are those of a Caddyfile that say who needs a second factor.
func (o *SiteOptions) policyOptions() options {
	return options{
		"mode":    oneOf(&o.Mode, "required", "optional", "observe"),
		"grace":   checked(&o.Grace, "a date such as 2026-12-24, or a duration such as 14d", func() error { _, err := o.grace(); return err }),
		"remind":  checked(&o.Remind, "off, or a duration such as 7d", func() error { _, err := o.remind(); return err }),
		"confirm": oneOf(&o.Confirm, "password", "factor", "both", "none"),
		"exempt":  words(&o.Exempt, "names of users, and of groups such as @robots"),
	}
}

// policy fills in what the gate must know of who needs a factor on a site. The
// caller holds the lock.
func (all *sites) policy(s *site, realm string, to *mfagate.Site) (err error) {
	to.Mode, to.ModeStored = modes[s.options.Mode], s.options.Mode == ""
	for _, other := range all.byName {
		if other == s || other.realm != realm {
			continue
		}
		to.StoredElsewhere = to.StoredElsewhere || other.options.Mode == ""
		to.RequiredElsewhere = to.RequiredElsewhere || other.options.Mode == "required"
	}
	to.Exempt, to.Confirm = s.options.Exempt, confirms[s.options.Confirm]
	if to.Grace, err = s.options.grace(); err != nil {
		return err
	}
	to.RemindEvery, err = s.options.remind()
	return err
}

// logLeaves says who passes without a second factor, and until when.
func (all *sites) logLeaves(logger *slog.Logger, now time.Time) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(all.byName)) {
		o := all.byName[name].options
		if len(o.Exempt) > 0 {
			logger.Info("these need no second factor, for as long as they have none", "site", name, "exempt", strings.Join(o.Exempt, " "))
		}
		grace, err := o.grace() // was validated
		switch {
		case err != nil || grace == mfagate.Grace{}:
		case grace.For > 0:
			logger.Info("people without a second factor pass for a while after their first visit", "site", name, "grace", o.Grace)
		case now.Before(grace.Until):
			logger.Info("people without a second factor pass for now", "site", name, "until", grace.Until)
		default:
			logger.Info("the grace is over", "site", name, "grace", o.Grace)
		}
	}
}

// A sitePolicy is what a site says of who needs a second factor.
type sitePolicy struct {
	Site   string   `json:"site"`
	Mode   string   `json:"mode,omitempty"` // as written; empty means that the realm's stored one counts
	Grace  string   `json:"grace,omitempty"`
	Exempt []string `json:"exempt,omitempty"`
}

// policies lists what the sites of a realm say, in order of their names.
func (all *sites) policies(realm string) []sitePolicy {
	all.mu.Lock()
	defer all.mu.Unlock()
	list := []sitePolicy{}
	for _, name := range slices.Sorted(maps.Keys(all.byName)) {
		if s := all.byName[name]; s.realm == realm {
			list = append(list, sitePolicy{name, s.options.Mode, s.options.Grace, s.options.Exempt})
		}
	}
	return list
}

// requires tells whether a site of the realm requires a second factor, and whether
// one takes that from what is stored.
func (all *sites) requires(realm string) (written, stored bool) {
	for _, s := range all.policies(realm) {
		written, stored = written || s.Mode == "required", stored || s.Mode == ""
	}
	return written, stored
}
