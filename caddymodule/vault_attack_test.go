package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/backup"
	"github.com/mfagate/caddy-mfagate/storage/badger"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// A backup that a timer makes in the midst of a restore, or after one that broke off,
// would look whole, and would take people who are enrolled for people who are not.
func TestNoBackupOfHalfAStore(t *testing.T) {
	v, _ := newVault(t, t.TempDir()+"/keyset", new(memory.Store))
	for i := range 500 {
		put(t, v.clear, fmt.Sprintf("user/default/%03d", i))
	}
	b := backupOf(t, v)
	inner := &failing{Store: new(memory.Store), after: 1000}
	w, _ := newVault(t, v.path, inner)
	inner.after = 2
	if _, err := w.restore(t.Context(), bytes.NewReader(b)); !errors.Is(err, errDisk) {
		t.Fatalf("restore = %v; want the disk's error", err)
	}
	var half bytes.Buffer
	if _, err := w.backup(t.Context(), &half); !errors.Is(err, mfagate.ErrHalfRestored) || half.Len() > 0 {
		t.Errorf("backup of half a store = %d bytes, %v; want none and ErrHalfRestored", half.Len(), err)
	}
	// The mark may also come between the question and the reading.
	if _, err := backup.Write(t.Context(), &half, inner, outlives); !errors.Is(err, mfagate.ErrHalfRestored) {
		t.Errorf("reading half a store = %v; want ErrHalfRestored", err)
	}
	if _, err := backup.Read(&half, func(storage.Record) error { return nil }); err == nil {
		t.Error("what was written of half a store looks whole")
	}
}

// Somebody who sends a backup and stops in the midst holds up neither the keys nor a
// shutdown of the server.
func TestStalledRestoreHoldsNothingUp(t *testing.T) {
	v, err := openVault(t.Context(), new(memory.Store), t.TempDir()+"/keyset")
	if err != nil {
		t.Fatal(err)
	}
	body, client := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := v.restore(context.Background(), body)
		done <- err
	}()
	if _, err := io.WriteString(client, "mfagate backup 1\nr"); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() {
		v.keys()
		v.stop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(time.Minute):
		t.Error("the server cannot stop while somebody sends a backup")
	}
	client.Close()
	if err := <-done; err == nil {
		t.Error("restore = nil; want an error")
	}
}

// A backup that was sent whole after the store was given back changes nothing.
func TestRestoreAfterShutdown(t *testing.T) {
	v, _ := newVault(t, t.TempDir()+"/keyset", new(memory.Store))
	put(t, v.clear, "user/default/alice")
	b := backupOf(t, v)
	inner := new(memory.Store)
	w, _ := newVault(t, v.path, inner)
	w.stop()
	before := fmt.Sprint(keysOf(t, inner))
	if _, err := w.restore(t.Context(), bytes.NewReader(b)); err == nil {
		t.Error("restore after the end = nil; want an error")
	}
	if after := fmt.Sprint(keysOf(t, inner)); after != before {
		t.Errorf("records = %s; want %s", after, before)
	}
}

// Nor does somebody who asks for a backup and does not take it.
func TestStalledBackupHoldsNothingUp(t *testing.T) {
	store, err := badger.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	v, err := openVault(t.Context(), store, t.TempDir()+"/keyset")
	if err != nil {
		t.Fatal(err)
	}
	for part := range 16 {
		var changes []storage.Change
		for i := range 50 {
			changes = append(changes, storage.Change{Key: fmt.Sprintf("user/default/%02d%02d", part, i), Value: make([]byte, 20_000)})
		}
		if err := v.clear.Apply(t.Context(), changes...); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := v.stream(w, r)
		ended <- err
	}))
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	closed := make(chan error, 1)
	go func() {
		v.stop()
		closed <- v.door.Close()
	}()
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("Close = %v; want nil", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the store cannot be closed while somebody takes a backup")
	}
	if err := <-ended; err == nil {
		t.Error("the backup that was broken off = nil; want an error")
	}
}
