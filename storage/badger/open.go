package badger

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Options say how to open a database. Only Dir is needed.
type Options struct {
	// Dir is the folder of the database. It is made if need be.
	Dir string

	// Logger receives the engine's warnings and errors, and on its debug
	// level the rest. Nil discards them.
	Logger *slog.Logger
}

// Open opens the database in dir, making the folder with mode 0700 if need be.
// It is short for Options{Dir: dir}.Open().
//
// The error names the folder, and says so when another process, or another
// Store of this one, has it open.
func Open(dir string) (*Store, error) { return Options{Dir: dir}.Open() }

// Open opens the database; see the function [Open].
func (o Options) Open() (*Store, error) {
	if o.Dir == "" {
		return nil, fmt.Errorf("opening database: no folder is named")
	}
	if err := makeDir(o.Dir); err != nil {
		return nil, fmt.Errorf("opening database %s: %w", o.Dir, err)
	}
	if err := checkSpace(func() (uint64, bool) { return freeSpace(o.Dir) }); err != nil {
		return nil, fmt.Errorf("opening database %s: %w", o.Dir, err)
	}
	db, err := badger.Open(o.engine())
	for range 3 {
		if err == nil || !cutOff(err) {
			break
		}
		db, err = badger.Open(o.engine())
	}
	if err != nil {
		return nil, fmt.Errorf("opening database %s: %w", o.Dir, explain(err))
	}
	return newStore(db, o.Dir), nil
}

func (o Options) engine() badger.Options {
	return badger.DefaultOptions(o.Dir).
		WithLogger(logger{o.Logger}).
		WithMetricsEnabled(false).
		// What was acknowledged must survive the loss of power.
		WithSyncWrites(true).
		// Badger reads damaged blocks without a word unless told to look.
		WithChecksumVerificationMode(options.OnTableAndBlockRead).
		WithVerifyValueChecksum(true).
		// A memory table bounds the size of a transaction to 15 % of it: 16 MiB
		// makes that 2.4 MiB. The defaults hold five of 64 MiB and a cache of 256 MiB.
		WithMemTableSize(16 << 20).
		WithNumMemtables(2).
		WithNumLevelZeroTables(2).
		WithNumLevelZeroTablesStall(4).
		WithNumCompactors(2).
		WithBlockCacheSize(16 << 20).
		WithIndexCacheSize(16 << 20).
		// Every value that storage allows stays below the threshold, out of the
		// value log, which so never needs collecting.
		WithValueThreshold(1 << 20).
		WithValueLogFileSize(16 << 20)
}

// cutOff tells whether Badger met the file of a memory table that has no length:
// a process that was killed had made it, and written nothing to it. Badger gives
// the file its length and then refuses to go on, once for each such file. It has
// no error value for it.
func cutOff(err error) bool {
	return strings.Contains(err.Error(), "opening memtables") && strings.HasSuffix(err.Error(), "Create a new file")
}

// explain puts the one failure that operators meet in their words. Badger has
// no error value for it.
func explain(err error) error {
	if strings.Contains(err.Error(), "Cannot acquire directory lock") {
		return fmt.Errorf("another process, such as a running server, has it open (%w)", err)
	}
	return err
}

// makeDir makes the folder, or closes it to other users if it is already a
// database or empty. A folder that holds other things is left as it is: it may be /tmp.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	syncParent(dir)
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 == 0 || !ours(dir) {
		return nil
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("other users may read the folder, and its mode cannot be changed to 0700: %w", err)
	}
	return nil
}

// syncParent makes the name of a new folder survive the loss of power, as far
// as the parent can be read; Badger does the same for the files within.
func syncParent(dir string) {
	if parent, err := os.Open(filepath.Dir(filepath.Clean(dir))); err == nil {
		_ = parent.Sync()
		_ = parent.Close()
	}
}

func ours(dir string) bool {
	if _, err := os.Lstat(filepath.Join(dir, badger.ManifestFilename)); err == nil {
		return true
	}
	entries, err := fs.ReadDir(os.DirFS(dir), ".")
	return err == nil && len(entries) == 0
}

// A logger passes Badger's messages on. What Badger calls information is of
// use only to those who look for a fault.
type logger struct{ to *slog.Logger }

func (l logger) log(level slog.Level, format string, args []any) {
	if l.to != nil && l.to.Enabled(context.Background(), level) {
		l.to.Log(context.Background(), level, strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}

func (l logger) Errorf(format string, args ...any)   { l.log(slog.LevelError, format, args) }
func (l logger) Warningf(format string, args ...any) { l.log(slog.LevelWarn, format, args) }
func (l logger) Infof(format string, args ...any)    { l.log(slog.LevelDebug, format, args) }
func (l logger) Debugf(format string, args ...any)   { l.log(slog.LevelDebug, format, args) }
