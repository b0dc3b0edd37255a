package mfagate

import (
	"errors"
	"net/http"

	"github.com/mfagate/caddy-mfagate/pages"
)

// getDraft shows the codes that are to be saved within the wizard, and tells
// whether there are any.
func (v *visit) getDraft(status int, cause pages.Text) (done bool, err error) {
	d, err := v.awaiting(newTxn(v.r.Context(), v.gate.records.store))
	if errors.Is(err, errStepGone) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	f := v.frame()
	f.Error = cause
	v.render(status, f, pages.RecoveryCodes{
		Codes: d.Codes, Set: d.Set, Count: len(d.Codes), First: true, Before: d.Factor == nil, Confirm: d.Factor != nil,
	})
	return true, nil
}

// postDraft hands the codes out as a file, or takes the person's word that they are
// saved, and goes on with the wizard. done is false if no codes are drafted.
func (v *visit) postDraft() (done bool, err error) {
	d, err := v.awaiting(newTxn(v.r.Context(), v.gate.records.store))
	switch {
	case errors.Is(err, errStepGone):
		return false, nil
	case err != nil:
		return true, err
	case d.Set != v.field("set"):
		return v.getDraft(http.StatusConflict, pages.Text{Key: "error.codes_replaced"})
	case v.field("action") == "download":
		v.sendCodes(d.Codes)
		return true, nil
	case v.field("saved") == "":
		return v.getDraft(http.StatusUnprocessableEntity, pages.Text{Key: "error.saved_required"})
	}
	on, method, err := v.saveDraft(d.Set)
	switch {
	case errors.Is(err, errStaleCodes):
		return v.getDraft(http.StatusConflict, pages.Text{Key: "error.codes_replaced"})
	case err != nil:
		return true, v.enrolFault(err)
	case on:
		v.redirect(v.onward(v.home("enrolled")))
	default:
		v.redirect(page("enroll/"+method, v.back()))
	}
	return true, nil
}
