// Package totp is the factor "authenticator app": time-based one-time passwords
// as of RFC 6238.
//
// A code is good for one use over the whole history of a credential. Which
// steps of time were used is part of the credential's Data, and the gate swaps
// that in before it answers. The package never reads a clock: [mfagate.Call]
// says what time it is.
package totp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// Name is the name of the factor.
const Name = "totp"

// An Algorithm is the hash of RFC 6238 section 1.2.
type Algorithm string

// The algorithms. Many apps silently use SHA1 whatever they are told, so that
// the others are for closed fleets of devices.
const (
	SHA1   Algorithm = "SHA1"
	SHA256 Algorithm = "SHA256"
	SHA512 Algorithm = "SHA512"
)

// A Factor is the configuration of the factor; it implements [mfagate.Factor].
// The zero value is the safe default, which every authenticator app
// understands. Digits, Algorithm and Period hold for new credentials; each
// credential keeps those that it was enrolled with.
//
// A Factor is safe for concurrent use as long as nobody changes it.
type Factor struct {
	Digits    int           // 6 or 8; zero means 6
	Algorithm Algorithm     // empty means SHA1
	Period    time.Duration // of a code; whole seconds from 15 s to 2 min; zero means 30 s

	// Strict accepts the codes of the previous and the present step only, and
	// not that of the next one. All are counted from the drift of the
	// credential's clock, which is at most one step.
	Strict bool

	// Apps are those that the enrolment page recommends. nil means
	// [DefaultApps]; empty but not nil means none.
	Apps []App
}

// Validate says what is wrong with f, and what would do instead.
func (f Factor) Validate() error {
	errs := []error{f.newKey(nil).checkShape()}
	if f.Period%time.Second != 0 {
		errs = append(errs, fmt.Errorf("totp: period %v is not in whole seconds", f.Period))
	}
	for _, a := range f.Apps {
		errs = append(errs, a.validate())
	}
	return errors.Join(errs...)
}

// Name returns "totp".
func (Factor) Name() string { return Name }

// BeginEnrol makes a seed of 160 bits, as RFC 4226 section 4 (R6) recommends.
// The seed is in Step.State; Step.View is a [View]. An enrolment that is open goes
// on with its seed.
func (f Factor) BeginEnrol(ctx context.Context, c mfagate.Call, u mfagate.User, prior []byte, _ url.Values) (mfagate.Step, error) {
	if prior != nil {
		view, err := f.View(ctx, c, u, prior)
		return mfagate.Step{State: prior, View: view}, err
	}
	if err := f.Validate(); err != nil {
		return mfagate.Step{}, err
	}
	seed, err := newSeed()
	if err != nil {
		return mfagate.Step{}, fmt.Errorf("totp: making a seed: %w", err)
	}
	state, err := encode(enrolment{V: version, Subject: u.Subject, key: f.newKey(seed)})
	if err != nil {
		return mfagate.Step{}, err
	}
	view, err := f.View(ctx, c, u, state)
	return mfagate.Step{State: state, View: view}, err
}

// View returns the [View] of an enrolment that was begun, always with the same
// secret.
func (f Factor) View(_ context.Context, c mfagate.Call, u mfagate.User, state []byte) (any, error) {
	e, err := openEnrolment(state, u)
	if err != nil {
		return nil, err
	}
	issuer := u.Issuer
	if issuer == "" {
		issuer = c.Host
	}
	return f.view(e.key, issuer, u.Name)
}

// Codes up to two steps off are good for enrolment: this is the one moment at
// which the seed is known to be in the right hands, and whose clock is off by
// more could not sign in later.
const enrolReach = 2

// FinishEnrol takes the fields "code", exactly once, and "label", which may be
// missing. The code's step is marked as used, so that the same code does not
// also sign in.
func (f Factor) FinishEnrol(_ context.Context, c mfagate.Call, u mfagate.User, state []byte, answer url.Values) (mfagate.Credential, error) {
	e, err := openEnrolment(state, u)
	if err != nil {
		return mfagate.Credential{}, err
	}
	code, err := parse(answer)
	if err != nil {
		return mfagate.Credential{}, err
	}
	now, err := e.stepAt(c.Now)
	if err != nil {
		return mfagate.Credential{}, err
	}
	step, err := e.match(code, window{now - enrolReach, now + enrolReach}, nil)
	if err != nil {
		return mfagate.Credential{}, err
	}
	r := record{V: version, key: e.key, Drift: firstDrift(step - now), Spent: spent{}.add(step)}
	data, err := encode(r)
	if err != nil {
		return mfagate.Credential{}, err
	}
	return mfagate.Credential{Factor: Name, Label: label(answer), Data: data, Created: c.Now}, nil
}

// BeginVerify has nothing to prepare: the device makes its codes unasked.
func (Factor) BeginVerify(context.Context, mfagate.Call, mfagate.User, []byte, url.Values) (mfagate.Step, error) {
	return mfagate.Step{}, nil
}
