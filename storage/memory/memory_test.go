package memory_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
	"github.com/mfagate/caddy-mfagate/storage/storagetest"
)

func TestStore(t *testing.T) {
	storagetest.Run(t, func(*testing.T) storage.Store { return new(memory.Store) })
}

// TestCollects fills a store with sessions that expire, and with one record that does not.
func TestCollects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s memory.Store
		if err := s.Apply(t.Context(), storage.Change{Key: "keep", Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
		const total, lifetime = 20_000, 1000
		for i := range total {
			err := s.Apply(t.Context(), storage.Change{
				Key: "session/" + strconv.Itoa(i), Value: []byte("v"), Expires: time.Now().Add(lifetime * time.Second),
			})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		rs, err := s.List(t.Context(), "", "", 0)
		if err != nil || len(rs) < lifetime || len(rs) > 4*lifetime {
			t.Errorf("List = %d records, %v; want those alive (%d) and not many more", len(rs), err, lifetime)
		}
		if _, err := s.Get(t.Context(), "keep"); err != nil {
			t.Errorf("Get(keep) = %v; want the record that never expires", err)
		}
	})
}

// A change names the version that it replaces, so of two writers who
// read the same record only the first can succeed.
func Example() {
	ctx := context.Background()
	var store memory.Store
	if err := store.Apply(ctx, storage.Change{Key: "code/alice", Value: []byte("unused")}); err != nil {
		fmt.Println(err)
	}
	r, err := store.Get(ctx, "code/alice")
	if err != nil {
		fmt.Println(err)
	}
	use := storage.Change{Key: r.Key, Value: []byte("used"), Version: r.Version}
	fmt.Println("first:", store.Apply(ctx, use))
	fmt.Println("second is too late:", errors.Is(store.Apply(ctx, use), storage.ErrConflict))
	// Output:
	// first: <nil>
	// second is too late: true
}
