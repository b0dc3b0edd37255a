package sealed_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/badger"
	"github.com/mfagate/caddy-mfagate/storage/memory"
	"github.com/mfagate/caddy-mfagate/storage/sealed"
	"github.com/mfagate/caddy-mfagate/storage/storagetest"
)

func TestStoreOverMemory(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) storage.Store {
		return sealed.New(new(memory.Store), newKeyset(t))
	})
}

func TestStoreOverBadger(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) storage.Store {
		s, err := badger.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return sealed.New(s, newKeyset(t))
	})
}

func newKeyset(t *testing.T) *sealed.Keyset {
	t.Helper()
	k, err := sealed.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rotate(t *testing.T, k *sealed.Keyset) *sealed.Keyset {
	t.Helper()
	next, err := k.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// put writes a record whatever its version is.
func put(t *testing.T, s storage.Store, key, value string) {
	t.Helper()
	r, err := s.Get(t.Context(), key)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), storage.Change{Key: key, Value: []byte(value), Version: r.Version}); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s storage.Store, key string) string {
	t.Helper()
	r, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(r.Value)
}

// wantSealed checks that neither Get nor List tells anything of a record.
func wantSealed(t *testing.T, what string, s storage.Store, key string, want error) {
	t.Helper()
	r, err := s.Get(t.Context(), key)
	if !errors.Is(err, want) || errors.Is(err, storage.ErrNotFound) || r.Value != nil {
		t.Errorf("%s: Get = %q, %v; want %v", what, r.Value, err, want)
	}
	rs, err := s.List(t.Context(), key, "", 0)
	if !errors.Is(err, want) || rs != nil {
		t.Errorf("%s: List = %+v, %v; want %v", what, rs, err, want)
	}
	if err != nil && !strings.Contains(err.Error(), key) {
		t.Errorf("%s: List = %v; want an error that names the record %s", what, err, key)
	}
}

func TestNothingInClear(t *testing.T) {
	inner := new(memory.Store)
	s := sealed.New(inner, newKeyset(t))
	put(t, s, "a", "a seed in base32")
	put(t, s, "b", "a seed in base32")
	a, b := get(t, inner, "a"), get(t, inner, "b")
	if strings.Contains(a, "seed") || a == b {
		t.Errorf("sealed values = %q and %q; want them unreadable and different", a, b)
	}
	if got, want := len(a), len("a seed in base32")+sealed.Overhead; got != want {
		t.Errorf("sealed value has %d bytes; want %d", got, want)
	}
}

func TestChangedByte(t *testing.T) {
	inner := new(memory.Store)
	s := sealed.New(inner, newKeyset(t))
	put(t, s, "k", "value")
	good := get(t, inner, "k")
	for i := range len(good) {
		for _, flip := range []byte{1, 0x80, 0xff} {
			bad := []byte(good)
			bad[i] ^= flip
			put(t, inner, "k", string(bad))
			want := sealed.ErrSealed
			if i == 0 && bad[0] > good[0] {
				want = sealed.ErrFormat
			}
			wantSealed(t, fmt.Sprintf("byte %d ^ %02x", i, flip), s, "k", want)
		}
	}
	for i := range len(good) {
		put(t, inner, "k", good[:i])
		wantSealed(t, fmt.Sprintf("first %d bytes", i), s, "k", sealed.ErrSealed)
	}
	put(t, inner, "k", good+"\x00")
	wantSealed(t, "a byte more", s, "k", sealed.ErrSealed)
	put(t, inner, "k", good)
	if got := get(t, s, "k"); got != "value" {
		t.Errorf("Get of the unchanged value = %q; want %q", got, "value")
	}
}

// TestMoved copies bob's seed into alice's record, and to keys that are
// written almost alike.
func TestMoved(t *testing.T) {
	inner := new(memory.Store)
	s := sealed.New(inner, newKeyset(t))
	put(t, s, "credential/site/bob/1", "bob's seed")
	value := get(t, inner, "credential/site/bob/1")
	for _, key := range []string{
		"credential/site/alice/1", "credential/site/bob/11", "credential/site/bob/", "redential/site/bob/1", "Credential/site/bob/1",
	} {
		put(t, inner, key, value)
		wantSealed(t, "moved", s, key, sealed.ErrSealed)
	}
}

func TestOtherKeyset(t *testing.T) {
	inner := new(memory.Store)
	put(t, sealed.New(inner, newKeyset(t)), "k", "value")
	wantSealed(t, "other keyset", sealed.New(inner, newKeyset(t)), "k", sealed.ErrSealed)
}

func TestRotate(t *testing.T) {
	inner := new(memory.Store)
	old := newKeyset(t)
	next := rotate(t, rotate(t, old))
	before, after := sealed.New(inner, old), sealed.New(inner, next)
	put(t, before, "k", "one")
	if got := get(t, after, "k"); got != "one" {
		t.Errorf("Get with the rotated keyset = %q; want %q", got, "one")
	}
	put(t, after, "k", "two")
	wantSealed(t, "old keyset after a write with the new one", before, "k", sealed.ErrSealed)
	if got := get(t, after, "k"); got != "two" {
		t.Errorf("Get = %q; want %q", got, "two")
	}
}

func TestTooLong(t *testing.T) {
	s := sealed.New(new(memory.Store), newKeyset(t))
	err := s.Apply(t.Context(),
		storage.Change{Key: "a", Value: []byte("v")},
		storage.Change{Key: "b", Value: make([]byte, storage.MaxValue+1)})
	if err == nil {
		t.Error("Apply of a value that is too long = nil; want an error")
	}
	if rs, err := s.List(t.Context(), "", "", 0); len(rs) != 0 || err != nil {
		t.Errorf("List = %+v, %v; want nothing", rs, err)
	}
}

// TestErrorsPass checks that the errors of the store inside keep their meaning.
func TestErrorsPass(t *testing.T) {
	broken := errors.New("disk is on fire")
	s := sealed.New(&storagetest.Faulty{Store: new(memory.Store), Call: 1, Forever: true, Err: broken}, newKeyset(t))
	_, getErr := s.Get(t.Context(), "k")
	_, listErr := s.List(t.Context(), "", "", 0)
	applyErr := s.Apply(t.Context(), storage.Change{Key: "k", Value: []byte("v")})
	for _, err := range []error{getErr, listErr, applyErr} {
		if !errors.Is(err, broken) {
			t.Errorf("error = %v; want %v", err, broken)
		}
	}
}

type sharedStore struct{ storage.Store }

func (sharedStore) Shared() bool { return true }

func TestShared(t *testing.T) {
	k := newKeyset(t)
	if sealed.New(new(memory.Store), k).Shared() {
		t.Error("Shared over memory = true; want false")
	}
	if !sealed.New(sharedStore{new(memory.Store)}, k).Shared() {
		t.Error("Shared over a shared store = false; want true")
	}
}

func TestPrintsNoKey(t *testing.T) {
	k := newKeyset(t)
	path := t.TempDir() + "/keyset.json"
	if err := k.Save(path); err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	fmt.Fprintf(&printed, "%v %+v %#v %s", k, k, k, k)
	if got, want := printed.String(), strings.TrimSpace(strings.Repeat("keyset of 1 keys ", 4)); got != want {
		t.Errorf("printed = %q; want %q", got, want)
	}
}
