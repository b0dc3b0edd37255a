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

// due tells whether an event is due, and takes it to be recorded.
func (n *trustNotes) due(note trustNote, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if at, ok := n.told[note]; ok && now.Sub(at) < trustNoted {
		return false
	}
	if n.told == nil || len(n.told) >= maxTrustNotes {
		n.told = make(map[trustNote]time.Time)
	}
	n.told[note] = now
	return true
}

func (n *trustNotes) forget(note trustNote) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.told, note)
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
