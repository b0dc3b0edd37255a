package mfagate

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"github.com/mfagate/caddy-mfagate/pages"
)

// The page of what holds for all users of the realm, and that on which an
// administrator changes it.

// getRealm shows whether a factor is required, and who said so.
func (v *visit) getRealm() error {
	if ok, err := v.looking(); !ok {
		return err
	}
	p := v.shownMode()
	f := v.frame()
	switch done := v.query("notice"); done {
	case "made_required", "made_optional", "same_mode":
		f.Notice = pages.Text{Key: "notice." + done}
	}
	v.render(http.StatusOK, f, pages.AdminSettings{AdminMode: p})
	return nil
}

// shownMode tells what holds now, of this site.
func (v *visit) shownMode() (p pages.AdminMode) {
	p.LookOnly = v.role() != administrator
	if !v.site.ModeStored {
		p.Fixed = v.site.Mode.String()
		p.Mandatory = v.site.Mode == Required
	} else {
		v.showStored(&p)
	}
	switch g := v.site.Grace; {
	case g.Until.After(v.now):
		p.GraceUntil = g.Until
	case g.For > 0:
		p.GraceDays = int(g.For / day)
	}
	t := v.gate.Tally(v.r.Context(), v.realm)
	p.Counted, p.Users, p.Missing = t.At, t.Users, t.Users-t.Enrolled
	return p
}

func (v *visit) showStored(p *pages.AdminMode) {
	s, err := v.gate.StoredMode(v.r.Context(), v.realm)
	if err != nil {
		v.gate.log.Error("the second factor counts as required", "error", err)
		p.Unreadable = true
	}
	p.Mandatory, p.Actor, p.Reason, p.Changed = s.Mode == Required, s.Actor, s.Reason, s.Changed
	p.Seen = s.fingerprint()
}

// fingerprint names what is stored, so that nobody changes what they have not seen.
func (s StoredMode) fingerprint() string {
	sum := sha256.Sum256(fmt.Append(nil, s.Mode, " ", s.Changed.UnixNano(), " ", s.Actor))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// A modeForm is what the page of confirmation asks for.
type modeForm struct {
	mandatory    bool
	reason, seen string
}

// readMode checks who wants what.
func (v *visit) readMode(value func(string) string) (o modeForm, err error) {
	if v.role() != administrator {
		return o, errLookOnly
	}
	switch value("mandatory") {
	case "yes":
		o.mandatory = true
	case "": // a box that is not ticked is not sent
	default:
		return o, errBadRequest
	}
	if !v.site.ModeStored {
		return o, errWritten
	}
	o.reason, o.seen = cleanLine(value("reason"), maxReason), value("seen")
	return o, nil
}

var errWritten = errors.New("mfagate: the mode is written in the configuration")

// getMode says what the change would mean, and asks for the reason.
func (v *visit) getMode() error {
	o, err := v.readMode(v.query)
	if err != nil {
		return err
	}
	if ok, err := v.looking(); !ok {
		return err
	}
	if v.asItIs(o) {
		return nil // which takes no proof
	}
	if !v.sess.mayOrder(v.now) {
		v.proveForMode(o)
		return nil
	}
	o.reason = ""
	return v.modePage(o, http.StatusOK, pages.Text{})
}

// asItIs answers whoever wants what holds already.
func (v *visit) asItIs(o modeForm) bool {
	var p pages.AdminMode
	v.showStored(&p)
	if p.Mandatory != o.mandatory || p.Unreadable {
		return false
	}
	v.redirect(page("admin/settings", "", "notice", "same_mode"))
	return true
}

func (v *visit) modePage(o modeForm, status int, cause pages.Text) error {
	p := v.shownMode()
	if cause.Key == "" && v.asItIs(o) {
		return nil
	}
	f := v.frame()
	f.Error = cause
	v.render(status, f, pages.AdminModeOrder{AdminMode: p, Make: o.mandatory, Because: o.reason})
	return nil
}

// proveForMode leads to where the proof is made that the change takes.
func (v *visit) proveForMode(o modeForm) {
	back := page("admin/mode", "")
	if o.mandatory {
		back = page("admin/mode", "", "mandatory", "yes")
	}
	v.redirect(page("challenge", back, "purpose", purposeSettings, "without", v.gate.recoveryName()))
}

// postMode carries the change out.
func (v *visit) postMode() error {
	o, err := v.readMode(v.field)
	if err != nil {
		return err
	}
	if v.sess == nil || v.sess.Proved.IsZero() || v.sess.Hold {
		return errNoSession
	}
	if !v.sess.mayOrder(v.now) {
		v.proveForMode(o)
		return nil
	}
	if o.reason == "" {
		return v.modePage(o, http.StatusUnprocessableEntity, pages.Text{Key: "error.admin_reason"})
	}
	err = v.changeMode(o)
	switch {
	case errors.Is(err, errProofNeeded):
		v.proveForMode(o)
		return nil
	case errors.Is(err, errChanged):
		return v.modePage(o, http.StatusConflict, pages.Text{Key: "error.mode_changed"})
	case err != nil:
		return err
	}
	notice := EventMadeOptional
	if o.mandatory {
		notice = EventMadeRequired
	}
	v.redirect(page("admin/settings", "", "notice", notice))
	return nil
}

// changeMode asks within the commit what was asked before it: the administrator
// may have been signed out, or another one may have been faster.
func (v *visit) changeMode(o modeForm) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), maxCommit)
	defer cancel()
	given := order{Subject: Subject{Realm: v.realm}, actor: v.Name, reason: o.reason, app: v.site.Name}
	return v.gate.require(ctx, given, o.mandatory, func(t *txn, was StoredMode) error {
		s, err := t.session(v.token)
		if err != nil {
			return err
		}
		if !s.mayOrder(t.now) {
			return errProofNeeded
		}
		if was.fingerprint() != o.seen {
			return errChanged
		}
		return nil
	})
}
