package mfagate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// Records are the gate's records over a store, with the cache of live sessions.
// They outlive a Gate: two configurations that overlap during a reload must
// share one Records, else a session ended in one lives on in the other. They are
// safe for concurrent use.
type Records struct {
	store  storage.Store
	shared bool
	cache  cache

	loose sync.Map // of *loose
	modes modeCache

	leaving leaveCache

	summaries summaries
	exports   atomic.Int32 // of reports, under way

	pending, cases, sights allowance // sessions without a proof, case numbers, users who are new
	asks                   allowance // answers of strangers, by address
	trusted                trustNotes
	programs               programs
	requests               allowance // of which administrators are told by a message

	sending sync.Mutex // held by commits that send codes

	logins  logins // attempts to sign in at login forms
	sealers sealers
	guarded guardedPages
	tried   credentialsTried

	// keyed serialises the commits of one user within this process, so that
	// parallel requests wait for one another rather than run into conflicts.
	// What is right does not depend on it.
	keyed [256]sync.Mutex

	open context.Context // done when the records are to be closed
	stop context.CancelFunc
	done sync.WaitGroup
}

// Pace of what Records do in the background.
const (
	sweepEvery = time.Second // ends what is with the app after its session
	storeEvery = time.Minute // writes when sessions were last used
	sharedLife = time.Second // of what is cached over a shared store
)

// OpenRecords checks the format of the records in s and takes s over: Close
// closes it. Records written by a newer version of the program are an error.
func OpenRecords(ctx context.Context, s storage.Store) (*Records, error) {
	if err := checkWhole(ctx, s); err != nil {
		return nil, err
	}
	if err := checkFormat(ctx, s); err != nil {
		return nil, err
	}
	r := &Records{store: s, pending: allowance{max: maxPending}, cases: allowance{max: maxCases}, asks: allowance{max: maxAsks, most: maxAskers}, sights: allowance{max: maxSights}, requests: allowance{max: maxToldRequests}}
	if sh, ok := s.(storage.Shared); ok {
		r.shared = sh.Shared()
	}
	r.open, r.stop = context.WithCancel(context.Background())
	r.done.Go(func() { r.background(r.open) })
	return r, nil
}

// checkFormat compares the format noted in the store with ours, and notes ours
// in a new one.
func checkFormat(ctx context.Context, s storage.Store) error {
	k := key(kindMeta, "format")
	rec, err := s.Get(ctx, k)
	if errors.Is(err, storage.ErrNotFound) {
		err = s.Apply(ctx, storage.Change{Key: k, Value: strconv.AppendInt(nil, format, 10)})
		if errors.Is(err, storage.ErrConflict) {
			return checkFormat(ctx, s) // another node was faster
		}
		if err != nil {
			return fmt.Errorf("mfagate: noting the format of the records: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("mfagate: reading the format of the records: %w", err)
	}
	switch v, err := strconv.Atoi(string(rec.Value)); {
	case err != nil:
		return fmt.Errorf("mfagate: reading the format of the records: %w", err)
	case v > format:
		return fmt.Errorf("mfagate: the records have format %d, this version of mfagate knows only %d: %w", v, format, errFormat)
	}
	return nil
}

// Close writes when the live sessions were last used and closes the store.
func (r *Records) Close() error {
	r.summaries.close()
	r.stop()
	r.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r.storeSeen(ctx)
	return r.store.Close()
}

func (r *Records) background(ctx context.Context) {
	sweep, store := time.NewTicker(sweepEvery), time.NewTicker(storeEvery)
	defer sweep.Stop()
	defer store.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			r.sweep(ctx)
		case <-store.C:
			r.storeSeen(ctx)
			r.prune(ctx)
		}
	}
}

// apply makes the changes of t and drops what they made stale from the cache
// before it returns.
func (r *Records) apply(t *txn) error {
	changes := t.pending()
	if len(changes) == 0 {
		return nil
	}
	err := r.store.Apply(t.ctx, changes...)
	if err == nil && t.renewed[0] != "" {
		from, err1 := parseHash(t.renewed[0])
		to, err2 := parseHash(t.renewed[1])
		if err1 == nil && err2 == nil {
			r.cache.renew(from, to)
		}
	}
	for _, c := range changes {
		r.modes.drop(c.Key)
		r.leaving.drop(c.Key)
		hash, ok := strings.CutPrefix(c.Key, kindSession+"/")
		if !ok {
			continue
		}
		h, perr := parseHash(hash)
		switch {
		case perr != nil:
		case c.Value == nil && err == nil:
			r.cache.remove(h)
		default: // after an error nobody knows
			r.cache.drop(h)
		}
	}
	return err
}

// lock serialises the commits of a user.
func (r *Records) lock(s Subject) (unlock func()) {
	h := hashOf(s.Realm + "\x00" + s.Name)
	m := &r.keyed[h[0]]
	m.Lock()
	return m.Unlock
}

// find returns the live session of a token's hash and its record, or
// errNoSession.
func (r *Records) find(ctx context.Context, h tokenHash, now time.Time) (*live, *session, error) {
	l, mark := r.cache.get(h)
	if l != nil {
		if rec := l.record.Load(); rec != nil && (!r.shared || now.Sub(rec.read) < sharedLife) {
			return l, rec.session, notOver(l, rec.session, now)
		}
	}
	hash := h.String()
	stored, err := r.store.Get(ctx, sessionKey(hash))
	if errors.Is(err, storage.ErrNotFound) {
		r.cache.remove(h)
		return nil, nil, errNoSession
	}
	if err != nil {
		return nil, nil, err
	}
	s := new(session)
	if err := decode(stored.Value, s); err != nil {
		return nil, nil, err
	}
	if !now.Before(s.Deadline) { // do not fill the cache with the dead
		return nil, nil, errNoSession
	}
	seen, err := r.lastSeen(ctx, hash, s)
	if err != nil {
		return nil, nil, err
	}
	l = r.cache.insert(h, seen, &liveRecord{s, now}, mark)
	return l, s, notOver(l, s, now)
}

// lastSeen tells when a session that is not cached was last used, as far as that
// was stored.
func (r *Records) lastSeen(ctx context.Context, hash string, s *session) (time.Time, error) {
	seen := s.Created
	if s.Proved.After(seen) {
		seen = s.Proved
	}
	rec, err := r.store.Get(ctx, seenKey(hash))
	if errors.Is(err, storage.ErrNotFound) {
		return seen, nil
	}
	if err != nil {
		return seen, err
	}
	nanos, err := strconv.ParseInt(string(rec.Value), 10, 64)
	if err != nil {
		return seen, fmt.Errorf("mfagate: reading when a session was used: %w", err)
	}
	if at := time.Unix(0, nanos); at.After(seen) {
		seen = at
	}
	return seen, nil
}

func notOver(l *live, s *session, now time.Time) error {
	switch {
	case !now.Before(s.Deadline):
		return errNoSession
	case l.idleSince(now):
		return errIdle
	}
	return nil
}

// sweep ends what is with the app although its session is over.
func (r *Records) sweep(ctx context.Context) {
	r.loose.Range(func(k, _ any) bool {
		if l := k.(*loose); l.over(ctx) && ctx.Err() == nil {
			l.cancel()
		}
		return ctx.Err() == nil
	})
	if r.cache.open.Load() == 0 {
		return
	}
	for _, l := range r.cache.all(func(l *live) bool { return l.streams.busy() }) {
		if _, _, err := r.find(ctx, l.hash, time.Now()); err != nil && ctx.Err() == nil {
			r.cache.remove(l.hash) // also if the store cannot tell: doubt refuses
		}
	}
}
