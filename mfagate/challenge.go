package mfagate

import (
	"errors"
	"net/url"
	"slices"
)

// Purposes of a proof.
const (
	purposeSignIn   = "sign_in"
	purposeSettings = "settings" // counts for a few minutes, for changes of factors and codes
)

// methods lists what the user could prove to meet q, recovery codes last.
func (g *Gate) methods(a *account, q requirement) ([]string, error) {
	var methods []string
	for _, f := range g.factors {
		if len(a.of(f.Name())) > 0 && (q.Factors == nil || slices.Contains(q.Factors, f.Name())) {
			methods = append(methods, f.Name())
		}
	}
	left, err := g.codesLeft(a)
	if err != nil {
		return nil, err
	}
	if left > 0 && (q.Factors == nil || slices.Contains(q.Factors, g.recoveryName())) {
		methods = append(methods, g.recoveryName())
	}
	return methods, nil
}

// A proof is the outcome of a challenge.
type proof struct {
	Recovery bool // a recovery code was used
	Left     int  // recovery codes
	Codes    bool // a fresh set is waiting to be saved
	Request  bool // a request for a reset is open, of which the owner must be told
}

// An answered is what a person answered to a challenge.
type answered struct {
	Method  string
	Purpose string
	Values  url.Values
	Hold    bool // the answer came from a page, which can show codes to be saved
	Disable bool // the person is on the way to switching off

	Program *AppendedCode // the answer came with a password, whose session it makes; nil: not so
}

// verify judges an answer. The attempt is charged, durably, before the factor is
// asked; then one commit swaps the credential, gives the attempt back, and
// verifies the session under a new token.
func (v *visit) verify(ans answered) (proof, error) {
	f := v.gate.factor(ans.Method)
	if f == nil {
		return proof{}, errMethod
	}
	charged, err := v.charge(f.Name())
	if err != nil {
		return proof{}, err
	}
	var out proof
	var next saved
	err = v.commit(func(t *txn) (err error) {
		out, next, err = v.judge(t, f, ans, charged)
		return err
	})
	switch {
	case err == nil:
		v.adopt(next)
		if ans.Program == nil {
			v.remember()
		}
	case guessed(err):
		v.note(f.Name(), charged, err)
	default:
		v.giveBack(f.Name(), charged)
	}
	return out, err
}

// charge counts an attempt at a factor that the user has.
func (v *visit) charge(factor string) (c charge, err error) {
	err = v.commit(func(t *txn) error {
		s, err := v.current(t)
		if err != nil {
			return err
		}
		a, err := t.account(v.Subject)
		if err != nil {
			return err
		}
		if len(a.of(factor)) == 0 {
			return errMethod
		}
		att, err := t.attempts(s.Subject)
		if err != nil {
			return err
		}
		c, err = att.charge(factor, v.gate.budget(factor), a.knows(v.browser, t.now), t.now)
		if err != nil {
			return err
		}
		t.putAttempts(s.Subject, att)
		return t.try(hashOf(v.token).String(), verifyPurpose, factor)
	})
	if locked, ok := errors.AsType[*LockedError](err); ok {
		v.gate.log.Info("factor is locked", "realm", v.Realm, "user", v.Name, "factor", factor, "until", locked.Until)
	}
	return c, err
}

// judge asks the factor about the account as it is now. If another request
// consumed the same code first, this commit fails and judge runs again, and the
// factor then rejects.
func (v *visit) judge(t *txn, f Factor, ans answered, charged charge) (proof, saved, error) {
	s, err := v.current(t)
	if err != nil {
		return proof{}, saved{}, err
	}
	a, err := t.account(s.Subject)
	if err != nil {
		return proof{}, saved{}, err
	}
	cred, err := v.judgeAnswer(t, f, a, ans)
	if err != nil {
		return proof{}, saved{}, err
	}
	att, err := t.attempts(s.Subject)
	if err != nil {
		return proof{}, saved{}, err
	}
	att.giveBack(f.Name(), charged, true)
	att.received(f.Name())
	t.putAttempts(s.Subject, att)
	v.provedEvent(t, ans, cred)
	return v.grant(t, s, a, f.Name(), ans)
}

// judgeAnswer swaps in the credential that the answer proved.
func (v *visit) judgeAnswer(t *txn, f Factor, a *account, ans answered) (Credential, error) {
	var state []byte
	hash := hashOf(v.token).String()
	st, err := t.step(hash, verifyPurpose, f.Name())
	switch {
	case err == nil:
		if st.Purpose == ans.Purpose {
			state = st.State
		}
		if err := t.remove(stepKey(hash, verifyPurpose, f.Name())); err != nil {
			return Credential{}, err
		}
	case !errors.Is(err, errStepGone):
		return Credential{}, err
	}
	cred, err := f.FinishVerify(t.ctx, v.call, v.user(a, f), state, ans.Values)
	if err != nil {
		return Credential{}, err
	}
	cred.Used = t.now.UTC()
	if !a.swap(cred) {
		return Credential{}, errors.New("mfagate: factor " + f.Name() + " proved a credential that the user does not have")
	}
	return cred, nil
}

const verifyPurpose = "verify"

func (v *visit) provedEvent(t *txn, ans answered, cred Credential) {
	e := v.event(EventPassed)
	if ans.Purpose == purposeSettings {
		e.Kind = EventProved
	}
	if e.Factor = cred.Factor; e.Factor != v.gate.recoveryName() { // a set has no name that a person gave
		e.Label = cred.Label
	}
	t.event(e)
}

// grant gives the session what the proof is worth.
func (v *visit) grant(t *txn, s session, a *account, factor string, ans answered) (out proof, next saved, err error) {
	if ans.Purpose == purposeSettings {
		s.Settings, s.Recovery = t.now.UTC(), factor == v.gate.recoveryName()
		if ans.Disable {
			s.Disable = s.Settings
		}
	}
	out.Recovery = factor == v.gate.recoveryName()
	if out.Left, err = v.gate.codesLeft(a); err != nil {
		return out, next, err
	}
	q, err := t.request(a.Subject)
	if err != nil {
		return out, next, err
	}
	out.Request = q.open(t.now)
	var codes shownCodes
	if v.gate.recovery != nil && ans.Hold && !a.CodesSaved {
		if codes, err = v.gate.issueCodes(t, v.call, a); err != nil {
			return out, next, err
		}
		t.event(v.event(EventCodesMade))
		s.Hold, out.Codes = true, true
	}
	if ans.Program != nil {
		next, err = v.bind(t, s, a, factor, *ans.Program)
		return out, next, err
	}
	next, err = v.proved(t, s, a, factor)
	if err == nil && out.Codes {
		err = t.showCodes(next.hash(), codes)
	}
	return out, next, err
}

// note records a wrong answer in the history, and the delay that it brought. A
// failure to do so changes nothing of the answer: the attempt was counted before.
func (v *visit) note(factor string, charged charge, cause error) {
	err := v.commit(func(t *txn) error {
		e := v.event(EventRejected)
		if e.Factor, e.Detail = factor, "wrong"; errors.Is(cause, ErrReplayed) {
			e.Detail = "used before"
		}
		t.event(e)
		if charged.delays() {
			e.Kind, e.Detail = EventLocked, ""
			t.event(e)
		}
		return nil
	})
	if err != nil {
		v.gate.log.Error("recording a wrong answer", "error", err)
	}
}

// giveBack undoes a charge after the factor could not tell.
func (v *visit) giveBack(factor string, c charge) {
	err := v.commit(func(t *txn) error {
		att, err := t.attempts(v.Subject)
		if err != nil {
			return err
		}
		att.giveBack(factor, c, false)
		t.putAttempts(v.Subject, att)
		return nil
	})
	if err != nil {
		v.gate.log.Error("giving back an attempt", "error", err)
	}
}
