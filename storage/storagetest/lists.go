package storagetest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/mfagate/caddy-mfagate/storage"
)

// testOrder uses keys that most languages sort otherwise: a before B,
// punctuation ignored, é beside e; and UTF-16 would put the last two the other way about.
func testOrder(t *testing.T, s storage.Store) {
	want := []string{
		"p/", "p/\x01", "p/ ", "p/%2F", "p/-a", "p/.", "p//", "p/10", "p/9", "p/B", "p/_", "p/a", "p/a/", "p/a/b", "p/aa", "p/a|x",
		"p/b", "p/e", "p/f", "p/\x7f", "p/é", "p/ф", "p/\uFFFD", "p/\U00010000",
	}
	for _, i := range []int{7, 3, 11, 0, 15, 22, 1, 9, 23, 4, 18, 13, 2, 21, 6, 16, 10, 5, 20, 8, 14, 12, 19, 17} {
		put(t, s, want[i], "v", 0)
	}
	for _, key := range []string{"o", "p", "p.", "p0", "q", "P/"} {
		put(t, s, key, "v", 0)
	}
	if got := keys(list(t, s, "p/", "", 0)); !slices.Equal(got, want) {
		t.Errorf("List(p/) = %q; want %q", got, want)
	}
	for prefix, want := range map[string][]string{
		"p/%": {"p/%2F"}, "p/_": {"p/_"}, "p/a/": {"p/a/", "p/a/b"}, "p/a/b": {"p/a/b"}, "p/A": nil, "P": {"P/"}, "p/é": {"p/é"},
	} {
		if got := keys(list(t, s, prefix, "", 0)); !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q; want %q", prefix, got, want)
		}
	}
}

func testPages(t *testing.T, s storage.Store) {
	for _, key := range []string{"o/9", "p/1", "p/2", "p/3", "p/4", "p/5", "q/1"} {
		put(t, s, key, "v", 0)
	}
	for _, test := range []struct {
		prefix, after string
		limit         int
		want          []string
	}{
		{"p/", "", 2, []string{"p/1", "p/2"}},
		{"p/", "p/2", 2, []string{"p/3", "p/4"}},
		{"p/", "p/4", 2, []string{"p/5"}},
		{"p/", "p/5", 2, nil},
		{"p/", "p/2", 0, []string{"p/3", "p/4", "p/5"}},
		{"p/", "p/2", -1, []string{"p/3", "p/4", "p/5"}},
		{"p/", "p/25", 1, []string{"p/3"}}, // a key that is not there
		{"p/", "p/2\x01", 1, []string{"p/3"}},
		{"p/", "p/", 1, []string{"p/1"}},
		{"p/", "o/9", 1, []string{"p/1"}}, // before the prefix
		{"p/", "a", 0, []string{"p/1", "p/2", "p/3", "p/4", "p/5"}},
		{"p/", "q/1", 1, nil}, // behind the prefix
		{"p/", "zzz", 0, nil},
		{"p/", "", 5, []string{"p/1", "p/2", "p/3", "p/4", "p/5"}},
		{"p/", "", 100, []string{"p/1", "p/2", "p/3", "p/4", "p/5"}},
		{"", "p/4", 2, []string{"p/5", "q/1"}},
		{"", "", 1, []string{"o/9"}},
	} {
		if got := keys(list(t, s, test.prefix, test.after, test.limit)); !slices.Equal(got, test.want) {
			t.Errorf("List(%q, %q, %d) = %q; want %q", test.prefix, test.after, test.limit, got, test.want)
		}
	}
}

// testPagesUnderWriters pages through records while others come and go between
// them: those that stay must be seen once each.
func testPagesUnderWriters(t *testing.T, s storage.Store) {
	const n, churn = 60, 40
	var want []string
	var changes []storage.Change
	for i := range n {
		key := fmt.Sprintf("p/%02d", i)
		want = append(want, key)
		changes = append(changes, storage.Change{Key: key, Value: []byte("v")})
	}
	apply(t, s, changes...)
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range churn {
			if err := comeAndGo(t.Context(), s, fmt.Sprintf("p/%02d+", i%n)); err != nil {
				t.Errorf("writer: %v", err)
				return
			}
		}
	})
	defer writer.Wait()
	for range 10 {
		var got []string
		for after := ""; ; {
			rs := list(t, s, "p/", after, 7)
			for _, r := range rs {
				if len(r.Key) == len(want[0]) {
					got = append(got, r.Key)
				}
			}
			if len(rs) < 7 {
				break
			}
			after = rs[len(rs)-1].Key
		}
		if !slices.Equal(got, want) {
			t.Fatalf("paging through saw %q; want each of %d keys once", got, n)
		}
	}
}

func comeAndGo(ctx context.Context, s storage.Store, key string) error {
	if err := s.Apply(ctx, storage.Change{Key: key, Value: []byte("v")}); err != nil {
		return err
	}
	r, err := s.Get(ctx, key)
	if err != nil {
		return err
	}
	return s.Apply(ctx, storage.Change{Key: key, Version: r.Version})
}

// testSnapshot changes two records only ever together, with many others between
// them in the order of keys, and wants List to see them equal.
func testSnapshot(t *testing.T, s storage.Store) {
	changes := []storage.Change{{Key: "p/a", Value: []byte("0")}, {Key: "p/z", Value: []byte("0")}}
	for i := range 200 {
		changes = append(changes, storage.Change{Key: fmt.Sprintf("p/m%03d", i), Value: []byte("0")})
	}
	apply(t, s, changes...)
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	defer writers.Wait()
	defer cancel()
	for range 2 {
		writers.Go(func() {
			for ctx.Err() == nil {
				if err := swap(ctx, s, increment, "p/a", "p/z"); err != nil && ctx.Err() == nil {
					t.Errorf("writer: %v", err)
					return
				}
			}
		})
	}
	seen := make(map[string]bool)
	for i := 0; i < 100 || len(seen) < 10 && i < 100_000; i++ {
		rs := list(t, s, "p/", "", 0)
		if len(rs) != len(changes) {
			t.Fatalf("List = %d records; want %d", len(rs), len(changes))
		}
		first, last := string(rs[0].Value), string(rs[len(rs)-1].Value)
		if first != last {
			t.Fatalf("List saw %s and %s; want them equal, since they are only changed together", first, last)
		}
		seen[first] = true
	}
	if len(seen) < 10 {
		t.Errorf("List saw %d states; want 10, else the test shows nothing", len(seen))
	}
}

func increment(s string) string {
	n, _ := strconv.Atoi(s)
	return strconv.Itoa(n + 1)
}
