package mfagate

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// A leaveKind is why somebody passes without a second factor. The zero leaveKind
// is no reason.
type leaveKind int

const (
	noLeave leaveKind = iota
	leaveOptional
	leaveExempt
	leaveGrace
)

// A leave lets somebody who has no factor pass without one.
type leave struct {
	kind  leaveKind
	until time.Time // of a grace

	reminded time.Time // when the person was told last that they could have one
}

// A Grace is for how long people who have no factor yet pass where one is
// required. The zero Grace is none.
type Grace struct {
	Until time.Time     // for everybody; zero means that For counts
	For   time.Duration // since the gate first saw the user
}

// maxGrace is the longest Grace.For.
const maxGrace = 366 * 24 * time.Hour

func (g Grace) validate() error {
	if g.For < 0 || g.For > maxGrace || g.For > 0 && !g.Until.IsZero() {
		return errors.New("mfagate: grace: want either a date, or a duration of at most a year")
	}
	return nil
}

// end is when the grace of a user ends, zero if there is none. Whoever was never
// seen is seen now.
func (g Grace) end(seen, now time.Time) time.Time {
	switch {
	case !g.Until.IsZero():
		return g.Until
	case g.For == 0:
		return time.Time{}
	case seen.IsZero():
		seen = now
	}
	return seen.Add(g.For)
}

// leaveOf tells whether the visit's user may go without a factor. Nobody may who
// has one, or whose next enrolment takes a ticket: an administrator has reset it. Nor
// may somebody of whom only a typed name is known, which may be another spelling of
// a user who has one.
func (v *visit) leaveOf(a *account, mode Mode, now time.Time) leave {
	if v.sess != nil && v.sess.Typed || a.TicketNeeded || a.enrolled(v.gate.recoveryName()) || mode == Observe {
		return leave{}
	}
	if v.isExempt() {
		return leave{kind: leaveExempt}
	}
	if mode == Optional {
		return leave{kind: leaveOptional, reminded: a.Reminded}
	}
	if end := v.site.Grace.end(a.Seen, now); now.Before(end) {
		return leave{leaveGrace, end, a.Reminded}
	}
	return leave{}
}

// isExempt tells whether the source has just named somebody who needs no factor.
// Who has a role, or may have one, does.
func (v *visit) isExempt() bool {
	named := v.told || v.sess != nil && v.sess.Binding != "" && !v.sess.Typed
	return named && v.exempt.lists(v) && !v.trusted()
}

// maxSights is how many users of a realm may be seen for the first time within
// pendingLife: more than work anywhere, too few for a source that makes up names
// to fill the disk with.
const maxSights = 50_000

// sight notes that the user was here without a factor: when first, since a grace
// may count from then, and on which day as somebody who is exempt.
func (v *visit) sight(a *account) error {
	exempt := v.leave.kind == leaveExempt && v.now.Sub(a.Exempted) >= day
	if !a.Seen.IsZero() && !exempt {
		return nil
	}
	if a.Seen.IsZero() {
		if err := v.gate.records.sights.take(requester{Subject: Subject{Realm: v.Realm}}, v.now); err != nil {
			return err
		}
	}
	return v.commit(func(t *txn) error {
		a, err := t.account(v.Subject)
		if err != nil {
			return err
		}
		if a.Seen.IsZero() {
			a.Seen = t.now.UTC()
		}
		if exempt {
			a.Exempted = t.now.UTC()
		}
		t.putAccount(a)
		return nil
	})
}

// usualRemind is how often people are reminded where no factor is required.
const usualRemind = 7 * day

// reminds tells whether the request may be answered by a reminder in place of
// the app: only what a person has just opened, and never what sends anything.
func (v *visit) reminds() bool {
	if v.leave.kind != leaveOptional && v.leave.kind != leaveGrace || v.r.Method != http.MethodGet || upgrade(v.r) || !navigation(v.r) {
		return false
	}
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Moz"} { // the browser only looks ahead
		if strings.Contains(strings.ToLower(v.r.Header.Get(name)), "prefetch") {
			return false
		}
	}
	return v.leave.kind == leaveGrace || v.site.RemindEvery >= 0 && v.mayBegin()
}

// mayBegin tells whether the person could enrol a first factor without a ticket:
// to remind anybody else is of no use.
func (v *visit) mayBegin() bool {
	return !v.site.Enrolment.Ticket && !v.trusted() && v.site.Enrolment.admits(v.client.Addr)
}

// remindEvery is how long after a reminder the next one comes. In a grace that is
// as long as a session may last.
func (v *visit) remindEvery() time.Duration {
	switch {
	case v.leave.kind == leaveGrace:
		return v.lifetime
	case v.site.RemindEvery > 0:
		return v.site.RemindEvery
	}
	return usualRemind
}

var errReminded = errors.New("mfagate: the user was reminded a moment ago")

// remind leads to the reminder if one is due, and tells whether it did. It is
// noted before it is shown: whoever goes on without a word is not asked again. A
// failure keeps nobody from the app.
func (v *visit) remind() bool {
	if v.now.Sub(v.leave.reminded) < v.remindEvery() {
		return false
	}
	back := v.wanted()
	err := v.demand(requirement{Return: back}) // the page's form needs a session
	if err == nil {
		err = v.noteReminder(v.remindEvery())
	}
	switch {
	case errors.Is(err, errReminded):
		return false
	case err != nil:
		v.gate.log.Warn("nobody could be reminded", "error", err)
		return false
	}
	v.redirect(page("reminder", back))
	return true
}

// noteReminder notes that the user was reminded, unless that was a moment ago.
func (v *visit) noteReminder(every time.Duration) error {
	return v.commit(func(t *txn) error {
		a, err := t.account(v.Subject)
		if err != nil {
			return err
		}
		if t.now.Sub(a.Reminded) < every {
			return errReminded
		}
		a.Reminded = t.now.UTC()
		t.putAccount(a)
		return nil
	})
}
