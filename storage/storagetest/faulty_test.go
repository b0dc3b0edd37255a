package storagetest_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
	"github.com/mfagate/caddy-mfagate/storage/storagetest"
)

var errFault = errors.New("fault")

// calls does Apply, Get, List, Apply, and returns the errors.
func calls(ctx context.Context, s storage.Store) []error {
	first := s.Apply(ctx, storage.Change{Key: "a", Value: []byte("v")})
	_, get := s.Get(ctx, "a")
	_, list := s.List(ctx, "", "", 0)
	second := s.Apply(ctx, storage.Change{Key: "b", Value: []byte("v")})
	return []error{first, get, list, second}
}

// TestFaultyPasses shows that a store that counts only is as good as the one inside.
func TestFaultyPasses(t *testing.T) {
	storagetest.Run(t, func(*testing.T) storage.Store { return &storagetest.Faulty{Store: new(memory.Store)} })
}

func TestFaulty(t *testing.T) {
	for _, test := range []struct {
		name  string
		store *storagetest.Faulty
		want  []bool // which of calls fail with errFault
		keys  string // that are stored after them
		calls int
	}{
		{"none", &storagetest.Faulty{}, []bool{false, false, false, false}, "ab", 4},
		{"third", &storagetest.Faulty{Call: 3}, []bool{false, false, true, false}, "ab", 4},
		{"Get", &storagetest.Faulty{Method: storagetest.Get, Call: 1}, []bool{false, true, false, false}, "ab", 1},
		{"List", &storagetest.Faulty{Method: storagetest.List, Call: 1}, []bool{false, false, true, false}, "ab", 1},
		{"second Apply", &storagetest.Faulty{Method: storagetest.Apply, Call: 2}, []bool{false, false, false, true}, "a", 2},
		{"applied", &storagetest.Faulty{Method: storagetest.Apply, Call: 2, Applied: true}, []bool{false, false, false, true}, "ab", 2},
		{"forever", &storagetest.Faulty{Call: 3, Forever: true}, []bool{false, false, true, true}, "a", 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			inner := new(memory.Store)
			faulty := test.store
			faulty.Store, faulty.Err = inner, errFault
			var got []bool
			for _, err := range calls(t.Context(), faulty) {
				got = append(got, errors.Is(err, errFault))
			}
			if !slices.Equal(got, test.want) || faulty.Calls() != test.calls {
				t.Errorf("failed = %v after %d calls; want %v after %d", got, faulty.Calls(), test.want, test.calls)
			}
			var keys string
			rs, _ := inner.List(t.Context(), "", "", 0)
			for _, r := range rs {
				keys += r.Key
			}
			if keys != test.keys {
				t.Errorf("stored keys = %q; want %q", keys, test.keys)
			}
		})
	}
}

func TestFaultyAppliedConflict(t *testing.T) {
	f := &storagetest.Faulty{Store: new(memory.Store), Call: 1, Err: storage.ErrUnknown, Applied: true}
	err := f.Apply(t.Context(), storage.Change{Key: "a", Value: []byte("v"), Version: 7})
	if !errors.Is(err, storage.ErrConflict) {
		t.Errorf("Apply = %v; want ErrConflict, since nothing was applied", err)
	}
}
