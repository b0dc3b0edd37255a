package mfagate

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/mfagate/caddy-mfagate/pages"
)

// getChallenge asks for a proof, unless there is nothing to prove.
func (v *visit) getChallenge() error {
	if err := v.ensure(); err != nil {
		return err
	}
	a, err := v.account()
	if err != nil {
		return err
	}
	switch {
	case !a.enrolled(v.gate.recoveryName()):
		v.redirect(page("enroll", v.back()))
	case v.sess.Hold:
		v.redirect(page("recovery-codes", v.back()))
	case v.purpose() == purposeSignIn && v.state(a) == stateVerified:
		v.redirect(orRoot(v.back()))
	default:
		return v.challenge(a, v.query("method"), http.StatusOK, pages.Text{}, 0)
	}
	return nil
}

// purpose is what a proof is asked for.
func (v *visit) purpose() string {
	p := v.query("purpose")
	if v.r.PostForm != nil && v.field("purpose") != "" {
		p = v.field("purpose")
	}
	if p == purposeSettings {
		return purposeSettings
	}
	return purposeSignIn
}

// without is the method that will not do for what the person is about to do. It is not
// offered, on the page after a wrong code neither: it would be used up for nothing.
func (v *visit) without() string {
	if v.query("without") == v.gate.recoveryName() || v.field("without") == v.gate.recoveryName() {
		return v.gate.recoveryName()
	}
	return ""
}

// challenge shows the page, open at one method.
func (v *visit) challenge(a *account, method string, status int, cause pages.Text, wait time.Duration) error {
	want := v.sess.Want
	if v.purpose() == purposeSettings {
		want = requirement{}
	}
	methods, err := v.gate.methods(a, want)
	if err != nil {
		return err
	}
	if len(methods) == 0 {
		return errForbidden // the policy asks for a factor that this user does not have
	}
	without := v.without()
	if len(methods) > 1 {
		methods = slices.DeleteFunc(methods, func(m string) bool { return m == without })
	}
	if !slices.Contains(methods, method) {
		method = methods[0]
	}
	var view any
	var resend time.Duration
	if method != v.gate.recoveryName() {
		if view, err = v.begin(v.gate.factor(method), v.purpose(), nil); err != nil {
			return err
		}
		if resend, err = v.resendWait(v.gate.factor(method)); err != nil {
			return err
		}
	}
	if wait == 0 {
		if wait, err = v.wait(method); err != nil {
			return err
		}
	}
	f := v.frame()
	f.Error = cause
	v.render(status, f, pages.Challenge{Method: method, Methods: methods, View: view, Purpose: v.purpose(), Without: without, Wait: wait, Resend: resend})
	return nil
}

// wait tells how long the next try of a method must wait, zero if it need not.
func (v *visit) wait(method string) (time.Duration, error) {
	t := newTxn(v.r.Context(), v.gate.records.store)
	a, err := t.account(v.Subject)
	if err != nil {
		return 0, err
	}
	att, err := t.attempts(v.Subject)
	if err != nil {
		return 0, err
	}
	until := att.of(method).lockedUntil(v.gate.budget(method), a.knows(v.browser, t.now), t.now)
	return max(0, until.Sub(t.now)), nil
}

// postChallenge judges an answer.
func (v *visit) postChallenge() error {
	method := v.field("method")
	if method == "" && len(v.gate.factors) == 1 {
		method = v.gate.factors[0].Name()
	}
	purpose := v.purpose()
	if v.field("action") == "send" {
		return v.postSend(method, purpose)
	}
	out, err := v.verify(answered{Method: method, Purpose: purpose, Values: v.r.PostForm, Hold: true, Disable: v.back() == disablePath})
	switch {
	case err != nil:
		return v.challengeAgain(method, err)
	case out.Codes && out.Request:
		v.redirect(page("recovery-codes", page("reset-request", v.back())))
	case out.Codes:
		v.redirect(page("recovery-codes", v.back()))
	case out.Request && purpose == purposeSignIn:
		v.redirect(page("reset-request", v.back()))
	case purpose == purposeSettings && (v.back() == Prefix || v.back() == ""):
		v.redirect(page("", "", "notice", "confirmed"))
	case out.Recovery && purpose == purposeSignIn:
		v.redirect(page("", v.back(), "notice", "passed_recovery"))
	case purpose == purposeSignIn:
		v.redirect(v.onward(orRoot(v.back())))
	default:
		v.redirect(orRoot(v.back()))
	}
	return nil
}

// postSend sends a code.
func (v *visit) postSend(method, purpose string) error {
	f := v.gate.enrollable(method)
	if f == nil {
		return v.challengeAgain(method, errMethod)
	}
	if _, err := v.begin(f, purpose, v.r.PostForm); err != nil {
		return v.challengeAgain(method, err)
	}
	pairs := []string{"method", method}
	if purpose == purposeSettings {
		pairs = append(pairs, "purpose", purpose)
	}
	if without := v.without(); without != "" {
		pairs = append(pairs, "without", without)
	}
	v.redirect(page("challenge", v.back(), pairs...))
	return nil
}

// challengeAgain shows the page again after an answer that did not do.
func (v *visit) challengeAgain(method string, cause error) error {
	var locked *LockedError
	var text pages.Text
	var wait time.Duration
	status := explain(cause).status
	unsent, sending := v.sendFault(method, cause)
	switch {
	case sending:
		text = unsent
	case errors.As(cause, &locked):
		wait = time.Until(locked.Until)
		v.w.Header().Set("Retry-After", retryAfter(wait))
		text = pages.Text{Key: "error.locked", Args: []any{roundUp(wait)}}
	case errors.Is(cause, ErrRejected) && method == v.gate.recoveryName():
		text = pages.Text{Key: "error.recovery_wrong"}
	case errors.Is(cause, ErrRejected):
		text = v.wrongAnswer(method, cause, "error.code_wrong")
	case errors.Is(cause, errMethod):
		text = pages.Text{Key: "error.try_again"}
	default:
		return cause
	}
	a, err := v.account()
	if err != nil {
		return err
	}
	if !a.enrolled(v.gate.recoveryName()) {
		v.redirect(page("enroll", v.back()))
		return nil
	}
	if status == http.StatusUnauthorized {
		v.w.Header().Set("WWW-Authenticate", challengeHeader(v.realm, Prefix+"challenge"))
	}
	return v.challenge(a, method, status, text, wait)
}

// roundUp makes a wait one that can be said in words: whole seconds, and whole
// minutes from two on.
func roundUp(d time.Duration) time.Duration {
	unit := time.Second
	if d > 2*time.Minute {
		unit = time.Minute
	}
	return max(time.Second, (d + unit - 1).Truncate(unit))
}
