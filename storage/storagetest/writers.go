package storagetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// testOneWinner is the promise on which single use of a code depends, for a
// record that is there, one that is not, and one that is deleted.
func testOneWinner(t *testing.T, s storage.Store) {
	const writers = 64
	version := put(t, s, "k", "unused", 0)
	gone := put(t, s, "gone", "unused", 0)
	for name, change := range map[string]func(i int) storage.Change{
		"replace": func(i int) storage.Change {
			return storage.Change{Key: "k", Value: []byte(strconv.Itoa(i)), Version: version}
		},
		"insert": func(i int) storage.Change { return storage.Change{Key: "new", Value: []byte(strconv.Itoa(i))} },
		"delete": func(int) storage.Change { return storage.Change{Key: "gone", Version: gone} },
	} {
		var winners, winner atomic.Int64
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range writers {
			wg.Go(func() {
				<-start
				own := storage.Change{Key: fmt.Sprint("own/", name, i), Value: []byte("v")}
				switch err := s.Apply(t.Context(), own, change(i)); {
				case err == nil:
					winners.Add(1)
					winner.Store(int64(i))
				case !errors.Is(err, storage.ErrConflict):
					t.Errorf("%s: Apply = %v; want nil or ErrConflict", name, err)
				}
			})
		}
		close(start)
		wg.Wait()
		if n := winners.Load(); n != 1 {
			t.Errorf("%s: %d of %d writers won; want 1", name, n, writers)
		}
		own := list(t, s, "own/"+name, "", 0)
		if want := fmt.Sprint("own/", name, winner.Load()); len(own) != 1 || own[0].Key != want {
			t.Errorf("%s: changes of %q were made; want those of the winner, %q", name, keys(own), want)
		}
	}
}

// testNoLostUpdate counts with many writers. Records of their own besides the counter
// let engines that group commits do so.
func testNoLostUpdate(t *testing.T, s storage.Store) {
	const writers, each = 8, 10
	put(t, s, "counter", "0", 0)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for j := range each {
				if err := s.Apply(t.Context(), storage.Change{Key: fmt.Sprint("own/", i, "/", j), Value: []byte("v")}); err != nil {
					t.Errorf("Apply = %v; want nil: nobody else writes this key", err)
				}
				if err := swap(t.Context(), s, increment, "counter"); err != nil {
					t.Errorf("counting: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if got, want := string(get(t, s, "counter").Value), strconv.Itoa(writers*each); got != want {
		t.Errorf("counter = %s; want %s", got, want)
	}
	if got := len(list(t, s, "own/", "", 0)); got != writers*each {
		t.Errorf("List = %d records; want %d", got, writers*each)
	}
}

// testLockOrder has commits that name the same keys in different orders. The
// deadline turns a deadlock into a failure.
func testLockOrder(t *testing.T, s storage.Store) {
	const rounds = 30
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	orders := [][]string{{"a", "b", "c"}, {"c", "b", "a"}, {"b", "c", "a"}, {"a", "c", "b"}}
	for _, key := range orders[0] {
		put(t, s, key, "0", 0)
	}
	var wg sync.WaitGroup
	for _, order := range orders {
		wg.Go(func() {
			for range rounds {
				if err := swap(ctx, s, increment, order...); err != nil {
					t.Errorf("changing %q: %v", order, err)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, key := range orders[0] {
		if got, want := string(get(t, s, key).Value), strconv.Itoa(rounds*len(orders)); got != want {
			t.Errorf("%s = %s; want %s", key, got, want)
		}
	}
}
