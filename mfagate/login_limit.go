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
	maxAddressAttempts = 300  // from one address, without right ones: a whole office may sit behind it
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

// take counts an attempt for a name from an address, or returns a LockedError. counted is what
// to give back if the password is right; nil if the address does not matter.
func (l *logins) take(who requester, from netip.Addr, now time.Time) (counted *window, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.names == nil || now.Sub(l.pruned) > time.Minute {
		l.prune(now)
	}
	if !who.known && len(l.names)+len(l.addresses) > maxTracked {
		return nil, &LockedError{Until: now.Add(time.Minute)}
	}
	if !who.known && from.IsValid() {
		if counted, err = countIn(l.addresses, network(from), maxAddressAttempts, now); err != nil {
			return nil, err
		}
	}
	_, err = countIn(l.names, who, maxAttempts, now)
	return counted, err
}

// giveBack takes one off that was counted for an address: the password was right, so it was
// no guess. All others stay counted, so an own password makes no room for guessing those of others.
func (l *logins) giveBack(counted *window) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if counted != nil {
		counted.count--
	}
}

// countIn counts one, or returns a LockedError if there were limit of them.
func countIn[K comparable](windows map[K]*window, k K, limit int, now time.Time) (*window, error) {
	w := windows[k]
	if w == nil || now.Sub(w.begin) >= pendingLife {
		w = &window{begin: now}
		windows[k] = w
	}
	if w.count >= limit {
		return nil, &LockedError{Until: w.begin.Add(pendingLife)}
	}
	w.count++
	return w, nil
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
// user before have a share of their own. counted is what a right password gives back.
func (v *visit) allowLogin(name string) (counted *window, err error) {
	browser, err := v.cookie(browserCookie)
	if err != nil {
		return nil, err
	}
	s := Subject{v.realm, name}
	a, err := newTxn(v.r.Context(), v.gate.records.store).account(s)
	if err != nil {
		return nil, err
	}
	return v.gate.records.logins.take(requester{s, a.knows(browser, v.now)}, v.client.Addr, v.now)
}
