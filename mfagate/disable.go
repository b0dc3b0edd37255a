package mfagate

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"time"

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
	_, factor := v.confirms()
	if !v.keeps() && !v.sess.mayDisable(factor, v.now) {
		v.proveForDisable()
		return nil
	}
	return v.disablePage(http.StatusOK, pages.Text{})
}

func (v *visit) disablePage(status int, cause pages.Text) error {
	f := v.frame()
	f.Error = cause
	password, _ := v.confirms()
	v.render(status, f, pages.Disable{Required: v.keeps(), Password: password, Unasked: !password && v.checksPassword()})
	return nil
}

// proveForDisable leads to where the proof is made that switching off takes.
func (v *visit) proveForDisable() {
	v.redirect(page("challenge", disablePath, "purpose", purposeSettings, "without", v.gate.recoveryName()))
}

const disablePath = Prefix + "disable"

// A Confirm says what switching off asks for on top of a fresh proof for changes.
// The zero Confirm is the password where it can be checked.
type Confirm int

// The ways to confirm.
const (
	ConfirmUsual    Confirm = iota // the password where it can be checked
	ConfirmPassword                // the password or, where it cannot be checked, as ConfirmFactor
	ConfirmFactor                  // a proof made for switching off, minutes ago
	ConfirmBoth                    // that and, where it can be checked, the password
	ConfirmNone                    // nothing more
)

// confirms tells what switching off asks for here.
func (v *visit) confirms() (password, factor bool) {
	known := v.checksPassword()
	switch v.site.Confirm {
	case ConfirmUsual:
		return known, false
	case ConfirmPassword:
		return known, !known
	case ConfirmBoth:
		return known, true
	case ConfirmNone:
		return false, false
	default:
		return false, true
	}
}

// mayDisable tells whether the session's proof does for switching off: one for
// changes, not by a recovery code and, where a factor must confirm, made on the
// way to that very page.
func (s *session) mayDisable(factor bool, now time.Time) bool {
	return s.maySet(now) && !s.Recovery && (!factor || !s.Disable.IsZero() && now.Sub(s.Disable) <= freshSettings)
}

// checkPassword tells whether a password is that of the visit's user.
func (v *visit) checkPassword(password string) (bool, error) {
	if v.login != nil {
		return v.checkAtApp(password)
	}
	c, ok := v.source.(PasswordChecker)
	if !ok {
		return false, nil
	}
	right, known := c.CheckPassword(v.r, password)
	return known && right, nil
}

// checksPassword tells whether the source knows the password of this very request.
func (v *visit) checksPassword() bool {
	if v.login != nil {
		return true
	}
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
		v.proveForDisable()
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
// of the person, after a fresh proof and what else confirms it (ASVS 5.0 7.5.1).
func (v *visit) disable(password string) error {
	if v.keeps() {
		return errRequired
	}
	asked, factor := v.confirms()
	if asked {
		if !v.sess.mayDisable(factor, v.now) {
			return errProofNeeded // without asking anybody about the password
		}
		if right, err := v.checkPassword(strings.TrimRight(password, "\r\n")); err != nil || !right {
			return cmp.Or(err, errPassword)
		}
	}
	cookies, err := v.bindingCookies()
	if err != nil {
		return err
	}
	err = v.change(true, func(t *txn, s *session, a *account) error {
		if !s.mayDisable(factor, t.now) {
			return errProofNeeded
		}
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
		v.leaveApp(cookies)
		v.clearCookie(sessionCookie)
		v.sess, v.token = nil, ""
	}
	return err
}
