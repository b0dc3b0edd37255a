// Package badger keeps records in a Badger database, the engine for one server.
//
// The database is a folder. One process at a time can have it open: a second
// one gets an error that says so. Everything else, the command line included,
// reaches the records through the process that has it open.
//
// # Durability
//
// [Store.Apply] returns once its changes are synced to the disk, so they
// survive kill -9 and, as far as the disk keeps its word, the loss of power.
// One goroutine commits; the calls that arrive while it waits for the disk go
// together into its next transaction. A single writer waits for one sync, and
// so do sixty-four.
//
// # Limits
//
// Keys have 1 to [storage.MaxKey] bytes. Values have at most
// [storage.MaxValue] and 1024 bytes, so that sealing has room. One Apply takes about 2 MiB
// and 20,000 changes; one that is larger is an error and changes nothing.
//
// # Full disk
//
// Badger writes through memory maps, and writing there on a full disk ends the
// whole process. So Open and Apply fail with [ErrDiskFull] while less than 64 MiB are
// free, and work again when there is room. Reading goes on.
//
// # Files
//
// The folder is made with mode 0700, and that mode is restored to a database
// folder that was opened to others. Values are as the caller gives them: wrap
// the store with package sealed. Keys are in clear. While the database is open
// its files are sparse, so ls shows more than du; copying the folder of a
// running server gives no usable backup.
package badger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/mfagate/caddy-mfagate/storage"
)

// Every key of the database begins with one of these, so that no record can
// take a name that Badger or this package keeps for itself.
const (
	recordPrefix = 'r'

	// markKey is rewritten whenever a record is deleted or will expire. Badger
	// numbers its transactions on from the newest entry that it finds in its
	// files, and compaction forgets deleted and expired entries: without the mark, a
	// version could be used for a second time after a restart.
	markKey = "m"
)

// A Store is a [storage.Store] in a Badger database. Open makes one. It is safe
// for concurrent use.
type Store struct {
	db       *badger.DB
	dir      string
	requests chan *request
	closing  chan struct{}
	stopped  chan struct{}
	close    func() error
	free     func() (bytes uint64, known bool)

	entry   sync.RWMutex   // held while somebody begins to read, and while the door is shut
	readers sync.WaitGroup // under way: what they read must not be unmapped
}

var (
	_ storage.Store       = (*Store)(nil)
	_ storage.Snapshotter = (*Store)(nil)
)

// Get implements [storage.Store].
func (s *Store) Get(ctx context.Context, key string) (r storage.Record, err error) {
	if err := ctx.Err(); err != nil {
		return r, err
	}
	err = s.view(func(txn *badger.Txn) error {
		item, err := txn.Get(dbKey(key))
		if err != nil {
			return err
		}
		r, err = record(item)
		return err
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return storage.Record{}, storage.ErrNotFound
	}
	return r, s.wrap("reading", err)
}

// List implements [storage.Store].
func (s *Store) List(ctx context.Context, prefix, after string, limit int) (rs []storage.Record, err error) {
	err = s.view(func(txn *badger.Txn) error {
		// Small values lie beside their keys, where prefetching only costs goroutines.
		it := txn.NewIterator(badger.IteratorOptions{Prefix: dbKey(prefix)})
		defer it.Close()
		for it.Seek(start(prefix, after)); it.Valid() && (limit <= 0 || len(rs) < limit); it.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			r, err := record(it.Item())
			if err != nil {
				return err
			}
			rs = append(rs, r)
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, s.wrap("listing", err)
	}
	return rs, nil
}

// Snapshot implements [storage.Snapshotter]. What is deleted meanwhile takes room on
// the disk until it returns.
func (s *Store) Snapshot(ctx context.Context, f func(storage.Record) error) error {
	var stopped error
	err := s.view(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: dbKey("")})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			if stopped = ctx.Err(); stopped != nil {
				return nil
			}
			if s.isClosing() {
				return errClosed
			}
			r, err := record(it.Item())
			if err != nil {
				return err
			}
			if stopped = f(r); stopped != nil {
				return nil
			}
		}
		return nil
	})
	if stopped != nil {
		return stopped // not the database's
	}
	return s.wrap("reading", err)
}

// view is db.View, which Close waits for: Badger would unmap the files under it.
func (s *Store) view(f func(*badger.Txn) error) error {
	s.entry.RLock()
	if s.isClosing() {
		s.entry.RUnlock()
		return errClosed
	}
	s.readers.Add(1)
	s.entry.RUnlock()
	defer s.readers.Done()
	return s.db.View(f)
}

func (s *Store) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// Close implements [storage.Store]. It waits for the commit and the reads under way;
// a [Store.Snapshot] breaks off at its next record. Later calls return what the first
// returned.
func (s *Store) Close() error { return s.close() }

func (s *Store) shut() error {
	s.entry.Lock()
	close(s.closing)
	s.entry.Unlock()
	<-s.stopped
	s.readers.Wait()
	return s.wrap("closing", s.db.Close())
}

// wrap says what failed and where; errors of the context stay as they are.
func (s *Store) wrap(doing string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%s database %s: %w", doing, s.dir, err)
}

func dbKey(key string) []byte {
	b := make([]byte, 0, 1+len(key)+1) // one to spare for start
	return append(append(b, recordPrefix), key...)
}

// start is the first place at which a record of the prefix after the given key can be.
func start(prefix, after string) []byte {
	if after < prefix {
		return dbKey(prefix)
	}
	if after == "" {
		return dbKey("")
	}
	return append(dbKey(after), 0) // nothing lies between a key and the key with a NUL behind it
}

func record(item *badger.Item) (storage.Record, error) {
	value, err := item.ValueCopy([]byte{}) // an empty value is not nil
	if err != nil {
		return storage.Record{}, fmt.Errorf("value of %q: %w", item.Key()[1:], err)
	}
	return storage.Record{
		Key:     string(item.Key()[1:]),
		Value:   value,
		Version: item.Version(),
		Expires: fromSeconds(item.ExpiresAt()),
	}, nil
}

// seconds rounds up, so that nothing expires early. Badger's zero means never,
// so the distant past becomes one.
func seconds(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(1, t.Add(time.Second-1).Unix()))
}

func fromSeconds(s uint64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0)
}

var errClosed = errors.New("store is closed")

func newStore(db *badger.DB, dir string) *Store {
	s := &Store{
		db:       db,
		dir:      dir,
		requests: make(chan *request),
		closing:  make(chan struct{}),
		stopped:  make(chan struct{}),
		free:     func() (uint64, bool) { return freeSpace(dir) },
	}
	s.close = sync.OnceValue(s.shut)
	go s.commitAll()
	return s
}
