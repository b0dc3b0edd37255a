package mfagate

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// When a session was last used changes with each request, so it is kept in
// memory and stored in batches. A crash forgets at most a minute or a tenth of
// the idle time of it, which ends a session a little early and never late.

// maxSeenBatch is how many sessions one commit notes as used.
const maxSeenBatch = 200

// storeSeen stores when sessions were used, where it changed by enough.
func (r *Records) storeSeen(ctx context.Context) {
	changed := r.cache.all(func(l *live) bool {
		idle := max(time.Minute, time.Duration(l.idle.Load())/10)
		return l.record.Load() != nil && time.Duration(l.seen.Load()-l.stored) >= idle
	})
	for len(changed) > 0 && ctx.Err() == nil {
		n := min(maxSeenBatch, len(changed))
		r.storeSeenBatch(ctx, changed[:n])
		changed = changed[n:]
	}
}

func (r *Records) storeSeenBatch(ctx context.Context, batch []*live) {
	changes := make([]storage.Change, 0, len(batch))
	seen := make([]int64, len(batch))
	for i, l := range batch {
		rec := l.record.Load()
		if rec == nil {
			continue
		}
		k := seenKey(l.hash.String())
		old, err := r.store.Get(ctx, k)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return
		}
		seen[i] = l.seen.Load()
		changes = append(changes, storage.Change{
			Key: k, Value: strconv.AppendInt(nil, seen[i], 10), Version: old.Version, Expires: rec.session.Deadline,
		})
	}
	// A conflict (a session of the batch ended, another node was faster) leaves
	// the whole batch for the next time.
	if len(changes) == 0 || r.store.Apply(ctx, changes...) != nil {
		return
	}
	for i, l := range batch {
		if seen[i] != 0 {
			l.stored = seen[i]
		}
	}
}

// prune forgets sessions that are over.
func (r *Records) prune(context.Context) {
	now := time.Now()
	r.pending.prune(now)
	r.cases.prune(now)
	r.asks.prune(now)
	r.trusted.prune(now)
	r.programs.prune(now)
	r.requests.prune(now)
	r.sights.prune(now)
	r.leaving.prune(now)
	over := r.cache.all(func(l *live) bool {
		rec := l.record.Load()
		if rec == nil {
			return now.UnixNano()-l.seen.Load() > int64(time.Hour) && !l.streams.busy()
		}
		return notOver(l, rec.session, now) != nil
	})
	for _, l := range over {
		r.cache.remove(l.hash)
	}
}
