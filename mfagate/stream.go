package mfagate

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A stream is a request that is with the app, perhaps for as long as a WebSocket
// lasts. It is the context of that request too, in which further blocks find the
// session whose cookie the first one has hidden from the app.
type stream struct {
	context.Context
	cancel context.CancelFunc
	tokens tokens

	prev, next *stream // among those of the session
}

type streamKey struct{}

// Value implements [context.Context].
func (s *stream) Value(key any) any {
	if key == (streamKey{}) {
		return s
	}
	return s.Context.Value(key)
}

// tokens are those of the two sessions that further blocks may look for: the
// person's, and the one of blocks that ask.
type tokens struct{ own, asked string }

// passedTokens are those with which an earlier block let r pass.
func passedTokens(r *http.Request) tokens {
	if s, ok := r.Context().Value(streamKey{}).(*stream); ok {
		return s.tokens
	}
	return tokens{}
}

// conceal leaves in the request only the cookies that are the app's.
func (v *visit) conceal() error {
	if v.login == nil || v.login.Follow {
		return hideCookies(v.r.Header)
	}
	v.opened.conceal(v.r)
	return nil
}

// tokensOn are those for further blocks, from whom the cookies will be hidden.
func (v *visit) tokensOn() (t tokens, err error) {
	if !v.gate.asks.Load() {
		return tokens{own: v.token}, nil
	}
	if t = passedTokens(v.r); t == (tokens{}) {
		if t.own, err = v.cookie(sessionCookie); err != nil {
			return t, err
		}
		if t.asked, err = v.cookie(askCookie); err != nil {
			return t, err
		}
	}
	if v.asks {
		t.asked = v.token
	} else {
		t.own = v.token
	}
	return t, nil
}

// streams are the requests of one session that are with the app. They are
// cancelled when it ends.
type streams struct {
	total *atomic.Int64 // over all sessions

	mu    sync.Mutex
	ended bool
	first *stream
}

// add notes a request, or tells that the session has ended meanwhile.
func (s *streams) add(st *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	if st.next = s.first; st.next != nil {
		st.next.prev = st
	}
	s.first = st
	s.total.Add(1)
	return true
}

func (s *streams) remove(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.next != nil {
		st.next.prev = st.prev
	}
	if st.prev != nil {
		st.prev.next = st.next
	} else {
		s.first = st.next
	}
	s.total.Add(-1)
}

func (s *streams) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for st := s.first; st != nil; st = st.next {
		st.cancel()
	}
}

// busy tells whether a request is with the app.
func (s *streams) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first != nil
}

// pass hands the request to the app, without the gate's cookies. With a session it
// does so for as long as that lives: the request's context is cancelled at most a
// second after its end, which makes a proxy close both sides of an upgraded
// connection too.
func (v *visit) pass(d Decision, next Next) error {
	on, err := v.tokensOn()
	if err == nil {
		err = v.conceal()
	}
	if err != nil {
		v.refuse(err)
		return nil
	}
	switch {
	case d.Factor == "" && v.login == nil: // the mode lets it pass without
		return v.passLoose(d, next)
	case d.Factor == FactorTrusted:
		return v.passTrusted(d, on, next)
	}
	ctx, cancel := context.WithCancel(v.r.Context())
	defer cancel()
	st := &stream{Context: ctx, cancel: cancel, tokens: on}
	if !v.live.streams.add(st) { // the session ended just now
		v.sess, v.live, v.token = nil, nil, ""
		v.stop(Challenge)
		return nil
	}
	defer v.live.streams.remove(st)
	v.r = v.r.WithContext(st)
	if d.Factor == "" { // signed in at the login form only: it also ends with the leave to go without
		return v.passLoose(d, next)
	}
	return next(v.w, v.r, d)
}

// A loose request is with the app without a session, since its user has leave to
// go without a factor.
type loose struct {
	over   func(context.Context) bool // the leave has ended meanwhile
	cancel context.CancelFunc
}

// passLoose hands the request to the app for as long as the leave lasts.
func (v *visit) passLoose(d Decision, next Next) error {
	if v.leave.kind == noLeave { // the mode only observes
		return next(v.w, v.r, d)
	}
	ctx, cancel := context.WithCancel(v.r.Context())
	defer cancel()
	g := v.gate
	l := &loose{cancel: cancel, over: func(ctx context.Context) bool {
		a, err := newTxn(ctx, g.records.store).account(v.Subject)
		return err != nil || v.leaveOf(a, v.mode(ctx), time.Now()).kind == noLeave // doubt refuses
	}}
	g.records.loose.Store(l, nil)
	defer g.records.loose.Delete(l)
	return next(v.w, v.r.WithContext(ctx), d)
}

// passTrusted hands the request to the app without a session of ours, for no longer
// than a session would last. One that there is goes on to further blocks.
func (v *visit) passTrusted(d Decision, on tokens, next Next) error {
	ctx, cancel := context.WithDeadline(v.r.Context(), v.until)
	defer cancel()
	return next(v.w, v.r.WithContext(&stream{Context: ctx, cancel: cancel, tokens: on}), d)
}
