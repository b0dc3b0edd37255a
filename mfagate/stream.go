package mfagate

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
)

// A stream is a request that is with the app, perhaps for as long as a WebSocket
// lasts.
type stream struct{ cancel context.CancelFunc }

// streams are the requests of one session that are with the app. They are
// cancelled when it ends.
type streams struct {
	total *atomic.Int64 // over all sessions

	mu    sync.Mutex
	ended bool
	open  map[*stream]struct{}
}

// add notes a request, or tells that the session has ended meanwhile.
func (s *streams) add(st *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	if s.open == nil {
		s.open = make(map[*stream]struct{}, 4)
	}
	s.open[st] = struct{}{}
	s.total.Add(1)
	return true
}

func (s *streams) remove(st *stream) {
	s.mu.Lock()
	delete(s.open, st)
	s.mu.Unlock()
	s.total.Add(-1)
}

func (s *streams) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for st := range s.open {
		st.cancel()
	}
}

// busy tells whether a request is with the app.
func (s *streams) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open) > 0
}

// pass hands r to the app for as long as the session l lives: the request's
// context is cancelled at most a second after its end, which makes a proxy close
// both sides of an upgraded connection too.
func (l *live) pass(w http.ResponseWriter, r *http.Request, d Decision, next Next) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	st := &stream{cancel}
	if !l.streams.add(st) {
		return errNoSession
	}
	defer l.streams.remove(st)
	return next(w, r.WithContext(ctx), d)
}
