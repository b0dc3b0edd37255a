package mfagate

import (
	"errors"
	"net/http"

	"github.com/mfagate/caddy-mfagate/pages"
)

var addressPath = Prefix + "address"

// getAddress shows where messages go, and asks for another address.
func (v *visit) getAddress() error { return v.address(http.StatusOK, pages.Text{}) }

// address shows the page with an error of its form, if there is one.
func (v *visit) address(status int, cause pages.Text) error {
	if !v.gate.ask || !v.gate.mails() {
		return errNotFound
	}
	if ok, err := v.verified(addressPath); !ok {
		return err
	}
	t := newTxn(v.r.Context(), v.gate.records.store)
	a, err := t.account(v.Subject)
	if err != nil {
		return err
	}
	r, err := t.awaited(v.Subject)
	if err != nil {
		return err
	}
	email, given := v.gate.addressOf(a)
	p := pages.Address{To: masked(email), Given: given, Asked: r.Email}
	if !given && r.Email == "" && !v.maySet() {
		v.proveForAddress()
		return nil
	}
	f := v.frame()
	f.Error = cause
	v.render(status, f, p)
	return nil
}

func (v *visit) maySet() bool { return v.sess.maySet(v.now) && !v.sess.Recovery }

func (v *visit) proveForAddress() {
	v.redirect(page("challenge", addressPath, "purpose", purposeSettings, "without", v.gate.recoveryName()))
}

// postAddress sends a code, takes one, or drops what was asked for.
func (v *visit) postAddress() error {
	if !v.gate.ask || !v.gate.mails() {
		return errNotFound
	}
	switch v.field("action") {
	case "send":
		return v.addressAnswer(v.askAddress(v.field("email")), page("address", ""))
	case "confirm":
		return v.addressAnswer(v.confirmAddress(v.field("code")), page("", "", "notice", "address_confirmed"))
	case "other":
		return v.addressAnswer(v.dropAddress(), page("address", ""))
	}
	return errBadRequest
}

// addressTroubles are what the page tells of an error.
var addressTroubles = []struct {
	err    error
	status int
	key    string
}{
	{errAddressBad, http.StatusUnprocessableEntity, "error.address_bad"},
	{errAddressLimit, http.StatusTooManyRequests, "error.address_limit"},
	{errAddressGone, http.StatusConflict, "error.address_gone"},
	{errAddressGiven, http.StatusConflict, "error.address_given"},
	{errMailFailed, http.StatusServiceUnavailable, "error.mail_failed"},
	{ErrRejected, http.StatusUnprocessableEntity, "error.address_code"},
}

func (v *visit) addressAnswer(err error, next string) error {
	if err == nil {
		v.redirect(next)
		return nil
	}
	if errors.Is(err, errProofNeeded) {
		v.proveForAddress()
		return nil
	}
	for _, trouble := range addressTroubles {
		if errors.Is(err, trouble.err) {
			return v.address(trouble.status, pages.Text{Key: trouble.key})
		}
	}
	return err
}
