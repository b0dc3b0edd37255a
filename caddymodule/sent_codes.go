package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/outofband"
)

// A CodeProvider is a FactorProvider whose factor sends codes.
type CodeProvider interface {
	FactorProvider

	// Sends returns the name of the sender to use, empty if the only one will do,
	// and what it must reach.
	Sends() (sender, reach string)

	// SendBy is called once, before the first code is sent.
	SendBy(mfagate.Sender)
}

// SentCodes are the options of all factors that send codes.
type SentCodes struct {
	// The sender of the codes, such as http. Needed only if several would do.
	Sender string `json:"sender,omitempty"`

	// People can enrol only the number or address that their first factor tells.
	// Default: any that they can read a code from.
	OnlyKnown bool `json:"only_known,omitempty"`

	// How many codes are sent within a day: to one user (1 to 100, default 10; half
	// as many more to browsers that have proved a factor before), to one number or
	// address (1 to 1000, default 20), and in all (1 to 1000000, default 1000).
	PerUser    int `json:"per_user,omitempty"`
	PerAddress int `json:"per_address,omitempty"`
	PerDay     int `json:"per_day,omitempty"`

	by *lateSender
}

// The highest limits.
const mostPerUser, mostPerAddress, mostPerDay = 100, 1000, 1_000_000

func (s *SentCodes) options() options {
	return options{
		"sender":      text(&s.Sender, "the name of a sender, such as http"),
		"only_known":  toggle(&s.OnlyKnown),
		"per_user":    number(&s.PerUser, 1, mostPerUser),
		"per_address": number(&s.PerAddress, 1, mostPerAddress),
		"per_day":     number(&s.PerDay, 1, mostPerDay),
	}
}

func (s *SentCodes) factor(c outofband.Channel) (mfagate.Factor, error) {
	for _, limit := range []struct {
		name      string
		has, most int
	}{{"per_user", s.PerUser, mostPerUser}, {"per_address", s.PerAddress, mostPerAddress}, {"per_day", s.PerDay, mostPerDay}} {
		if limit.has < 0 || limit.has > limit.most {
			return nil, fmt.Errorf("%s %d: want a number from 1 to %d", limit.name, limit.has, limit.most)
		}
	}
	s.by = new(lateSender)
	return outofband.Factor{
		Channel: c, By: s.by, OnlyKnown: s.OnlyKnown,
		Limits: mfagate.Limits{User: s.PerUser, Address: s.PerAddress, All: s.PerDay},
	}, nil
}

// SendBy implements CodeProvider.
func (s *SentCodes) SendBy(by mfagate.Sender) { s.by.Sender = by }

// A lateSender becomes a sender when the app starts: factors are made before, when
// what a placeholder stands for may be missing still.
type lateSender struct{ mfagate.Sender }

// checkCodes refuses factors that send codes and cannot, or that are all there is:
// people must be offered something better (NIST SP 800-63B-4 section 3.2.9).
func (a *App) checkCodes() error {
	for _, p := range a.codes {
		name, reach := p.Sends()
		if _, err := a.provider(name, reach); err != nil {
			return fmt.Errorf("factor %s: %w", p.(caddy.Module).CaddyModule().ID.Name(), err)
		}
	}
	if len(a.codes) > 0 && len(a.codes) == len(a.factors) {
		return errors.New("codes that are sent are weaker than other factors, and people must be offered a better one too; write: factor totp")
	}
	return nil
}

func (a *App) sendCodesTo(reach string) bool {
	return slices.ContainsFunc(a.codes, func(p CodeProvider) bool {
		_, wants := p.Sends()
		return wants == reach
	})
}

// openCodes hands the factors their senders.
func (a *App) openCodes() error {
	for _, p := range a.codes {
		s, err := a.sender(p.Sends())
		if err != nil {
			return err
		}
		p.SendBy(s)
	}
	return nil
}

// logDailyLimits tells what the operator's bill is bounded by.
func (a *App) logDailyLimits() {
	for _, f := range a.factors {
		if o, ok := f.(outofband.Factor); ok {
			a.logger.Info("codes are sent", "factor", f.Name(), "at_most_per_day", cmp.Or(o.Limits.All, outofband.DefaultLimits.All))
		}
	}
}
