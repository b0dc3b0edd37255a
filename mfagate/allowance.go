package mfagate

import (
	"sync"
	"time"
)

// maxPending is how many pending sessions may be made for one user within
// pendingLife: enough for an office behind one shared account, too few for
// somebody who has only a password to fill the disk with.
const maxPending = 300

// maxCases is how many case numbers are given out to one user in that time.
const maxCases = 5

// A requester is who pending sessions are made for: a user, at a browser that has
// proved a factor before or at any other. Who has only the password cannot use up
// what is kept for the owner.
type requester struct {
	Subject
	known bool
}

// An allowance counts what this process makes for people who have shown a password
// only, such as pending sessions. It is kept in memory.
type allowance struct {
	max  int
	most int // who is counted apart, beyond that all together; zero means everybody

	mu   sync.Mutex
	made map[requester]*window
}

type window struct {
	begin time.Time
	count int
}

// take counts one, or returns a LockedError.
func (a *allowance) take(s requester, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.made == nil {
		a.made = make(map[requester]*window)
	}
	w := a.made[s]
	if w == nil && a.most > 0 && len(a.made) >= a.most {
		s = requester{}
		w = a.made[s]
	}
	if w == nil || now.Sub(w.begin) >= pendingLife {
		w = &window{begin: now}
		a.made[s] = w
	}
	if w.count >= a.max {
		return &LockedError{Until: w.begin.Add(pendingLife)}
	}
	w.count++
	return nil
}

// giveBack undoes one that was taken within its window: it was not a guess.
func (a *allowance) giveBack(s requester) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.made[s]
	if w == nil && a.most > 0 {
		w = a.made[requester{}]
	}
	if w != nil && w.count > 0 {
		w.count--
	}
}

// prune forgets windows that are over.
func (a *allowance) prune(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for s, w := range a.made {
		if now.Sub(w.begin) >= pendingLife {
			delete(a.made, s)
		}
	}
}
