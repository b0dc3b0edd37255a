package mfagate

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// ErrEnrolled reports that a user has a factor already, so that no ticket helps.
var ErrEnrolled = errors.New("mfagate: the user has a factor already; reset removes it")

// ErrUnknownUser reports that no record is of a user.
var ErrUnknownUser = errors.New("mfagate: no such user")

// A UserStatus is what an administrator may see of a user: never a secret.
type UserStatus struct {
	Subject
	Enrolled      bool               `json:"enrolled"`
	Factors       []CredentialStatus `json:"factors"`
	RecoveryLeft  int                `json:"recovery_codes_left"`
	RecoveryMade  int                `json:"recovery_codes_made"` // of the set that they are left of
	LastProof     time.Time          `json:"last_proof,omitzero"`
	LockedUntil   time.Time          `json:"locked_until,omitzero"` // the latest of the user's factors
	TicketNeeded  bool               `json:"ticket_needed"`
	FirstSeen     time.Time          `json:"first_seen,omitzero"`  // without a factor
	LastExempt    time.Time          `json:"last_exempt,omitzero"` // when the user passed as somebody exempt, to the day
	Sessions      int                `json:"sessions"`
	FailedCodes24 int                `json:"failed_codes_24h"`
	NeverSeen     bool               `json:"never_seen"`       // known from a list of users only
	Groups        []string           `json:"groups,omitempty"` // as that list told
}

// A CredentialStatus is what may be shown of a credential.
type CredentialStatus struct {
	ID      string    `json:"id"`
	Factor  string    `json:"factor"`
	Label   string    `json:"label"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
}

func status(c Credential) CredentialStatus {
	return CredentialStatus{c.ID, c.Factor, c.Label, c.Created, c.Used}
}

// Users lists users that have a record, in the byte order of their names, after
// the given one; a limit of zero or less means all. Users that the gate has never
// seen are not known to it.
func (g *Gate) Users(ctx context.Context, realm, after string, limit int) ([]UserStatus, error) {
	pre := prefix(kindUser, realm)
	if after != "" {
		after = accountKey(Subject{realm, after})
	}
	t := newTxn(ctx, g.records.store)
	records, err := g.records.store.List(ctx, pre, after, limit)
	if err != nil {
		return nil, fmt.Errorf("listing users: %w", err)
	}
	users := make([]UserStatus, 0, len(records))
	for _, rec := range records {
		a := new(account)
		if err := decode(rec.Value, a); err != nil {
			return nil, err
		}
		u, err := g.status(t, a)
		if err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return users, nil
}

// User tells the status of one user, or an error wrapping [ErrUnknownUser].
func (g *Gate) User(ctx context.Context, s Subject) (UserStatus, error) {
	t := newTxn(ctx, g.records.store)
	a, err := t.existing(s)
	if err != nil {
		return UserStatus{}, err
	}
	return g.status(t, a)
}

// existing reads the account of a user who has one.
func (t *txn) existing(s Subject) (*account, error) {
	switch _, err := t.get(accountKey(s)); {
	case errors.Is(err, storage.ErrNotFound):
		return nil, fmt.Errorf("%w: %s in realm %s", ErrUnknownUser, s.Name, s.Realm)
	case err != nil:
		return nil, err
	}
	return t.account(s)
}

func (g *Gate) status(t *txn, a *account) (UserStatus, error) {
	u := UserStatus{
		Subject: a.Subject, Enrolled: a.enrolled(g.recoveryName()), Factors: []CredentialStatus{},
		LastProof: a.LastProof, TicketNeeded: a.TicketNeeded, RecoveryMade: a.CodesTotal, FirstSeen: a.Seen, LastExempt: a.Exempted,
		NeverSeen: a.neverSeen(), Groups: a.Groups,
	}
	for _, c := range a.Credentials {
		if c.Factor != g.recoveryName() {
			u.Factors = append(u.Factors, status(c))
		}
	}
	for _, s := range a.Sessions {
		if t.now.Before(s.Expires) {
			u.Sessions++
		}
	}
	var err error
	if u.RecoveryLeft, err = g.codesLeft(a); err != nil {
		return u, err
	}
	att, err := t.attempts(a.Subject)
	if err != nil {
		return u, err
	}
	u.FailedCodes24, u.LockedUntil = att.failed(t.now), g.lockedUntil(att, t.now)
	return u, nil
}

// Events lists what happened to a user, newest first, at most limit of them.
func (g *Gate) Events(ctx context.Context, s Subject, limit int) ([]Event, error) {
	pointers, err := g.pointers(ctx, s, limit)
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	var events []Event
	for i := len(pointers) - 1; i >= 0 && len(events) < limit; i-- {
		id, err := lastPart(pointers[i].Key)
		if err != nil {
			return nil, err
		}
		t := newTxn(ctx, g.records.store)
		var e eventRecord
		if err := t.getRecord(key(kindEvent, id), &e); errors.Is(err, storage.ErrNotFound) {
			continue // past its retention
		} else if err != nil {
			return nil, err
		}
		events = append(events, e.Event)
	}
	return events, nil
}

// pointers returns those to the latest events of a user, oldest first: at least n
// if there are as many. Lists go forward only, so it looks back an hour, then eight,
// and so on, before it looks at everything.
func (g *Gate) pointers(ctx context.Context, s Subject, n int) ([]storage.Record, error) {
	pre, now := prefix(kindUserEvent, s.Realm, s.Name), time.Now()
	for back := time.Hour; back < usualRetention; back *= 8 {
		after := key(kindUserEvent, s.Realm, s.Name, CursorAt(now.Add(-back)))
		if p, err := g.records.store.List(ctx, pre, after, 0); err != nil || len(p) >= n {
			return p, err
		}
	}
	return g.records.store.List(ctx, pre, "", 0)
}

// Reset removes all credentials, recovery codes and sessions of a user, and
// issues the ticket that the next enrolment needs (ASVS 5.0 6.4.4, 6.4.6). actor
// and reason are kept in the event. A valid of zero means 24 hours, the most.
func (g *Gate) Reset(ctx context.Context, actor string, s Subject, reason string, valid time.Duration) (Ticket, error) {
	return g.reset(ctx, order{Subject: s, actor: actor, reason: reason}, valid)
}

// Disable removes all credentials, recovery codes and sessions of a user, and asks
// for no ticket afterwards: where the site lets people pass without a second factor,
// the user's password alone is then enough, also to enrol anew. Where it does not,
// [Gate.Reset] is what is wanted. actor and reason are kept in the event.
func (g *Gate) Disable(ctx context.Context, actor string, s Subject, reason string) error {
	return g.disable(ctx, order{Subject: s, actor: actor, reason: reason})
}

// Unlock forgets the failed attempts of a user.
func (g *Gate) Unlock(ctx context.Context, actor string, s Subject) error {
	return g.unlock(ctx, order{Subject: s, actor: actor})
}

// SignOut ends all sessions of a user and tells how many there were.
func (g *Gate) SignOut(ctx context.Context, actor string, s Subject) (int, error) {
	return g.signOut(ctx, order{Subject: s, actor: actor})
}

// IssueTicket makes a ticket for the first enrolment of a user, whom the gate
// need not have seen before; for one who is enrolled it is [ErrEnrolled]. A valid
// of zero means 24 hours, the most.
func (g *Gate) IssueTicket(ctx context.Context, actor string, s Subject, valid time.Duration) (Ticket, error) {
	return g.issueTicket(ctx, order{Subject: s, actor: actor}, valid)
}

// Realms lists the realms that have users.
func (g *Gate) Realms(ctx context.Context) ([]string, error) {
	var realms []string
	after := ""
	for {
		records, err := g.records.store.List(ctx, kindUser+"/", after, 1)
		if err != nil || len(records) == 0 {
			return realms, err
		}
		escaped, _, _ := strings.Cut(strings.TrimPrefix(records[0].Key, kindUser+"/"), "/")
		realm, err := url.PathUnescape(escaped)
		if err != nil {
			return nil, fmt.Errorf("mfagate: reading the name of a realm: %w", err)
		}
		realms = append(realms, realm)
		after = kindUser + "/" + escaped + "0" // the byte after the slash: after all users of the realm
	}
}
