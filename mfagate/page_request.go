package mfagate

import (
	"errors"
	"net/http"
	"time"

	"github.com/mfagate/caddy-mfagate/pages"
)

// shownRequest is what the person who has, or seems to have, filed a request may
// know of it: not who decided, nor why.
func shownRequest(q *resetRequest, now time.Time) pages.Request {
	p := pages.Request{State: q.State, Filed: q.Filed, Due: q.Due, Decided: q.Decided, Remote: q.Remote, App: q.App}
	switch {
	case q.open(now) && q.State == RequestApproved && !now.Before(q.Due):
		p.State = "due"
	case !q.open(now) && (q.State != RequestRefused || now.Sub(q.Decided) >= month):
		p.State = ""
	}
	return p
}

// hasRequest tells whether a request of a user is open.
func (v *visit) hasRequest(s Subject) (bool, error) {
	t := newTxn(v.r.Context(), v.gate.records.store)
	q, err := t.request(s)
	return err == nil && q.open(t.now), err
}

// getRequest tells the owner of the account of an open request.
func (v *visit) getRequest() error {
	if ok, err := v.verified(page("reset-request", v.back())); !ok {
		return err
	}
	t := newTxn(v.r.Context(), v.gate.records.store)
	q, err := t.openRequest(v.Subject)
	if errors.Is(err, ErrNoRequest) {
		v.redirect(page("", v.back()))
		return nil
	}
	if err != nil {
		return err
	}
	v.render(http.StatusOK, v.frame(), pages.OwnRequest{Request: shownRequest(q, t.now), Seen: q.ID, Continue: v.onward(orRoot(v.back()))})
	return nil
}

// postRequest cancels the request or, with the action "keep", lets it go on.
func (v *visit) postRequest() error {
	action := v.field("action")
	if action != "cancel" && action != "keep" {
		return errBadRequest
	}
	done := map[string]string{"cancel": "request_cancelled", "keep": "request_kept"}[action]
	switch err := v.answerRequest(action == "keep", v.field("seen")); {
	case errors.Is(err, ErrNoRequest):
		v.redirect(page("", v.back()))
	case errors.Is(err, ErrRequestChanged):
		v.redirect(page("reset-request", v.back()))
	case err != nil:
		return err
	default:
		v.redirect(page("", v.back(), "notice", done))
	}
	return nil
}
