package mfagate

import (
	"errors"
	"net/http"
	"strings"

	"github.com/mfagate/caddy-mfagate/pages"
)

// A PasswordChecker is a [Source] that can tell whether a password is the one with
// which the user of a request signed in.
type PasswordChecker interface {
	// CheckPassword tells whether password is that of the user of r. known is
	// false if the source cannot tell.
	CheckPassword(r *http.Request, password string) (right, known bool)
}

var (
	errRequired = errors.New("mfagate: a second factor is required here")
	errPassword = errors.New("mfagate: password is wrong")
)

// getDisable shows what switching off means, and asks for it.
func (v *visit) getDisable() error {
	if ok, err := v.verified(Prefix); !ok {
		return err
	}
	if !v.keeps() && (!v.sess.maySet(v.now) || v.sess.Recovery) {
		v.redirect(page("challenge", Prefix+"disable", "purpose", purposeSettings, "without", v.gate.recoveryName()))
		return nil
	}
	return v.disablePage(http.StatusOK, pages.Text{})
}

func (v *visit) disablePage(status int, cause pages.Text) error {
	f := v.frame()
	f.Error = cause
	v.render(status, f, pages.Disable{Required: v.keeps(), Password: v.checksPassword()})
	return nil
}

// checksPassword tells whether the source knows the password of this very request.
func (v *visit) checksPassword() bool {
	c, ok := v.source.(PasswordChecker)
	if !ok {
		return false
	}
	_, known := c.CheckPassword(v.r, "")
	return known
}

func (v *visit) postDisable() error {
	err := v.disable(v.field("password"))
	switch {
	case errors.Is(err, errRequired):
		return v.disablePage(http.StatusForbidden, pages.Text{})
	case errors.Is(err, errPassword):
		return v.disablePage(http.StatusUnprocessableEntity, pages.Text{Key: "error.password_wrong"})
	case errors.Is(err, errProofNeeded):
		v.redirect(page("challenge", Prefix+"disable", "purpose", purposeSettings, "without", v.gate.recoveryName()))
		return nil
	case err != nil:
		return err
	}
	f := v.frame()
	f.SignOut, f.Token = false, ""
	v.render(http.StatusOK, f, pages.Message{
		Title: pages.Text{Key: "message.disabled.title"}, Text: pages.Text{Key: "message.disabled.text"},
		Link: "/", Label: pages.Text{Key: "label.continue"},
	})
	return nil
}

// disable takes away all credentials, recovery codes, sessions and known browsers
// of the person, after a fresh proof and, where it can be checked, the password
// (ASVS 5.0 7.5.1).
func (v *visit) disable(password string) error {
	if v.keeps() {
		return errRequired
	}
	if c, ok := v.source.(PasswordChecker); ok {
		if right, known := c.CheckPassword(v.r, strings.TrimRight(password, "\r\n")); known && !right {
			return errPassword
		}
	}
	err := v.change(true, func(t *txn, _ *session, a *account) error {
		if _, err := t.endSessions(a); err != nil {
			return err
		}
		for len(a.Credentials) > 0 {
			if err := v.takeAway(t, a, len(a.Credentials)-1, ""); err != nil {
				return err
			}
		}
		a.Browsers, a.CodesTotal, a.CodesSaved, a.CodesSet = nil, 0, false, ""
		t.event(v.event(EventDisabled))
		return t.removeSession(hashOf(v.token).String())
	})
	if err == nil {
		v.clearCookie(sessionCookie)
		v.sess, v.token = nil, ""
	}
	return err
}
