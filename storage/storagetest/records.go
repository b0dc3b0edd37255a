package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

func testAbsent(t *testing.T, s storage.Store) {
	wantAbsent(t, s, "none")
	if got := list(t, s, "", "", 0); len(got) != 0 {
		t.Errorf("List of an empty store = %q; want nothing", keys(got))
	}
	put(t, s, "some", "v", 0)
	wantAbsent(t, s, "som")
	wantAbsent(t, s, "some/")
	if got := list(t, s, "none", "", 0); len(got) != 0 {
		t.Errorf("List(none) = %q; want nothing", keys(got))
	}
}

func testRoundTrip(t *testing.T, s storage.Store) {
	v1 := put(t, s, "k", "one", 0)
	v2 := put(t, s, "k", "two", v1)
	if v2 == v1 {
		t.Errorf("version %d did not change with the value", v1)
	}
	if v3 := put(t, s, "k", "two", v2); v3 == v2 {
		t.Errorf("version %d did not change, though the same value was written again", v2)
	}
	apply(t, s, storage.Change{Key: "k", Version: get(t, s, "k").Version})
	wantAbsent(t, s, "k")
	if got := list(t, s, "", "", 0); len(got) != 0 {
		t.Errorf("List after delete = %q; want nothing", keys(got))
	}
}

func testValues(t *testing.T, s storage.Store) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for i, value := range []string{"", "\x00", string(every), "ä\xff", strings.Repeat("0", 5000)} {
		key := fmt.Sprint("k", i)
		version := put(t, s, key, value, 0)
		rs := list(t, s, key, "", 0)
		if len(rs) != 1 || string(rs[0].Value) != value || rs[0].Value == nil || rs[0].Version != version {
			t.Errorf("List(%q) = %+v; want the value %q at version %d", key, rs, value, version)
		}
	}
}

// testKeys writes keys that an engine might take for something else. User
// names are in them.
func testKeys(t *testing.T, s storage.Store) {
	names := []string{
		"a", "A", "b", "a/b", "a/../b", "a/./b", "a//b", "/a", "../a", "a/", "%", "a%", "a%2Fb", "_", "a\\b",
		"'; DROP TABLE records; --", "$1", "a b", " a", "a ", "\ta", "a\n", "\x01", "a\x7f",
		"ä", "a\u0308", "ß", "ss", "İ", "\U0001F511", "!badger!k", "NULL",
	}
	for _, key := range names {
		put(t, s, key, "of "+key, 0)
	}
	for _, key := range names {
		if got := string(get(t, s, key).Value); got != "of "+key {
			t.Errorf("Get(%q) = %q; want its own value", key, got)
		}
	}
	slices.Sort(names)
	if got := keys(list(t, s, "", "", 0)); !slices.Equal(got, names) {
		t.Errorf("List = %q; want %q", got, names)
	}
}

func testLargest(t *testing.T, s storage.Store) {
	// Hardly compressible, so that indexes see its whole length.
	key := ""
	for i := 0; len(key) < storage.MaxKey; i++ {
		key += fmt.Sprintf("%x/", i*2654435761)
	}
	key = key[:storage.MaxKey]
	value := bytes.Repeat([]byte("0123456789abcde\n"), storage.MaxValue/16)
	version := put(t, s, key, string(value), 0)
	put(t, s, key, string(value[1:])+"x", version)
	if rs := list(t, s, key[:100], "", 0); len(rs) != 1 || rs[0].Key != key || len(rs[0].Value) != len(value) {
		t.Errorf("List = %d records; want the largest one", len(rs))
	}
	var together []storage.Change
	for i := range 8 { // 2 MiB of values
		together = append(together, storage.Change{Key: fmt.Sprint("together/", i), Value: value})
	}
	apply(t, s, together...)
	for _, c := range together {
		if got := get(t, s, c.Key); !bytes.Equal(got.Value, value) {
			t.Errorf("%s = %d bytes; want the %d written", c.Key, len(got.Value), len(value))
		}
	}
}

func testStale(t *testing.T, s storage.Store) {
	v1 := put(t, s, "k", "one", 0)
	put(t, s, "k", "two", v1)
	for _, c := range []storage.Change{
		{Key: "k", Value: []byte("x"), Version: v1}, // replaced since
		{Key: "k", Value: []byte("x")},              // exists
		{Key: "k", Version: v1},                     // delete of an older version
		{Key: "k"},                                  // delete of nothing
		{Key: "none", Value: []byte("x"), Version: v1},
		{Key: "none", Version: v1},
	} {
		if err := s.Apply(t.Context(), c); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("Apply(%+v) = %v; want ErrConflict", c, err)
		}
	}
	if got := string(get(t, s, "k").Value); got != "two" {
		t.Errorf("value = %q; want %q, as before the conflicts", got, "two")
	}
	wantAbsent(t, s, "none")
}

func testVersionReuse(t *testing.T, s storage.Store) {
	used := make(map[uint64]bool)
	for range 10 {
		version := put(t, s, "k", "v", 0)
		if used[version] {
			t.Fatalf("version %d was used for two records", version)
		}
		used[version] = true
		apply(t, s, storage.Change{Key: "k", Version: version})
	}
}

func testNoSharing(t *testing.T, s storage.Store) {
	value := []byte("one")
	apply(t, s, storage.Change{Key: "k", Value: value})
	spoil := func(where string, value []byte) {
		for i := range value {
			value[i] = 'X'
		}
		if got := string(get(t, s, "k").Value); got != "one" {
			t.Errorf("value = %q; want %q, but the store shares the memory of %s", got, "one", where)
		}
	}
	spoil("Apply", value)
	spoil("Get", get(t, s, "k").Value)
	spoil("List", list(t, s, "", "", 0)[0].Value)
	changes := []storage.Change{{Key: "c", Value: []byte("v")}}
	apply(t, s, changes...)
	if changes[0].Key != "c" || string(changes[0].Value) != "v" {
		t.Errorf("Apply made %+v of the caller's changes", changes[0])
	}
}

func testExpires(t *testing.T, s storage.Store) {
	far := time.Date(2100, 1, 2, 3, 4, 5, 678900000, time.UTC)
	for key, at := range map[string]time.Time{"later": time.Now().Add(time.Hour + 300*time.Millisecond), "far": far, "never": {}} {
		apply(t, s, storage.Change{Key: key, Value: []byte("v"), Expires: at})
		for _, r := range append(list(t, s, key, "", 0), get(t, s, key)) {
			if d := r.Expires.Sub(at); d < -time.Microsecond || d > time.Second {
				t.Errorf("%s: Expires = %v; want %v, rounded up by at most a second", key, r.Expires, at)
			}
			if r.Expires.IsZero() != at.IsZero() {
				t.Errorf("%s: Expires = %v; want %v", key, r.Expires, at)
			}
		}
	}
	soon := time.Now().Add(1300 * time.Millisecond)
	apply(t, s, storage.Change{Key: "soon", Value: []byte("v"), Expires: soon})
	for time.Until(soon) > 20*time.Millisecond {
		if r, err := s.Get(t.Context(), "soon"); err != nil && time.Now().Before(soon) {
			t.Fatalf("Get = %+v, %v, %v before it expires; want the record", r, err, time.Until(soon))
		}
		time.Sleep(5 * time.Millisecond)
	}
	// A rewrite must be able to take the time away again.
	apply(t, s, storage.Change{Key: "far", Value: []byte("v"), Version: get(t, s, "far").Version})
	if r := get(t, s, "far"); !r.Expires.IsZero() {
		t.Errorf("Expires = %v after a change without one; want none", r.Expires)
	}
}

// testExpiresPast writes records that an engine may collect at once, so only
// the write itself must succeed, and another one after it.
func testExpiresPast(t *testing.T, s storage.Store) {
	for i, at := range []time.Time{time.Now().Add(-time.Hour), time.Unix(0, 0), time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)} {
		key := fmt.Sprint("k", i)
		apply(t, s, storage.Change{Key: key, Value: []byte("v"), Expires: at})
		var version uint64
		r, err := s.Get(t.Context(), key)
		switch {
		case err == nil && r.Expires.Sub(at) >= -time.Microsecond && time.Now().After(r.Expires):
			version = r.Version
		case !errors.Is(err, storage.ErrNotFound):
			t.Errorf("Get = %+v, %v; want it expired at %v, or ErrNotFound", r, err, at)
		}
		put(t, s, key, "again", version)
	}
}

func testCancelled(t *testing.T, s storage.Store) {
	put(t, s, "k", "v", 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Apply(ctx, storage.Change{Key: "new", Value: []byte("v")}); !errors.Is(err, context.Canceled) {
		t.Errorf("Apply = %v; want context.Canceled", err)
	}
	if _, err := s.Get(ctx, "k"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get = %v; want context.Canceled", err)
	}
	if _, err := s.List(ctx, "", "", 0); !errors.Is(err, context.Canceled) {
		t.Errorf("List = %v; want context.Canceled", err)
	}
	wantAbsent(t, s, "new")
}
