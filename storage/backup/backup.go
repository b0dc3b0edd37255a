// Package backup writes the records of a store to a stream and reads them back.
//
// The stream is one instant of the store: values are as the store holds them, so
// over an engine they are sealed, and worth nothing without the keyset, which is not
// in it. Keys, and with them the names of users, are in clear.
//
// # Format
//
// A first line says what it is and in which version. Then comes one entry per
// record, in byte order of the keys: the letter r, the key, the value, each after its
// length, and the time of expiry in Unix seconds or zero (numbers as unsigned
// varints). The letter e ends it, with the number of records and the SHA-256 of all
// that stands before the sum. Whatever is cut off, changed or added is refused.
package backup

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// first is the first line. The number is the version of the format.
const first = "mfagate backup 1\n"

// Letters that begin an entry.
const (
	entryRecord = 'r'
	entryEnd    = 'e'
)

// ErrDamaged reports that a stream is no whole backup.
var ErrDamaged = errors.New("backup: it is damaged or cut off")

// Write writes the records of store, as they are at one instant, except for those
// for whose key keep is false, and returns their number. The first error of keep
// ends it, and what was written is no backup. keep may be nil.
func Write(ctx context.Context, w io.Writer, store storage.Store, keep func(key string) (bool, error)) (int, error) {
	out := &writer{sum: sha256.New(), w: bufio.NewWriterSize(w, 64<<10)}
	out.bytes([]byte(first))
	n := 0
	err := snapshot(ctx, store, func(r storage.Record) error {
		if keep != nil {
			if ok, err := keep(r.Key); err != nil || !ok {
				return err
			}
		}
		n++
		return out.record(r)
	})
	if err != nil {
		return n, fmt.Errorf("writing backup: %w", err)
	}
	if err := out.end(n); err != nil {
		return n, fmt.Errorf("writing backup: %w", err)
	}
	return n, nil
}

func snapshot(ctx context.Context, store storage.Store, f func(storage.Record) error) error {
	if s, ok := store.(storage.Snapshotter); ok {
		return s.Snapshot(ctx, f)
	}
	records, err := store.List(ctx, "", "", 0)
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

type writer struct {
	w   *bufio.Writer
	sum hash.Hash
	err error // the first one
}

func (w *writer) bytes(b []byte) {
	if w.err != nil {
		return
	}
	w.sum.Write(b) // never fails
	_, w.err = w.w.Write(b)
}

func (w *writer) number(n uint64) { w.bytes(binary.AppendUvarint(nil, n)) }

func (w *writer) record(r storage.Record) error {
	expires := uint64(0)
	if !r.Expires.IsZero() {
		expires = uint64(max(1, r.Expires.Add(time.Second-1).Unix())) // nothing expires early
	}
	w.bytes([]byte{entryRecord})
	w.number(uint64(len(r.Key)))
	w.bytes([]byte(r.Key))
	w.number(uint64(len(r.Value)))
	w.bytes(r.Value)
	w.number(expires)
	return w.err
}

func (w *writer) end(records int) error {
	w.bytes([]byte{entryEnd})
	w.number(uint64(records))
	if w.err != nil {
		return w.err
	}
	if _, err := w.w.Write(w.sum.Sum(nil)); err != nil {
		return err
	}
	return w.w.Flush()
}

// Read reads a backup and calls f for each record, without a version. The stream is
// whole only if Read returns nil at the end: until then nothing should be done with
// the records that cannot be undone. Errors wrap [ErrDamaged] unless they are those
// of r or f, or tell of a newer format.
func Read(r io.Reader, f func(storage.Record) error) (records int, err error) {
	in := &reader{r: bufio.NewReaderSize(r, 64<<10), sum: sha256.New()}
	if err := in.first(); err != nil {
		return 0, err
	}
	last := ""
	for {
		kind, err := in.ReadByte()
		if err != nil {
			return records, damaged(err)
		}
		if kind == entryEnd {
			return records, in.end(records)
		}
		if kind != entryRecord {
			return records, ErrDamaged
		}
		rec, err := in.record()
		if err != nil {
			return records, damaged(err)
		}
		if rec.Key <= last {
			return records, fmt.Errorf("%w: keys are out of order", ErrDamaged)
		}
		last = rec.Key
		if err := f(rec); err != nil {
			return records, err
		}
		records++
	}
}

// damaged turns the end of the stream into what it means.
func damaged(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrDamaged
	}
	return err
}

// A reader sums up what it reads.
type reader struct {
	r   *bufio.Reader
	sum hash.Hash
}

// ReadByte implements [io.ByteReader].
func (r *reader) ReadByte() (byte, error) {
	b, err := r.r.ReadByte()
	if err == nil {
		r.sum.Write([]byte{b})
	}
	return b, err
}

func (r *reader) first() error {
	line := make([]byte, len(first))
	_, err := io.ReadFull(r.r, line)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	r.sum.Write(line)
	name, _, _ := strings.Cut(first, "1\n")
	switch {
	case err != nil:
		return ErrDamaged
	case string(line) == first:
		return nil
	case bytes.HasPrefix(line, []byte(name)):
		return errors.New("backup: it was made by a newer version of mfagate")
	}
	return fmt.Errorf("%w: it does not begin like a backup of mfagate", ErrDamaged)
}

func (r *reader) field(limit int) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > uint64(limit) {
		return nil, fmt.Errorf("%w: a field of %d bytes (limit %d)", ErrDamaged, n, limit)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r.r, b); err != nil {
		return nil, err
	}
	r.sum.Write(b)
	return b, nil
}

func (r *reader) record() (rec storage.Record, err error) {
	const maxValue = storage.MaxValue + 1024 // sealed
	key, err := r.field(storage.MaxKey)
	if err != nil {
		return rec, err
	}
	rec.Key = string(key)
	if rec.Value, err = r.field(maxValue); err != nil {
		return rec, err
	}
	expires, err := binary.ReadUvarint(r)
	if err != nil {
		return rec, err
	}
	if expires > 1<<40 {
		return rec, fmt.Errorf("%w: a record expires in the year 30,000 or later", ErrDamaged)
	}
	if expires > 0 {
		rec.Expires = time.Unix(int64(expires), 0)
	}
	return rec, nil
}

func (r *reader) end(records int) error {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return damaged(err)
	}
	want := r.sum.Sum(nil)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r.r, got); err != nil {
		return damaged(err)
	}
	if _, err := r.r.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows its end", ErrDamaged)
	}
	if n != uint64(records) || !bytes.Equal(got, want) {
		return fmt.Errorf("%w: the checksum is wrong", ErrDamaged)
	}
	return nil
}
