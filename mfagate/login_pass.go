package mfagate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// madeBoxes are those of a binding, with all that they depend on: what a key, a binding or a
// lineage that is no longer the session's has sealed must not open by way of them.
type madeBoxes struct {
	by               *loginform.Sealer
	binding, lineage string
	boxes            []*loginform.Box
}

// bindingBoxes are those whose cookies belong to a binding: what the app has set since the
// sign-in, at attempts that failed before, and before the first attempt. A lineage
// becomes one binding and no other, so its cookies are as good as the binding's own.
func bindingBoxes(s *loginform.Sealer, site, binding, lineage string) []*loginform.Box {
	return []*loginform.Box{
		s.Box(loginform.ForSession, site, binding),
		s.Box(loginform.ForAttempt, site, binding),
		s.Box(loginform.ForVisitor, site, lineage),
	}
}

// passApp hands a request to the app with the cookies of the session's binding.
func (v *visit) passApp(kind loginform.Kind, d Decision, next Next) error {
	made, err := v.sessionBoxes()
	if err != nil {
		return v.refused(err)
	}
	boxes := made.boxes
	inURL, err := v.mayPass(boxes)
	if err != nil {
		return v.refused(err)
	}
	jar := v.jar()
	jar.Open, jar.Seal = boxes, boxes[0]
	opened, err := v.openCookies(made, jar)
	if err != nil {
		return v.refused(err)
	}
	if v.login.Form.Config().Bearer != nil {
		opened = v.openedOf(v.openToken(boxes, opened.Cookies, inURL))
	}
	err = v.recheck(kind, opened, next)
	if errors.Is(err, errTokenEnded) {
		v.vouching, opened, err = "", v.openedOf(nil), nil // nobody's: the script hears so from the app, and gets a new one
	}
	if err != nil {
		if errors.Is(err, errSignIn) && v.login.Form.Config().Basic {
			return v.askPassword()
		}
		if errors.Is(err, errSignIn) {
			return v.visitor(kind, next) // the app's session is over: to the login form
		}
		return v.refused(err)
	}
	v.login.Form.Strip(v.r.Header)
	v.vouch(v.r)
	v.opened = opened
	w := v.sealPage(kind, jar)
	v.openSocket(w, boxes)
	c, switches := &v.live.checked, v.maySwitch()
	w.within, w.switches = c, switches
	if w.script != "" {
		v.r.Header.Set("Accept-Encoding", "identity")
	}
	return v.pass(d, func(_ http.ResponseWriter, r *http.Request, d Decision) error { // what the gate itself answers is not sealed
		if switches {
			c.forget() // for what is sent beside this request
			defer c.forget()
		}
		if kind == loginform.Renew && v.exchanges() {
			return v.exchange(w, r, boxes, func(w http.ResponseWriter, r *http.Request, _ Decision) error { return next(w, r, d) })
		}
		return w.finish(next(w, r, d))
	})
}

// mayPass looks for what is refused within a session, too. It returns the token of the
// app's that was in the URL.
func (v *visit) mayPass(boxes []*loginform.Box) (inURL string, err error) {
	if v.changes() && v.r.Header.Get("Early-Data") != "" {
		return "", errEarly
	}
	if upgrade(v.r) && (!v.login.upgrades(v.r) || v.evadesJudgement()) {
		return "", errForbidden
	}
	return v.guardToken(boxes)
}

// sessionBoxes are those of the session's binding, kept with the live session.
func (v *visit) sessionBoxes() (*madeBoxes, error) {
	s, err := v.gate.records.sealer(v.r.Context(), v.now)
	if err != nil {
		return nil, err
	}
	c := &v.live.checked
	if b := c.boxes.Load(); b != nil && b.by == s && b.binding == v.sess.Binding && b.lineage == v.sess.Lineage {
		return b, nil
	}
	b := &madeBoxes{s, v.sess.Binding, v.sess.Lineage, bindingBoxes(s, v.site.Name, v.sess.Binding, v.sess.Lineage)}
	c.boxes.Store(b)
	return b, nil
}

// endBinding ends the session, whose cookies nothing opens any more.
func (v *visit) endBinding() error {
	if err := v.commit(v.endSession); err != nil {
		return fmt.Errorf("ending a session: %w", err)
	}
	v.forgetSession()
	return nil
}

// sameUser ends the session if an answer sets the cookie that names the user, to
// somebody else. What the app has set opens nowhere then.
func (v *visit) sameUser(h http.Header) error {
	name, sets := v.login.Form.SetsUser(h)
	if !sets {
		return nil
	}
	if name, err := v.site.Names.Canonical(name); err == nil && name == v.Name {
		return nil
	}
	v.gate.log.Warn("the app's session becomes another user's", "site", v.site.Name, "user", v.Name, "now", name)
	if err := v.commit(v.endSession); err != nil {
		return fmt.Errorf("ending a session: %w", err)
	}
	return errOtherUser
}

// appLogout ends the session on the request to do so, whatever the app answers:
// some keep their session all the same. The app is asked, and its cookies go.
func (v *visit) appLogout(next Next) error {
	shows := v.login.Form.ShowsForm(v.r)
	if v.sess == nil && shows {
		return v.visitor(loginform.Page, next) // some apps sign out whoever opens their login page
	}
	if err := v.sameSite(); err != nil {
		return v.refused(err)
	}
	if v.sess == nil {
		return v.toForm()
	}
	passes := !shows && v.logoutPasses()
	cookies, err := v.bindingCookies()
	if err != nil {
		return v.refused(err)
	}
	tokens, err := v.bindingTokens()
	if err != nil {
		return v.refused(err)
	}
	if err := v.endBinding(); err != nil {
		return v.refused(err)
	}
	if !passes {
		v.leaveApp(cookies)
		return v.toForm()
	}
	v.askAgain()
	v.dropCookies(cookies)
	r := v.appRequest(v.r.Context(), v.r, cookies)
	if len(tokens) > 0 {
		return v.revoke(r, tokens, next)
	}
	w := v.seal(v.closedJar())
	if err := w.finish(next(w, r, Decision{})); err != nil {
		v.gate.log.Info("signing out at the app", "site", v.site.Name, "error", err)
		v.redirect(v.login.Form.LoginURI())
	}
	return nil
}

// logoutPasses tells whether a sign-out may go to the app as it is: from somebody
// to whom any page would be shown, in a form that no app could take for another
// request, and without credentials, with which some apps sign in on any path.
func (v *visit) logoutPasses() bool {
	if upgrade(v.r) || !v.login.Form.SignsOut(v.r) || v.guard() != nil {
		return false
	}
	d, err := v.decide()
	return err == nil && d.Verdict == Pass
}

// toForm leads somebody who is signed out to the login page, from where the way must not
// lead back to here.
func (v *visit) toForm() error {
	if !navigation(v.r) {
		return v.refused(errSignIn)
	}
	v.redirect(v.login.Form.LoginURI())
	return nil
}

// bindingCookies are the app's of the session, as far as the request has them.
func (v *visit) bindingCookies() (loginform.Cookies, error) {
	if v.sess == nil || v.sess.Binding == "" {
		return nil, nil
	}
	s, err := v.gate.records.sealer(v.r.Context(), v.now)
	if err != nil {
		return nil, err
	}
	jar := v.jar()
	jar.Open = bindingBoxes(s, v.site.Name, v.sess.Binding, v.sess.Lineage)
	return readCookies(jar, v.r.Header)
}

// dropCookies deletes cookies in the browser as far as their path is known. Those
// that stay open nowhere.
func (v *visit) dropCookies(cookies loginform.Cookies) { v.jar().Drop(v.w.Header(), cookies) }

// leaveApp signs the person out of the app after the gate's own sign-out, as far as that
// goes: that nothing opens the cookies any more is what counts.
func (v *visit) leaveApp(cookies loginform.Cookies) {
	if v.login == nil {
		return
	}
	v.askAgain()
	v.dropCookies(cookies)
	method, uri, ok := v.login.Form.LogoutRequest()
	if !ok || len(cookies) == 0 || v.next == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), recheckLimit)
	defer cancel()
	if _, err := v.probe(ctx, method, uri, cookies, v.next); err != nil {
		v.gate.log.Info("signing out at the app", "site", v.site.Name, "error", err)
	}
}

// lock makes a session that was idle for too long wait for a new proof. Its
// binding stays, so that after the proof a form that lay open still fits.
func (v *visit) lock(token string, s *session) (*session, error) {
	if s.Proved.IsZero() {
		return s, nil
	}
	var out saved
	err := v.commit(func(t *txn) error {
		s, err := t.session(token)
		if err != nil {
			return err
		}
		next := *s
		next.Proved, next.Settings, next.Factor, next.Locked = time.Time{}, time.Time{}, "", true
		out, err = t.putSession(&next, token, false)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("locking an idle session: %w", err)
	}
	return out.session, nil
}
