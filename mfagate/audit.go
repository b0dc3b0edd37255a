package mfagate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// Late is how long after an event's time the event may still appear: its ID is
// made when a commit begins, and the commit may have to wait for the store.
// Whoever follows the events reads those of this span again, and leaves out what
// they have seen.
const Late = maxCommit

// auditPart is how many records are read at once.
const auditPart = 1000

// CursorAt returns a cursor for [Gate.Audit] and [Gate.AuditUser] that stands
// before all events of the time t and of later ones.
func CursorAt(t time.Time) string { return t.UTC().Format("20060102T150405.000000000") }

// Audit lists the events of all users in order of time, at most limit of them,
// after a cursor: the ID of an event, a result of [CursorAt], or empty for the
// beginning. A limit of zero or less means all. Events past their retention are
// left out. See [Late] for how to follow.
func (g *Gate) Audit(ctx context.Context, after string, limit int) ([]Event, error) {
	if after != "" {
		after = key(kindEvent, after)
	}
	return g.audit(ctx, prefix(kindEvent), after, limit, func(rec storage.Record) ([]byte, error) {
		return rec.Value, nil
	})
}

// AuditUser lists the events of one user as [Gate.Audit] does. A user who is not
// known has none.
func (g *Gate) AuditUser(ctx context.Context, s Subject, after string, limit int) ([]Event, error) {
	if after != "" {
		after = key(kindUserEvent, s.Realm, s.Name, after)
	}
	return g.audit(ctx, prefix(kindUserEvent, s.Realm, s.Name), after, limit, func(rec storage.Record) ([]byte, error) {
		id, err := lastPart(rec.Key)
		if err != nil {
			return nil, err
		}
		rec, err = g.records.store.Get(ctx, key(kindEvent, id))
		return rec.Value, err
	})
}

// audit lists what value finds by the records of a prefix. It goes on where
// records are passed over, so that fewer than limit means that there are no more.
func (g *Gate) audit(ctx context.Context, prefix, after string, limit int, value func(storage.Record) ([]byte, error)) ([]Event, error) {
	events, now := []Event{}, time.Now()
	for limit <= 0 || len(events) < limit {
		part := auditPart
		if limit > 0 {
			part = min(part, limit-len(events))
		}
		records, err := g.records.store.List(ctx, prefix, after, part)
		if err != nil {
			return nil, fmt.Errorf("listing events: %w", err)
		}
		for _, rec := range records {
			after = rec.Key
			if !rec.Expires.IsZero() && !now.Before(rec.Expires) {
				continue
			}
			var e eventRecord
			switch b, err := value(rec); {
			case errors.Is(err, storage.ErrNotFound): // past its retention
				continue
			case err != nil:
				return nil, fmt.Errorf("reading an event: %w", err)
			default:
				if err := decode(b, &e); err != nil {
					return nil, err
				}
			}
			events = append(events, e.Event)
		}
		if len(records) < part {
			break
		}
	}
	return events, nil
}

// commit runs f until its changes could be made. Events are kept for as long as
// the gate says.
func (g *Gate) commit(ctx context.Context, f func(*txn) error) (*txn, error) {
	return g.records.commit(ctx, func(t *txn) error {
		t.retention = g.retention
		return f(t)
	})
}

// Sessions tells how many sessions this process holds as in use: those that had a
// request lately, and at most 200,000.
func (r *Records) Sessions() int {
	n := 0
	for i := range r.cache.shard {
		s := &r.cache.shard[i]
		s.RLock()
		n += len(s.live)
		s.RUnlock()
	}
	return n
}

// commitOf is commit for one user, one after the other, with the notices. A panic
// in f must not leave the lock behind.
func (g *Gate) commitOf(ctx context.Context, s Subject, f func(*txn) error) (*txn, error) {
	defer g.records.lock(s)()
	return g.commit(ctx, g.noticed(g.settled(f)))
}
