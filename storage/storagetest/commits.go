package storagetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/mfagate/caddy-mfagate/storage"
)

func testAtomic(t *testing.T, s storage.Store) {
	version := put(t, s, "old", "one", 0)
	good := []storage.Change{
		{Key: "a", Value: []byte("1")},
		{Key: "old", Value: []byte("two"), Version: version},
		{Key: "z", Value: []byte("1")},
	}
	stale := storage.Change{Key: "m", Value: []byte("1"), Version: version}
	for place := range len(good) + 1 {
		changes := append(append(append([]storage.Change{}, good[:place]...), stale), good[place:]...)
		if err := s.Apply(t.Context(), changes...); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("Apply with the stale change at %d = %v; want ErrConflict", place, err)
		}
		for _, key := range []string{"a", "m", "z"} {
			wantAbsent(t, s, key)
		}
		if got := get(t, s, "old"); string(got.Value) != "one" || got.Version != version {
			t.Errorf("old = %q at %d; want %q at %d, since another change conflicted", got.Value, got.Version, "one", version)
		}
	}
	apply(t, s, append(good, storage.Change{Key: "none"})...)
	if got := string(get(t, s, "old").Value); got != "two" {
		t.Errorf("old = %q; want %q", got, "two")
	}
	wantAbsent(t, s, "none")
}

func testNoChanges(t *testing.T, s storage.Store) {
	apply(t, s)
	apply(t, s, storage.Change{Key: "none"}) // says only that it is absent
	if got := list(t, s, "", "", 0); len(got) != 0 {
		t.Errorf("List = %q; want nothing", keys(got))
	}
}

func testNamedTwice(t *testing.T, s storage.Store) {
	version := put(t, s, "k", "one", 0)
	for _, changes := range [][]storage.Change{
		{{Key: "new", Value: []byte("1")}, {Key: "new", Value: []byte("2")}},
		{{Key: "k", Value: []byte("two"), Version: version}, {Key: "k", Value: []byte("three"), Version: version}},
		{{Key: "k", Version: version}, {Key: "k", Value: []byte("three")}},
		{{Key: "other", Value: []byte("1")}, {Key: "k", Value: []byte("two"), Version: version}, {Key: "k", Version: version}},
	} {
		if err := s.Apply(t.Context(), changes...); err == nil {
			t.Errorf("Apply(%+v) = nil; want an error, since a key is named twice", changes)
		}
		wantAbsent(t, s, "new")
		wantAbsent(t, s, "other")
		if got := get(t, s, "k"); string(got.Value) != "one" || got.Version != version {
			t.Errorf("k = %q at %d; want %q at %d", got.Value, got.Version, "one", version)
		}
	}
}

func testManyChanges(t *testing.T, s storage.Store) {
	const n = 2000
	write := func(value string, versions map[string]uint64) error {
		var changes []storage.Change
		for i := range n {
			key := fmt.Sprintf("k/%04d", i)
			changes = append(changes, storage.Change{Key: key, Value: fmt.Appendf(nil, "%s %0500d", value, i), Version: versions[key]})
		}
		return s.Apply(t.Context(), changes...)
	}
	if err := write("one", nil); err != nil {
		t.Fatalf("Apply(%d new records) = %v; want nil", n, err)
	}
	versions := make(map[string]uint64)
	for _, r := range list(t, s, "k/", "", 0) {
		versions[r.Key] = r.Version
	}
	if len(versions) != n {
		t.Fatalf("List = %d records; want %d", len(versions), n)
	}
	last := fmt.Sprintf("k/%04d", n-1)
	put(t, s, last, "changed", versions[last])
	if err := write("two", versions); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("Apply(%d changes, the last one stale) = %v; want ErrConflict", n, err)
	}
	if got := string(get(t, s, "k/0000").Value); got[:3] != "one" {
		t.Errorf("k/0000 = %.3q; want %q, since another change conflicted", got, "one")
	}
}
