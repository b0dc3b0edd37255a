package mfagate

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/pages"
)

// getChoose shows the first step of enrolment. A ticket in the URL is noted in
// the session, and the URL is left at once.
func (v *visit) getChoose() error {
	if v.asks && (v.sess == nil || v.sess.Proved.IsZero() && v.query("ticket") != "") {
		return v.getTicket(v.query("ticket"))
	}
	if code := v.query("ticket"); code != "" {
		if err := v.present(code); err != nil {
			return v.choose(err)
		}
		v.redirect(page("enroll", v.back()))
		return nil
	}
	if v.proven() {
		v.redirect(page("recovery-codes", v.back())) // it is proved and waits for the codes
		return nil
	}
	return v.choose(nil)
}

// choose shows the page with an error of the form, if there is one.
func (v *visit) choose(cause error) error {
	if err := v.ensure(); err != nil {
		return err
	}
	t := newTxn(v.r.Context(), v.gate.records.store)
	s, a, err := v.enrolling(t)
	switch {
	case errors.Is(err, errEnrolled), errors.Is(err, errProofNeeded):
		return v.enrolledAlready(err)
	case errors.Is(err, errTicketNeeded), errors.Is(err, errNetwork),
		errors.Is(err, errTicketWrong), errors.Is(err, errTicketOther):
		if cause == nil && !errors.Is(err, errTicketNeeded) {
			cause = err
		}
	case err != nil:
		return err
	}
	f := v.frame()
	status := http.StatusOK
	if cause != nil {
		f.Error = enrolError(cause)
		if f.Error.Key == "" {
			return cause
		}
		status = explain(cause).status
	}
	p := pages.Choose{TicketNeeded: err != nil, HasTicket: err == nil && s.Ticket != "", First: len(a.Credentials) == 0}
	if p.First {
		p.Later = v.later(a)
	}
	for _, factor := range v.gate.factors {
		if !v.enrolsHere(factor) {
			continue
		}
		p.Factors = append(p.Factors, factor.Name())
	}
	v.render(status, f, p)
	return nil
}

// later is where somebody who passes without a factor goes on, or empty: the
// set-up must be no dead end to whoever has only been invited to it.
func (v *visit) later(a *account) string {
	mode := v.mode(v.r.Context())
	if mode != Observe && v.leaveOf(a, mode, v.now).kind == noLeave {
		return ""
	}
	if back := v.back(); back != "" && !strings.HasPrefix(back, Prefix) {
		return back
	}
	return "/"
}

// enrolError is what the page says of an error that the person can mend there.
func enrolError(err error) pages.Text {
	switch {
	case errors.Is(err, errTicketNeeded):
		return pages.Text{Key: "error.ticket_needed"}
	case errors.Is(err, errTicketWrong):
		return pages.Text{Key: "error.ticket_wrong"}
	case errors.Is(err, errTicketOther):
		return pages.Text{Key: "error.ticket_other"}
	case errors.Is(err, errNetwork):
		return pages.Text{Key: "error.network"}
	case errors.Is(err, errStepGone):
		return pages.Text{Key: "error.try_again"}
	case errors.Is(err, ErrNoAddress):
		return pages.Text{Key: "error.no_address"}
	}
	return pages.Text{}
}

// enrolledAlready leads on somebody who has a factor and must prove it first: to
// sign in or, if that was done, to add another one.
func (v *visit) enrolledAlready(err error) error {
	switch {
	case v.sess.Hold:
		v.redirect(page("recovery-codes", v.back()))
	case v.asks:
		v.redirect(page("ask", v.back()))
	case errors.Is(err, errProofNeeded):
		back := Prefix + "enroll"
		if v.r.PostForm != nil && v.field("replace") != "" {
			back = Prefix
		}
		v.redirect(page("challenge", back, "purpose", purposeSettings))
	default:
		v.redirect(page("challenge", v.back()))
	}
	return nil
}

// postChoose takes a ticket.
func (v *visit) postChoose() error {
	if v.asks {
		return v.postTicket()
	}
	if err := v.present(v.field("ticket")); err != nil {
		return v.choose(err)
	}
	v.redirect(page("enroll", v.back()))
	return nil
}

// getEnrol shows the enrolment that was begun; there is nothing to show before,
// since opening a page makes no secret.
func (v *visit) getEnrol() error {
	f := v.gate.enrollable(v.r.PathValue("part"))
	if f == nil || !v.enrolsHere(f) {
		return errNotFound
	}
	e, err := v.openEnrolment(f)
	switch {
	case errors.Is(err, errEnrolled), errors.Is(err, errProofNeeded):
		return v.enrolledAlready(err)
	case errors.Is(err, errStepGone), errors.Is(err, errNoSession), enrolError(err).Key != "":
		v.redirect(page("enroll", v.back()))
		return nil
	case err != nil:
		return err
	}
	switch await, err := v.codesAwait(); {
	case errors.Is(err, errStepGone): // begun by a program, or too long ago
		v.redirect(page("enroll", v.back()))
		return nil
	case err != nil:
		return err
	case await:
		v.redirect(page("recovery-codes", v.back()))
		return nil
	}
	return v.enrolPage(f, e, http.StatusOK, pages.Text{})
}

// postEnrol begins an enrolment, or judges the answer to it.
func (v *visit) postEnrol() error {
	f := v.gate.enrollable(v.r.PathValue("part"))
	if f == nil || !v.enrolsHere(f) {
		return errNotFound
	}
	if _, ok := v.r.PostForm["code"]; !ok {
		err := v.beginEnrol(f, enrolRequest{v.field("enrollment"), v.field("replace"), v.r.PostForm, false})
		if text, ok := v.sendFault(f.Name(), err); ok {
			return v.enrolAgain(f, err, text)
		}
		if err != nil {
			return v.enrolFault(err)
		}
		v.redirect(page("enroll/"+f.Name(), v.back()))
		return nil
	}
	further := v.sess != nil && !v.sess.Proved.IsZero()
	out, err := v.finishEnrol(f, "", v.r.PostForm, true)
	locked, tooOften := errors.AsType[*LockedError](err)
	switch {
	case tooOften:
		wait := time.Until(locked.Until)
		v.w.Header().Set("Retry-After", retryAfter(wait))
		return v.enrolAgain(f, err, pages.Text{Key: "error.locked_enrol", Args: []any{roundUp(wait)}})
	case errors.Is(err, ErrRejected):
		return v.enrolAgain(f, err, v.wrongAnswer(f.Name(), err, "error.code_wrong_enrol"))
	case err != nil:
		return v.enrolFault(err)
	case out.Replaced:
		v.redirect(v.settled("replaced"))
	case out.Codes == nil && further:
		v.redirect(v.settled("enrolled"))
	case out.Codes == nil:
		v.redirect(v.home("enrolled"))
	default:
		v.redirect(page("recovery-codes", v.back()))
	}
	return nil
}

func (v *visit) enrolFault(err error) error {
	switch {
	case errors.Is(err, errStepGone) && v.proven(): // sent twice
		v.redirect(page("recovery-codes", v.back()))
		return nil
	case errors.Is(err, errEnrolled), errors.Is(err, errProofNeeded):
		return v.enrolledAlready(err)
	case enrolError(err).Key != "":
		return v.choose(err)
	}
	return err
}

// enrolAgain shows where the enrolment stands, as before, and what went wrong.
func (v *visit) enrolAgain(f Factor, cause error, text pages.Text) error {
	e, err := v.openEnrolment(f)
	if err != nil {
		return v.enrolFault(err)
	}
	status := explain(cause).status
	if errors.Is(cause, ErrRejected) {
		status = http.StatusUnprocessableEntity
	}
	return v.enrolPage(f, e, status, text)
}

func (v *visit) enrolPage(f Factor, e enrolment, status int, cause pages.Text) error {
	wait, err := v.resendWait(f)
	if err != nil {
		return err
	}
	frame := v.frame()
	frame.Error = cause
	p := pages.Enrol{Factor: f.Name(), ID: e.ID, View: e.View, Further: !v.sess.Proved.IsZero(), Last: v.gate.order == CodesBefore, Resend: wait}
	if v.r.PostForm != nil {
		p.Typed = cleanLine(v.field("to"), maxAddress)
	}
	v.render(status, frame, p)
	return nil
}

// sendFault says why a code was not sent, if that is what err is about, and when
// to ask again.
func (v *visit) sendFault(factor string, err error) (pages.Text, bool) {
	locked, ok := errors.AsType[*LockedError](err)
	switch {
	case ok && locked.Limit != "":
		wait := time.Until(locked.Until)
		v.w.Header().Set("Retry-After", retryAfter(wait))
		key := "error.sent_too_often"
		if wait > lastResend {
			key = "error.sent_enough"
		}
		return pages.Text{Key: key, Args: []any{roundUp(wait)}}, true
	case errors.Is(err, errUnsent):
		v.w.Header().Set("Retry-After", retryAfter(firstResend))
		return pages.Text{Key: "error.unsent"}, true
	case errors.Is(err, ErrBarred):
		return pages.Text{Key: "factor." + factor + ".to_barred"}, true
	case errors.Is(err, ErrAddress):
		return pages.Text{Key: "factor." + factor + ".to_wrong"}, true
	}
	return pages.Text{}, false
}

// wrongAnswer says what was wrong with an answer: its shape or age, where the
// factor says so, or else what key says, or the factor's own words for it.
func (v *visit) wrongAnswer(factor string, cause error, key string) pages.Text {
	own := "factor." + factor + ".wrong"
	switch {
	case errors.Is(cause, ErrShape):
		key, own = "error.code_shape", "factor."+factor+".shape"
	case errors.Is(cause, ErrExpired):
		key, own = "error.code_expired", ""
	}
	if v.gate.pages.Has(own) {
		key = own
	}
	return pages.Text{Key: key}
}

// home is where somebody goes who is done: the page first wanted, or the security
// page with a word on what was done.
func (v *visit) home(notice string) string {
	if back := v.back(); back != "" && back != Prefix {
		return back
	}
	if v.asks {
		return "/"
	}
	return page("", "", "notice", notice)
}

// settled is where somebody goes who changed what was set up already: the security
// page, from where the way leads on to the page first wanted.
func (v *visit) settled(notice string) string {
	back := v.back()
	if back == Prefix {
		back = ""
	}
	return page("", back, "notice", notice)
}
