// Package storagetest holds the tests that every [storage.Store] must pass,
// engines and decorators alike, and a store that fails when told to.
//
// The test of an engine is a few lines:
//
//	func TestStore(t *testing.T) {
//		storagetest.Run(t, func(t *testing.T) storage.Store {
//			s, err := badger.Open(t.TempDir())
//			if err != nil {
//				t.Fatal(err)
//			}
//			return s
//		})
//	}
package storagetest

import (
	"context"
	"errors"
	"testing"

	"github.com/mfagate/caddy-mfagate/storage"
)

// Run tests the stores that open returns. Each call of open must return an
// empty store, which Run closes.
func Run(t *testing.T, open func(*testing.T) storage.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, storage.Store)
	}{
		{"absent key", testAbsent},
		{"put, replace, delete", testRoundTrip},
		{"values", testValues},
		{"keys", testKeys},
		{"largest record", testLargest},
		{"stale version", testStale},
		{"version is never used twice", testVersionReuse},
		{"all or nothing", testAtomic},
		{"no changes", testNoChanges},
		{"key named twice", testNamedTwice},
		{"many changes", testManyChanges},
		{"byte order of keys", testOrder},
		{"list after and limit", testPages},
		{"page through under writers", testPagesUnderWriters},
		{"list is one instant", testSnapshot},
		{"no shared memory", testNoSharing},
		{"not gone before it expires", testExpires},
		{"expiry in the past", testExpiresPast},
		{"cancelled context", testCancelled},
		{"one winner", testOneWinner},
		{"no lost update", testNoLostUpdate},
		{"same keys in another order", testLockOrder},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			test.run(t, s)
		})
	}
}

// apply makes changes that must succeed.
func apply(t *testing.T, s storage.Store, changes ...storage.Change) {
	t.Helper()
	if err := s.Apply(t.Context(), changes...); err != nil {
		t.Fatalf("Apply(%d changes) = %v; want nil", len(changes), err)
	}
}

// get reads a record that must be there.
func get(t *testing.T, s storage.Store, key string) storage.Record {
	t.Helper()
	r, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get(%.40q) = %v; want a record", key, err)
	}
	if r.Key != key || r.Value == nil || r.Version == 0 {
		t.Fatalf("Get(%.40q) = key %.40q, value nil: %v, version %d; want the key, a value, a version",
			key, r.Key, r.Value == nil, r.Version)
	}
	return r
}

// put writes a record, reads it back and returns its version.
func put(t *testing.T, s storage.Store, key, value string, version uint64) uint64 {
	t.Helper()
	apply(t, s, storage.Change{Key: key, Value: []byte(value), Version: version})
	r := get(t, s, key)
	if string(r.Value) != value {
		t.Fatalf("Get(%.40q) = %.40q; want %.40q", key, r.Value, value)
	}
	return r.Version
}

func wantAbsent(t *testing.T, s storage.Store, key string) {
	t.Helper()
	if r, err := s.Get(t.Context(), key); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Get(%.40q) = %+v, %v; want ErrNotFound", key, r, err)
	}
}

func list(t *testing.T, s storage.Store, prefix, after string, limit int) []storage.Record {
	t.Helper()
	rs, err := s.List(t.Context(), prefix, after, limit)
	if err != nil {
		t.Fatalf("List(%q, %q, %d) = %v; want records", prefix, after, limit, err)
	}
	return rs
}

func keys(rs []storage.Record) []string {
	var keys []string
	for _, r := range rs {
		keys = append(keys, r.Key)
	}
	return keys
}

// swap replaces the value of a record by what change makes of it, and tries
// again as long as others are first.
func swap(ctx context.Context, s storage.Store, change func(string) string, names ...string) error {
	for {
		var changes []storage.Change
		for _, key := range names {
			r, err := s.Get(ctx, key)
			if err != nil {
				return err
			}
			changes = append(changes, storage.Change{Key: key, Value: []byte(change(string(r.Value))), Version: r.Version})
		}
		if err := s.Apply(ctx, changes...); !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
}
