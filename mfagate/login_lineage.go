package mfagate

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/storage"
)

// lineageLife is how long a login page may lie open.
const lineageLife = 12 * time.Hour

// A lineage is a visitor of the login page, from the first answer of the app to
// the attempt to sign in. It lives in a sealed cookie: nothing is stored for
// visitors.
type lineage struct {
	ID     string    `json:"id"`
	Made   time.Time `json:"made"`
	Return string    `json:"return,omitempty"` // the page that was asked for first
	Ticket string    `json:"ticket,omitempty"` // of the link with which the person came, before the sign-in
	Again  bool      `json:"again,omitempty"`  // the browser has to ask for a password anew
	Led    time.Time `json:"led,omitzero"`     // when the person was last led to the login page
	Turns  int       `json:"turns,omitempty"`  // how often since, at short intervals, from the same page
}

// Some apps lead whoever is signed in away from their login page at once: to a page, perhaps, of
// which the app tells the gate that it knows nobody there. Browsers give up after some
// twenty redirections, with words that help nobody, so the gate does so before them.
const (
	loopTurns  = 6
	loopWithin = 5 * time.Second // from one turn to the next
)

// turn counts that the person is led to the login page from a page.
func (l *lineage) turn(page string, now time.Time) error {
	if page != l.Return || now.Sub(l.Led) > loopWithin {
		l.Turns = 0
	}
	l.Return, l.Led = page, now.UTC()
	if l.Turns++; l.Turns > loopTurns {
		return errAppLoop
	}
	return nil
}

func (v *visit) newLineage() lineage {
	return lineage{ID: rand.Text(), Made: v.now.UTC()}
}

// lineageAfter is a new one of the same person, who wants the same.
func (v *visit) lineageAfter(l lineage) lineage {
	next := v.newLineage()
	next.Return, next.Ticket = l.Return, l.Ticket
	return next
}

// lineage returns that of the request's cookie; found is false if there is none
// or it is too old.
func (v *visit) lineage() (l lineage, found bool, err error) {
	sealed, err := v.cookie(loginCookie)
	if err != nil || sealed == "" {
		return l, false, err
	}
	box, err := v.box(loginform.ForLineage, "")
	if err != nil {
		return l, false, err
	}
	plain, ok := box.Open(loginCookie, sealed)
	if ok && json.Unmarshal([]byte(plain), &l) == nil && v.now.Sub(l.Made) < lineageLife {
		return l, true, nil
	}
	return lineage{}, false, nil
}

// keep puts a lineage into the browser.
func (v *visit) keep(l lineage) error {
	box, err := v.box(loginform.ForLineage, "")
	if err != nil {
		return err
	}
	b, err := json.Marshal(l)
	if err == nil {
		v.setCookie(loginCookie, box.Seal(loginCookie, string(b)), time.Time{})
	}
	return err
}

// keepReturn notes which page was asked for, to go there after the sign-in. Of the link with
// a ticket that is the ticket.
func (v *visit) keepReturn() error {
	l, found, err := v.lineage()
	if err != nil {
		return err
	}
	if !found {
		l = v.newLineage()
	}
	if code := v.query("ticket"); code != "" && len(code) <= maxTicket && v.client.Sent.Path == Prefix+"enroll" {
		l.Ticket = code
	} else {
		err = l.turn(v.wanted(), v.now)
	}
	if err != nil {
		return err
	}
	return v.keep(l)
}

// States of a promoted lineage.
const (
	attemptPending   = "pending" // an answer of the app is awaited; a crash leaves it so
	attemptFailed    = "failed"  // the same name may try again
	attemptSucceeded = "succeeded"
	attemptBurnt     = "burnt" // nobody knows what the app thinks of it
)

// A promotion is the record of a lineage with which somebody has tried to sign
// in. It is made exactly once, before the app is asked, and outlives the lineage:
// such a lineage never opens for a visitor again, so that what the app may have
// made of its cookies is of no use to whoever else holds a copy.
type promotion struct {
	versioned
	Binding string `json:"binding"`
	Name    string `json:"name"` // key of the name that was typed
	State   string `json:"state"`
	Stale   bool   `json:"stale,omitempty"` // the token of the form that was shown last may be worth nothing
}

func promotionKey(id string) string { return key(kindLineage, hashOf(id).String()) }

// promotion reads the record of a lineage; nil if it was not promoted.
func (t *txn) promotion(id string) (*promotion, error) {
	p := new(promotion)
	err := t.getRecord(promotionKey(id), p)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	return p, err
}

func (t *txn) putPromotion(id string, p *promotion) {
	t.put(promotionKey(id), encode(p), t.now.Add(2*lineageLife))
}

// promoted tells whether somebody has tried to sign in with a lineage.
func (v *visit) promoted(l lineage) (bool, error) {
	p, err := newTxn(v.r.Context(), v.gate.records.store).promotion(l.ID)
	return p != nil, err
}

// burn makes a lineage with which nobody has tried to sign in open nothing any more.
func (v *visit) burn(l lineage) error {
	v.clearCookie(loginCookie)
	err := v.commit(func(t *txn) error {
		p, err := t.promotion(l.ID)
		if err == nil && p == nil {
			t.putPromotion(l.ID, &promotion{Binding: rand.Text(), State: attemptBurnt})
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("ending a lineage: %w", err)
	}
	return nil
}

// settle notes how an attempt ended.
func (v *visit) settle(a *loginAttempt, state string) error {
	return v.commit(func(t *txn) error {
		p, err := t.promotion(a.lineage.ID)
		if err != nil {
			return err
		}
		if p == nil || p.State != attemptPending || p.Binding != a.binding {
			return errNoSession
		}
		p.State, p.Stale = state, state == attemptFailed && a.stale
		t.putPromotion(a.lineage.ID, p)
		return nil
	})
}
