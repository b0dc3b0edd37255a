package badger

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/mfagate/caddy-mfagate/storage"
)

// TestDiskFull lets the disk fill up and be cleared again under an open store.
func TestDiskFull(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var space atomic.Uint64
	s.free = func() (uint64, bool) { return space.Load(), true }

	for _, test := range []struct {
		free uint64
		key  string
		want error
	}{
		{leastSpace, "before", nil},
		{leastSpace - 1, "full", ErrDiskFull},
		{0, "full", ErrDiskFull},
		{leastSpace, "after", nil},
	} {
		space.Store(test.free)
		err := s.Apply(t.Context(), storage.Change{Key: test.key, Value: []byte("v")})
		if !errors.Is(err, test.want) || errors.Is(err, storage.ErrUnknown) {
			t.Errorf("Apply with %d bytes free = %v; want %v", test.free, err, test.want)
		}
		if _, err := s.Get(t.Context(), "before"); err != nil {
			t.Errorf("Get with %d bytes free = %v; want the record", test.free, err)
		}
	}
	if _, err := s.Get(t.Context(), "full"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Get of what was refused = %v; want ErrNotFound", err)
	}
}

func TestFreeSpace(t *testing.T) {
	if n, known := freeSpace(t.TempDir()); known && n == 0 {
		t.Error("freeSpace of a folder that can be written to = 0; want more")
	}
}
