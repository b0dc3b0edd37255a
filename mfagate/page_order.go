package mfagate

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/mfagate/caddy-mfagate/pages"
)

var errChanged = errors.New("mfagate: the account was changed meanwhile")

// maxReason is the length in bytes of the longest reason.
const maxReason = 300

// An orderForm is what a page of confirmation asks for.
type orderForm struct {
	target Subject
	action string
	reason string
	seen   string // fingerprint of the account that the page showed
}

// readOrder checks who orders what for whom.
func (v *visit) readOrder(value func(string) string) (o orderForm, err error) {
	if v.role() != administrator {
		return o, errLookOnly
	}
	o.action, o.reason, o.seen = value("action"), cleanLine(value("reason"), maxReason), value("seen")
	if !actions[o.action] {
		return o, errBadRequest
	}
	if o.target, err = v.target(value("user")); err != nil {
		return o, err
	}
	if o.target == v.Subject {
		return o, errSelf
	}
	if o.action == actionDisable && v.keeps() {
		return o, errRequired
	}
	return o, nil
}

// getOrder says what an order would do, and asks for the reason.
func (v *visit) getOrder() error {
	o, err := v.readOrder(v.query)
	if err != nil {
		return err
	}
	if ok, err := v.looking(); !ok {
		return err
	}
	if !v.sess.mayOrder(v.now) {
		v.proveForOrder(o.action, o.target.Name)
		return nil
	}
	o.reason = ""
	return v.orderPage(o, http.StatusOK, pages.Text{})
}

// orderPage shows the account as it is now.
func (v *visit) orderPage(o orderForm, status int, cause pages.Text) error {
	t := newTxn(v.r.Context(), v.gate.records.store)
	a, u, err := v.gate.lookAt(t, o.target)
	p := pages.AdminOrder{Action: o.action, Reason: o.reason}
	switch {
	case errors.Is(err, ErrUnknownUser) && o.action == actionTicket:
		p.AdminAccount = pages.AdminAccount{Name: o.target.Name}
	case err != nil:
		return err
	case o.action == actionTicket && u.Enrolled:
		return ErrEnrolled
	default:
		p.AdminAccount = shownAccount(u)
	}
	if a != nil {
		p.Seen = u.fingerprint(a.Resets)
	}
	f := v.frame()
	f.Error = cause
	v.render(status, f, p)
	return nil
}

// lookAt reads the account and the status of a user.
func (g *Gate) lookAt(t *txn, s Subject) (*account, UserStatus, error) {
	a, err := t.existing(s)
	if err != nil {
		return nil, UserStatus{}, err
	}
	u, err := g.status(t, a)
	return a, u, err
}

// postOrder carries an order out.
func (v *visit) postOrder() error {
	o, err := v.readOrder(v.field)
	if err != nil {
		return err
	}
	if v.sess == nil || v.sess.Proved.IsZero() || v.sess.Hold {
		return errNoSession
	}
	if !v.sess.mayOrder(v.now) {
		v.proveForOrder(o.action, o.target.Name)
		return nil
	}
	if o.reason == "" {
		return v.orderPage(o, http.StatusUnprocessableEntity, pages.Text{Key: "error.admin_reason"})
	}
	err = v.carryOut(o)
	switch {
	case errors.Is(err, errProofNeeded):
		v.proveForOrder(o.action, o.target.Name)
		return nil
	case errors.Is(err, errChanged):
		return v.orderPage(o, http.StatusConflict, pages.Text{Key: "error.admin_changed"})
	}
	return err
}

// carryOut makes the change, goes on if the client leaves, and answers.
func (v *visit) carryOut(o orderForm) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), maxCommit)
	defer cancel()
	given := order{
		Subject: o.target, actor: v.Name, reason: o.reason, app: v.site.Name,
		allowed: func(t *txn, a *account) error { return v.mayStill(t, a, o) },
	}
	var k Ticket
	var err error
	switch o.action {
	case actionReset:
		k, err = v.gate.reset(ctx, given, 0)
	case actionTicket:
		k, err = v.gate.issueTicket(ctx, given, 0)
	case actionDisable:
		err = v.gate.disable(ctx, given)
	case actionUnlock:
		err = v.gate.unlock(ctx, given)
	case actionSignOut:
		_, err = v.gate.signOut(ctx, given)
	}
	switch {
	case err != nil:
		return err
	case k.Code == "":
		v.redirect(page("admin/user", "", "user", o.target.Name, "notice", o.action))
	default:
		v.render(http.StatusOK, v.frame(), pages.AdminTicket{
			Name: o.target.Name, Link: v.call.Origin + Prefix + "enroll?ticket=" + url.QueryEscape(k.Code), Expires: k.Expires, Reset: o.action == actionReset,
		})
	}
	return nil
}

// mayStill asks within the commit what was asked before it: the administrator may
// have been signed out, or another one may have been faster.
func (v *visit) mayStill(t *txn, a *account, o orderForm) error {
	if err := v.orders(t); err != nil || o.action != actionReset && o.action != actionDisable {
		return err
	}
	u, err := v.gate.status(t, a)
	if err == nil && u.fingerprint(a.Resets) != o.seen {
		err = errChanged
	}
	return err
}
