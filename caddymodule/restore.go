package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/backup"
	"github.com/mfagate/caddy-mfagate/storage/sealed"
)

// Bounds of one commit of a restore.
const (
	restorePart  = 200
	restoreBytes = 1 << 20
)

// backup writes all records that outlive a restore, as they are at one instant.
func (v *vault) backup(ctx context.Context, w io.Writer) (int, error) {
	switch _, err := v.inner.Get(ctx, mfagate.RestoreMark); {
	case err == nil:
		return 0, backupError{mfagate.ErrHalfRestored}
	case !errors.Is(err, storage.ErrNotFound):
		return 0, err
	}
	return backup.Write(ctx, w, v.inner, outlives)
}

// outlives tells whether a record belongs into a backup. Where it meets the mark of a
// restore there can be none: what has come so far would look like all.
func outlives(key string) (bool, error) {
	if key == mfagate.RestoreMark {
		return false, backupError{mfagate.ErrHalfRestored}
	}
	return mfagate.Restored(key), nil
}

// stream answers a request with a backup, until the store is to be closed: who does
// not take what is sent must not hold that up.
func (v *vault) stream(w http.ResponseWriter, r *http.Request) (int, error) {
	defer context.AfterFunc(v.life, func() {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now()) // Caddy's writer can
	})()
	return v.backup(r.Context(), w)
}

// restore fills the store, which must be empty, from a backup. First the whole of it
// is read, and every value opened: what is damaged, or sealed by other keys, changes
// nothing. Then nobody passes the gate until all is there. If that fails in the midst,
// nobody passes until the store was removed: half a store would take people who are
// enrolled for people who are not.
func (v *vault) restore(ctx context.Context, body io.Reader) (int, error) {
	file, err := os.CreateTemp("", "mfagate-restore-*") // mode 0600
	if err != nil {
		return 0, err
	}
	_ = os.Remove(file.Name()) // at once, where that is possible: nothing stays if the server is killed
	defer os.Remove(file.Name())
	defer file.Close()
	if err := receive(body, file); err != nil { // nobody waits for who sends slowly
		return 0, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.life.Err(); err != nil {
		return 0, err
	}
	if err := v.checkBackup(file); err != nil {
		return 0, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	if !v.door.close() {
		return 0, backupError{mfagate.ErrHalfRestored}
	}
	if err := v.checkEmpty(ctx); err != nil {
		v.door.open()
		return 0, err
	}
	n, err := v.fill(context.WithoutCancel(ctx), file)
	if err != nil {
		return n, fmt.Errorf("the restore broke off, and nobody passes the gate: remove the store, start with an empty one, and restore again: %w", err)
	}
	v.door.open()
	return n, nil
}

// receive keeps a backup in a file, and goes back to its beginning.
func receive(body io.Reader, file *os.File) error {
	_, err := backup.Read(io.TeeReader(body, file), func(storage.Record) error { return nil })
	if errors.Is(err, backup.ErrDamaged) {
		return backupError{err}
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	return err
}

// checkBackup reads a backup to its end.
func (v *vault) checkBackup(r io.Reader) error {
	formatted := false
	_, err := backup.Read(r, func(rec storage.Record) error {
		plain, err := v.keyset.Open(rec)
		if errors.Is(err, sealed.ErrSealed) {
			return wrongf("the backup was sealed by keys that are not in %s: put the keyset file of that time in its place (mode 0600) beside an empty store, restart, and restore again", v.path)
		}
		if err != nil {
			return backupError{err}
		}
		formatted = formatted || strings.HasPrefix(rec.Key, "meta/")
		if err := mfagate.CheckRestored(plain); err != nil {
			return backupError{err}
		}
		return nil
	})
	switch {
	case errors.Is(err, backup.ErrDamaged):
		return backupError{err}
	case err == nil && !formatted:
		return wrongf("the backup does not tell the format of its records")
	}
	return err
}

// checkEmpty returns an error if somebody has used the store.
func (v *vault) checkEmpty(ctx context.Context) error {
	for after := ""; ; {
		records, err := v.inner.List(ctx, "", after, restorePart)
		if err != nil {
			return err
		}
		for _, r := range records {
			after = r.Key
			if !mfagate.Fresh(r.Key) && !strings.HasPrefix(r.Key, sealed.Fingerprints) {
				return wrongf("the store is not empty: restore into one that is, by moving the folder of the database away and restarting")
			}
		}
		if len(records) < restorePart {
			return nil
		}
	}
}

// fill puts the records of a backup into the store, between a mark and its removal.
func (v *vault) fill(ctx context.Context, r io.Reader) (n int, err error) {
	if err := v.clear.Apply(ctx, storage.Change{Key: mfagate.RestoreMark, Value: []byte("1")}); err != nil {
		return 0, err
	}
	var part []storage.Change
	size := 0
	flush := func() error {
		err := v.inner.Apply(ctx, part...)
		n, part, size = n+len(part), nil, 0
		return err
	}
	_, err = backup.Read(r, func(rec storage.Record) error {
		if !mfagate.Restored(rec.Key) {
			return nil
		}
		change, err := v.inPlaceOf(ctx, rec)
		if err != nil {
			return err
		}
		part, size = append(part, change), size+len(rec.Key)+len(rec.Value)
		if len(part) < restorePart && size < restoreBytes {
			return nil
		}
		return flush()
	})
	if err == nil && len(part) > 0 {
		err = flush()
	}
	if err != nil {
		return n, err
	}
	if _, err := sealed.OpenKeyset(ctx, v.path, v.inner); err != nil { // adds the fingerprint of a key that is newer than the backup
		return n, err
	}
	mark, err := v.inner.Get(ctx, mfagate.RestoreMark)
	if err != nil {
		return n, err
	}
	return n, v.inner.Apply(ctx, storage.Change{Key: mark.Key, Version: mark.Version})
}

// inPlaceOf makes a change of a record of a backup. Even an empty store has some
// records of the same names: the format, and the fingerprint of the keyset.
func (v *vault) inPlaceOf(ctx context.Context, rec storage.Record) (storage.Change, error) {
	change := storage.Change{Key: rec.Key, Value: rec.Value, Expires: rec.Expires}
	if !mfagate.Fresh(rec.Key) && !strings.HasPrefix(rec.Key, sealed.Fingerprints) {
		return change, nil
	}
	old, err := v.inner.Get(ctx, rec.Key)
	if errors.Is(err, storage.ErrNotFound) {
		return change, nil
	}
	change.Version = old.Version
	return change, err
}
