package mfagate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

var (
	// ErrNoRequest reports that a user has no open request for a reset: none was
	// filed, or it was refused, cancelled, carried out, or is too old.
	ErrNoRequest = errors.New("mfagate: the user has no open request for a reset")
	// ErrRequestChanged reports that a request is not what it was when it was shown.
	ErrRequestChanged = errors.New("mfagate: the request was changed meanwhile; look at it again")
	// ErrRequestNotDue reports that a request was not approved, or that its delay
	// is not over.
	ErrRequestNotDue = errors.New("mfagate: the request was not approved yet, or its delay is not over")
	// ErrRequestHeld reports that the owner of the account has confirmed a sign-in
	// since the request was filed, and has not said that it is theirs.
	ErrRequestHeld = errors.New("mfagate: the user has confirmed a sign-in since, and must first say that the request is theirs")
)

// A ResetRequest is what an administrator sees of the open request of a user.
type ResetRequest struct {
	Subject
	State   string    `json:"state"` // [RequestFiled] or [RequestApproved]
	Case    string    `json:"case"`  // the number that the person was given
	Message string    `json:"message,omitempty"`
	App     string    `json:"app,omitempty"`
	Remote  string    `json:"remote,omitempty"`
	Filed   time.Time `json:"filed"`
	Due     time.Time `json:"due"`     // before that it cannot be carried out
	Expires time.Time `json:"expires"` // from then on it is void
	Held    bool      `json:"held"`    // see [ErrRequestHeld]
	Actor   string    `json:"actor,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Decided time.Time `json:"decided,omitzero"`
	Seen    string    `json:"seen"` // names the request and its state, for a decision
}

func (q *resetRequest) shown(a *account) ResetRequest {
	return ResetRequest{
		Subject: q.Subject, State: q.State, Case: q.Case, Message: q.Message, App: q.App, Remote: q.Remote,
		Filed: q.Filed, Due: q.Due, Expires: q.expires(), Held: q.held(a),
		Actor: q.Actor, Reason: q.Reason, Decided: q.Decided, Seen: q.seen(),
	}
}

// ResetRequests lists the open requests of a realm in the byte order of the users'
// names, after the given one; a limit of zero or less means all.
func (g *Gate) ResetRequests(ctx context.Context, realm, after string, limit int) ([]ResetRequest, error) {
	last := ""
	if after != "" {
		last = requestKey(Subject{realm, after})
	}
	t := newTxn(ctx, g.records.store)
	list := []ResetRequest{}
	for {
		records, err := g.records.store.List(ctx, prefix(kindRequest, realm), last, scannedBatch)
		if err != nil {
			return nil, fmt.Errorf("listing requests: %w", err)
		}
		for _, rec := range records {
			last = rec.Key
			var q resetRequest
			if err := decode(rec.Value, &q); err != nil {
				return nil, err
			}
			if !q.open(t.now) {
				continue
			}
			a, err := t.account(q.Subject)
			if err != nil {
				return nil, err
			}
			if list = append(list, q.shown(a)); len(list) == limit {
				return list, nil
			}
		}
		if len(records) < scannedBatch {
			return list, nil
		}
	}
}

// ResetRequest returns the open request of a user, or an error wrapping
// [ErrNoRequest].
func (g *Gate) ResetRequest(ctx context.Context, s Subject) (ResetRequest, error) {
	t := newTxn(ctx, g.records.store)
	q, err := t.openRequest(s)
	if err != nil {
		return ResetRequest{}, err
	}
	a, err := t.account(s)
	return q.shown(a), err
}

// ApproveReset approves the request that seen names. Nothing happens to the user's
// factors before [Gate.CompleteReset].
func (g *Gate) ApproveReset(ctx context.Context, actor string, s Subject, seen, reason string) (ResetRequest, error) {
	return g.approveReset(ctx, order{Subject: s, actor: actor, reason: reason}, seen)
}

// RefuseReset refuses the request that seen names, also after it was approved.
func (g *Gate) RefuseReset(ctx context.Context, actor string, s Subject, seen, reason string) error {
	return g.refuseReset(ctx, order{Subject: s, actor: actor, reason: reason}, seen)
}

// CompleteReset carries out the request that seen names, once it is approved and
// its delay is over: it does what [Gate.Reset] does, and the request is over.
func (g *Gate) CompleteReset(ctx context.Context, actor string, s Subject, seen string, valid time.Duration) (Ticket, error) {
	return g.completeReset(ctx, order{Subject: s, actor: actor}, seen, valid)
}

// onRequest runs f on the open request of a user, if it is the one that was seen.
func (g *Gate) onRequest(ctx context.Context, o order, seen string, f func(*txn, *account, *resetRequest) error) error {
	return g.administer(ctx, o, func(t *txn, a *account) error {
		q, err := t.openRequest(o.Subject)
		if err != nil {
			return err
		}
		if q.seen() != seen {
			return ErrRequestChanged
		}
		return f(t, a, q)
	})
}

func (g *Gate) approveReset(ctx context.Context, o order, seen string) (out ResetRequest, err error) {
	err = g.onRequest(ctx, o, seen, func(t *txn, a *account, q *resetRequest) error {
		switch {
		case q.State != RequestFiled:
			return ErrRequestChanged
		case q.held(a):
			return ErrRequestHeld
		}
		t.decideRequest(q, o, RequestApproved)
		t.event(o.event(EventResetApproved))
		out = q.shown(a)
		return nil
	})
	return out, err
}

func (g *Gate) refuseReset(ctx context.Context, o order, seen string) error {
	return g.onRequest(ctx, o, seen, func(t *txn, _ *account, q *resetRequest) error {
		t.decideRequest(q, o, RequestRefused)
		t.event(o.event(EventResetRefused))
		return nil
	})
}

func (t *txn) decideRequest(q *resetRequest, o order, state string) {
	q.State, q.Actor, q.Reason, q.Decided = state, o.actor, o.reason, t.now.UTC()
	t.putRequest(q)
}

func (g *Gate) completeReset(ctx context.Context, o order, seen string, valid time.Duration) (k Ticket, err error) {
	err = g.onRequest(ctx, o, seen, func(t *txn, a *account, q *resetRequest) error {
		switch {
		case q.State != RequestApproved:
			return ErrRequestNotDue
		case t.now.Before(q.Due):
			return fmt.Errorf("%w: that is on %s", ErrRequestNotDue, q.Due.UTC().Format("2006-01-02 at 15:04 MST"))
		case q.held(a):
			return ErrRequestHeld
		}
		given := o
		given.reason = fmt.Sprintf("request %s, approved by %s: %s", q.Case, q.Actor, q.Reason)
		k, err = t.reset(a, given, valid)
		return err
	})
	return k, err
}

// noticeRequest is the kind of the notice by which administrators learn of a
// request.
const noticeRequest = "request"

// tellAdmins tells the administrators who are named of a request, as far as they
// have an address. What somebody wrote with it is not told: it may be a thief, who
// would have us write to the administrators.
func (v *visit) tellAdmins(t *txn, q *resetRequest) error {
	told := 0
	for _, name := range slices.Sorted(maps.Keys(v.admins.users)) {
		if name == q.Name || told == maxToldAdmins {
			continue
		}
		a, err := t.account(Subject{v.realm, name})
		if err != nil {
			return err
		}
		n := outgoing{
			Subject: a.Subject, Kind: noticeRequest, Time: t.now, Language: a.Language,
			App: q.App, Remote: q.Remote, About: q.Name, Due: q.Due,
		}
		for _, n.To = range v.gate.addresses(a, "") {
			t.putNotice(n, t.now)
		}
		told++
	}
	return nil
}
