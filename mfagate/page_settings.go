package mfagate

import (
	"errors"
	"net/http"

	"github.com/mfagate/caddy-mfagate/pages"
	"github.com/mfagate/caddy-mfagate/storage"
)

// lowCodes is from how many recovery codes on the person is warned.
const lowCodes = 3

// verified tells whether the visit's session has a proof, and leads to where one
// is made if not.
func (v *visit) verified(back string) (bool, error) {
	if v.sess != nil && !v.sess.Proved.IsZero() && !v.sess.Hold {
		return true, nil
	}
	if err := v.ensure(); err != nil {
		return false, err
	}
	a, err := v.account()
	switch {
	case err != nil:
		return false, err
	case v.sess.Hold:
		v.redirect(page("recovery-codes", back))
	case a.enrolled(v.gate.recoveryName()):
		v.redirect(page("challenge", back))
	default:
		v.redirect(page("enroll", back))
	}
	return false, nil
}

// getSecurity shows what the person has enrolled.
func (v *visit) getSecurity() error { return v.security(http.StatusOK, pages.Text{}) }

// shownEvents is how many events the security page lists.
const shownEvents = 8

// security shows the page with an error of one of its forms, if there is one.
func (v *visit) security(status int, cause pages.Text) error {
	if ok, err := v.verified(Prefix); !ok {
		return err
	}
	a, err := v.account()
	if err != nil {
		return err
	}
	p := pages.Security{
		CodesTotal: a.CodesTotal, Proved: v.sess.maySet(v.now) && !v.sess.Recovery, Continue: orRoot(v.back()),
		CodesShown: v.gate.reveals(a), Optional: !v.keeps(), Admin: v.role() != nobody,
	}
	if p.Continue == Prefix {
		p.Continue = "/"
	}
	if p.CodesLeft, err = v.gate.codesLeft(a); err != nil {
		return err
	}
	if p.Activity, err = v.shownActivity(); err != nil {
		return err
	}
	if p.Request, err = v.hasRequest(v.Subject); err != nil {
		return err
	}
	p.Missed = v.shownMissed(a)
	if v.gate.mails() {
		email, given := v.gate.addressOf(a)
		p.Mail = pages.Mail{To: masked(email), On: true, Choose: v.gate.ask && !given}
	}
	v.listCredentials(a, &p)
	f := v.frame()
	f.Error = cause
	if cause.Key == "" {
		f.Notice = notice(v.query("notice"), p.CodesLeft)
	}
	v.render(status, f, p)
	return nil
}

func (v *visit) listCredentials(a *account, p *pages.Security) {
	for _, c := range a.Credentials {
		if c.Factor == v.gate.recoveryName() {
			p.HasCodes, p.CodesMade = true, c.Created
			continue
		}
		p.Credentials = append(p.Credentials, pages.Credential{
			ID: c.ID, Factor: c.Factor, Label: c.Label, Created: c.Created, Used: c.Used,
		})
	}
}

func (v *visit) shownActivity() ([]pages.Activity, error) {
	events, err := v.gate.Events(v.r.Context(), v.Subject, shownEvents)
	if err != nil {
		return nil, err
	}
	list := make([]pages.Activity, len(events))
	for i, e := range events {
		list[i] = pages.Activity{Kind: e.Kind, Factor: e.Factor, Label: e.Label, Remote: e.Remote, Time: e.Time}
	}
	return list, nil
}

// postSecurity renames or removes a credential.
func (v *visit) postSecurity() error {
	var err error
	var done string
	switch v.field("action") {
	case "rename":
		done, err = "renamed", v.rename(v.field("id"), v.field("label"))
	case "remove":
		done, err = "removed", v.remove(v.field("id"))
	default:
		return errBadRequest
	}
	switch {
	case errors.Is(err, errProofNeeded):
		v.redirect(page("challenge", Prefix, "purpose", purposeSettings, "without", v.gate.recoveryName()))
		return nil
	case errors.Is(err, errLast):
		return v.security(http.StatusConflict, pages.Text{Key: "error.last_factor"})
	case err != nil:
		return err
	}
	v.redirect(page("", "", "notice", done))
	return nil
}

// notice is the good news that a redirect named. The name comes with the URL, so
// only these are known, and none of them could be believed to anybody's harm.
func notice(name string, left int) pages.Text {
	switch name {
	case "passed_recovery":
		if left == 0 {
			return pages.Text{Key: "notice.codes_none"}
		}
		if left <= lowCodes {
			return pages.Text{Key: "notice.codes_low", Args: []any{left}}
		}
		return pages.Text{Key: "notice.passed_recovery", Args: []any{left}}
	case "enrolled", "codes_made", "renamed", "removed", "replaced", "confirmed", "address_confirmed", "request_cancelled", "request_kept":
		return pages.Text{Key: "notice." + name}
	}
	return pages.Text{}
}

// getCodes shows the set that is to be saved.
func (v *visit) getCodes() error {
	if done, err := v.getDraft(http.StatusOK, pages.Text{}); done {
		return err
	}
	if v.sess == nil || v.sess.Proved.IsZero() {
		_, err := v.verified(v.back())
		return err
	}
	if v.gate.recovery == nil {
		v.redirect(Prefix)
		return nil
	}
	return v.showCodes(http.StatusOK, pages.Text{})
}

// showCodes shows the set of the session; where there is none any more it leads
// to where a new one is made.
func (v *visit) showCodes(status int, cause pages.Text) error {
	t := newTxn(v.r.Context(), v.gate.records.store)
	shown, err := t.shown(hashOf(v.token).String())
	if errors.Is(err, storage.ErrNotFound) {
		if v.sess.Hold {
			v.stopForCodes(v.back())
			return nil
		}
		v.redirect(page("", v.back()))
		return nil
	}
	if err != nil {
		return err
	}
	f := v.frame()
	f.Error = cause
	v.render(status, f, pages.RecoveryCodes{
		Codes: shown.Codes, Set: shown.Set, Count: len(shown.Codes), First: v.sess.Hold,
	})
	return nil
}

// postCodes makes a new set, hands one out as a file, or takes the person's word
// that it is saved.
func (v *visit) postCodes() error {
	if v.gate.recovery == nil {
		return errNotFound
	}
	if done, err := v.postDraft(); done {
		return err
	}
	if v.sess == nil || v.sess.Proved.IsZero() {
		return errNoSession
	}
	switch v.field("action") {
	case "new":
		return v.newCodes()
	case "view":
		return v.viewCodes()
	case "download":
		return v.downloadCodes()
	}
	if v.field("saved") == "" {
		return v.showCodes(http.StatusUnprocessableEntity, pages.Text{Key: "error.saved_required"})
	}
	first := v.sess.Hold
	err := v.saveCodes(v.field("set"))
	if errors.Is(err, errStaleCodes) {
		return v.showCodes(http.StatusConflict, pages.Text{Key: "error.codes_replaced"})
	}
	if err != nil {
		return err
	}
	if first {
		v.redirect(v.onward(v.home("enrolled")))
	} else {
		v.redirect(v.home("codes_made"))
	}
	return nil
}

// newCodes replaces the set, after a fresh proof made for that purpose. The codes
// themselves are shown by a page of its own, which can be opened again.
func (v *visit) newCodes() error {
	err := v.replaceCodes()
	if errors.Is(err, errProofNeeded) {
		v.redirect(page("challenge", Prefix, "purpose", purposeSettings, "without", v.gate.recoveryName()))
		return nil
	}
	if err != nil {
		return err
	}
	v.redirect(page("recovery-codes", Prefix))
	return nil
}

// viewCodes shows the codes that are left.
func (v *visit) viewCodes() error {
	codes, err := v.reveal()
	switch {
	case errors.Is(err, errProofNeeded):
		v.redirect(page("challenge", Prefix, "purpose", purposeSettings, "without", v.gate.recoveryName()))
		return nil
	case errors.Is(err, errHidden):
		return v.security(http.StatusConflict, pages.Text{Key: "error.codes_hidden"})
	case err != nil:
		return err
	}
	v.render(http.StatusOK, v.frame(), pages.RecoveryCodes{Codes: codes, Count: len(codes), View: true})
	return nil
}

func (v *visit) replaceCodes() error {
	var out saved
	err := v.commit(func(t *txn) (err error) {
		out, err = v.gate.remakeCodes(t, v, false)
		return err
	})
	if err == nil {
		v.adopt(out)
	}
	return err
}

// getSignOut is for those who follow a link, such as one in the app: it asks once
// more, since signing out takes a form of ours.
func (v *visit) getSignOut() error {
	if v.sess == nil {
		v.signedOut("signed_out")
		return nil
	}
	v.render(http.StatusOK, v.frame(), pages.SignOut{App: v.asks})
	return nil
}

// postSignOut ends the session, or all of them.
func (v *visit) postSignOut() error {
	kind := "signed_out"
	if v.field("everywhere") != "" {
		kind = "signed_out_all"
	}
	cookies, err := v.bindingCookies()
	if err != nil {
		return err
	}
	if err := v.signOut(kind == "signed_out_all"); err != nil {
		return err
	}
	v.leaveApp(cookies)
	v.signedOut(kind)
	return nil
}

// signedOut says that it is done.
func (v *visit) signedOut(kind string) {
	f := v.frame()
	f.User, f.SignOut, f.Token = "", false, ""
	f.Notice = pages.Text{Key: "notice." + kind}
	v.render(http.StatusOK, f, pages.Message{
		Title: pages.Text{Key: "message.signed_out.title"}, Text: pages.Text{Key: "message.signed_out.text"},
		Status: http.StatusOK, Link: "/", Label: pages.Text{Key: "label.sign_in_again"},
	})
}

// signOut ends the session on the server at once. To end those of other browsers
// takes a session that was proved: a password alone shall not do.
func (v *visit) signOut(everywhere bool) error {
	if v.sess == nil {
		return nil
	}
	if everywhere && (v.sess.Proved.IsZero() || v.asks) {
		return errProofNeeded
	}
	err := v.commit(func(t *txn) error {
		a, err := t.account(v.Subject)
		if err != nil {
			return err
		}
		kind := EventSignedOut
		if everywhere {
			kind = EventSignedOutAll
			if _, err := t.endSessions(a); err != nil {
				return err
			}
		}
		a.forget(hashOf(v.token).String())
		if len(a.Credentials) > 0 {
			t.putAccount(a)
		}
		if !v.sess.Proved.IsZero() { // a password alone writes no history
			t.event(v.event(kind))
		}
		return t.removeSession(hashOf(v.token).String())
	})
	if err == nil {
		name := sessionCookie
		if v.asks {
			name = askCookie
		}
		v.clearCookie(name)
		v.sess, v.token = nil, ""
	}
	return err
}
