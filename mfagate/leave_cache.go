package mfagate

import (
	"net/url"
	"strings"
	"sync"
	"time"
)

// A leaveCache holds accounts without a factor: those who need none read theirs on
// every request. What another node changed holds within leaveLife.
type leaveCache struct {
	shard [shards]leaveShard
}

type leaveShard struct {
	sync.RWMutex
	read map[Subject]readAccount
	gen  uint64 // counts what was dropped
}

// A readAccount is one that nobody may change.
type readAccount struct {
	*account
	at time.Time // when the reading began
}

const (
	leaveLife  = time.Second
	maxLeaving = 50_000 // accounts; beyond it they are read again
)

func (c *leaveCache) of(s Subject) *leaveShard {
	sum := uint32(2166136261) // FNV-1a: whoever chooses a name gains nothing by meeting others
	for i := range len(s.Name) {
		sum = (sum ^ uint32(s.Name[i])) * 16777619
	}
	return &c.shard[sum%shards]
}

func (c *leaveCache) get(s Subject, now time.Time) (a *account, mark uint64) {
	shard := c.of(s)
	shard.RLock()
	defer shard.RUnlock()
	r, ok := shard.read[s]
	if age := now.Sub(r.at); !ok || age < 0 || age >= leaveLife {
		return nil, shard.gen
	}
	return r.account, shard.gen
}

// insert adds an account, unless anything of its shard was dropped since the reading
// began: then it could be one that has a factor by now.
func (c *leaveCache) insert(a *account, at time.Time, mark uint64) {
	shard := c.of(a.Subject)
	shard.Lock()
	defer shard.Unlock()
	if shard.gen != mark {
		return
	}
	if shard.read == nil || len(shard.read) >= maxLeaving/shards {
		shard.read = make(map[Subject]readAccount)
	}
	shard.read[a.Subject] = readAccount{a, at}
}

// drop forgets the account whose record has the key, because it was changed.
func (c *leaveCache) drop(changed string) {
	rest, ok := strings.CutPrefix(changed, kindUser+"/")
	if !ok {
		return
	}
	first, second, _ := strings.Cut(rest, "/")
	realm, err1 := url.PathUnescape(first)
	name, err2 := url.PathUnescape(second)
	if err1 != nil || err2 != nil {
		return // no account has such a key
	}
	s := Subject{realm, name}
	shard := c.of(s)
	shard.Lock()
	defer shard.Unlock()
	shard.gen++
	delete(shard.read, s)
}

// prune forgets what is too old.
func (c *leaveCache) prune(now time.Time) {
	for i := range c.shard {
		shard := &c.shard[i]
		shard.Lock()
		for s, r := range shard.read {
			if now.Sub(r.at) >= leaveLife {
				delete(shard.read, s)
			}
		}
		shard.Unlock()
	}
}

// leaving reads the account of the visit's user, to decide: it may be a second old if it
// has no factor, and nobody may change it.
func (v *visit) leaving() (*account, error) {
	cache := &v.gate.records.leaving
	a, mark := cache.get(v.Subject, v.now)
	if a != nil {
		return a, nil
	}
	t := newTxn(v.r.Context(), v.gate.records.store)
	a, err := t.account(v.Subject)
	if err != nil {
		return nil, err
	}
	if t.read[accountKey(v.Subject)].Version != 0 && len(a.Credentials) == 0 {
		cache.insert(a, v.now, mark)
	}
	return a, nil
}
