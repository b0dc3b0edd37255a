// Package sealed encrypts the values of any [storage.Store] and binds each to
// its place.
//
// A [Store] seals every value with an AEAD (XChaCha20-Poly1305, by Tink) before
// it reaches the engine, and opens it on the way back. The key of the record
// is part of the associated data, so a value that was changed, or copied to
// another record, does not open: reading it is an error wrapping [ErrSealed],
// never somebody else's data and never a missing record. Keys, versions and times of
// expiry stay in clear. Whoever can write to the database can still
// delete a record or put back an older value of the same record.
//
// # The keyset
//
// A [Keyset] holds one or more keys. The primary key seals, each of them opens.
// [OpenKeyset] reads it from a file and, beside an empty store, makes the file:
//
//	db, err := badger.Open("data/db")
//	…
//	keyset, err := sealed.OpenKeyset(ctx, "data/keyset.json", db)
//	…
//	store := sealed.New(db, keyset)
//
// Keep the file outside the database and its backups: whoever has both can read
// everything, and without the file nobody can read anything. It is Tink's JSON
// format in clear, so Tink's own tools understand it.
//
// To know its keyset again, the store holds a record under [Fingerprints] for
// each key that was ever primary, sealed by that key. A keyset that does not open
// all of them is refused. They are ordinary sealed records: a backup must
// hold them, and nobody else may write below that prefix.
//
// # Rotation
//
// Make a new primary key, save it, and open the file anew:
//
//	next, err := keyset.Rotate()
//	err = next.Save("data/keyset.json")
//	keyset, err = sealed.OpenKeyset(ctx, "data/keyset.json", db)
//	store.Use(keyset)
//
// Records keep the key that sealed them until they are written again, or until
// [Store.Reseal] does that for all. A crash between any two of these steps loses
// nothing. The old keys must stay in the file: fingerprints and backups need them.
//
// There is no way to derive other secrets from a keyset. Where the program needs
// one, it makes it at random and keeps it in a record.
package sealed

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/mfagate/caddy-mfagate/storage"
)

// ErrSealed reports that a value does not open: it was changed, or copied from
// another record, or sealed by a key that the keyset lacks.
var ErrSealed = errors.New("sealed: value does not open")

// ErrFormat reports a value sealed by a newer version of this program.
var ErrFormat = errors.New("sealed: value has a newer format")

// format is the first byte of every sealed value. The second part of a
// sealed value is Tink's ciphertext, which begins with the id of its key.
const format = 1

// Overhead is the number of bytes by which a sealed value is longer.
const Overhead = 1 + 5 + 24 + 16 // format, Tink's prefix, nonce, tag

// A Store seals the values of another store. New makes one. It is safe for
// concurrent use.
type Store struct {
	inner  storage.Store
	keyset atomic.Pointer[Keyset]
}

var (
	_ storage.Store  = (*Store)(nil)
	_ storage.Shared = (*Store)(nil)
)

// New returns a store that keeps its records, sealed by keyset, in store.
// Closing it closes store.
func New(store storage.Store, keyset *Keyset) *Store {
	s := &Store{inner: store}
	s.keyset.Store(keyset)
	return s
}

// Use makes the store seal and open by keyset from now on. That must hold the keys
// of the one before, see [Keyset.Rotate].
func (s *Store) Use(keyset *Keyset) { s.keyset.Store(keyset) }

// Get implements [storage.Store]. The error wraps [ErrSealed] or [ErrFormat] if
// there is a record but it does not open.
func (s *Store) Get(ctx context.Context, key string) (storage.Record, error) {
	r, err := s.inner.Get(ctx, key)
	if err != nil {
		return storage.Record{}, err
	}
	return s.open(r)
}

// List implements [storage.Store]. If one record does not open, there is no
// result but an error wrapping [ErrSealed] or [ErrFormat] that names it.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]storage.Record, error) {
	records, err := s.inner.List(ctx, prefix, after, limit)
	if err != nil {
		return nil, err
	}
	for i, r := range records {
		if records[i], err = s.open(r); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// Apply implements [storage.Store].
func (s *Store) Apply(ctx context.Context, changes ...storage.Change) error {
	closed, keyset := make([]storage.Change, len(changes)), s.keyset.Load()
	for i, c := range changes {
		if c.Value != nil {
			if len(c.Value) > storage.MaxValue {
				return fmt.Errorf("sealing record %q: value of %d bytes is too long (limit %d)",
					c.Key, len(c.Value), storage.MaxValue)
			}
			value, err := keyset.seal(c.Key, c.Value)
			if err != nil {
				return fmt.Errorf("sealing record %q: %w", c.Key, err)
			}
			c.Value = value
		}
		closed[i] = c
	}
	return s.inner.Apply(ctx, closed...)
}

// Close closes the store inside.
func (s *Store) Close() error { return s.inner.Close() }

// Shared implements [storage.Shared]: it reports what the store inside does.
func (s *Store) Shared() bool { return shared(s.inner) }

func shared(store storage.Store) bool {
	s, ok := store.(storage.Shared)
	return ok && s.Shared()
}

func (s *Store) open(r storage.Record) (storage.Record, error) { return s.keyset.Load().Open(r) }

// Open returns a record of the store inside with its value in clear. The error wraps
// [ErrSealed] or [ErrFormat] if the keyset does not open it.
func (k *Keyset) Open(r storage.Record) (storage.Record, error) {
	value, err := k.open(r.Key, r.Value)
	if err != nil {
		return storage.Record{}, fmt.Errorf("opening record %q: %w", r.Key, err)
	}
	r.Value = value
	return r, nil
}

// place is the associated data of a record's value. The key comes last, so no
// two places are written alike.
func place(key string) []byte { return append([]byte("mfagate 1 record "), key...) }

func (k *Keyset) seal(key string, value []byte) ([]byte, error) {
	ciphertext, err := k.aead.Encrypt(value, place(key))
	if err != nil {
		return nil, err
	}
	return append([]byte{format}, ciphertext...), nil
}

func (k *Keyset) open(key string, value []byte) ([]byte, error) {
	switch {
	case len(value) == 0 || value[0] == 0:
		return nil, ErrSealed
	case value[0] > format:
		return nil, ErrFormat
	}
	plain, err := k.aead.Decrypt(value[1:], place(key))
	if err != nil {
		return nil, ErrSealed // Tink's own error says no more
	}
	return append([]byte{}, plain...), nil // an empty value is not nil
}
