package mfagate

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// countingStore counts the records that were read.
type countingStore struct {
	memory.Store
	reads atomic.Int64
}

func (s *countingStore) Get(ctx context.Context, key string) (storage.Record, error) {
	s.reads.Add(1)
	return s.Store.Get(ctx, key)
}

func (s *countingStore) List(ctx context.Context, prefix, after string, limit int) ([]storage.Record, error) {
	records, err := s.Store.List(ctx, prefix, after, limit)
	s.reads.Add(int64(len(records)))
	return records, err
}

// manyUsers is a gate with users user000000 and so on, of whom every thousandth is
// not enrolled, and a few are locked.
func manyUsers(t testing.TB, n int) (*Gate, *countingStore) {
	t.Helper()
	store := new(countingStore)
	records, err := OpenRecords(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { records.Close() })
	g, err := New(Config{Records: records, Factors: []Factor{anyFactor{}}})
	if err != nil {
		t.Fatal(err)
	}
	var changes []storage.Change
	for i := range n {
		s := Subject{defaultRealm, fmt.Sprintf("user%06d", i)}
		a := &account{Subject: s, Credentials: []Credential{{ID: "1", Factor: "any"}}}
		if i%1000 == 999 {
			a.Credentials = nil
		}
		changes = append(changes, storage.Change{Key: accountKey(s), Value: encode(a)})
		if i%25000 == 7 {
			att := &attempts{Factors: map[string]*tally{"any": {Strangers: count{Until: time.Now().Add(time.Hour)}}}}
			changes = append(changes, storage.Change{Key: attemptsKey(s), Value: encode(att)})
		}
	}
	for len(changes) > 0 {
		n := min(1000, len(changes))
		if err := store.Apply(t.Context(), changes[:n]...); err != nil {
			t.Fatal(err)
		}
		changes = changes[n:]
	}
	return g, store
}

// Of 100,000 users a page, a search by name and the list of the locked ones read
// little more than what they show, and a filter no more than its bound.
func TestSearchOfManyUsers(t *testing.T) {
	g, store := manyUsers(t, 100_000)
	tests := []struct {
		name     string
		q        search
		want     int
		next     string
		scanned  bool
		mostRead int64
	}{
		{"first page", search{}, 50, "user000049", false, 200},
		{"late page", search{after: "user099974"}, 25, "", false, 200},
		{"by name", search{prefix: "user0999"}, 50, "user099949", false, 200},
		{"one", search{prefix: "user054321"}, 1, "", false, 10},
		{"none", search{prefix: "x"}, 0, "", false, 10},
		{"locked", search{filter: onlyLocked}, 4, "", false, 20},
		{"not enrolled", search{filter: notEnrolled}, 5, "user004999", true, 6000},
		{"not enrolled, later", search{filter: notEnrolled, after: "user004999"}, 5, "user009999", true, 6000},
		{"not enrolled, by name", search{filter: notEnrolled, prefix: "user0999"}, 1, "", false, 200},
	}
	for _, test := range tests {
		store.reads.Store(0)
		test.q.realm = defaultRealm
		found, err := g.search(t.Context(), test.q)
		if err != nil {
			t.Fatal(err)
		}
		if len(found.users) != test.want || found.next != test.next || found.scanned != test.scanned {
			t.Errorf("%s: got %d users, next %q, scanned %v; want %d, %q, %v", test.name, len(found.users), found.next, found.scanned, test.want, test.next, test.scanned)
		}
		if n := store.reads.Load(); n > test.mostRead {
			t.Errorf("%s: %d records read; want at most %d", test.name, n, test.mostRead)
		}
	}
}
