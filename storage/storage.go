// Package storage defines where mfagate keeps its records.
//
// A [Store] is a flat, ordered map from keys to opaque values. Three promises
// are all that the rest of the program relies on:
//
//   - Every change names the version that it replaces, so two writers can never
//     overwrite one another unseen. Single use of codes, tickets and challenges,
//     and the count of attempts, all follow from this one rule.
//   - [Store.Apply] makes all of its changes or none, and what it made survives
//     the loss of power.
//   - [Store.List] returns the records of a prefix in byte order, as they were
//     at one instant.
//
// Engines live in sub-packages, and package storagetest holds the tests that
// each of them, and each decorator, must pass. Values hold secrets: wrap an
// engine with package sealed before giving it to a gate.
package storage

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrNotFound reports that no record has the wanted key.
	ErrNotFound = errors.New("storage: record not found")

	// ErrConflict reports that a record was not at the version that a [Change]
	// named, so that nothing was changed. Read again and decide anew.
	ErrConflict = errors.New("storage: record was changed by another writer")

	// ErrUnknown reports that the engine failed, or the connection to it was
	// lost, after changes had been sent, so that they may or may not have been
	// made. Read one of the changed records to learn which.
	ErrUnknown = errors.New("storage: outcome of the changes is unknown")
)

// MaxKey is the length in bytes of the longest key that every engine takes. Keys
// are UTF-8 without NUL bytes, and not empty.
const MaxKey = 2048

// MaxValue is the length in bytes of the longest value that every store takes.
// Values are any bytes. Engines take 1024 bytes more, so that a sealed value of
// this length fits. All values of one [Store.Apply] together may have 2 MiB.
const MaxValue = 256 << 10

// A Record is a value together with the version at which it was read.
type Record struct {
	Key     string
	Value   []byte
	Version uint64    // never zero for a stored record, never used twice for a key
	Expires time.Time // zero means never
}

// A Change puts or deletes one record.
type Change struct {
	Key     string
	Value   []byte    // nil deletes the record; an empty value that is not nil is kept
	Version uint64    // the version to replace; zero means that no record has the key
	Expires time.Time // as in Record; engines may round it up to a whole second
}

// A Store keeps records. Implementations must be safe for concurrent use, must
// honor cancellation of the context, and must not share memory with callers.
//
// Expires only lets an engine collect garbage: a record is gone at some time
// after it, never before. Callers compare it with their own clock.
type Store interface {
	// Get returns the record with the given key, or an error wrapping
	// [ErrNotFound].
	Get(ctx context.Context, key string) (Record, error)

	// List returns, in byte order of their keys, at most limit records whose
	// keys begin with prefix and come after the key after. An empty after
	// starts at the beginning; a limit of zero or less means no limit. One
	// call shows the records as they were at one instant. No records is not
	// an error.
	List(ctx context.Context, prefix, after string, limit int) ([]Record, error)

	// Apply makes all changes or, if it returns an error other than one
	// wrapping [ErrUnknown], none. The error wraps [ErrConflict] if a record
	// is not at the version that its change names; conflicts of the engine's
	// own making are retried inside. No key may be named twice. When Apply
	// returns nil the changes survive a crash and the loss of power.
	Apply(ctx context.Context, changes ...Change) error

	// Close releases the resources of the store. No other method may be
	// called after it.
	Close() error
}

// Shared is implemented by stores whose records other processes can change. A
// cache over such a store must not trust what it holds for longer than a second.
type Shared interface {
	Shared() bool
}

// A Snapshotter is a store that can show all of its records without holding them in
// memory. Stores that are not are read by one [Store.List].
type Snapshotter interface {
	// Snapshot calls f for each record in byte order of the keys, as they all were
	// at one instant, while others write. It ends with the first error of f.
	Snapshot(ctx context.Context, f func(Record) error) error
}
