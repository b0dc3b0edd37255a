package mfagate

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/mfagate/caddy-mfagate/pages"
)

// What an administrator can say to a request, as forms name it.
const (
	actionApprove  = "approve"
	actionRefuse   = "refuse"
	actionComplete = "complete"
)

const requestsPerPage = 50

// countRequests fills in how many requests wait.
func (v *visit) countRequests(p *pages.AdminUsers) error {
	list, err := v.gate.ResetRequests(v.r.Context(), v.realm, "", requestsPerPage)
	p.Waiting = len(list)
	p.Requests = v.site.ResetDelay != 0 || p.Waiting > 0
	return err
}

// getRequests lists the open requests of the realm, or shows the one of a user.
func (v *visit) getRequests() error {
	if ok, err := v.looking(); !ok {
		return err
	}
	if name := v.query("user"); name != "" {
		s, err := v.target(name)
		if err != nil {
			return err
		}
		return v.requestPage(s, "", http.StatusOK, pages.Text{})
	}
	after := v.query("after")
	if len(after) > MaxName {
		return errBadRequest
	}
	list, err := v.gate.ResetRequests(v.r.Context(), v.realm, after, requestsPerPage+1)
	if err != nil {
		return err
	}
	p := pages.AdminRequests{Later: after != ""}
	if len(list) > requestsPerPage {
		list = list[:requestsPerPage]
		p.Next = page("admin/requests", "", "after", list[requestsPerPage-1].Name)
	}
	for _, q := range list {
		p.Requests = append(p.Requests, v.adminRequest(q))
	}
	f := v.frame()
	if v.query("notice") == "refused" {
		f.Notice = pages.Text{Key: "notice.request_refused"}
	}
	v.render(http.StatusOK, f, p)
	return nil
}

// requestPage shows one request; a user without one leads to the user's page.
func (v *visit) requestPage(s Subject, reason string, status int, cause pages.Text) error {
	q, err := v.gate.ResetRequest(v.r.Context(), s)
	if errors.Is(err, ErrNoRequest) {
		v.redirect(page("admin/user", "", "user", s.Name))
		return nil
	}
	if err != nil {
		return err
	}
	p := v.adminRequest(q)
	p.Given = reason
	f := v.frame()
	f.Error = cause
	if v.query("notice") == "approved" && q.State == RequestApproved {
		f.Notice = pages.Text{Key: "notice.request_approved"}
	}
	v.render(status, f, p)
	return nil
}

func (v *visit) adminRequest(q ResetRequest) pages.AdminRequest {
	p := pages.AdminRequest{
		Request: pages.Request{State: q.State, Filed: q.Filed, Due: q.Due, Decided: q.Decided, Remote: q.Remote, App: q.App},
		Name:    q.Name, Case: q.Case, Message: q.Message, Expires: q.Expires, Held: q.Held,
		Actor: q.Actor, Reason: q.Reason, Seen: q.Seen,
		LookOnly: v.role() != administrator, Self: q.Subject == v.Subject,
		Proved: v.sess.mayOrder(v.now), Prove: v.proofFor(q.Name),
	}
	if q.State == RequestApproved && !v.now.Before(q.Due) {
		p.State = "due"
	}
	return p
}

// proofFor is the local path to where an administrator makes the proof that a
// decision takes.
func (v *visit) proofFor(name string) string {
	return page("challenge", page("admin/requests", "", "user", name),
		"purpose", purposeSettings, "without", v.gate.recoveryName())
}

// A decision is what an administrator says to a request.
type decision struct {
	target               Subject
	action, reason, seen string
}

func (v *visit) readDecision() (d decision, err error) {
	if v.role() != administrator {
		return d, errLookOnly
	}
	d.action, d.reason, d.seen = v.field("action"), cleanLine(v.field("reason"), maxReason), v.field("seen")
	switch d.target, err = v.target(v.field("user")); {
	case err != nil:
		return d, err
	case d.target == v.Subject:
		return d, errSelf
	case d.action != actionApprove && d.action != actionRefuse && d.action != actionComplete:
		return d, errBadRequest
	}
	return d, nil
}

// postDecision approves, refuses or carries out a request.
func (v *visit) postDecision() error {
	d, err := v.readDecision()
	if err != nil {
		return err
	}
	if v.sess == nil || v.sess.Proved.IsZero() || v.sess.Hold {
		return errNoSession
	}
	if !v.sess.mayOrder(v.now) {
		v.redirect(v.proofFor(d.target.Name))
		return nil
	}
	if d.reason == "" && d.action != actionComplete {
		return v.requestPage(d.target, "", http.StatusUnprocessableEntity, pages.Text{Key: "error.admin_reason"})
	}
	err = v.decideRequest(d)
	switch {
	case errors.Is(err, errProofNeeded):
		v.redirect(v.proofFor(d.target.Name))
		return nil
	case errors.Is(err, ErrNoRequest):
		v.render(http.StatusConflict, v.frame(), pages.Message{
			Title: pages.Text{Key: "message.request_over.title"}, Text: pages.Text{Key: "message.request_over.text"},
			Link: page("admin/user", "", "user", d.target.Name), Label: pages.Text{Key: "label.continue"},
		})
		return nil
	case errors.Is(err, ErrRequestChanged):
		return v.requestPage(d.target, d.reason, http.StatusConflict, pages.Text{Key: "error.request_changed"})
	case errors.Is(err, ErrRequestHeld), errors.Is(err, ErrRequestNotDue):
		return v.requestPage(d.target, d.reason, http.StatusConflict, pages.Text{Key: "error.request_not_yet"})
	}
	return err
}

// decideRequest carries a decision out, goes on if the client leaves, and answers.
func (v *visit) decideRequest(d decision) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), maxCommit)
	defer cancel()
	given := order{
		Subject: d.target, actor: v.Name, reason: d.reason, app: v.site.Name,
		allowed: func(t *txn, _ *account) error { return v.orders(t) },
	}
	switch d.action {
	case actionApprove:
		if _, err := v.gate.approveReset(ctx, given, d.seen); err != nil {
			return err
		}
		v.redirect(page("admin/requests", "", "user", d.target.Name, "notice", "approved"))
	case actionRefuse:
		if err := v.gate.refuseReset(ctx, given, d.seen); err != nil {
			return err
		}
		v.redirect(page("admin/requests", "", "notice", "refused"))
	case actionComplete:
		k, err := v.gate.completeReset(ctx, given, d.seen, 0)
		if err != nil {
			return err
		}
		v.render(http.StatusOK, v.frame(), pages.AdminTicket{
			Name: d.target.Name, Link: v.call.Origin + Prefix + "enroll?ticket=" + url.QueryEscape(k.Code), Expires: k.Expires, Reset: true,
		})
	}
	return nil
}

// orders asks within a commit what was asked before it: the administrator may have
// been signed out meanwhile.
func (v *visit) orders(t *txn) error {
	s, err := t.session(v.token)
	if err == nil && !s.mayOrder(t.now) {
		err = errProofNeeded
	}
	return err
}
