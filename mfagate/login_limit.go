package mfagate

import (
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Limits on attempts to sign in at an app's form, within pendingLife. They are
// the gate's own, beside those of the app, and touch no budget of second factors:
// whoever knows a name must not be able to lock its owner out.
const (
	maxAttempts        = 20   // for one name, by browsers of one kind
	maxAddressAttempts = 300  // from one address, behind which a whole office may sit
	maxTracked         = 1e5  // names and addresses; beyond, only known browsers get in
	addressBits        = 64   // of an IPv6 address, all of which one person may have
	longestTyped       = 1024 // bytes of a typed name that count
)

// logins count attempts in the memory of this process.
type logins struct {
	mu        sync.Mutex
	names     map[requester]*window
	addresses map[netip.Prefix]*window
	pruned    time.Time
}

// take counts an attempt for a name from an address, or returns a LockedError.
func (l *logins) take(who requester, from netip.Addr, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.names == nil || now.Sub(l.pruned) > time.Minute {
		l.prune(now)
	}
	if !who.known && len(l.names)+len(l.addresses) > maxTracked {
		return &LockedError{Until: now.Add(time.Minute)}
	}
	if !who.known && from.IsValid() {
		if err := countIn(l.addresses, network(from), maxAddressAttempts, now); err != nil {
			return err
		}
	}
	return countIn(l.names, who, maxAttempts, now)
}

// countIn counts one, or returns a LockedError if there were limit of them.
func countIn[K comparable](windows map[K]*window, k K, limit int, now time.Time) error {
	w := windows[k]
	if w == nil || now.Sub(w.begin) >= pendingLife {
		w = &window{begin: now}
		windows[k] = w
	}
	if w.count >= limit {
		return &LockedError{Until: w.begin.Add(pendingLife)}
	}
	w.count++
	return nil
}

func (l *logins) prune(now time.Time) {
	l.pruned = now
	if l.names == nil {
		l.names, l.addresses = make(map[requester]*window), make(map[netip.Prefix]*window)
	}
	for k, w := range l.names {
		if now.Sub(w.begin) >= pendingLife {
			delete(l.names, k)
		}
	}
	for k, w := range l.addresses {
		if now.Sub(w.begin) >= pendingLife {
			delete(l.addresses, k)
		}
	}
}

func network(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := a.BitLen()
	if a.Is6() {
		bits = addressBits
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p
}

// typedName is the key under which a typed name counts. It names nobody: who
// signed in is for the app to say.
func (v *visit) typedName(typed string) string {
	if name, err := v.site.Names.Canonical(strings.TrimSpace(typed)); err == nil {
		return name
	}
	return strings.ToLower(typed[:min(len(typed), longestTyped)])
}

// allowLogin counts an attempt to sign in. Browsers that proved a factor of this
// user before have a share of their own.
func (v *visit) allowLogin(name string) error {
	browser, err := v.cookie(browserCookie)
	if err != nil {
		return err
	}
	s := Subject{v.realm, name}
	a, err := newTxn(v.r.Context(), v.gate.records.store).account(s)
	if err != nil {
		return err
	}
	return v.gate.records.logins.take(requester{s, a.knows(browser, v.now)}, v.client.Addr, v.now)
}
