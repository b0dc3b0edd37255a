package mfagate

import (
	"errors"
	"net/http"
	"time"

	"github.com/mfagate/caddy-mfagate/pages"
)

const askPath = Prefix + "ask"

// findAsked finds the session that an answer to a block that asks has made.
func (v *visit) findAsked() error {
	token := passedTokens(v.r).asked
	if token == "" {
		var err error
		if token, err = v.cookie(askCookie); err != nil || len(token) != tokenLength {
			return err
		}
	}
	if err := v.takeSession(token); err != nil {
		return err
	}
	v.token = token // of the form, if there is no session
	return nil
}

// ruleAsked decides for who has not answered yet.
func (v *visit) ruleAsked(d Decision) (_ Decision, note func() error) {
	d.Verdict = Challenge
	if v.mode(v.r.Context()) == Observe {
		d.Verdict, note = Pass, v.observe
	}
	return d, note
}

// stopAsked leads to the page that asks.
func (v *visit) stopAsked() {
	if v.sess != nil && v.sess.Hold && navigation(v.r) && !upgrade(v.r) {
		v.stopForCodes(v.wanted())
		return
	}
	if upgrade(v.r) || !navigation(v.r) {
		v.problemIn(fault{status: http.StatusUnauthorized, name: stateChallenge}, stateChallenge)
		return
	}
	v.redirect(page("ask", v.wanted()))
}

// getAsk asks for the name and the code.
func (v *visit) getAsk() error {
	if v.sess != nil && v.sess.satisfies(v.policy, v.now) {
		v.redirect(orRoot(v.back()))
		return nil
	}
	return v.askPage(http.StatusOK, pages.Text{})
}

func (v *visit) askPage(status int, cause pages.Text) error {
	if v.token == "" {
		v.token = newAskToken()
		v.setCookie(askCookie, v.token, time.Time{})
	}
	v.Subject = Subject{} // nobody is signed in, whatever was typed
	f := v.frame()
	f.Error, f.SignOut = cause, false
	v.render(status, f, pages.Ask{Name: v.field("user"), App: v.asksForApp})
	return nil
}

// postAsk judges the answer. All that is not right is answered alike.
func (v *visit) postAsk() error {
	err := v.prove(v.field("user"), v.field("code"))
	if err == nil {
		v.redirect(orRoot(v.back()))
		return nil
	}
	v.beat()
	var locked *LockedError
	switch {
	case errors.As(err, &locked):
		wait := roundUp(time.Until(locked.Until))
		v.w.Header().Set("Retry-After", retryAfter(wait))
		return v.askPage(http.StatusTooManyRequests, pages.Text{Key: "ask.locked", Args: []any{wait}})
	case errors.Is(err, ErrRejected):
		v.w.Header().Set("WWW-Authenticate", challengeHeader(v.realm, askPath))
		return v.askPage(http.StatusUnauthorized, pages.Text{Key: "ask.wrong"})
	}
	return err
}
