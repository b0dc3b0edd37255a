package mfagate

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"
)

// Kinds of notices that are not called like the event they tell of.
const (
	noticeRecoveryUsed = "recovery_used"
	noticeSwitchedOff  = "switched_off" // by an administrator
)

// noticePause is how long after a notice nothing more is told of the same kind:
// guessing and reloading a page must not fill anybody's mailbox, nor two sites of
// a realm that tell different addresses.
var noticePause = map[string]time.Duration{
	EventLocked:      day,
	EventCodesMade:   10 * time.Minute,
	EventCodesViewed: 10 * time.Minute,
}

// maxNotices is how many notices a user's account makes within an hour: whoever
// can change it must not fill the outbox, or a mailbox that is not theirs.
const maxNotices = 30

// noticeKind tells what the person is told of an event, or "" for nothing (NIST
// SP 800-63B-4 section 4.2.3; ASVS 5.0 6.3.5, 6.3.7).
func (g *Gate) noticeKind(e Event) string {
	switch e.Kind {
	case EventDisabled:
		if e.Actor != "" { // somebody else
			return noticeSwitchedOff
		}
		return e.Kind
	case EventEnrolled, EventRemoved, EventReplaced, EventCodesMade, EventCodesViewed, EventLocked, EventReset, EventAddressChanged,
		EventResetRequested, EventResetCancelled, EventResetApproved, EventResetRefused:
		return e.Kind
	case EventSignedOutAll:
		if e.Actor != "" { // by somebody else
			return e.Kind
		}
	case EventPassed, EventProved:
		if e.Factor != "" && e.Factor == g.recoveryName() {
			return noticeRecoveryUsed
		}
	}
	return ""
}

// An outgoing notice is the record of something that a person is to be told by a message.
type outgoing struct {
	versioned
	Subject
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Time     time.Time `json:"time"`
	To       string    `json:"to"`
	Via      string    `json:"via,omitempty"` // the factor by which it goes out; empty: it is a mail
	Language string    `json:"language,omitempty"`
	App      string    `json:"app,omitempty"`
	Factor   string    `json:"factor,omitempty"`
	Label    string    `json:"label,omitempty"`
	Remote   string    `json:"remote,omitempty"`
	Left     int       `json:"left,omitempty"`  // recovery codes
	About    string    `json:"about,omitempty"` // the user whom an administrator is told of
	Due      time.Time `json:"due,omitzero"`    // when what was requested takes effect at the earliest
	Tries    int       `json:"tries,omitempty"`
	OnPage   bool      `json:"on_page,omitempty"` // a try failed, so the pages tell it
}

// noticed returns f with the notices of its events in the same commit.
func (g *Gate) noticed(f func(*txn) error) func(*txn) error {
	if !g.notices {
		return f
	}
	return func(t *txn) error {
		if err := f(t); err != nil {
			return err
		}
		first := slices.ContainsFunc(t.events, func(e Event) bool { return e.Kind == EventEnrolled })
		for _, e := range t.events {
			if first && e.Kind == EventCodesMade {
				continue // they belong to the enrolment, which is told
			}
			if err := g.addNotice(t, e); err != nil {
				return err
			}
		}
		return nil
	}
}

// addNotice adds the notice of an event, if there is one: for the outbox, or without
// an address to send it to for the next sign-in. The one that the user had until now is told too (an address is changed
// to keep its owner from being told).
func (g *Gate) addNotice(t *txn, e Event) error {
	kind := g.noticeKind(e)
	if kind == "" {
		return nil
	}
	a, err := t.account(e.Subject)
	if err != nil {
		return err
	}
	to := g.addresses(a, t.former)
	if _, err := t.get(accountKey(e.Subject)); err != nil && len(to) == 0 {
		return nil // nobody who could sign in: nothing is stored for strangers
	}
	if !t.mayTell(a, kind) || kind == EventAddressChanged && !t.mayChange(a, to) {
		return nil
	}
	n := outgoing{
		Subject: e.Subject, Kind: kind, Time: e.Time, Language: cmp.Or(t.spoken, a.Language),
		App: e.App, Factor: e.Factor, Label: e.Label, Remote: e.Remote,
	}
	if n.Left, err = g.codesLeft(a); err != nil {
		return err
	}
	if n.Due, err = t.dueBy(e); err != nil {
		return err
	}
	if len(to) == 0 {
		n.ID = rand.Text()
		t.miss(a, n)
	}
	for _, n.To = range to {
		t.putNotice(n, t.now)
	}
	if kind == EventResetRequested {
		g.putContacts(t, a, n, to)
	}
	return nil
}

// mayTell tells whether the pause after the last notice of the kind is over, and
// begins the next one.
func (t *txn) mayTell(a *account, kind string) bool {
	pause, ok := noticePause[kind]
	if !ok {
		return t.inBudget(a)
	}
	if t.now.Before(a.Told[kind].Add(pause)) {
		return false
	}
	if a.Told == nil {
		a.Told = make(map[string]time.Time)
	}
	a.Told[kind] = t.now.UTC()
	t.putAccount(a)
	return true
}

// reach notes how the owner of the account can be told of what happens to it.
func (v *visit) reach(t *txn, s session, a *account) {
	if v.gate.outbox == nil {
		return
	}
	t.spoken = a.Language // what this commit tells is told in the language of before: a thief may speak another
	if v.r.Header.Get("Accept-Language") != "" {
		a.Language = v.language()
	}
	if !v.gate.mails() {
		return
	}
	email := s.Email
	if v.told && v.identity.Email != "" {
		email = v.identity.Email
	}
	email, ok := address(email)
	if !ok || strings.EqualFold(email, a.Email) {
		return
	}
	if to := v.gate.addresses(a, ""); len(to) > 0 && !strings.EqualFold(to[0], email) && t.read[accountKey(a.Subject)].Version != 0 {
		t.former = to[0]
		t.event(v.event(EventAddressChanged))
	}
	a.Email = email
}

// inBudget tells whether one more notice is within the bound, and counts it.
func (t *txn) inBudget(a *account) bool {
	if t.now.Sub(a.NoticesSince) >= time.Hour {
		a.NoticesSince, a.Notices = t.now.UTC(), 0
	}
	if a.Notices >= maxNotices {
		return false
	}
	a.Notices++
	t.putAccount(a)
	return true
}

// mayChange tells whether the change of address from one to the other was not told
// within a day: two sites that tell different addresses are told of once, and any
// third address at once.
func (t *txn) mayChange(a *account, pair []string) bool {
	slices.Sort(pair)
	sum := sha256.Sum256([]byte(strings.ToLower(strings.Join(pair, " "))))
	k := EventAddressChanged + " " + hex.EncodeToString(sum[:8])
	maps.DeleteFunc(a.Told, func(k string, at time.Time) bool {
		return strings.HasPrefix(k, EventAddressChanged+" ") && t.now.Sub(at) >= day
	})
	if _, told := a.Told[k]; told {
		return false
	}
	if a.Told == nil {
		a.Told = make(map[string]time.Time)
	}
	a.Told[k] = t.now.UTC()
	t.putAccount(a)
	return true
}
