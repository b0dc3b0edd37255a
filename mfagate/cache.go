package mfagate

import (
	"sync"
	"sync/atomic"
	"time"
)

// maxLive bounds how many sessions are held decoded; beyond it some are read
// from the store again.
const maxLive = 200_000

// A live is a session that is in use: the decoded record and what changes too
// often to be stored with it. It stays the same for as long as requests come,
// while the record may be dropped and read again.
type live struct {
	hash   tokenHash
	record atomic.Pointer[liveRecord] // nil: to be read again

	seen atomic.Int64 // when the last request came, Unix nanoseconds
	idle atomic.Int64 // after how many nanoseconds without one it ends

	stored int64 // the value of seen that the store has; used by the writer of seen records only

	streams *streams // requests that are with the app
	checked checked  // of the app's own session
}

type liveRecord struct {
	session *session
	read    time.Time
}

// idleSince tells whether the session has been without a request for too long.
// An idle time of zero is not known yet.
func (l *live) idleSince(now time.Time) bool {
	idle := l.idle.Load()
	return idle > 0 && now.UnixNano()-l.seen.Load() > idle
}

const shards = 64

// A cache holds live sessions by the hash of their token.
type cache struct {
	shard [shards]cacheShard
	open  atomic.Int64 // requests that are with the app
}

type cacheShard struct {
	sync.RWMutex
	live map[tokenHash]*live
	gen  uint64 // counts what was dropped
}

func (c *cache) of(h tokenHash) int { return int(h[0]) % shards }

// get returns the live session of a hash, or nil, and a mark for insert.
func (c *cache) get(h tokenHash) (*live, uint64) {
	s := &c.shard[c.of(h)]
	s.RLock()
	defer s.RUnlock()
	return s.live[h], s.gen
}

// insert gives the live session of a hash its record, unless anything of its
// shard was dropped since the reading began: then the record could be one that
// is no more, and is left to be read again.
func (c *cache) insert(h tokenHash, seen time.Time, rec *liveRecord, mark uint64) *live {
	s := &c.shard[c.of(h)]
	s.Lock()
	defer s.Unlock()
	l := s.live[h]
	if l == nil {
		l = &live{hash: h, streams: &streams{total: &c.open}}
		l.seen.Store(seen.UnixNano())
		l.stored = seen.UnixNano()
		c.put(s, l)
	}
	if s.gen == mark {
		l.record.Store(rec)
	}
	return l
}

// put adds l to its locked shard, in place of another one if there are too many.
func (c *cache) put(s *cacheShard, l *live) {
	if s.live == nil {
		s.live = make(map[tokenHash]*live)
	}
	if len(s.live) >= maxLive/shards {
		for h, other := range s.live {
			if !other.streams.busy() {
				other.streams.end() // whoever is just about to use it looks again
				delete(s.live, h)
				break
			}
		}
	}
	s.live[l.hash] = l
}

// drop forgets the record of a session, because it was changed.
func (c *cache) drop(h tokenHash) {
	s := &c.shard[c.of(h)]
	s.Lock()
	defer s.Unlock()
	s.gen++
	if l := s.live[h]; l != nil {
		l.record.Store(nil)
	}
}

// remove forgets a session altogether and ends what is with the app.
func (c *cache) remove(h tokenHash) {
	s := &c.shard[c.of(h)]
	s.Lock()
	s.gen++
	l := s.live[h]
	if l != nil {
		delete(s.live, h)
		l.record.Store(nil)
	}
	s.Unlock()
	if l != nil {
		l.streams.end()
	}
}

// renew moves a session that goes on under a new token, with what is with the
// app.
func (c *cache) renew(from, to tokenHash) {
	s := &c.shard[c.of(from)]
	s.Lock()
	s.gen++
	l := s.live[from]
	delete(s.live, from)
	s.Unlock()
	if l == nil {
		return
	}
	l.record.Store(nil)
	next := &live{hash: to, streams: l.streams}
	next.seen.Store(l.seen.Load())
	next.idle.Store(l.idle.Load())
	d := &c.shard[c.of(to)]
	d.Lock()
	defer d.Unlock()
	c.put(d, next)
}

// all returns the live sessions for which keep is true.
func (c *cache) all(keep func(*live) bool) []*live {
	var all []*live
	for i := range c.shard {
		s := &c.shard[i]
		s.RLock()
		for _, l := range s.live {
			if keep(l) {
				all = append(all, l)
			}
		}
		s.RUnlock()
	}
	return all
}
