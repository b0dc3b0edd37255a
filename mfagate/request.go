package mfagate

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// Bounds of [Site.ResetDelay].
const (
	LeastResetDelay = time.Hour
	MostResetDelay  = 30 * 24 * time.Hour
)

const (
	requestLife     = 14 * day // after its delay a request that nobody carried out is void
	maxRequests     = 3        // that a user may file in 30 days
	maxMessage      = 500      // length in bytes of what somebody writes with a request
	maxToldRequests = 10       // of a realm in a quarter of an hour, by messages to administrators
	maxToldAdmins   = 20       // of one request
)

// The states of a reset request.
const (
	RequestFiled     = "filed"     // waits for an administrator
	RequestApproved  = "approved"  // waits for its delay, and then for an administrator to carry it out
	RequestRefused   = "refused"   // and over
	RequestCancelled = "cancelled" // by who still has a factor
	RequestDone      = "done"      // the factors are gone
)

// A resetRequest is the last one of a user: under the user's name, so that of all
// that two people do to it at once one happens. One that is over stays for the
// count of its Filings.
type resetRequest struct {
	versioned
	Subject
	ID      string    `json:"id"`
	State   string    `json:"state"`
	Case    string    `json:"case"`
	Message string    `json:"message,omitempty"`
	App     string    `json:"app,omitempty"`
	Remote  string    `json:"remote,omitempty"`
	Filed   time.Time `json:"filed"`
	Due     time.Time `json:"due"`
	Kept    time.Time `json:"kept,omitzero"` // when the owner said, after a proof, that it is theirs

	Actor   string      `json:"actor,omitempty"` // who approved or refused it
	Reason  string      `json:"reason,omitempty"`
	Decided time.Time   `json:"decided,omitzero"`
	Filings []time.Time `json:"filings"` // of this and earlier ones in the last 30 days
}

func requestKey(s Subject) string { return key(kindRequest, s.Realm, s.Name) }

func (q *resetRequest) expires() time.Time { return q.Due.Add(requestLife) }

// open tells whether the request can still take effect.
func (q *resetRequest) open(now time.Time) bool {
	return (q.State == RequestFiled || q.State == RequestApproved) && now.Before(q.expires())
}

// held tells whether the owner of the account has proved a factor since the request
// was filed, and has not said that it is theirs: then it goes no further.
func (q *resetRequest) held(a *account) bool {
	return a.LastProof.After(q.Filed) && a.LastProof.After(q.Kept)
}

// seen names the request and its state, so that nobody decides on what they have
// not been shown.
func (q *resetRequest) seen() string { return q.ID + "." + q.State }

// request reads the last request of a user, or an empty one.
func (t *txn) request(s Subject) (*resetRequest, error) {
	q := &resetRequest{Subject: s}
	err := t.getRecord(requestKey(s), q)
	if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	return q, err
}

// openRequest reads the open request of a user, or returns [ErrNoRequest].
func (t *txn) openRequest(s Subject) (*resetRequest, error) {
	q, err := t.request(s)
	if err == nil && !q.open(t.now) {
		err = fmt.Errorf("%w: %s in realm %s", ErrNoRequest, s.Name, s.Realm)
	}
	return q, err
}

func (t *txn) putRequest(q *resetRequest) {
	t.put(requestKey(q.Subject), encode(q), latest(q.expires(), q.Filed.Add(month)))
}

// dueBy tells when what an event tells of takes effect, zero for what has or never
// will.
func (t *txn) dueBy(e Event) (time.Time, error) {
	if e.Kind != EventResetRequested && e.Kind != EventResetApproved {
		return time.Time{}, nil
	}
	q, err := t.request(e.Subject)
	return q.Due, err
}

// settled returns f with what its events mean for the request of the user: whoever
// changes their own factors needs no reset, and a reset is its end.
func (g *Gate) settled(f func(*txn) error) func(*txn) error {
	return func(t *txn) error {
		if err := f(t); err != nil {
			return err
		}
		for _, e := range t.events {
			state := ""
			switch e.Kind {
			case EventReset:
				state = RequestDone
			case EventEnrolled, EventRemoved, EventReplaced, EventDisabled:
				state = RequestCancelled
			}
			if e.Actor != "" && state != "" {
				state = RequestDone // by an administrator, of which the event tells
			}
			if state == "" {
				continue
			}
			if err := t.endRequest(e, state); err != nil {
				return err
			}
		}
		return nil
	}
}

// endRequest ends the open request of an event's user, if there is one.
func (t *txn) endRequest(e Event, state string) error {
	q, err := t.request(e.Subject)
	if err != nil || !q.open(t.now) {
		return err
	}
	q.State = state
	t.putRequest(q)
	if state == RequestCancelled {
		e.Kind, e.Factor, e.Label, e.Detail = EventResetCancelled, "", "", q.Case
		t.event(e)
	}
	return nil
}

var (
	errRequests   = errors.New("mfagate: too many requests for a reset of this user")
	errNoFactor   = errors.New("mfagate: the user has no factor that could be reset")
	errNoRequests = errors.New("mfagate: requests for a reset are not taken here")
)

// fileRequest files a request of the person whose first factor is right. If one is
// open, that one stays.
func (v *visit) fileRequest(message string) error {
	if v.site.ResetDelay == 0 {
		return errNoRequests
	}
	tell := sync.OnceValue(func() bool { // not once more if the commit is tried again
		return v.gate.mails() && v.gate.records.requests.take(requester{Subject: Subject{Realm: v.realm}}, v.now) == nil
	})
	var out saved
	err := v.commit(func(t *txn) error {
		s, err := t.session(v.token)
		if err != nil {
			return err
		}
		next := *s
		if next.Case == "" {
			next.Case = newCase()
		}
		q, err := v.newRequest(t, next.Case, message)
		if err != nil {
			return err
		}
		if out, err = t.putSession(&next, v.token, false); err != nil || q == nil {
			return err
		}
		t.putRequest(q)
		e := v.event(EventResetRequested)
		e.Detail = q.Case
		t.event(e)
		if !tell() {
			return nil
		}
		return v.tellAdmins(t, q)
	})
	if err == nil {
		v.adopt(out)
	}
	return err
}

// newRequest returns the request to be filed, or nil if one is open.
func (v *visit) newRequest(t *txn, number, message string) (*resetRequest, error) {
	a, err := t.account(v.Subject)
	if err != nil {
		return nil, err
	}
	if !a.enrolled(v.gate.recoveryName()) {
		return nil, errNoFactor
	}
	old, err := t.request(v.Subject)
	if err != nil || old.open(t.now) {
		return nil, err
	}
	filings := slices.DeleteFunc(old.Filings, func(at time.Time) bool { return t.now.Sub(at) >= month })
	if len(filings) >= maxRequests {
		return nil, errRequests
	}
	now := t.now.UTC()
	return &resetRequest{
		Subject: v.Subject, ID: rand.Text(), State: RequestFiled, Case: number,
		Message: cleanLine(strings.Join(strings.Fields(message), " "), maxMessage),
		App:     v.site.Name, Remote: v.event("").Remote,
		Filed: now, Due: now.Add(v.site.ResetDelay), Filings: append(filings, now),
	}, nil
}

// answerRequest is what the owner of the account, who has proved a factor, says to
// the open request: keep means that it is theirs. id names the one that they saw;
// a request is cancelled whichever it is.
func (v *visit) answerRequest(keep bool, id string) error {
	if v.sess == nil || v.sess.Proved.IsZero() || v.sess.Hold {
		return errNoSession
	}
	return v.commit(func(t *txn) error {
		s, err := t.session(v.token)
		if err != nil {
			return err
		}
		q, err := t.openRequest(s.Subject)
		switch {
		case err != nil:
			return err
		case keep && q.ID != id:
			return ErrRequestChanged
		case keep:
			q.Kept = t.now.UTC()
			t.putRequest(q)
			return nil
		}
		return t.endRequest(v.event(EventResetCancelled), RequestCancelled)
	})
}
