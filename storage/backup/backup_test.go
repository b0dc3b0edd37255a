package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/backup"
	"github.com/mfagate/caddy-mfagate/storage/badger"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

func filled(t *testing.T, n int) *memory.Store {
	t.Helper()
	s := new(memory.Store)
	for i := range n {
		c := storage.Change{Key: fmt.Sprintf("k/%04d", i), Value: []byte(strings.Repeat("v", i%7))}
		if i%3 == 0 {
			c.Expires = time.Now().Add(time.Hour).Truncate(time.Second)
		}
		if err := s.Apply(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func write(t *testing.T, s storage.Store, keep func(string) (bool, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := backup.Write(t.Context(), &b, s, keep); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(b []byte) (records []storage.Record, err error) {
	_, err = backup.Read(bytes.NewReader(b), func(r storage.Record) error {
		records = append(records, r)
		return nil
	})
	return records, err
}

func TestRoundTrip(t *testing.T) {
	s := filled(t, 100)
	got, err := read(write(t, s, func(key string) (bool, error) { return key != "k/0050", nil }))
	if err != nil || len(got) != 99 {
		t.Fatalf("read %d records, %v; want 99", len(got), err)
	}
	for _, r := range got {
		want, err := s.Get(t.Context(), r.Key)
		if err != nil || !bytes.Equal(r.Value, want.Value) || !r.Expires.Equal(want.Expires) {
			t.Errorf("record = %+v; want %+v, %v", r, want, err)
		}
	}
	if got, err := read(write(t, new(memory.Store), nil)); err != nil || len(got) != 0 {
		t.Errorf("read of an empty backup = %v, %v; want nothing", got, err)
	}
}

// Every way to cut, change or lengthen a backup is told.
func TestDamage(t *testing.T) {
	whole := write(t, filled(t, 20), nil)
	for i := range whole {
		if _, err := read(whole[:i]); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("cut after %d of %d bytes: %v; want ErrDamaged", i, len(whole), err)
		}
		for _, bit := range []byte{1, 0x80} {
			changed := slices.Clone(whole)
			changed[i] ^= bit
			if _, err := read(changed); err == nil {
				t.Errorf("byte %d changed: nil; want an error", i)
			}
		}
	}
	if _, err := read(append(slices.Clone(whole), 0)); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("a byte more: %v; want ErrDamaged", err)
	}
	if _, err := read(bytes.Replace(whole, []byte("backup 1"), []byte("backup 2"), 1)); err == nil || errors.Is(err, backup.ErrDamaged) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a newer format: %v; want an error that says so", err)
	}
}

// A length that is not true must not cost memory.
func TestHugeLength(t *testing.T) {
	_, err := read([]byte("mfagate backup 1\nr\xff\xff\xff\xff\xff\xff\xff\xff\x7f"))
	if !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("read = %v; want ErrDamaged", err)
	}
}

type full struct{ room int }

func (f *full) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}

func TestFullDisk(t *testing.T) {
	if _, err := backup.Write(t.Context(), &full{100}, filled(t, 100), nil); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Write = %v; want the writer's error", err)
	}
}

// A backup of a store that is written to is one instant: money is moved between two
// records all the time, and none is lost or made.
func TestWhileWriting(t *testing.T) {
	db, err := badger.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const accounts = 40
	for i := range accounts {
		if err := db.Apply(t.Context(), storage.Change{Key: fmt.Sprintf("a/%03d", i), Value: []byte("100")}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	for n := range 2 {
		wait.Go(func() { move(ctx, t, db, n, accounts) })
	}
	for range 20 {
		records, err := read(write(t, db, nil))
		if err != nil || len(records) != accounts {
			t.Fatalf("%d records, %v; want %d", len(records), err, accounts)
		}
		sum := 0
		for _, r := range records {
			var n int
			fmt.Sscan(string(r.Value), &n)
			sum += n
		}
		if sum != 100*accounts {
			t.Fatalf("sum = %d; want %d", sum, 100*accounts)
		}
	}
	stop()
	wait.Wait()
}

func move(ctx context.Context, t *testing.T, db storage.Store, n, accounts int) {
	for i := n; ctx.Err() == nil; i += 7 {
		var changes []storage.Change
		for k, add := range []int{-1, 1} {
			r, err := db.Get(ctx, fmt.Sprintf("a/%03d", (i+k*13)%accounts))
			if err != nil {
				return
			}
			var v int
			fmt.Sscan(string(r.Value), &v)
			changes = append(changes, storage.Change{Key: r.Key, Value: []byte(fmt.Sprint(v + add)), Version: r.Version})
		}
		if err := db.Apply(ctx, changes...); err != nil && !errors.Is(err, storage.ErrConflict) && ctx.Err() == nil {
			t.Error(err)
			return
		}
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	s := new(memory.Store)
	_ = s.Apply(context.Background(), storage.Change{Key: "a", Value: []byte("b")})
	_, _ = backup.Write(context.Background(), &b, s, nil)
	f.Add(b.Bytes())
	f.Add([]byte("mfagate backup 1\nr"))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := read(b)
		if err != nil {
			return
		}
		s := new(memory.Store)
		for _, r := range records {
			if r.Key == "" {
				return // no store has such a record
			}
			if err := s.Apply(t.Context(), storage.Change{Key: r.Key, Value: r.Value}); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := backup.Write(t.Context(), io.Discard, s, nil); err != nil || n != len(records) {
			t.Errorf("%d records, %v; want %d", n, err, len(records))
		}
	})
}
