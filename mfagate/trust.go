package mfagate

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// FactorTrusted is the factor of a [Decision] whose request passed because of a
// [Trust]. A policy that names factors may name it too.
const FactorTrusted = "trusted"

// Trust lets requests pass on the word of whoever named their user, such as an
// identity provider that has asked for a second factor itself. It holds for the
// very request and makes no session: for changes of factors and codes the gate
// asks for a proof of its own. The zero Trust trusts nobody.
type Trust struct {
	// Read tells how the user of a request signed in. It must come from the same
	// place as the user. An error means that it could not tell; nothing is
	// trusted then. nil trusts nobody.
	Read func(*http.Request) (Assurance, error)

	// Values are methods of which one must have been used, compared as they are
	// written.
	Values []string

	// MaxAge is how long ago the sign-in may have been; zero means any time. With
	// it, or with the policy's own, a sign-in whose time is not told counts
	// for nothing.
	MaxAge time.Duration
}

// An Assurance is what a first factor tells of how a user signed in there.
type Assurance struct {
	Methods []string  // such as those of RFC 8176
	At      time.Time // zero if it does not tell
}

// trustSkew is how far the clock of an identity provider may be ahead.
const trustSkew = 30 * time.Second

// trustNoted is how long one event tells that a user passes by trust at a site.
const trustNoted = time.Hour

// maxTrustNotes bounds what is remembered of such events.
const maxTrustNotes = 100_000

// validate says what is wrong with t beside p.
func (t Trust) validate(p Policy) error {
	named := p.Factors != nil && slices.Contains(p.Factors, FactorTrusted)
	switch {
	case t.Read == nil && named:
		return errors.New("mfagate: the policy names the factor trusted, and nothing says whom to trust")
	case t.Read == nil:
		return nil
	case len(t.Values) == 0:
		return errors.New("mfagate: trust needs the methods that are trusted")
	case t.MaxAge < 0:
		return fmt.Errorf("mfagate: max_age of trust is %v; it cannot be negative", t.MaxAge)
	case p.Factors != nil && !named:
		return errors.New("mfagate: trust has no effect, since the policy's factors do not name trusted")
	}
	return nil
}

// accepts tells whether a is what t and p ask for, and until when.
func (t Trust) accepts(a Assurance, p Policy, now time.Time) (until time.Time, ok bool) {
	if !slices.ContainsFunc(a.Methods, func(m string) bool { return slices.Contains(t.Values, m) }) {
		return until, false
	}
	if a.At.After(now.Add(trustSkew)) {
		return until, false
	}
	for _, age := range []time.Duration{t.MaxAge, p.MaxAge} {
		if age == 0 {
			continue
		}
		end := a.At.Add(age)
		if a.At.IsZero() || now.After(end) {
			return until, false
		}
		if until.IsZero() || end.Before(until) {
			until = end
		}
	}
	return until, true
}

// byTrust tells whether the request may pass on the word of its source. That it does must be
// noted before it does.
func (v *visit) byTrust() (at time.Time, ok bool) {
	if v.trust.Read == nil || !v.told {
		return at, false
	}
	a, err := v.trust.Read(v.r)
	if err != nil {
		v.gate.log.Debug("not trusted", "realm", v.Realm, "user", v.Name, "error", err)
		return at, false
	}
	until, ok := v.trust.accepts(a, v.policy, v.now)
	if !ok {
		return at, false
	}
	if v.until = v.now.Add(v.lifetime); !until.IsZero() && until.Before(v.until) {
		v.until = until
	}
	return a.At, true
}

// noteTrust records that the user passes without a proof of ours.
func (v *visit) noteTrust() error {
	r := v.gate.records
	note := trustNote{v.Subject, v.site.Name}
	if !r.trusted.due(note, v.now) {
		return nil
	}
	err := v.commit(func(t *txn) error {
		if !r.trusted.due(note, v.now) {
			return nil // another request was faster
		}
		e := v.event(EventTrusted)
		e.Factor = FactorTrusted
		t.event(e)
		return nil
	})
	if err != nil {
		return fmt.Errorf("recording that a request is trusted: %w", err)
	}
	r.trusted.recorded(note, v.now)
	return nil
}
