package mfagate

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/mfagate/caddy-mfagate/storage"
)

// A CodesOrder says when recovery codes are shown at a first enrolment by the
// pages. Programs get them with the answer, whatever it says.
type CodesOrder int

// The orders. CodesAfter is the zero one.
const (
	CodesAfter   CodesOrder = iota // the factor is on; the session waits until the codes are saved
	CodesBefore                    // the codes are saved first, and valid once the factor is on
	CodesConfirm                   // the factor is proved, and on once the codes are saved
)

// A draft is what a first enrolment has made and that is not valid yet. It lives
// with the pending session and is forgotten with it.
type draft struct {
	versioned
	Set    string      `json:"set"`
	Codes  []string    `json:"codes"`
	Issued Credential  `json:"issued"` // of the codes
	Saved  bool        `json:"saved,omitempty"`
	Method string      `json:"method"`           // factor that is being enrolled
	Factor *Credential `json:"factor,omitempty"` // proved; nil: not yet
}

const draftPurpose = "draft"

// draft reads the draft of a session, or errStepGone.
func (t *txn) draft(hash string) (*draft, error) {
	d := new(draft)
	err := t.getRecord(stepKey(hash, draftPurpose), d)
	if errors.Is(err, storage.ErrNotFound) {
		err = errStepGone
	}
	return d, err
}

func (t *txn) putDraft(hash string, d *draft) error {
	k := stepKey(hash, draftPurpose)
	if _, err := t.load(k); err != nil {
		return err
	}
	t.put(k, encode(d), t.now.Add(codesLife))
	return nil
}

// drafts tells whether codes are drafted for an enrolment: a first one, by the
// pages, that brings codes.
func (v *visit) drafts(s session, a *account, order CodesOrder) bool {
	g := v.gate
	return g.order == order && g.recovery != nil && s.Proved.IsZero() && !a.enrolled(g.recoveryName()) && len(a.of(g.recoveryName())) == 0
}

// newDraft makes codes without touching the account.
func (v *visit) newDraft(t *txn, a *account, method string) (*draft, error) {
	g := v.gate
	cred, codes, err := g.recovery.Issue(t.ctx, v.call, g.user(a, g.recoveryName(), Identity{}, v.call))
	if err != nil {
		return nil, fmt.Errorf("making recovery codes: %w", err)
	}
	cred.ID, cred.Factor = rand.Text(), g.recoveryName()
	return &draft{Set: rand.Text(), Codes: codes, Issued: cred, Method: method}, nil
}

// draftCodes makes the codes that are to be saved before a factor is enrolled,
// unless there are some. It tells whether they have been saved.
func (v *visit) draftCodes(t *txn, s session, a *account, f Factor) (saved bool, err error) {
	if !v.drafts(s, a, CodesBefore) {
		return true, nil
	}
	hash := hashOf(v.token).String()
	d, err := t.draft(hash)
	if errors.Is(err, errStepGone) {
		d, err = v.newDraft(t, a, f.Name())
	}
	if err != nil {
		return false, err
	}
	d.Method = f.Name()
	return d.Saved, t.putDraft(hash, d)
}

// codesAwait tells whether the person must save codes before the enrolment goes on.
func (v *visit) codesAwait() (bool, error) {
	t := newTxn(v.r.Context(), v.gate.records.store)
	s, a, err := v.enrolling(t)
	if err != nil || !v.drafts(s, a, CodesBefore) {
		return false, err
	}
	d, err := t.draft(hashOf(v.token).String())
	if err != nil {
		return false, err
	}
	return !d.Saved, nil
}

// takeDraft makes codes that were saved before those of the account.
func (v *visit) takeDraft(t *txn, a *account) error {
	d, err := t.draft(hashOf(v.token).String())
	if err == nil && !d.Saved {
		err = errStepGone
	}
	if err != nil {
		return err
	}
	return v.adoptCodes(t, a, d)
}

// adoptCodes makes the drafted codes those of the account.
func (v *visit) adoptCodes(t *txn, a *account, d *draft) error {
	d.Issued.Created = t.now.UTC()
	a.replaceFactor(d.Issued)
	a.CodesTotal, a.CodesSaved, a.CodesSet = len(d.Codes), true, d.Set
	t.event(v.event(EventCodesMade))
	t.event(v.event(EventCodesSaved))
	return t.remove(stepKey(hashOf(v.token).String(), draftPurpose))
}

// awaiting returns the draft whose codes the person is to save, or errStepGone.
func (v *visit) awaiting(t *txn) (*draft, error) {
	if v.sess == nil || !v.sess.Proved.IsZero() || v.gate.recovery == nil {
		return nil, errStepGone
	}
	d, err := t.draft(hashOf(v.token).String())
	if err == nil && d.Saved {
		err = errStepGone
	}
	return d, err
}

// proven tells whether a factor was proved that waits for its codes to be saved.
func (v *visit) proven() bool {
	d, err := v.awaiting(newTxn(v.r.Context(), v.gate.records.store))
	return err == nil && d.Factor != nil
}

// saveDraft takes the person's word that the drafted codes are saved. With a factor
// that was proved this turns it on, and the session is verified.
func (v *visit) saveDraft(set string) (on bool, method string, err error) {
	var next saved
	err = v.commit(func(t *txn) error {
		s, a, err := v.enrolling(t)
		if err != nil {
			return err
		}
		d, err := v.awaiting(t)
		if err != nil {
			return err
		}
		if d.Set != set {
			return errStaleCodes
		}
		on, method = d.Factor != nil, d.Method
		if !on {
			d.Saved = true
			return t.putDraft(hashOf(v.token).String(), d)
		}
		next, err = v.turnOn(t, s, a, d)
		return err
	})
	if err == nil && on {
		v.adopt(next)
		v.remember()
	}
	return on, method, err
}

// turnOn enrols the factor of a draft together with its codes.
func (v *visit) turnOn(t *txn, s session, a *account, d *draft) (saved, error) {
	f := v.gate.enrollable(d.Method)
	if f == nil {
		return saved{}, errStepGone // by a reload, it is configured no more
	}
	if err := v.addCredential(t, a, f, *d.Factor, ""); err != nil {
		return saved{}, err
	}
	if err := v.adoptCodes(t, a, d); err != nil {
		return saved{}, err
	}
	if err := t.useTicket(v, &s, a); err != nil {
		return saved{}, err
	}
	return v.proved(t, s, a, f.Name())
}

// draftFactor keeps a factor that was proved until the codes are saved.
func (v *visit) draftFactor(t *txn, a *account, f Factor, c Credential) (codes []string, err error) {
	d, err := v.newDraft(t, a, f.Name())
	if err != nil {
		return nil, err
	}
	d.Factor = &c
	return d.Codes, t.putDraft(hashOf(v.token).String(), d)
}
