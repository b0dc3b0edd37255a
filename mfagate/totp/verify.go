package totp

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// A window is the range of steps whose codes are good, both ends included.
type window struct{ low, high int64 }

// echo is how many steps before the window are still looked at: digits that
// were used there must not come back to life because a later step happens to
// have the same ones, as one pair of neighbours in a million has.
const echo = 4

// Unprompted tells that codes need no preparation: see [mfagate.Unprompted].
func (Factor) Unprompted() {}

// FinishVerify takes the field "code", exactly once, and compares it with the
// codes of all of the user's authenticator apps. An answer that was right once
// already gives an error wrapping [mfagate.ErrReplayed].
//
// A credential whose Data cannot be read never verifies. As long as the user
// has another one, a wrong answer counts as wrong all the same, else the broken
// one would lend an attacker any number of tries at the good one.
func (f Factor) FinishVerify(_ context.Context, c mfagate.Call, u mfagate.User, _ []byte, answer url.Values) (mfagate.Credential, error) {
	code, err := parse(answer)
	if err != nil {
		return mfagate.Credential{}, err
	}
	var proofs []mfagate.Credential
	var failures []error
	for _, cred := range u.Credentials {
		if cred.Factor != Name {
			continue
		}
		if cred, err = f.prove(c.Now, cred, code); err != nil {
			failures = append(failures, err)
		} else {
			proofs = append(proofs, cred)
		}
	}
	if len(proofs) > 0 {
		return proofs[0], nil
	}
	if len(failures) == 0 {
		return mfagate.Credential{}, fmt.Errorf("totp: nothing enrolled: %w", mfagate.ErrRejected)
	}
	return mfagate.Credential{}, failed(failures)
}

// failed joins what the credentials of a user said. That an answer has the wrong
// shape, or was used, is for the person to hear only if it holds for the
// credential they mean, which is unknown: the more telling one wins.
func failed(errs []error) error {
	var shape, rest []error
	for _, err := range errs {
		if errors.Is(err, mfagate.ErrShape) {
			shape = append(shape, err)
		} else {
			rest = append(rest, err)
		}
	}
	if len(rest) == 0 {
		return shape[0]
	}
	if len(shape) > 0 {
		rest = append(rest, mfagate.ErrRejected)
	}
	return errors.Join(rest...)
}

// prove returns cred as it must be after code proved it.
func (f Factor) prove(at time.Time, cred mfagate.Credential, code string) (mfagate.Credential, error) {
	r, err := openRecord(cred.Data)
	if err != nil {
		return cred, fmt.Errorf("credential %s: %w", cred.ID, err)
	}
	now, err := r.stepAt(at)
	if err != nil {
		return cred, err
	}
	w := f.window(now + int64(r.Drift))
	step, err := r.match(code, w, r.Spent)
	if err != nil {
		return cred, err
	}
	r.learn(step, w, f.Strict)
	r.Spent = r.Spent.add(step)
	cred.Used = at
	cred.Data, err = encode(r)
	return cred, err
}

func (f Factor) window(middle int64) window {
	if f.Strict {
		return window{middle - 1, middle}
	}
	return window{middle - 1, middle + 1}
}

// match returns the step of w whose code is the given one. All codes are made
// and compared, whatever the outcome of each, so that the time it takes tells
// nothing. Of two steps with the same code it is the later one: then neither is
// left to be used again.
func (k key) match(code string, w window, used spent) (int64, error) {
	if len(code) != k.Digits {
		return 0, fmt.Errorf("totp: %d digits instead of %d: %w", len(code), k.Digits, mfagate.ErrShape)
	}
	var found, replayed, at int
	for step := w.low - echo; step <= w.high; step++ {
		want, err := k.code(step)
		if err != nil {
			return 0, errors.New("totp: making a code failed")
		}
		same := subtle.ConstantTimeCompare([]byte(want), []byte(code))
		refused := bit(used.refuses(step))
		hit := same & bit(step >= w.low) & (1 - refused)
		replayed |= same & refused
		found |= hit
		at = subtle.ConstantTimeSelect(hit, int(step-w.low), at)
	}
	switch {
	case replayed == 1:
		return 0, fmt.Errorf("totp: %w", mfagate.ErrReplayed)
	case found == 0:
		return 0, fmt.Errorf("totp: no such code: %w", mfagate.ErrRejected)
	}
	return w.low + int64(at), nil
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
