package mfagate

import (
	"crypto/rand"
	"errors"
	"net/http"

	"github.com/mfagate/caddy-mfagate/pages"
)

// getHelp is for somebody who has lost every way to confirm: whom to ask, and a
// case number by which an administrator finds what happened.
func (v *visit) getHelp() error {
	if err := v.ensure(); err != nil {
		return err
	}
	return v.helpPage(http.StatusOK, "", pages.Text{})
}

// helpPage shows the page with what became of the last request for a reset.
func (v *visit) helpPage(status int, message string, cause pages.Text) error {
	t := newTxn(v.r.Context(), v.gate.records.store)
	a, err := t.account(v.Subject)
	if err != nil {
		return err
	}
	q, err := t.request(v.Subject)
	if err != nil {
		return err
	}
	p := pages.Help{Case: v.sess.Case, Delay: v.site.ResetDelay, Message: message}
	if a.enrolled(v.gate.recoveryName()) { // else there is nothing to be reset
		p.Request = shownRequest(q, t.now)
		p.Offer = v.site.ResetDelay != 0 && !q.open(t.now)
	}
	if q.open(t.now) {
		p.Case = q.Case
	}
	f := v.frame()
	f.Error = cause
	v.render(status, f, p)
	return nil
}

// postHelp gives a case number, one for a session: the event of that number tells
// who asked, when and from where. With the action "request" it files a request.
func (v *visit) postHelp() error {
	switch {
	case v.sess == nil:
		return errNoSession
	case v.field("action") == "request":
		return v.postFiling()
	case v.sess.Case == "":
		if err := v.gate.records.cases.take(requester{Subject: v.Subject}, v.now); err != nil {
			return err
		}
	}
	var out saved
	err := v.commit(func(t *txn) error {
		s, err := t.session(v.token)
		if err != nil {
			return err
		}
		next := *s
		if next.Case == "" {
			next.Case = newCase()
			e := v.event(EventHelp)
			e.Detail = next.Case
			t.event(e)
		}
		out, err = t.putSession(&next, v.token, false)
		return err
	})
	if err != nil {
		return err
	}
	v.adopt(out)
	v.redirect(page("help", v.back()))
	return nil
}

// newCase makes a case number, to be read out on the telephone.
func newCase() string { return rand.Text()[:4] + "-" + rand.Text()[:4] }

// postFiling files a request for a reset.
func (v *visit) postFiling() error {
	message := v.field("message")
	switch err := v.fileRequest(message); {
	case errors.Is(err, errRequests):
		return v.helpPage(http.StatusTooManyRequests, message, pages.Text{Key: "error.request_often"})
	case errors.Is(err, errNoFactor):
		v.redirect(page("enroll", v.back()))
		return nil
	case errors.Is(err, errNoRequests):
		return errNotFound
	case err != nil:
		return err
	}
	v.redirect(page("help", v.back()))
	return nil
}
