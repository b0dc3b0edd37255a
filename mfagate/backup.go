package mfagate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// passing are the kinds of records that no backup holds. What has ended since would
// come back to life with them: a session that was signed out, a ticket that was used, a
// request for a reset that the owner refused, a code that was mailed and used.
var passing = []string{kindSession, kindSeen, kindStep, kindTicket, kindRequest, kindLineage, kindAwaited}

// RestoreMark is the key of a record that a store holds while it is filled from a
// backup. [OpenRecords] refuses such a store: where half of the users are missing, a
// user who is enrolled looks like one who is not.
const RestoreMark = kindMeta + "/restore"

// ErrHalfRestored reports that a restore into the store was broken off.
var ErrHalfRestored = errors.New("mfagate: a restore into this store was broken off: remove the store, start with an empty one, and restore again")

// backupMark is the key of a record that tells when the last backup was made.
const backupMark = kindMeta + "/backup"

// NoteBackup notes that a backup was made.
func (r *Records) NoteBackup(ctx context.Context, at time.Time) error {
	old, err := r.store.Get(ctx, backupMark)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("mfagate: noting a backup: %w", err)
	}
	err = r.store.Apply(ctx, storage.Change{Key: backupMark, Value: []byte(at.UTC().Format(time.RFC3339)), Version: old.Version})
	if err != nil && !errors.Is(err, storage.ErrConflict) { // another one was made at the same time
		return fmt.Errorf("mfagate: noting a backup: %w", err)
	}
	return nil
}

// LastBackup tells when the last backup was made, the zero time if there is none.
func (r *Records) LastBackup(ctx context.Context) (time.Time, error) {
	rec, err := r.store.Get(ctx, backupMark)
	if errors.Is(err, storage.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("mfagate: looking for the last backup: %w", err)
	}
	at, err := time.Parse(time.RFC3339, string(rec.Value))
	if err != nil {
		return time.Time{}, fmt.Errorf("mfagate: reading when the last backup was made: %w", err)
	}
	return at, nil
}

// Restored tells whether a record belongs into a backup, and may come back from one.
func Restored(key string) bool {
	kind, _, _ := strings.Cut(key, "/")
	return key != RestoreMark && key != backupMark && key != cookieKeysKey && !slices.Contains(passing, kind)
}

// Fresh tells whether a record can be in a store that nobody has used yet: strangers
// may have knocked.
func Fresh(key string) bool {
	return key == metaFormat || !Restored(key) && key != RestoreMark || strings.HasPrefix(key, kindAsk+"/")
}

var metaFormat = key(kindMeta, "format")

// CheckRestored returns an error if a record of a backup, with its value in clear, was
// written by a newer version of the program.
func CheckRestored(r storage.Record) error {
	if r.Key != metaFormat {
		return nil
	}
	switch v, err := strconv.Atoi(string(r.Value)); {
	case err != nil:
		return fmt.Errorf("mfagate: reading the format of the records: %w", err)
	case v > format:
		return fmt.Errorf("mfagate: the records have format %d, this version of mfagate knows only %d: %w", v, format, errFormat)
	}
	return nil
}

// checkWhole returns [ErrHalfRestored] if a restore was broken off.
func checkWhole(ctx context.Context, s storage.Store) error {
	switch _, err := s.Get(ctx, RestoreMark); {
	case err == nil:
		return ErrHalfRestored
	case errors.Is(err, storage.ErrNotFound):
		return nil
	default:
		return fmt.Errorf("mfagate: looking for a restore: %w", err)
	}
}
