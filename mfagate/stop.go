package mfagate

import (
	"errors"
	"net/http"
)

// States of a visit, as the API names them.
const (
	stateEnroll    = "enroll"
	stateChallenge = "challenge"
	stateVerified  = "verified"
)

// stop answers a request that may not pass yet. Only a navigation is noted, so
// that a background request does not take the place of the page that the person
// wanted.
func (v *visit) stop(verdict Verdict) {
	if v.asks {
		v.stopAsked()
		return
	}
	if upgrade(v.r) || !navigation(v.r) {
		v.unauthorized(verdict)
		return
	}
	back := v.wanted()
	if v.foreignForm() {
		v.redirect(page("challenge", back)) // a GET, on which the browser sends the cookie that it has
		return
	}
	if err := v.demand(requirement{v.policy.Factors, v.policy.MaxAge, back}); err != nil {
		v.refuse(err)
		return
	}
	switch {
	case v.sess.Hold:
		v.stopForCodes(back)
	case verdict == Enrol:
		v.redirect(page("enroll", back))
	default:
		v.redirect(page("challenge", back))
	}
}

// stopForCodes leads back to the recovery codes that were not saved: a new set,
// since the person may have left the old one anywhere.
func (v *visit) stopForCodes(back string) {
	var out saved
	err := v.commit(func(t *txn) (err error) {
		out, err = v.gate.remakeCodes(t, v, true)
		return err
	})
	if errors.Is(err, errProofNeeded) { // another tab has saved them meanwhile
		v.redirect(orRoot(back))
		return
	}
	if err != nil {
		v.refuse(err)
		return
	}
	v.adopt(out)
	v.redirect(page("recovery-codes", back))
}

// foreignForm tells whether another site posted a form into this one. The browser
// then keeps the session's cookie back, so there may be a session all the same,
// whose cookie must not be replaced.
func (v *visit) foreignForm() bool {
	site := v.r.Header.Get("Sec-Fetch-Site")
	return v.sess == nil && v.changes() && (site == "cross-site" || site == "same-site")
}

func (v *visit) stopState(a *account) string {
	if !a.enrolled(v.gate.recoveryName()) || v.sess != nil && v.sess.Hold {
		return stateEnroll
	}
	return stateChallenge
}

// unauthorized tells a program what is missing, without a redirect that it would
// take for an answer of the app.
func (v *visit) unauthorized(verdict Verdict) {
	state := stateChallenge
	if verdict == Enrol {
		state = stateEnroll
	}
	if v.login != nil {
		v.w.Header().Set(locationHeader, Prefix+state)
	}
	v.problemIn(fault{status: http.StatusUnauthorized, name: state}, state)
}

// state tells where the visit's user stands.
func (v *visit) state(a *account) string {
	if v.sess != nil && v.sess.satisfies(v.sess.Want.policy(), v.now) {
		return stateVerified
	}
	return v.stopState(a)
}

// stateOrEmpty is the state for an error answer, empty if nobody can tell.
func (v *visit) stateOrEmpty() string {
	if v.Name == "" {
		return ""
	}
	a, err := v.account()
	if err != nil {
		return ""
	}
	return v.state(a)
}
