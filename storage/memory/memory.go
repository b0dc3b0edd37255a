// Package memory keeps records in memory, for tests, demonstrations and
// single-process trials. Everything is forgotten when the process ends.
//
// It refuses what the other engines refuse: empty keys, and keys and values longer
// than [storage.MaxKey] and [storage.MaxValue] (with 1024 bytes more, so that
// sealing has room).
package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// A Store is a [storage.Store] in memory. Its zero value is an empty store,
// ready for use and safe for concurrent use. It must not be copied.
//
// Expired records are collected now and then while others are written.
type Store struct {
	mu      sync.RWMutex
	records map[string]storage.Record
	keys    []string // of records, sorted
	version uint64   // of the newest record
	sweepAt int      // number of records at which expired ones are collected
}

var _ storage.Store = (*Store)(nil)

// Get implements [storage.Store].
func (s *Store) Get(ctx context.Context, key string) (storage.Record, error) {
	if err := ctx.Err(); err != nil {
		return storage.Record{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, ok := s.records[key]
	if !ok {
		return storage.Record{}, storage.ErrNotFound
	}
	return clone(r), nil
}

// List implements [storage.Store].
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]storage.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	first := sort.Search(len(s.keys), func(i int) bool {
		return s.keys[i] >= prefix && (after == "" || s.keys[i] > after)
	})
	var rs []storage.Record
	for _, key := range s.keys[first:] {
		if !strings.HasPrefix(key, prefix) || limit > 0 && len(rs) == limit {
			break
		}
		rs = append(rs, clone(s.records[key]))
	}
	return rs, nil
}

// Apply implements [storage.Store].
func (s *Store) Apply(ctx context.Context, changes ...storage.Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(changes); err != nil {
		return fmt.Errorf("applying changes: %w", err)
	}
	for _, c := range changes {
		s.change(c)
	}
	s.sweep()
	return nil
}

// Close implements [storage.Store]. It does nothing.
func (s *Store) Close() error { return nil }

func (s *Store) check(changes []storage.Change) error {
	const maxValue = storage.MaxValue + 1024
	named := make(map[string]bool, len(changes))
	for _, c := range changes {
		switch {
		case c.Key == "":
			return errors.New("key is empty")
		case len(c.Key) > storage.MaxKey:
			return fmt.Errorf("key of %d bytes is too long (limit %d)", len(c.Key), storage.MaxKey)
		case len(c.Value) > maxValue:
			return fmt.Errorf("value of %d bytes for key %q is too long (limit %d)", len(c.Value), c.Key, maxValue)
		case named[c.Key]:
			return fmt.Errorf("key %q is named twice", c.Key)
		case s.records[c.Key].Version != c.Version:
			return fmt.Errorf("record %q: %w", c.Key, storage.ErrConflict)
		}
		named[c.Key] = true
	}
	return nil
}

func (s *Store) change(c storage.Change) {
	place, exists := slices.BinarySearch(s.keys, c.Key)
	if c.Value == nil {
		if exists {
			s.keys = slices.Delete(s.keys, place, place+1)
			delete(s.records, c.Key)
		}
		return
	}
	if !exists {
		s.keys = slices.Insert(s.keys, place, c.Key)
	}
	if s.records == nil {
		s.records = make(map[string]storage.Record)
	}
	s.version++
	s.records[c.Key] = clone(storage.Record{Key: c.Key, Value: c.Value, Version: s.version, Expires: c.Expires})
}

// sweep collects expired records whenever their number has doubled, so that it
// costs little per change.
func (s *Store) sweep() {
	const least = 1024
	if len(s.keys) < max(s.sweepAt, least) {
		return
	}
	now := time.Now()
	s.keys = slices.DeleteFunc(s.keys, func(key string) bool {
		at := s.records[key].Expires
		gone := !at.IsZero() && at.Before(now)
		if gone {
			delete(s.records, key)
		}
		return gone
	})
	s.sweepAt = 2 * len(s.keys)
}

func clone(r storage.Record) storage.Record {
	r.Value = bytes.Clone(r.Value)
	return r
}
