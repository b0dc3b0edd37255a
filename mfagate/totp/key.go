package totp

import (
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// version is that of the encoding of enrolment and record.
const version = 1

const (
	seedSize    = 20 // 160 bits
	minSeedSize = 16 // 128 bits, RFC 4226 section 4 (R6)
)

// A key is what the person's device and the gate share.
type key struct {
	Seed   []byte    `json:"seed"`
	Alg    Algorithm `json:"alg"`
	Digits int       `json:"digits"`
	Period int64     `json:"period"` // seconds
}

// An enrolment is what is kept between BeginEnrol and FinishEnrol.
type enrolment struct {
	V int `json:"v"`
	mfagate.Subject
	key
}

// A record is the Data of a credential.
type record struct {
	V int `json:"v"`
	key
	Drift int   `json:"drift,omitempty"` // of the device's clock, in steps: -1, 0 or 1
	Lean  int   `json:"lean,omitempty"`  // proofs in a row at one edge of the window, negative at the lower one
	Spent spent `json:"spent"`
}

var base32Plain = base32.StdEncoding.WithPadding(base32.NoPadding)

var algorithms = map[Algorithm]otp.Algorithm{
	SHA1:   otp.AlgorithmSHA1,
	SHA256: otp.AlgorithmSHA256,
	SHA512: otp.AlgorithmSHA512,
}

func newSeed() ([]byte, error) {
	// The names are of no matter: the URL is made by uri, since the library
	// leaves ':', '&' and '/' in it unescaped.
	k, err := totp.Generate(totp.GenerateOpts{Issuer: "-", AccountName: "-", SecretSize: seedSize})
	if err != nil {
		return nil, err
	}
	return base32Plain.DecodeString(k.Secret())
}

func (f Factor) newKey(seed []byte) key {
	k := key{Seed: seed, Alg: f.Algorithm, Digits: f.Digits, Period: int64(f.Period / time.Second)}
	if f.Algorithm == "" {
		k.Alg = SHA1
	}
	if f.Digits == 0 {
		k.Digits = 6
	}
	if f.Period == 0 {
		k.Period = 30
	}
	return k
}

func (k key) checkShape() error {
	if _, ok := algorithms[k.Alg]; !ok {
		return fmt.Errorf("totp: unknown algorithm %q: use SHA1, SHA256 or SHA512", k.Alg)
	}
	if k.Digits != 6 && k.Digits != 8 {
		return fmt.Errorf("totp: codes of %d digits are not possible: use 6 or 8", k.Digits)
	}
	if k.Period < 15 || k.Period > 120 {
		return fmt.Errorf("totp: a period of %d s is not possible: use 15 s to 120 s", k.Period)
	}
	return nil
}

// check refuses what must never make a code. The library makes codes even of an
// empty seed.
func (k key) check() error {
	if len(k.Seed) < minSeedSize {
		return fmt.Errorf("totp: a seed of %d bytes is too short", len(k.Seed))
	}
	return k.checkShape()
}

func (k key) secret() string { return base32Plain.EncodeToString(k.Seed) }

// code returns the code of a step, RFC 6238 section 4.2.
func (k key) code(step int64) (string, error) {
	return hotp.GenerateCodeCustom(k.secret(), uint64(step), hotp.ValidateOpts{
		Digits:    otp.Digits(k.Digits),
		Algorithm: algorithms[k.Alg],
	})
}

// stepAt returns the number of the step of an instant.
func (k key) stepAt(now time.Time) (int64, error) {
	step := now.Unix() / k.Period
	if step <= enrolReach+echo {
		return 0, errors.New("totp: the clock of this machine is not set")
	}
	return step, nil
}

func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("totp: encoding: %w", err)
	}
	return b, nil
}

// decode hides what encoding/json says of a broken record: it may quote it.
func decode(data []byte, v any) error {
	if json.Unmarshal(data, v) != nil {
		return errors.New("totp: record is broken")
	}
	return nil
}

func openEnrolment(state []byte, u mfagate.User) (enrolment, error) {
	var e enrolment
	if err := decode(state, &e); err != nil {
		return e, fmt.Errorf("reading an enrolment: %w", err)
	}
	if e.V != version {
		return e, fmt.Errorf("totp: enrolment has unknown version %d", e.V)
	}
	if e.Subject != u.Subject {
		return e, errors.New("totp: enrolment was begun by another user")
	}
	return e, e.check()
}

func openRecord(data []byte) (record, error) {
	var r record
	if err := decode(data, &r); err != nil {
		return r, err
	}
	if r.V != version {
		return r, fmt.Errorf("totp: record has unknown version %d", r.V)
	}
	if r.Drift < -maxDrift || r.Drift > maxDrift {
		return r, fmt.Errorf("totp: a drift of %d steps is not possible", r.Drift)
	}
	return r, r.check()
}
