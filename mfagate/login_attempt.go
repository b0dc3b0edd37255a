package mfagate

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// attemptLimit is how long the app may take to answer a sign-in.
const attemptLimit = 60 * time.Second

// A loginAttempt is one submitted form.
type loginAttempt struct {
	lineage lineage
	binding string
	name    string            // key of the typed name
	typed   string            // as it goes to the app
	fresh   bool              // the form was not shown to this lineage: its cookies stay behind
	stale   bool              // the gate's own question has made the app show another form since
	renewed bool              // the form has the values of a fresh one instead
	sent    loginform.Cookies // with which the app was asked
	set     loginform.Cookies // that it and the probes answered with
	lines   []string          // the same, as headers Set-Cookie
	given   *loginform.Answer // to the form; what is judged may be the page that it leads to
	counted *window           // of the address
	next    Next
}

// attempt answers a submitted login form. The lineage is promoted before the app
// is asked, and the app never sees a cookie of somebody who is signed in: with
// one, wrong passwords look right in some apps.
func (v *visit) attempt(next Next) error {
	sub, err := v.submission()
	if err != nil {
		return v.refused(err)
	}
	a := &loginAttempt{name: v.typedName(sub.User), typed: sub.User, next: next}
	if a.counted, err = v.allowLogin(a.name); err != nil {
		return v.refused(err)
	}
	if err := v.promote(a); err != nil {
		return v.refused(err)
	}
	answer, outcome, err := v.submit(a, sub)
	if err != nil {
		v.gate.log.Error("signing in at the app", "site", v.site.Name, "error", err)
	}
	switch outcome {
	case loginform.Succeeded:
		err = v.signedIn(a, answer)
	case loginform.Failed:
		err = v.signInFailed(a, answer)
	default:
		if err == nil {
			v.logUnclear(a, answer)
		}
		err = v.signInUnclear(a, answer)
	}
	if err != nil {
		return v.refused(err)
	}
	return nil
}

func (v *visit) submission() (*loginform.Submission, error) {
	if v.r.TLS != nil && !v.r.TLS.HandshakeComplete || v.r.Header.Get("Early-Data") != "" {
		return nil, errEarly
	}
	if err := v.sameSite(); err != nil {
		return nil, err
	}
	if err := v.sameSiteAsPost(); err != nil {
		return nil, err
	}
	sub, err := v.login.Form.ReadSubmission(v.r)
	if err != nil {
		v.gate.log.Warn("login form refused", "site", v.site.Name, "error", err)
		return nil, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	return sub, nil
}

// promote ties the lineage of the request to one binding and one name. Whoever is
// signed in is signed out: the form is for somebody who is not.
func (v *visit) promote(a *loginAttempt) error {
	l, found, err := v.lineage()
	if err != nil {
		return err
	}
	mine := l
	err = v.commit(func(t *txn) error {
		l, a.fresh = mine, !found || v.sess != nil
		if err := v.endSession(t); err != nil {
			return err
		}
		p, err := t.promotion(l.ID)
		if err != nil {
			return err
		}
		if p != nil && (p.State != attemptFailed || p.Name != a.name) {
			a.fresh = true // what the app made of those cookies is not for this name
		}
		if a.fresh {
			l, p = v.lineageAfter(l), nil
		}
		if p == nil {
			p = &promotion{Binding: rand.Text(), Name: a.name}
		}
		a.stale, p.Stale = p.Stale, false
		p.State, a.lineage, a.binding = attemptPending, l, p.Binding
		t.putPromotion(l.ID, p)
		return nil
	})
	if err != nil {
		return fmt.Errorf("noting an attempt to sign in: %w", err)
	}
	v.forgetSession()
	return v.attemptCookies(a)
}

// endSession ends the session of the visit within a transaction, if no other request has done so meanwhile.
func (v *visit) endSession(t *txn) error {
	if v.sess == nil {
		return nil
	}
	if _, err := t.session(v.token); errors.Is(err, errNoSession) {
		return nil
	} else if err != nil {
		return err
	}
	acc, err := t.account(v.Subject)
	if err != nil {
		return err
	}
	hash := hashOf(v.token).String()
	acc.forget(hash)
	if len(acc.Credentials) > 0 {
		t.putAccount(acc)
	}
	if !v.sess.Proved.IsZero() {
		t.event(v.event(EventSignedOut))
	}
	return t.removeSession(hash)
}

// forgetSession makes the visit one without a session.
func (v *visit) forgetSession() {
	if v.sess == nil {
		return
	}
	v.sess, v.live, v.token, v.Subject = nil, nil, "", Subject{}
	v.clearCookie(sessionCookie)
}

// attemptCookies opens what the app may see: the cookies of the page that the form
// was on.
func (v *visit) attemptCookies(a *loginAttempt) (err error) {
	jar := v.jar()
	if !a.fresh {
		s, err := v.gate.records.sealer(v.r.Context(), v.now)
		if err != nil {
			return err
		}
		jar.Open = bindingBoxes(s, v.site.Name, a.binding, a.lineage.ID)[1:] // nobody is signed in yet
	}
	a.sent, err = readCookies(jar, v.r.Header)
	return err
}

// submit asks the app. It goes on when the person leaves, so that the app's answer
// is judged in any case.
func (v *visit) submit(a *loginAttempt, sub *loginform.Submission) (*loginform.Answer, loginform.Outcome, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), attemptLimit)
	defer cancel()
	if a.fresh || a.stale {
		v.renew(ctx, a, sub)
	}
	r := v.appRequest(ctx, v.r, a.sent)
	setBody(r, sub)
	answer, err := v.hold(r, a.next)
	if err != nil {
		return nil, loginform.Unclear, err
	}
	a.take(answer, v.now)
	a.given = answer
	v.takeToken(answer)
	if answer, err = v.login.Form.Follow(ctx, answer, v.prober(a)); err != nil {
		return a.given, loginform.Unclear, err
	}
	outcome, err := v.login.Form.Judge(ctx, answer, v.prober(a))
	return answer, outcome, err
}

// take notes the cookies that an answer sets.
func (a *loginAttempt) take(answer *loginform.Answer, now time.Time) {
	a.set = a.set.With(loginform.ReadSetCookies(answer.Header, now))
	a.lines = append(a.lines, answer.Header["Set-Cookie"]...)
}

// prober makes the gate's own requests for an attempt, with the new cookies.
func (v *visit) prober(a *loginAttempt) loginform.Prober {
	return func(ctx context.Context, method, uri string) (*loginform.Answer, error) {
		answer, err := v.probe(ctx, method, uri, a.sent.With(a.set), a.next)
		if err == nil {
			a.take(answer, v.now)
		}
		return answer, err
	}
}

// signedIn makes the session of whom the app takes the person for, and leads on to
// the second factor. Nothing of the app's answer is delivered, unless policy says in
// so many words that this user needs none.
func (v *visit) signedIn(a *loginAttempt, answer *loginform.Answer) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), attemptLimit)
	defer cancel()
	name, identified, err := v.whoIs(ctx, a, answer)
	if err != nil {
		v.gate.log.Warn("the app does not say who signed in", "site", v.site.Name, "error", err)
		return v.signInUnclear(a, answer)
	}
	if v.unbound(a) {
		v.gate.log.Error("the app's session is in no cookie that is sealed, so nobody can sign in; look at pass_cookies, and whether it is a token (session bearer)", "site", v.site.Name)
		return v.signInUnclear(a, answer)
	}
	v.Subject = Subject{v.realm, name}
	if err := v.admit(a, identified); err != nil {
		return err
	}
	v.gate.records.logins.giveBack(a.counted)
	d, err := v.decide()
	if err != nil {
		return err
	}
	if err := v.sealAnswer(a, loginform.ForSession); err != nil {
		return err
	}
	v.clearCookie(loginCookie)
	if d.Verdict == Pass && v.login.Form.Config().Bearer == nil {
		return v.sendAnswer(a.given)
	}
	return v.askFactor(d.Verdict, a, answer)
}

// unbound tells whether nothing that the app would know the person by is sealed: what passes in
// clear could be used in any other session.
func (v *visit) unbound(a *loginAttempt) bool {
	form := v.login.Form
	return form.Config().Bearer == nil &&
		!slices.ContainsFunc(a.sent.With(a.set), func(c loginform.Cookie) bool { return !c.Deleted && !form.Passes(c.Name) })
}

// whoIs tells who signed in. identified is false if only the person says so.
func (v *visit) whoIs(ctx context.Context, a *loginAttempt, answer *loginform.Answer) (name string, identified bool, err error) {
	c := v.login.Form.Config()
	switch {
	case c.Identify != nil:
		identified = true
		name, err = v.login.Form.Who(ctx, answer, v.prober(a))
	case c.UserConst != "":
		name = c.UserConst
	default:
		name = a.typed
	}
	if err != nil {
		return "", false, err
	}
	name, err = v.site.Names.Canonical(name)
	return name, identified, err
}

// admit makes the session of a sign-in, which waits for its second factor.
func (v *visit) admit(a *loginAttempt, identified bool) error {
	var out saved
	err := v.commit(func(t *txn) error {
		p, err := t.promotion(a.lineage.ID)
		if err != nil {
			return err
		}
		if p == nil || p.State != attemptPending || p.Binding != a.binding {
			return errNoSession // somebody else has settled this attempt
		}
		p.State = attemptSucceeded
		t.putPromotion(a.lineage.ID, p)
		s := v.pendingSession(t.now)
		s.Binding, s.Lineage, s.Typed = a.binding, a.lineage.ID, !identified
		s.Want = requirement{v.policy.Factors, v.policy.MaxAge, orRoot(cmp.Or(localPath(a.lineage.Return), localPath(v.login.Form.Config().Home)))}
		out, err = v.putSignIn(t, s, a.lineage.Ticket)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting a sign-in: %w", err)
	}
	v.adopt(out)
	return nil
}

// putSignIn stores the session of a sign-in. Where there is no proof to wait for, it
// lives as long as one that was proved. The ticket is of the link that the person had opened before, if any.
func (v *visit) putSignIn(t *txn, s session, ticket string) (saved, error) {
	a, err := t.account(v.Subject)
	if err != nil {
		return saved{}, err
	}
	if s.Ticket, err = t.ticketOf(ticket, a); err != nil {
		return saved{}, err
	}
	v.sess = &s // as the leave sees it
	if v.leaveOf(a, v.mode(t.ctx), t.now).kind != noLeave {
		s.Deadline = t.now.Add(v.lifetime).UTC()
	}
	out, err := t.putSession(&s, "", false)
	if err != nil {
		v.sess = nil
	}
	return out, err
}

// askFactor leads to the second factor. A script is told so with a status and a header.
func (v *visit) askFactor(verdict Verdict, a *loginAttempt, answer *loginform.Answer) error {
	to := page("challenge", "")
	if verdict == Enrol {
		to = page("enroll", "")
	}
	if navigation(v.r) {
		v.redirect(to)
		return nil
	}
	v.w.Header().Set(locationHeader, to)
	if token := v.sealedToken(a.binding, answer); token != nil {
		v.json(http.StatusOK, "application/json", token)
		return nil
	}
	if ans := v.login.Form.Config().Answer; ans != nil {
		v.fixed(ans)
		return nil
	}
	v.unauthorized(verdict)
	return nil
}

// signInFailed delivers the app's answer to a wrong password: nothing but that is
// in it, as an explicit sign says. The same name may try again.
func (v *visit) signInFailed(a *loginAttempt, answer *loginform.Answer) error {
	answer = v.failurePage(a, answer)
	if !v.nobodyIn(a, answer) {
		v.gate.log.Warn("the app's answer looks like a failure, but somebody may be signed in", "site", v.site.Name)
		return v.signInUnclear(a, answer)
	}
	if err := v.settle(a, attemptFailed); err != nil {
		return err
	}
	if err := v.keep(a.lineage); err != nil {
		return err
	}
	if err := v.sealAnswer(a, loginform.ForAttempt); err != nil {
		return err
	}
	if a.fresh && !a.renewed && navigation(v.r) || answer.Status >= 300 && answer.Status < 400 || !answer.ShowsAt(a.given.URL) {
		return v.tryAgain(http.StatusUnauthorized) // its form has lost the cookies that belong to it, or its links their meaning
	}
	return v.sendAnswer(answer)
}

// nobodyIn tells whether the app takes nobody for signed in, where it can be asked: what
// looks like a failure may be a page of the user's on which somebody else has
// written those very words.
func (v *visit) nobodyIn(a *loginAttempt, answer *loginform.Answer) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), recheckLimit)
	defer cancel()
	ask := v.prober(a)
	_, err := v.login.Form.Who(ctx, answer, func(ctx context.Context, method, uri string) (*loginform.Answer, error) {
		page, err := ask(ctx, method, uri)
		a.stale = err == nil && v.login.Form.HasForm(page)
		return page, err
	})
	return errors.Is(err, loginform.ErrNobody)
}
