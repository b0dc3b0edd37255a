package badger_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/badger"
)

// A backup may be under way when the store is closed, by a reload for instance. What
// it would read next is no longer there.
func TestCloseDuringSnapshot(t *testing.T) {
	s, err := badger.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for part := range 20 {
		var changes []storage.Change
		for i := range 100 {
			changes = append(changes, storage.Change{Key: fmt.Sprintf("k/%02d%02d", part, i), Value: make([]byte, 20_000)})
		}
		if err := s.Apply(t.Context(), changes...); err != nil {
			t.Fatal(err)
		}
	}
	begun, ended, closed := make(chan struct{}), make(chan error, 1), make(chan error, 1)
	var once bool
	go func() {
		ended <- s.Snapshot(context.Background(), func(storage.Record) error {
			if !once {
				once = true
				close(begun)
			}
			time.Sleep(2 * time.Millisecond)
			return nil
		})
	}()
	<-begun
	go func() { closed <- s.Close() }()
	if err := <-ended; err == nil {
		t.Error("Snapshot of a store that was closed = nil; want an error")
	}
	if err := <-closed; err != nil {
		t.Errorf("Close = %v; want nil", err)
	}
}
