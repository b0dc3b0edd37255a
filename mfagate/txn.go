package mfagate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// maxTries is how often a transaction is tried while other writers are faster.
const maxTries = 5

// A txn collects the changes of one commit. Everything that it writes names the
// version that it read, so the commit fails if anybody was faster, and is then
// tried again from the start: what was one-time stays one-time.
type txn struct {
	ctx     context.Context
	store   storage.Store
	now     time.Time
	read    map[string]storage.Record // Version 0: there is none
	changes []storage.Change
	index   map[string]int // of changes
	events  []Event
	renewed [2]string // hashes of the tokens before and after a renewal
	spoken  string    // language of the user before the transaction
	former  string    // address of the user that the transaction replaces

	retention time.Duration // of the events; zero: the usual
}

func newTxn(ctx context.Context, s storage.Store) *txn {
	return &txn{
		ctx: ctx, store: s, now: time.Now(),
		read: make(map[string]storage.Record), index: make(map[string]int),
	}
}

// get returns the value of a record, as changed by the transaction so far, or an
// error wrapping storage.ErrNotFound. An expired record is not found.
func (t *txn) get(key string) ([]byte, error) {
	if i, ok := t.index[key]; ok {
		if t.changes[i].Value == nil {
			return nil, storage.ErrNotFound
		}
		return t.changes[i].Value, nil
	}
	r, err := t.load(key)
	if err != nil {
		return nil, err
	}
	if r.Version == 0 || !r.Expires.IsZero() && !t.now.Before(r.Expires) {
		return nil, storage.ErrNotFound
	}
	return r.Value, nil
}

func (t *txn) load(key string) (storage.Record, error) {
	if r, ok := t.read[key]; ok {
		return r, nil
	}
	r, err := t.store.Get(t.ctx, key)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return r, err
	}
	if err != nil {
		r = storage.Record{Key: key}
	}
	t.read[key] = r
	return r, nil
}

// getRecord decodes a record into r.
func (t *txn) getRecord(key string, r record) error {
	b, err := t.get(key)
	if err != nil {
		return err
	}
	return decode(b, r)
}

// put writes a record in place of the one that the transaction has read, or of
// none if it has not read any.
func (t *txn) put(key string, value []byte, expires time.Time) {
	c := storage.Change{Key: key, Value: value, Version: t.read[key].Version, Expires: expires}
	if i, ok := t.index[key]; ok {
		t.changes[i] = c
		return
	}
	t.index[key] = len(t.changes)
	t.changes = append(t.changes, c)
}

// remove deletes the record that the transaction has read; it reads it first if
// it has not yet.
func (t *txn) remove(key string) error {
	r, err := t.load(key)
	if err != nil {
		return err
	}
	if i, ok := t.index[key]; ok {
		if r.Version == 0 { // made and removed in one transaction
			t.changes[i].Value = nil
			return nil
		}
		t.changes[i] = storage.Change{Key: key, Version: r.Version}
		return nil
	}
	if r.Version != 0 {
		t.put(key, nil, time.Time{})
	}
	return nil
}

// pending returns the changes to apply: without those that delete what never was.
func (t *txn) pending() []storage.Change {
	changes := t.changes[:0:0]
	for _, c := range t.changes {
		if c.Value != nil || c.Version != 0 {
			changes = append(changes, c)
		}
	}
	return changes
}

// commit runs f until its changes could be made, and returns f's error as it is.
func (r *Records) commit(ctx context.Context, f func(*txn) error) (*txn, error) {
	for range maxTries {
		t := newTxn(ctx, r.store)
		if err := f(t); err != nil {
			return nil, err
		}
		t.recordEvents()
		switch err := r.apply(t); {
		case err == nil:
			return t, nil
		case errors.Is(err, storage.ErrUnknown):
			if made, err := t.made(); err != nil || made {
				return t, err
			}
		case !errors.Is(err, storage.ErrConflict):
			return nil, err
		}
	}
	return nil, fmt.Errorf("mfagate: %d tries: %w", maxTries, storage.ErrConflict)
}

// made tells whether a commit of unknown outcome was made. Events have keys of
// their own and are never changed, so the first one serves as the commit's id; a
// commit without an event can be repeated without harm.
func (t *txn) made() (bool, error) {
	if len(t.events) == 0 {
		return false, nil
	}
	_, err := t.store.Get(t.ctx, t.events[0].key())
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
