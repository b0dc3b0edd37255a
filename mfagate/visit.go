package mfagate

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"time"
)

// A visit is one request as the gate sees it: who it is from, as the source
// tells on this request or, where it tells none, as the session remembers.
type visit struct {
	*Block
	w      http.ResponseWriter
	r      *http.Request
	next   Next
	client Client
	now    time.Time

	told     bool // the source tells who it is
	identity Identity
	Subject

	token   string   // of sess
	live    *live    // of sess
	sess    *session // of this user at this site; nil if there is none
	browser string   // token of a browser that may have proved before
	leave   leave    // with which the request passes without a factor

	until time.Time // when a request that passes by trust must end

	call Call

	opened   *openedCookies // of the app, where its login form is the first factor
	vouching string         // credentials for the app, in clear
}

// maxCommit is how long a commit may take, waiting for the store.
const maxCommit = 20 * time.Second

// commit runs f as one transaction of the visit's user, and tells of what
// happened after it was made. It goes on when the client leaves: else leaving at
// the right moment would keep a wrong answer out of the history.
func (v *visit) commit(f func(*txn) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), maxCommit)
	defer cancel()
	t, err := v.gate.commitOf(ctx, v.Subject, f)
	if err != nil {
		return err
	}
	v.gate.tell(v.r.Context(), t.events)
	return nil
}

// tell hands events to whoever listens, outside of any lock.
func (g *Gate) tell(ctx context.Context, events []Event) {
	for _, e := range events {
		g.onEvent(ctx, e)
		if g.outbox != nil && g.noticeKind(e) != "" {
			g.outbox.wake()
		}
	}
}

func (v *visit) event(kind string) Event {
	e := Event{Kind: kind, Subject: v.Subject, App: v.site.Name}
	if v.client.Addr.IsValid() {
		e.Remote = v.client.Addr.String()
	}
	return e
}

// adopt makes s the session of the visit and of the browser.
func (v *visit) adopt(s saved) {
	v.sess, v.token, v.live = s.session, s.token, nil
	name := sessionCookie
	if s.Asked {
		name = askCookie
	}
	v.setCookie(name, s.token, time.Time{})
}

// ensure makes a pending session if the visit has none. That takes an identity
// that the source tells now: nothing is stored for strangers.
func (v *visit) ensure() error {
	if v.sess != nil {
		return nil
	}
	if !v.told {
		return errNoSession
	}
	return v.demand(requirement{})
}

// demand notes what a stopped request needs, in the session of the visit or in a
// new pending one.
func (v *visit) demand(want requirement) error {
	if v.sess != nil && v.sess.Want.equal(want) {
		return nil
	}
	if v.sess == nil {
		if err := v.allowPending(); err != nil {
			return err
		}
	}
	var out saved
	err := v.commit(func(t *txn) (err error) {
		next := v.pendingSession(t.now)
		if v.sess != nil {
			s, err := t.session(v.token)
			if err != nil {
				return err
			}
			next = *s
		}
		next.Want = want
		if v.told {
			next.Email, next.Phone = v.identity.Email, v.identity.Phone
		}
		out, err = t.putSession(&next, v.token, false)
		return err
	})
	if errors.Is(err, errNoSession) && v.told { // signed out a moment ago, in another tab
		v.sess, v.token = nil, ""
		return v.demand(want)
	}
	if err == nil {
		v.adopt(out)
	}
	return err
}

// allowPending bounds how many pending sessions a password alone makes. Browsers
// that proved before have a share of their own.
func (v *visit) allowPending() error {
	browser, err := v.cookie(browserCookie)
	if err != nil {
		return err
	}
	a, err := v.account()
	if err != nil {
		return err
	}
	return v.gate.records.pending.take(requester{v.Subject, a.knows(browser, v.now)}, v.now)
}

func (v *visit) pendingSession(now time.Time) session {
	return session{
		Subject: v.Subject, Site: v.site.Name,
		Created: now.UTC(), Deadline: now.Add(pendingLife).UTC(),
	}
}

// current reads the session of the visit within a transaction; an identity that
// the source tells may start without one.
func (v *visit) current(t *txn) (session, error) {
	if v.sess == nil {
		if !v.told {
			return session{}, errNoSession
		}
		return v.pendingSession(t.now), nil
	}
	s, err := t.session(v.token)
	if err != nil {
		return session{}, err
	}
	return *s, nil
}

// account reads the user's account outside of a transaction, to show it.
func (v *visit) account() (*account, error) {
	t := newTxn(v.r.Context(), v.gate.records.store)
	return t.account(v.Subject)
}

// user is what a factor is told of the visit's user.
func (v *visit) user(a *account, f Factor) User {
	id := v.identity
	if v.sess != nil {
		id.Email, id.Phone = cmp.Or(id.Email, v.sess.Email), cmp.Or(id.Phone, v.sess.Phone)
	}
	return v.gate.user(a, f.Name(), id, v.call)
}

// user is what a factor is told of the owner of an account.
func (g *Gate) user(a *account, factor string, id Identity, c Call) User {
	u := User{
		Subject: a.Subject, Handle: a.Handle, Email: id.Email, Phone: id.Phone,
		Issuer: g.issuer, Credentials: a.of(factor),
	}
	if u.Issuer == "" {
		u.Issuer = c.Host
	}
	return u
}

// proved turns s into a verified session of the account, under a new token, with
// its rights and traces in the same commit.
func (v *visit) proved(t *txn, s session, a *account, factor string) (saved, error) {
	if s.Proved.IsZero() && !s.Locked { // a lifetime counts from the first proof
		s.Deadline = t.now.Add(v.lifetime).UTC()
	}
	s.Locked = false
	s.Factor, s.Proved = factor, t.now.UTC()
	a.LastProof = t.now.UTC()
	return v.renewed(t, s, a)
}

func newBrowser() string { return rand.Text() }

// renewed stores s under a new token, among the sessions of the account.
func (v *visit) renewed(t *txn, s session, a *account) (saved, error) {
	out, err := t.putSession(&s, v.token, true)
	if err != nil {
		return saved{}, err
	}
	if err := v.moveEnrolments(t, out); err != nil {
		return saved{}, err
	}
	if v.token != "" {
		a.forget(hashOf(v.token).String())
	}
	for _, hash := range a.admit(sessionRef{out.hash(), s.Deadline}, t.now) {
		if err := t.removeSession(hash); err != nil {
			return saved{}, err
		}
	}
	if !a.knows(v.browser, t.now) {
		v.browser = newBrowser() // never one that somebody else could have put there
	}
	a.learn(v.browser, t.now)
	v.reach(t, s, a)
	t.putAccount(a)
	return out, nil
}
