package mfagate

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// An enrolment is one that was begun and not finished.
type enrolment struct {
	ID   string
	View any
}

const enrolPurpose = "enrol"

// maxCredentials is how many credentials of one factor a user may have. A guess
// at a code is tried against all of them, so each raises a guesser's chance.
const maxCredentials = 5

// mayEnrol tells whether the visit's user may enrol now: a further factor after a
// fresh proof made for that purpose (ASVS 5.0 7.5.1), the first one as the site
// allows. It is asked at the beginning and again in the commit that enrols.
func (v *visit) mayEnrol(t *txn, s session, a *account) error {
	if a.enrolled(v.gate.recoveryName()) {
		switch {
		case s.Proved.IsZero() || s.Hold:
			return errEnrolled
		case !s.maySet(t.now):
			return errProofNeeded
		}
		return nil
	}
	if s.Ticket != "" {
		return t.checkTicket(s.Ticket, a)
	}
	if a.TicketNeeded || v.site.Enrolment.Ticket || s.Typed || v.asks || v.trusted() {
		return errTicketNeeded
	}
	if !v.site.Enrolment.admits(v.client.Addr) {
		return errNetwork
	}
	return nil
}

// An enrolRequest is what a person asks for who enrols.
type enrolRequest struct {
	id       string     // of the enrolment that it goes on with; empty: whichever there is
	replaces string     // id of the credential that the new one takes the place of; without an id only
	answer   url.Values // what they told so far
	program  bool       // the request is one of the API
}

// beginEnrol starts an enrolment or goes on with the one that was begun.
func (v *visit) beginEnrol(f Factor, req enrolRequest) error {
	if err := v.ensure(); err != nil {
		return err
	}
	var send *Delivery
	err := v.commitSending(f, req.answer, func(t *txn) error {
		s, a, err := v.enrolling(t)
		if err != nil {
			return err
		}
		if !req.program {
			if _, err := v.draftCodes(t, s, a, f); err != nil {
				return err
			}
		}
		st, err := v.openStep(t, f, req)
		if err != nil {
			return err
		}
		if err := v.room(a, f, st.Replaces); err != nil {
			return err
		}
		next, err := f.BeginEnrol(t.ctx, v.call, v.user(a, f), st.State, req.answer)
		if err != nil {
			return err
		}
		if err := v.begun(t, f, a, st, next); err != nil {
			return err
		}
		send = next.Send
		t.put(stepKey(hashOf(v.token).String(), enrolPurpose, f.Name()), encode(st), t.now.Add(stepLife))
		return nil
	})
	if err != nil {
		return v.unsent(f, err)
	}
	return v.deliver(f, send)
}

// openStep returns the enrolment that the request goes on with, or a new one. One
// of another purpose is not gone on with: else a second tab would change what the
// first one does.
func (v *visit) openStep(t *txn, f Factor, req enrolRequest) (*step, error) {
	st, err := t.step(hashOf(v.token).String(), enrolPurpose, f.Name())
	switch {
	case err == nil && req.id != "" && req.id != st.ID:
		return nil, errStepGone
	case err == nil && (req.id != "" || req.replaces == st.Replaces):
		return st, nil
	case err == nil || errors.Is(err, errStepGone) && req.id == "":
		return &step{ID: rand.Text(), Replaces: req.replaces}, nil
	}
	return nil, err
}

// room tells whether the user may have one more credential of a factor, or one in
// place of another.
func (v *visit) room(a *account, f Factor, replaces string) error {
	if replaces != "" {
		i, err := v.gate.find(a, replaces)
		if err == nil && a.Credentials[i].Factor != f.Name() {
			err = errUnknownID
		}
		return err
	}
	if len(a.of(f.Name())) >= maxCredentials {
		return errForbidden
	}
	return nil
}

// enrolling reads what an enrolment works on, if it is allowed.
func (v *visit) enrolling(t *txn) (session, *account, error) {
	s, err := t.session(v.token)
	if err != nil {
		return session{}, nil, err
	}
	a, err := t.account(s.Subject)
	if err != nil {
		return session{}, nil, err
	}
	return *s, a, v.mayEnrol(t, *s, a)
}

// openEnrolment returns the enrolment that was begun, or errStepGone.
func (v *visit) openEnrolment(f Factor) (e enrolment, err error) {
	if v.sess == nil {
		return e, errNoSession
	}
	t := newTxn(v.r.Context(), v.gate.records.store)
	_, a, err := v.enrolling(t)
	if err != nil {
		return e, err
	}
	st, err := t.step(hashOf(v.token).String(), enrolPurpose, f.Name())
	if err != nil {
		return e, err
	}
	view, err := f.View(t.ctx, v.call, v.user(a, f), st.State)
	return enrolment{st.ID, view}, err
}

// An enrolled is the outcome of an enrolment.
type enrolled struct {
	Credential Credential
	Replaced   bool // it took the place of another one
	Codes      []string
}

// finishEnrol judges the answer and, if it is right, turns the factor on, makes
// the recovery codes and verifies the session, all in one commit. With hold the
// session passes only after the codes were saved. A non-empty id must be that of
// the enrolment.
func (v *visit) finishEnrol(f Factor, id string, answer url.Values, hold bool) (out enrolled, err error) {
	if v.sess == nil {
		return out, errNoSession
	}
	charged, err := v.tryEnrol(f)
	if err != nil {
		return out, err
	}
	var next saved
	err = v.commit(func(t *txn) error {
		s, a, err := v.enrolling(t)
		if err != nil {
			return err
		}
		before, confirm := hold && v.drafts(s, a, CodesBefore), hold && v.drafts(s, a, CodesConfirm)
		cred, replaces, err := v.judgeEnrolment(t, a, f, id, answer)
		if err != nil {
			return err
		}
		if err := t.rightAtEnrolment(a.Subject, f, charged); err != nil {
			return err
		}
		out.Credential, out.Replaced = cred, replaces != ""
		if confirm {
			out.Codes, err = v.draftFactor(t, a, f, cred)
			return err
		}
		if err := v.addCredential(t, a, f, cred, replaces); err != nil {
			return err
		}
		if before {
			if err := v.takeDraft(t, a); err != nil {
				return err
			}
		}
		shown, err := v.codesFor(t, a, hold)
		if err != nil {
			return err
		}
		out.Codes = shown.Codes
		s.Hold = s.Hold || hold && out.Codes != nil
		if err := t.useTicket(v, &s, a); err != nil {
			return err
		}
		if s.Proved.IsZero() {
			next, err = v.proved(t, s, a, f.Name())
		} else { // a further factor is no proof of the session: a weaker one may have let it be added
			next, err = v.renewed(t, s, a)
		}
		if err != nil || out.Codes == nil || !hold {
			return err
		}
		return t.showCodes(next.hash(), shown)
	})
	switch {
	case err == nil && next.session != nil: // else nothing is on yet
		v.adopt(next)
		v.remember()
	case err != nil && !charged.at.IsZero() && !guessed(err):
		v.giveBack(f.Name(), charged)
	}
	return out, err
}

// guessed tells whether a refused answer could have been right: what cannot be guesses
// nothing.
func guessed(err error) bool {
	return errors.Is(err, ErrRejected) && !errors.Is(err, ErrShape) && !errors.Is(err, ErrExpired)
}

// tryEnrol counts an answer, if the factor takes so many only: among the attempts of
// the user, since the code may be at an address that is known to be the owner's.
func (v *visit) tryEnrol(f Factor) (c charge, err error) {
	if _, limited := f.(Restricted); !limited {
		return c, nil
	}
	err = v.commit(func(t *txn) error {
		_, a, err := v.enrolling(t)
		if err != nil {
			return err
		}
		att, err := t.attempts(a.Subject)
		if err != nil {
			return err
		}
		if c, err = att.charge(f.Name(), v.gate.budget(f.Name()), a.knows(v.browser, t.now), t.now); err != nil {
			return err
		}
		t.putAttempts(a.Subject, att)
		return t.try(hashOf(v.token).String(), enrolPurpose, f.Name())
	})
	return c, err
}

// rightAtEnrolment gives back what tryEnrol counted for an answer that was right.
func (t *txn) rightAtEnrolment(s Subject, f Factor, c charge) error {
	if c.at.IsZero() {
		return nil
	}
	att, err := t.attempts(s)
	if err != nil {
		return err
	}
	att.giveBack(f.Name(), c, true)
	t.putAttempts(s, att)
	return nil
}

// judgeEnrolment asks the factor for the credential, which takes the place of the
// one named replaces, if any.
func (v *visit) judgeEnrolment(t *txn, a *account, f Factor, id string, answer url.Values) (c Credential, replaces string, err error) {
	hash := hashOf(v.token).String()
	st, err := t.step(hash, enrolPurpose, f.Name())
	if err != nil {
		return c, "", err
	}
	if id != "" && id != st.ID || len(st.State) == 0 { // nothing was begun yet
		return c, "", errStepGone
	}
	c, err = f.FinishEnrol(t.ctx, v.call, v.user(a, f), st.State, answer)
	if err != nil {
		return c, "", err
	}
	if err := v.room(a, f, st.Replaces); err != nil {
		return c, "", err
	}
	c.ID, c.Factor, c.Created = rand.Text(), f.Name(), t.now.UTC()
	return c, st.Replaces, t.remove(stepKey(hash, enrolPurpose, f.Name()))
}

// addCredential adds a credential that was proved to the account.
func (v *visit) addCredential(t *txn, a *account, f Factor, c Credential, replaces string) error {
	if err := t.claim(c, a.Subject); err != nil {
		return err
	}
	if err := v.replaced(t, a, replaces, c.Factor); err != nil {
		return err
	}
	a.Credentials = append(a.Credentials, c)
	if err := t.received(f, a.Subject); err != nil {
		return err
	}
	if replaces == "" { // a replacement has told so
		e := v.event(EventEnrolled)
		e.Factor, e.Label = c.Factor, c.Label
		t.event(e)
	}
	return nil
}

// claim takes the names that may exist once over all users.
func (t *txn) claim(c Credential, s Subject) error {
	for _, name := range c.Unique {
		k := key(kindUnique, name)
		switch _, err := t.get(k); {
		case err == nil:
			return errTaken
		case !errors.Is(err, storage.ErrNotFound):
			return err
		}
		t.put(k, []byte(accountKey(s)), time.Time{})
	}
	return nil
}

// codesFor makes the recovery codes that come with a first factor; a further one
// comes with none. Without hold they go to a program, which has them as soon as
// it has the answer.
func (v *visit) codesFor(t *txn, a *account, hold bool) (shownCodes, error) {
	if v.gate.recovery == nil || len(a.of(v.gate.recoveryName())) > 0 {
		return shownCodes{}, nil
	}
	codes, err := v.gate.issueCodes(t, v.call, a)
	if err != nil {
		return codes, fmt.Errorf("making recovery codes: %w", err)
	}
	a.CodesSaved = !hold
	t.event(v.event(EventCodesMade))
	return codes, nil
}
