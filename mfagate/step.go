package mfagate

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net/url"

	"github.com/mfagate/caddy-mfagate/storage"
)

// A step is the gate's half of a conversation with a factor.
type step struct {
	versioned
	ID       string `json:"id"`
	State    []byte `json:"state"`
	Replaces string `json:"replaces,omitempty"` // id of the credential that an enrolment takes the place of
	Purpose  string `json:"purpose,omitempty"`  // of the proof that a verification is for
	Tries    int    `json:"tries,omitempty"`    // answers that were looked at
	Most     int    `json:"most,omitempty"`     // of them; zero: any number
}

// stepLife is how long a conversation may take.
const stepLife = pendingLife

func stepKey(hash string, purpose ...string) string {
	return key(append([]string{kindStep, hash}, purpose...)...)
}

// step reads the state of a conversation.
func (t *txn) step(hash string, purpose ...string) (*step, error) {
	st := new(step)
	err := t.getRecord(stepKey(hash, purpose...), st)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, errStepGone
	}
	return st, err
}

// begun takes into st what a factor began, and charges for what is to be sent.
func (v *visit) begun(t *txn, f Factor, a *account, st *step, next Step) error {
	if next.Send != nil {
		if err := v.chargeSending(t, f.Name(), a, st, next.Send); err != nil {
			return err
		}
	}
	if next.Send != nil || !bytes.Equal(st.State, next.State) {
		st.Tries, st.Most = 0, next.Tries
	}
	st.State = next.State
	return nil
}

// try counts an answer to a conversation that may take so many only. It is counted
// before the factor is asked: of parallel answers none is for free.
func (t *txn) try(hash, purpose, factor string) error {
	st, err := t.step(hash, purpose, factor)
	switch {
	case errors.Is(err, errStepGone):
		return nil // the factor says what that means
	case err != nil:
		return err
	case st.Most == 0:
		return nil
	case st.Tries >= st.Most:
		return ErrExpired
	}
	st.Tries++
	k := stepKey(hash, purpose, factor)
	t.put(k, encode(st), t.read[k].Expires)
	return nil
}

// begin starts a verification, or goes on with the one that was begun, and returns
// what the page or program shows. With a nil answer nothing is sent.
func (v *visit) begin(f Factor, purpose string, answer url.Values) (view any, err error) {
	if err := v.ensure(); err != nil {
		return nil, err
	}
	var send *Delivery
	err = v.commitSending(f, answer, func(t *txn) error {
		a, err := t.account(v.Subject)
		if err != nil {
			return err
		}
		if len(a.of(f.Name())) == 0 {
			return errMethod
		}
		k := stepKey(hashOf(v.token).String(), verifyPurpose, f.Name())
		st, err := t.step(hashOf(v.token).String(), verifyPurpose, f.Name())
		if errors.Is(err, errStepGone) || err == nil && st.Purpose != purpose {
			st, err = &step{ID: rand.Text(), Purpose: purpose}, nil
		}
		if err != nil {
			return err
		}
		next, err := f.BeginVerify(t.ctx, v.call, v.user(a, f), st.State, answer)
		if err != nil {
			return err
		}
		view, send = next.View, next.Send
		if send == nil && bytes.Equal(st.State, next.State) {
			return nil
		}
		if err := v.begun(t, f, a, st, next); err != nil {
			return err
		}
		t.put(k, encode(st), t.now.Add(stepLife))
		return nil
	})
	if err != nil {
		return nil, v.unsent(f, err)
	}
	return view, v.deliver(f, send)
}

// moveEnrolments takes what was begun along to the session's next token, so that a
// proof in between loses no enrolment.
func (v *visit) moveEnrolments(t *txn, next saved) error {
	if v.token == "" {
		return nil
	}
	for _, f := range v.gate.factors {
		from := stepKey(hashOf(v.token).String(), enrolPurpose, f.Name())
		b, err := t.get(from)
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		t.put(stepKey(next.hash(), enrolPurpose, f.Name()), b, t.now.Add(stepLife))
		if err := t.remove(from); err != nil {
			return err
		}
	}
	return nil
}
