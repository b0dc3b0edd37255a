package oracle

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// A Ledger knows at what times somebody's second factor was proved, and holds
// the app to it. Tests tell it what they proved and ended, and call Check after
// each step. It may be used by several goroutines at once.
type Ledger struct {
	// Grace is how long after its end a proof still excuses an act: the time that a
	// gate of several nodes has.
	Grace time.Duration
	// Surface says which acts of a user need no proof; [LoginSurface] if nil.
	Surface func(Act) bool

	app    *App
	mu     sync.Mutex
	proofs map[string][]span
	spent  map[string]bool
	seen   int
}

// A span is open while its end is zero.
type span struct{ from, to time.Time }

// NewLedger returns a ledger in which nobody has proved anything.
func NewLedger(a *App) *Ledger {
	return &Ledger{app: a, proofs: make(map[string][]span), spent: make(map[string]bool)}
}

// Proved says that from now on a live session of the user has a proved second
// factor: say it when the proof was accepted. The returned function says that
// this one session has ended.
func (l *Ledger) Proved(user string) (ended func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.proofs[user] = append(l.proofs[user], span{from: time.Now()})
	i := len(l.proofs[user]) - 1
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if s := &l.proofs[user][i]; s.to.IsZero() {
			s.to = time.Now()
		}
	}
}

func (l *Ledger) proved(user string, at time.Time) bool {
	return slices.ContainsFunc(l.proofs[user], func(s span) bool {
		return !at.Before(s.from) && (s.to.IsZero() || !at.After(s.to.Add(l.Grace)))
	})
}

// Check fails the test for every act since the last check that was done as a
// user who had proved no second factor (I1), and returns whether there was none.
func (l *Ledger) Check(t testing.TB) bool {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	surface := l.Surface
	if surface == nil {
		surface = LoginSurface
	}
	acts := l.app.Since(l.seen)
	good := true
	for _, a := range acts {
		if a.User != "" && !surface(a) && !l.proved(a.User, a.At) {
			good = false
			t.Errorf("the app did %q as %s, told by %s, without a second factor of %s: %s %s %q",
				a.Action, a.User, a.Channel, a.User, a.Method, a.URI, a.Body)
		}
	}
	l.seen += len(acts)
	return good
}

// LoginSurface is what a gate may let through, or ask by itself, for somebody
// who has proved no second factor yet: a password at the login form, the
// question who that is, and the sign-out. What the app answers to them is another
// matter: see [Ledger.Delivered].
func LoginSurface(a Act) bool {
	switch {
	case a.Action == SignOut:
		return true
	case a.Action == SignIn:
		return a.Channel == ByForm && a.Method == "POST" && (a.URI == "/login" || a.URI == "/login/password")
	default:
		return a.Action == View && a.Method == "GET" && a.URI == "/whoami" && (a.Channel == ByCookie || a.Channel == ByBearer)
	}
}

// Delivered fails the test if what a client received, headers and all, holds
// anything that the app made for somebody else than the user who proved in that
// client's session, or for anybody if that is nobody (INV-3), or a session of the
// app in clear. It returns whether it holds none of these.
func (l *Ledger) Delivered(t testing.TB, user, received string) bool {
	t.Helper()
	good := true
	for _, s := range l.app.Shown(received) {
		switch {
		case s.User != user:
			good = false
			t.Errorf("a client of %q received %s of %s", user, s.What, s.User)
		case s.What != Content:
			good = false
			t.Errorf("%s of %s reached the browser in clear", s.What, s.User)
		}
	}
	return good
}

// Accepted fails the test if a one-time value was accepted before (I2), and
// returns whether it was not.
func (l *Ledger) Accepted(t testing.TB, kind, value string) bool {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	key := kind + "\x00" + value
	if l.spent[key] {
		t.Errorf("a %s was accepted twice", kind)
		return false
	}
	l.spent[key] = true
	return true
}
