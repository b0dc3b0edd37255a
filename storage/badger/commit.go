package badger

import (
	"context"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/mfagate/caddy-mfagate/storage"
)

const (
	// maxGroup bounds how many calls of Apply share a transaction, and so how
	// long the first of them waits for the others to be looked at.
	maxGroup = 256

	// entryCost and groupCost are more than Badger counts beside key and value
	// for an entry, and for a transaction with its mark.
	entryCost = 16
	groupCost = 1024
)

// A request is one call of Apply on its way to the committing goroutine.
type request struct {
	ctx     context.Context
	changes []storage.Change
	size    int64
	done    chan error
}

// Apply implements [storage.Store].
//
// If the disk fails in the midst of a commit, the error wraps
// [storage.ErrUnknown].
func (s *Store) Apply(ctx context.Context, changes ...storage.Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r, err := s.newRequest(ctx, changes)
	if err != nil {
		return fmt.Errorf("applying changes: %w", err)
	}
	select {
	case s.requests <- r:
		// From here on the changes may be made, so only the outcome is an answer.
		return <-r.done
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return s.wrap("applying changes to", errClosed)
	}
}

func (s *Store) newRequest(ctx context.Context, changes []storage.Change) (*request, error) {
	r := &request{ctx: ctx, changes: changes, done: make(chan error, 1)}
	named := make(map[string]bool, len(changes))
	for _, c := range changes {
		if err := check(c); err != nil {
			return nil, err
		}
		if named[c.Key] {
			return nil, fmt.Errorf("key %q is named twice", c.Key)
		}
		named[c.Key] = true
		r.size += entryCost + int64(len(c.Key)+len(c.Value))
	}
	if limit := s.db.MaxBatchSize() - groupCost; r.size > limit {
		return nil, fmt.Errorf("changes of %d bytes are too large for one transaction (limit %d)", r.size, limit)
	}
	if limit := s.db.MaxBatchCount() - groupCost; int64(len(changes)) > limit {
		return nil, fmt.Errorf("%d changes are too many for one transaction (limit %d)", len(changes), limit)
	}
	return r, nil
}

func check(c storage.Change) error {
	const maxValue = storage.MaxValue + 1024
	switch {
	case c.Key == "":
		return errors.New("key is empty")
	case len(c.Key) > storage.MaxKey:
		return fmt.Errorf("key of %d bytes is too long (limit %d)", len(c.Key), storage.MaxKey)
	case len(c.Value) > maxValue:
		return fmt.Errorf("value of %d bytes for key %q is too long (limit %d)", len(c.Value), c.Key, maxValue)
	}
	return nil
}

// commitAll commits until the store is closed. It is the only writer of the
// database, so what it reads in a transaction cannot change before the commit.
func (s *Store) commitAll() {
	defer close(s.stopped)
	var waiting []*request
	for {
		if len(waiting) == 0 {
			select {
			case r := <-s.requests:
				waiting = append(waiting, r)
			case <-s.closing:
				return
			}
		}
		waiting = s.commit(s.gather(waiting))
	}
}

// gather adds the requests that are already there.
func (s *Store) gather(waiting []*request) []*request {
	for len(waiting) < maxGroup {
		select {
		case r := <-s.requests:
			waiting = append(waiting, r)
		default:
			return waiting
		}
	}
	return waiting
}

// commit answers those requests that can share a transaction, the first one
// always among them, and returns the others in their order.
func (s *Store) commit(requests []*request) (later []*request) {
	g := group{txn: s.db.NewTransaction(true), named: make(map[string]bool)}
	defer g.txn.Discard()
	for _, r := range requests {
		if !s.fits(&g, r) {
			later = append(later, r)
			continue
		}
		if err := g.admit(r); err != nil {
			r.done <- err
		}
	}
	err := s.wrap("writing to", s.write(&g))
	for _, r := range g.members {
		r.done <- err
	}
	return later
}

// fits reports whether the request can join: there is room, and no member
// names one of its keys. What it would replace there has no version yet.
func (s *Store) fits(g *group, r *request) bool {
	if len(g.members) == 0 {
		return true
	}
	if g.size+r.size > s.db.MaxBatchSize()-groupCost ||
		int64(len(g.named)+len(r.changes)) > s.db.MaxBatchCount()-groupCost {
		return false
	}
	for _, c := range r.changes {
		if g.named[c.Key] {
			return false
		}
	}
	return true
}

// A group is a set of requests with no key in common and one transaction.
type group struct {
	txn     *badger.Txn
	members []*request
	named   map[string]bool
	size    int64
	mark    bool
}

// admit makes the request a member unless it is too late for it.
func (g *group) admit(r *request) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	for _, c := range r.changes {
		if err := g.checkVersion(c); err != nil {
			return fmt.Errorf("applying changes: record %q: %w", c.Key, err)
		}
	}
	for _, c := range r.changes {
		g.named[c.Key] = true
		g.mark = g.mark || c.Value == nil || !c.Expires.IsZero()
	}
	g.size += r.size
	g.members = append(g.members, r)
	return nil
}

func (g *group) checkVersion(c storage.Change) error {
	var version uint64
	item, err := g.txn.Get(dbKey(c.Key))
	switch {
	case err == nil:
		version = item.Version()
	case !errors.Is(err, badger.ErrKeyNotFound):
		return err
	}
	if version != c.Version {
		return storage.ErrConflict
	}
	return nil
}

func (s *Store) write(g *group) error {
	if len(g.members) == 0 {
		return nil
	}
	if err := checkSpace(s.free); err != nil {
		return err
	}
	return g.write()
}

// write puts the changes of all members into the transaction and commits it.
func (g *group) write() error {
	for _, r := range g.members {
		for _, c := range r.changes {
			if err := g.put(c); err != nil {
				return err
			}
		}
	}
	if g.mark {
		if err := g.txn.Set([]byte(markKey), nil); err != nil {
			return err
		}
	}
	return outcome(g.txn.Commit())
}

func (g *group) put(c storage.Change) error {
	if c.Value == nil {
		return g.txn.Delete(dbKey(c.Key))
	}
	e := badger.NewEntry(dbKey(c.Key), c.Value)
	e.ExpiresAt = seconds(c.Expires)
	return g.txn.SetEntry(e)
}

// outcome tells the errors of a commit that wrote nothing from those that may
// have come after a part was written.
func outcome(err error) error {
	switch {
	case err == nil,
		errors.Is(err, badger.ErrTxnTooBig),
		errors.Is(err, badger.ErrBlockedWrites),
		errors.Is(err, badger.ErrDBClosed):
		return err
	case errors.Is(err, badger.ErrConflict):
		return fmt.Errorf("%w: %w", storage.ErrConflict, err)
	}
	return fmt.Errorf("%w: %w", storage.ErrUnknown, err)
}
