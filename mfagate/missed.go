package mfagate

import (
	"cmp"
	"slices"
	"time"

	"github.com/mfagate/caddy-mfagate/pages"
)

// maxMissed is how many notices wait in an account; the oldest goes first.
const maxMissed = 10

// A missed notice is one that no message brought to the person, so that the pages
// tell it after the next sign-in.
type missed struct {
	ID     string    `json:"id"`
	Kind   string    `json:"kind"`
	Time   time.Time `json:"time"`
	App    string    `json:"app,omitempty"`
	Factor string    `json:"factor,omitempty"`
	Label  string    `json:"label,omitempty"`
	Remote string    `json:"remote,omitempty"`
}

// miss keeps a notice for the next sign-in.
func (t *txn) miss(a *account, n outgoing) {
	a.Missed = append(a.Missed, missed{n.ID, n.Kind, n.Time, n.App, n.Factor, n.Label, n.Remote})
	slices.SortStableFunc(a.Missed, func(x, y missed) int { return x.Time.Compare(y.Time) })
	if over := len(a.Missed) - maxMissed; over > 0 {
		a.Missed = a.Missed[over:]
	}
	t.putAccount(a)
}

// deliver notes in the account what came of a try to send a notice. One that failed
// is told on the pages, once, and no more if it arrives after all before the person
// has read that.
func (t *txn) deliver(n *outgoing, failed bool) error {
	if !failed && !n.OnPage || failed && n.OnPage || n.Kind == noticeRequest { // administrators have a page for these
		return nil
	}
	a, err := t.account(n.Subject)
	if err != nil || t.read[accountKey(n.Subject)].Version == 0 {
		return err
	}
	if failed {
		n.OnPage = true
		t.miss(a, *n)
		return nil
	}
	a.forgetMissed(func(m missed) bool { return m.ID == n.ID })
	t.putAccount(a)
	return nil
}

func (a *account) forgetMissed(read func(missed) bool) {
	a.Missed = slices.DeleteFunc(a.Missed, read)
}

// unread are the notices from before the session of the visit, the oldest first: what
// happened in it the person has seen.
func (v *visit) unread(a *account) (list []missed) {
	if v.sess == nil {
		return nil
	}
	for _, m := range a.Missed {
		if m.Time.Before(v.sess.Created) {
			list = append(list, m)
		}
	}
	return list
}

// shownMissed are the unread notices as a page shows them. One that was to go to two
// addresses is shown once.
func (v *visit) shownMissed(a *account) (p pages.Missed) {
	for _, m := range v.unread(a) {
		p.Last = m.ID
		shown := pages.Activity{Kind: m.Kind, Factor: m.Factor, Label: label(m.Label), Remote: m.Remote, Time: m.Time}
		if !slices.Contains(p.Notices, shown) {
			p.Notices = append(p.Notices, shown)
		}
	}
	slices.Reverse(p.Notices)
	return p
}

// getMissed tells what happened while no message could.
func (v *visit) getMissed() error {
	if ok, err := v.verified(page("notices", v.back())); !ok {
		return err
	}
	a, err := v.account()
	if err != nil {
		return err
	}
	p := v.shownMissed(a)
	if len(p.Notices) == 0 {
		v.redirect(cmp.Or(v.back(), Prefix))
		return nil
	}
	v.render(200, v.frame(), p)
	return nil
}

// postMissed takes the person's word that the notices up to the last one on the
// page are read; those that came later stay.
func (v *visit) postMissed() error {
	err := v.change(false, func(_ *txn, s *session, a *account) error {
		last := slices.IndexFunc(a.Missed, func(m missed) bool { return m.ID == v.field("seen") })
		read := make(map[string]bool)
		for _, m := range a.Missed[:last+1] {
			read[m.ID] = m.Time.Before(s.Created)
		}
		a.forgetMissed(func(m missed) bool { return read[m.ID] })
		return nil
	})
	if err != nil {
		return err
	}
	if v.field("action") == "stay" {
		v.redirect(page("", v.back()))
		return nil
	}
	v.redirect(cmp.Or(v.back(), Prefix))
	return nil
}

// onward is where a person who has signed in goes: first to what they were not
// told by mail.
func (v *visit) onward(to string) string {
	if !v.gate.notices || v.asks {
		return to
	}
	a, err := v.account()
	if err != nil || len(v.unread(a)) == 0 {
		return to // the security page tells it too
	}
	return page("notices", to)
}
