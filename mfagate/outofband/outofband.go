// Package outofband is what all factors have in common that send a code to a person:
// out-of-band authenticators, NIST SP 800-63B-4 section 3.1.3, ASVS 5.0 chapter 6.6.
//
// A code has six random digits, lives for ten minutes, works once, for one user,
// session and purpose, and takes five tries. It is kept in the state of the
// conversation, which is sealed at rest, and is in no answer of the gate. The gate
// itself counts tries and messages, and sends. The package never reads a clock:
// [mfagate.Call] says what time it is.
package outofband

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

const (
	life  = 10 * time.Minute // ASVS 5.0 6.5.5
	tries = 5
)

// A Channel is a kind of address that codes are sent to. Its methods must be safe
// for concurrent use.
type Channel interface {
	// Name is that of the factor.
	Name() string

	// Clean returns an address that a person or the source told in the one form
	// in which it is kept, or an error wrapping [mfagate.ErrAddress].
	Clean(to string) (string, error)

	// Mask returns a clean address as pages show it: enough to tell one's own
	// addresses apart, too little to learn one.
	Mask(to string) string

	// Known returns the address that the source told of a user; empty if none.
	Known(u mfagate.User) string

	// Field is the type of the input for an address, "tel" or "email".
	Field() string
}

// A Factor sends codes over a channel; it implements [mfagate.Factor]. Channel and
// By are required. It is safe for concurrent use as long as nobody changes it.
type Factor struct {
	Channel
	By mfagate.Sender

	// OnlyKnown lets people enrol no address but the one that the source tells.
	OnlyKnown bool

	Limits mfagate.Limits // zero fields mean [DefaultLimits]
}

// DefaultLimits are the limits on sending within a day.
var DefaultLimits = mfagate.Limits{User: 10, Address: 20, All: 1000}

var (
	_ mfagate.Restricted = Factor{}
	_ mfagate.Teller     = Factor{}
)

// Restricted says that codes that are sent are weaker than other factors.
func (Factor) Restricted() {}

func (f Factor) limits() mfagate.Limits {
	return mfagate.Limits{
		User:    cmp.Or(f.Limits.User, DefaultLimits.User),
		Address: cmp.Or(f.Limits.Address, DefaultLimits.Address),
		All:     cmp.Or(f.Limits.All, DefaultLimits.All),
	}
}

// BeginEnrol sends a code to the address in the field "to"; with OnlyKnown, to the
// known one as soon as the field is there. The field "action" with "resend" sends
// another one, which voids the first; "other" asks for another address.
func (f Factor) BeginEnrol(ctx context.Context, c mfagate.Call, u mfagate.User, prior []byte, answer url.Values) (mfagate.Step, error) {
	to, err := f.wanted(u, prior, answer)
	if err != nil {
		return mfagate.Step{}, err
	}
	step := mfagate.Step{State: prior, Tries: tries}
	switch {
	case to != "":
		step, err = f.send(c, u, conversation{To: to})
	case answer.Get("action") == "other":
		step.State = nil
	}
	if err != nil {
		return mfagate.Step{}, err
	}
	step.View, err = f.View(ctx, c, u, step.State)
	return step, err
}

// wanted is the address to which a code is asked for; empty if for none.
func (f Factor) wanted(u mfagate.User, prior []byte, answer url.Values) (string, error) {
	if f.OnlyKnown {
		if _, err := f.Clean(f.Known(u)); err != nil {
			// Not ErrAddress, for there is nothing that the person could type better.
			return "", fmt.Errorf("outofband: what the source tells: %w", mfagate.ErrNoAddress)
		}
	}
	switch {
	case answer.Get("action") == "other":
		return "", nil
	case answer.Get("action") == "resend" && prior != nil:
		st, err := openState(prior, u, "")
		return st.To, err
	case !answer.Has("to"):
		return "", nil
	case f.OnlyKnown:
		return f.Clean(f.Known(u))
	}
	return f.Clean(answer.Get("to"))
}

// View returns the [View] of an enrolment.
func (f Factor) View(_ context.Context, _ mfagate.Call, u mfagate.User, state []byte) (any, error) {
	v := View{Kind: f.Field(), Fixed: f.OnlyKnown}
	if known, err := f.Clean(f.Known(u)); err == nil {
		v.Known = f.Mask(known)
		if !f.OnlyKnown {
			v.To = known
		}
	}
	if state == nil {
		return v, nil
	}
	st, err := openState(state, u, "")
	if err != nil {
		return nil, err
	}
	v.SentTo = f.Mask(st.To)
	return v, nil
}

// FinishEnrol takes the field "code", exactly once, and "label", which may be
// missing.
func (f Factor) FinishEnrol(_ context.Context, c mfagate.Call, u mfagate.User, state []byte, answer url.Values) (mfagate.Credential, error) {
	if len(state) == 0 {
		return mfagate.Credential{}, errors.New("outofband: no code was sent")
	}
	st, err := openState(state, u, "")
	if err != nil {
		return mfagate.Credential{}, err
	}
	if err := st.check(c.Now, answer); err != nil {
		return mfagate.Credential{}, err
	}
	data, err := encode(record{V: version, To: st.To})
	if err != nil {
		return mfagate.Credential{}, err
	}
	return mfagate.Credential{Factor: f.Name(), Label: cmp.Or(label(answer), f.Mask(st.To)), Data: data, Created: c.Now}, nil
}

// BeginVerify sends a code to the address of the credential in the field
// "credential" or, without one, of the one used last. With a nil answer it only
// shows where codes can be sent, and where the last one went.
func (f Factor) BeginVerify(_ context.Context, c mfagate.Call, u mfagate.User, prior []byte, answer url.Values) (mfagate.Step, error) {
	creds, err := f.credentials(u)
	if err != nil {
		return mfagate.Step{}, err
	}
	if answer == nil {
		sent := f.open(c, u, prior)
		return mfagate.Step{State: prior, Tries: tries, View: f.choices(creds, sent)}, nil
	}
	cred := creds[0]
	if id := answer.Get("credential"); id != "" {
		i := slices.IndexFunc(creds, func(o address) bool { return o.id == id })
		if i < 0 {
			return mfagate.Step{}, fmt.Errorf("outofband: not a credential of this user: %w", mfagate.ErrAddress)
		}
		cred = creds[i]
	}
	step, err := f.send(c, u, conversation{To: cred.to, Credential: cred.id})
	step.View = f.choices(creds, cred.id)
	return step, err
}

// open returns the id of the credential whose code is waited for; empty if there
// is none that could still be right.
func (f Factor) open(c mfagate.Call, u mfagate.User, prior []byte) string {
	for _, cred := range u.Credentials {
		if st, err := openState(prior, u, cred.ID); err == nil && c.Now.Before(st.Until) {
			return cred.ID
		}
	}
	return ""
}

// FinishVerify takes the field "code", exactly once. It returns the credential to
// whose address the code was sent.
func (f Factor) FinishVerify(_ context.Context, c mfagate.Call, u mfagate.User, state []byte, answer url.Values) (mfagate.Credential, error) {
	if len(state) == 0 {
		return mfagate.Credential{}, fmt.Errorf("outofband: no code was sent: %w", mfagate.ErrExpired)
	}
	var broken error
	for _, cred := range u.Credentials {
		if cred.Factor != f.Name() {
			continue
		}
		r, err := openRecord(cred.Data)
		if err != nil {
			broken = fmt.Errorf("credential %s: %w", cred.ID, err)
			continue
		}
		st, err := openState(state, u, cred.ID)
		if err != nil {
			continue
		}
		if r.To != st.To {
			return mfagate.Credential{}, fmt.Errorf("outofband: the address was changed: %w", mfagate.ErrExpired)
		}
		if err := st.check(c.Now, answer); err != nil {
			return mfagate.Credential{}, err
		}
		cred.Data, cred.Used = slices.Clone(cred.Data), c.Now
		return cred, nil
	}
	if broken != nil {
		return mfagate.Credential{}, broken
	}
	return mfagate.Credential{}, fmt.Errorf("outofband: the code was for nothing that this user has: %w", mfagate.ErrExpired)
}

// send makes a code for a conversation.
func (f Factor) send(c mfagate.Call, u mfagate.User, st conversation) (mfagate.Step, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return mfagate.Step{}, fmt.Errorf("outofband: making a code: %w", err)
	}
	st.V, st.Subject, st.Code, st.Until = version, u.Subject, fmt.Sprintf("%06d", n), c.Now.Add(life)
	state, err := encode(st)
	return mfagate.Step{State: state, Tries: tries, Send: &mfagate.Delivery{
		By: f.By, To: st.To, Masked: f.Mask(st.To), Code: st.Code, Life: life, Limits: f.limits(),
	}}, err
}

// Contacts returns how each address of the user is reached.
func (f Factor) Contacts(u mfagate.User) (list []mfagate.Delivery) {
	creds, err := f.credentials(u)
	if err != nil {
		return nil
	}
	for _, c := range creds {
		list = append(list, mfagate.Delivery{
			By: f.By, To: c.to, Masked: f.Mask(c.to), Brief: f.Field() == "tel", Limits: f.limits(),
		})
	}
	return list
}
