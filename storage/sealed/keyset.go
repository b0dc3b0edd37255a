package sealed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/mfagate/caddy-mfagate/storage"
)

// Fingerprints is the prefix of the records by which a store knows its keyset.
const Fingerprints = "keyset/"

// A Keyset holds the keys that seal and open values. [NewKeyset] and
// [OpenKeyset] make one. It does not change, and is safe for concurrent use.
// Printing it shows no key.
type Keyset struct {
	handle *keyset.Handle
	aead   tink.AEAD
}

// NewKeyset returns a keyset with one random key.
func NewKeyset() (*Keyset, error) {
	handle, err := keyset.NewHandle(aead.XChaCha20Poly1305KeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("making keyset: %w", err)
	}
	return fromHandle(handle)
}

// Rotate returns a keyset with a new random primary key beside the keys of k,
// which still open what they sealed. It changes neither k nor a file; the package
// comment tells the order of the steps.
func (k *Keyset) Rotate() (*Keyset, error) {
	manager := keyset.NewManagerFromHandle(k.handle)
	id, err := manager.Add(aead.XChaCha20Poly1305KeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("rotating keyset: %w", err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, fmt.Errorf("rotating keyset: %w", err)
	}
	handle, err := manager.Handle()
	if err != nil {
		return nil, fmt.Errorf("rotating keyset: %w", err)
	}
	return fromHandle(handle)
}

// Keys tells the number of keys.
func (k *Keyset) Keys() int { return k.handle.Len() }

// String tells the number of keys.
func (k *Keyset) String() string { return fmt.Sprintf("keyset of %d keys", k.handle.Len()) }

// GoString is the same as String, so that %#v shows no key either.
func (k *Keyset) GoString() string { return k.String() }

func fromHandle(handle *keyset.Handle) (*Keyset, error) {
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("using keyset: %w", err)
	}
	return &Keyset{handle, primitive}, nil
}

func (k *Keyset) primary() uint32 { return k.handle.KeysetInfo().GetPrimaryKeyId() }

func (k *Keyset) encode() ([]byte, error) {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(k.handle, keyset.NewJSONWriter(&b)); err != nil {
		return nil, err
	}
	return append(b.Bytes(), '\n'), nil
}

func decode(b []byte) (*Keyset, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(b)))
	if err != nil {
		return nil, errors.New("it holds no Tink keyset in JSON format") // Tink's error may quote the file
	}
	return fromHandle(handle)
}

// OpenKeyset reads the keyset of store from the file at path. The store is the
// one inside, not one returned by [New].
//
// If neither the file nor any record is there, it makes a keyset and the file (mode
// 0600, its folder 0700), unless the store is [storage.Shared]: then every
// server needs the same file, and the operator makes it with [Keyset.Save].
//
// All of these are errors that name the file: it is absent although the
// store holds records; users other than its owner may read it; it is no
// keyset; it lacks a key that sealed records of this store.
func OpenKeyset(ctx context.Context, path string, store storage.Store) (*Keyset, error) {
	k, err := readOrMake(ctx, path, store)
	if err != nil {
		return nil, fmt.Errorf("keyset file %s: %w", path, err)
	}
	if k, err = k.matchFile(ctx, path, store); err != nil {
		return nil, fmt.Errorf("keyset file %s: %w", path, err)
	}
	return k, nil
}

// matchFile is match for a keyset that was read from a file, which a rotation may
// have replaced since: a key that the store has and the keyset lacks may be there by now.
func (k *Keyset) matchFile(ctx context.Context, path string, store storage.Store) (*Keyset, error) {
	for {
		err := k.match(ctx, store)
		if !errors.Is(err, ErrSealed) {
			return k, err
		}
		again, readErr := read(path)
		if readErr != nil || again.Keys() <= k.Keys() {
			return nil, err
		}
		k = again
	}
}

func readOrMake(ctx context.Context, path string, store storage.Store) (*Keyset, error) {
	k, err := read(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	empty, err := isEmpty(ctx, store)
	switch {
	case err != nil:
		return nil, err
	case !empty:
		return reread(path)
	case shared(store):
		return nil, errors.New("the file is absent, and is not made here since other servers share the store: " +
			"make it once and copy it to every server")
	}
	return create(path)
}

// reread looks again: somebody else may just have made both the file and the first record.
func reread(path string) (*Keyset, error) {
	k, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the file is absent, and without it the records of the store cannot be read: " +
			"restore it from your backup")
	}
	return k, err
}

func create(path string) (*Keyset, error) {
	k, err := NewKeyset()
	if err != nil {
		return nil, err
	}
	err = k.write(path, os.Link)
	if errors.Is(err, fs.ErrExist) {
		return read(path) // somebody else was making it at the same time
	}
	return k, err
}

// A fingerprint is the value of a record that shows, by being sealed, that a
// key belongs to the store.
type fingerprint struct {
	KeyID uint32 `json:"key_id"`
}

// match checks that the keyset opens every fingerprint of the store, and adds
// that of its primary key if it is not yet there.
func (k *Keyset) match(ctx context.Context, store storage.Store) error {
	const tries = 5 // others add fingerprints only when they open a rotated keyset
	for range tries {
		known, count, err := k.check(ctx, store)
		if err != nil || known {
			return err
		}
		err = k.add(ctx, store, count+1)
		if !errors.Is(err, storage.ErrConflict) && !errors.Is(err, storage.ErrUnknown) {
			return err
		}
	}
	return errors.New("other processes keep changing the fingerprints in the store")
}

// check reports whether the primary key has a fingerprint in the store, and how
// many there are.
func (k *Keyset) check(ctx context.Context, store storage.Store) (known bool, count int, err error) {
	records, err := New(store, k).List(ctx, Fingerprints, "", 0)
	if errors.Is(err, ErrSealed) {
		return false, 0, fmt.Errorf("it lacks a key by which the store was sealed, being of another store or too old: "+
			"restore the right one from your backup (%w)", err)
	}
	if err != nil {
		return false, 0, err
	}
	for _, r := range records {
		var f fingerprint
		if err := json.Unmarshal(r.Value, &f); err != nil {
			return false, 0, fmt.Errorf("fingerprint %q: %w", r.Key, err)
		}
		known = known || f.KeyID == k.primary()
	}
	if len(records) > 0 {
		return known, len(records), nil
	}
	if empty, err := isEmpty(ctx, store); err != nil || empty {
		return false, 0, err
	}
	return false, 0, errors.New("the store holds records but no fingerprint of a keyset, so they were not sealed by this program")
}

// add writes the fingerprint of the primary key as the given one in number. Of two who
// add at the same time, one gets a conflict.
func (k *Keyset) add(ctx context.Context, store storage.Store, number int) error {
	value, err := json.Marshal(fingerprint{k.primary()})
	if err != nil {
		return err
	}
	return New(store, k).Apply(ctx, storage.Change{Key: fmt.Sprintf("%s%04d", Fingerprints, number), Value: value})
}

func isEmpty(ctx context.Context, store storage.Store) (bool, error) {
	records, err := store.List(ctx, "", "", 1)
	return len(records) == 0, err
}
