// Package recovery is the factor "recovery codes": one-time codes on paper for
// the day on which the phone is lost (look-up secrets, NIST SP 800-63B 3.1.2).
package recovery

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// Name is the name of the factor.
const Name = "recovery"

const (
	defaultCount = 10
	maxCount     = 20
)

// ErrHashed reports that codes cannot be shown again, because only their hashes
// are stored.
var ErrHashed = errors.New("recovery: only hashes of the codes are stored")

// errGate says that the gate makes the set: there is nothing to enrol.
var errGate = errors.New("recovery: codes are issued by the gate, not enrolled")

// A Factor is the configuration of the factor; it implements
// [mfagate.Recovery]. The zero value is the default: ten codes, which the
// person may look at again. Both fields hold for new sets only.
//
// A Factor is safe for concurrent use as long as nobody changes it.
type Factor struct {
	Count int // of codes in a set, 1 to 20; zero means 10

	// Hashed stores Argon2id hashes in place of the codes, so that they are
	// shown once only, and not even the operator can learn them. A proof then
	// takes some 19 MiB of memory and tens of milliseconds of CPU.
	Hashed bool
}

// Validate says what is wrong with f, and what would do instead.
func (f Factor) Validate() error {
	if f.Count < 0 || f.Count > maxCount {
		return fmt.Errorf("recovery: a set of %d codes is not possible: use 1 to %d", f.Count, maxCount)
	}
	return nil
}

// Name returns "recovery".
func (Factor) Name() string { return Name }

// Issue makes a new set of codes.
func (f Factor) Issue(ctx context.Context, c mfagate.Call, _ mfagate.User) (mfagate.Credential, []string, error) {
	if err := f.Validate(); err != nil {
		return mfagate.Credential{}, nil, err
	}
	codes := make([]string, f.Count)
	if f.Count == 0 {
		codes = make([]string, defaultCount)
	}
	for i := range codes {
		codes[i] = newCode()
	}
	s := set{V: version, Codes: codes}
	if f.Hashed {
		var err error
		if s, err = hashed(ctx, codes); err != nil {
			return mfagate.Credential{}, nil, err
		}
	}
	data, err := s.encode()
	if err != nil {
		return mfagate.Credential{}, nil, err
	}
	cred := mfagate.Credential{Factor: Name, Label: "Recovery codes", Data: data, Created: c.Now}
	return cred, shownAll(codes), nil
}

// Left tells how many codes of a set have not been used.
func (Factor) Left(c mfagate.Credential) (int, error) {
	s, err := open(c)
	return s.left(), err
}

// Reveal returns the codes that have not been used, as they are shown to the
// person, or [ErrHashed]. The caller must ask for a fresh proof first.
func (Factor) Reveal(c mfagate.Credential) ([]string, error) {
	s, err := open(c)
	if err != nil {
		return nil, err
	}
	if s.Salt != nil {
		return nil, ErrHashed
	}
	return shownAll(s.Codes), nil
}

// BeginEnrol returns an error: the gate calls Issue.
func (Factor) BeginEnrol(context.Context, mfagate.Call, mfagate.User, []byte, url.Values) (mfagate.Step, error) {
	return mfagate.Step{}, errGate
}

// View returns an error, as BeginEnrol does.
func (Factor) View(context.Context, mfagate.Call, mfagate.User, []byte) (any, error) {
	return nil, errGate
}

// FinishEnrol returns an error, as BeginEnrol does.
func (Factor) FinishEnrol(context.Context, mfagate.Call, mfagate.User, []byte, url.Values) (mfagate.Credential, error) {
	return mfagate.Credential{}, errGate
}

// BeginVerify has nothing to prepare.
func (Factor) BeginVerify(context.Context, mfagate.Call, mfagate.User, []byte, url.Values) (mfagate.Step, error) {
	return mfagate.Step{}, nil
}

// FinishVerify takes the field "code", exactly once, and removes that code from
// the set. With hashed codes it may wait for others who are being verified,
// until ctx is done. A set whose Data cannot be read never verifies, and is not
// held against the person unless there is another set that lacks the code.
func (f Factor) FinishVerify(ctx context.Context, c mfagate.Call, u mfagate.User, _ []byte, answer url.Values) (mfagate.Credential, error) {
	code, err := parse(answer)
	if err != nil {
		return mfagate.Credential{}, err
	}
	var failures []error
	for _, cred := range u.Credentials {
		if cred.Factor != Name {
			continue
		}
		used, err := use(ctx, cred, code)
		if err == nil {
			used.Used = c.Now
			return used, nil
		}
		failures = append(failures, err)
	}
	if len(failures) == 0 {
		return mfagate.Credential{}, errNoSuchCode
	}
	return mfagate.Credential{}, errors.Join(failures...)
}

// use returns cred without a code.
func use(ctx context.Context, cred mfagate.Credential, code string) (mfagate.Credential, error) {
	s, err := open(cred)
	if err != nil {
		return cred, err
	}
	if s, err = s.without(ctx, code); err != nil {
		return cred, err
	}
	cred.Data, err = s.encode()
	return cred, err
}
