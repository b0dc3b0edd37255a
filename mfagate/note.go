package mfagate

import (
	"sync"
	"time"
)

// A trustNote is a user who passes by trust at a site.
type trustNote struct {
	Subject
	site string
}

// trustNotes remembers for whom an event was recorded of late. It is kept in
// memory: after a restart there is one event more.
type trustNotes struct {
	mu   sync.Mutex
	told map[trustNote]time.Time
}

// due tells whether an event is due.
func (n *trustNotes) due(note trustNote, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, ok := n.told[note]
	return !ok || now.Sub(at) >= trustNoted
}

// recorded notes that an event was recorded. It comes after the commit: before, a
// request could pass by an event that is never recorded.
func (n *trustNotes) recorded(note trustNote, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.told == nil || len(n.told) >= maxTrustNotes {
		n.told = make(map[trustNote]time.Time)
	}
	n.told[note] = now
}

// prune forgets what is long past.
func (n *trustNotes) prune(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for note, at := range n.told {
		if now.Sub(at) >= trustNoted {
			delete(n.told, note)
		}
	}
}
