package sealed

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// Bounds of one commit of [Store.Reseal].
const (
	resealPart  = 200
	resealBytes = 1 << 20
)

// Reseal seals anew, by the primary key, each record that another key sealed, and
// calls told, if that is not nil, with how many records it has looked at so far. Others
// may read and write meanwhile. It can be broken off and begun again at any time;
// a record that another one wrote at the same moment may stay as it is. Fingerprints
// keep their keys.
func (s *Store) Reseal(ctx context.Context, told func(done int)) error {
	keyset, done := s.keyset.Load(), 0
	for after := ""; ; {
		records, err := s.inner.List(ctx, "", after, resealPart)
		if err != nil {
			return fmt.Errorf("sealing anew: %w", err)
		}
		var part []storage.Record
		size := 0
		for _, r := range records {
			after = r.Key
			if done++; keyset.current(r) {
				continue
			}
			if size += len(r.Value); size > resealBytes {
				if err := s.resealAll(ctx, part); err != nil {
					return err
				}
				part, size = nil, len(r.Value)
			}
			part = append(part, r)
		}
		if err := s.resealAll(ctx, part); err != nil {
			return err
		}
		if told != nil {
			told(done)
		}
		if len(records) < resealPart {
			return nil
		}
	}
}

// current tells whether a record need not be sealed anew.
func (k *Keyset) current(r storage.Record) bool {
	if strings.HasPrefix(r.Key, Fingerprints) || !r.Expires.IsZero() && time.Now().After(r.Expires) {
		return true
	}
	return len(r.Value) >= 6 && binary.BigEndian.Uint32(r.Value[2:6]) == k.primary() // after Tink's first byte
}

// resealAll writes records in one commit or, if somebody is writing one of them, each
// by itself.
func (s *Store) resealAll(ctx context.Context, records []storage.Record) error {
	err := s.rewrite(ctx, records...)
	if !errors.Is(err, storage.ErrConflict) {
		return err
	}
	for _, r := range records {
		// Whoever wrote it meanwhile has sealed it anew.
		if err := s.rewrite(ctx, r); err != nil && !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
	return nil
}

// rewrite puts the records that were read back in their places.
func (s *Store) rewrite(ctx context.Context, records ...storage.Record) error {
	changes := make([]storage.Change, len(records))
	for i, r := range records {
		plain, err := s.open(r)
		if err != nil {
			return fmt.Errorf("sealing anew: %w", err)
		}
		changes[i] = storage.Change{Key: r.Key, Value: plain.Value, Version: r.Version, Expires: r.Expires}
	}
	if len(changes) == 0 {
		return nil
	}
	if err := s.Apply(ctx, changes...); err != nil && !errors.Is(err, storage.ErrUnknown) {
		return fmt.Errorf("sealing anew: %w", err)
	}
	return nil
}
