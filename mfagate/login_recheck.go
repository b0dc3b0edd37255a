package mfagate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// How often the app is asked whose session it is, where it can be asked.
const (
	recheckEvery   = 60 * time.Second // in use
	recheckAtLogin = 10 * time.Second // where the app may show its login page
	recheckLimit   = 20 * time.Second // for the answer, and the wait for one's turn
)

// A checked is what is known of the app's sessions behind one of the gate's. One of the
// gate's may hold several: what was sealed before still opens, so what the app says of
// some cookies says nothing of others.
type checked struct {
	mu    sync.Mutex
	known [16]knownSet
	next  int           // place in known that is filled next
	gen   uint64        // counts how often all was forgotten
	turn  chan struct{} // holds one while the app is being asked
	whole []string      // names of the cookies of which the app has said last that they are the user's

	boxes  atomic.Pointer[madeBoxes]   // of the binding
	opened weak.Pointer[openedCookies] // of the last request
}

// A knownSet are cookies of which the app has said that they are the user's.
type knownSet struct {
	sum uint64
	at  time.Time
}

// when returns the time at which the app last said so of a set; zero if it has not.
func (c *checked) when(sum uint64) (at time.Time, gen uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.known {
		if k.sum == sum && k.at.After(at) {
			at = k.at
		}
	}
	return at, c.gen
}

// learn notes that a set is the user's, unless all was forgotten since gen was read.
func (c *checked) learn(sum uint64, at time.Time, gen uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if gen == c.gen {
		c.known[c.next] = knownSet{sum, at}
		c.next = (c.next + 1) % len(c.known)
	}
}

// vouched notes which cookies the app knows the user by.
func (c *checked) vouched(names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.whole = names
}

// partOf tells whether a request lacks any of these.
func (c *checked) partOf(names []string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.whole, func(name string) bool { return !slices.Contains(names, name) })
}

// forget makes the app be asked anew before the next request of any set.
func (c *checked) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gen++
	clear(c.known[:])
}

// wait waits for the turn to ask the app: a page with thirty pictures asks once.
func (c *checked) wait(ctx context.Context) (done func(), err error) {
	c.mu.Lock()
	if c.turn == nil {
		c.turn = make(chan struct{}, 1)
	}
	turn := c.turn
	c.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", errAppDown, context.Cause(ctx))
	}
}

// recheck makes sure that a request is the user's to the app. Somebody else's ends the
// gate's session. That the app knows nobody any more is errSignIn, and ends the session too, unless
// the request has only a part of the cookies that the app has known the user by.
func (v *visit) recheck(kind loginform.Kind, opened *openedCookies, next Next) error {
	if !v.login.probes() {
		return v.sameUserNow(opened.Cookies)
	}
	if v.anonymous(kind, opened.sent) || kind == loginform.Renew && v.exchanges() {
		return nil // of new tokens it is seen whose they are
	}
	c, sum := &v.live.checked, v.vouchedSum(opened.sum)
	life := recheckEvery
	if kind == loginform.Page {
		life = recheckAtLogin
	}
	if at, _ := c.when(sum); v.now.Sub(at) < life {
		return nil
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), recheckLimit)
	defer cancel()
	done, err := c.wait(ctx)
	if err != nil {
		return err
	}
	defer done()
	at, gen := c.when(sum)
	if v.now.Sub(at) < life {
		return nil // the request before has asked
	}
	names := v.namesOf(opened.shown)
	if err := v.askWho(opened.shown, next); err != nil {
		if errors.Is(err, errSignIn) && c.partOf(names) && (kind != loginform.Page || v.ledHere()) {
			return err // browsers keep some cookies back, by their path or SameSite: that says nothing of the session
		}
		if errors.Is(err, errSignIn) && v.vouching != "" && v.exchanges() {
			return errTokenEnded
		}
		return v.over(err)
	}
	c.learn(sum, v.now, gen)
	c.vouched(names)
	return nil
}

// over ends the session after what the app has said, unless it has said nothing.
func (v *visit) over(err error) error {
	if errors.Is(err, errAppDown) {
		return err
	}
	if end := v.endBinding(); end != nil {
		return end
	}
	return err
}

// namesOf are the names of the cookies by which the app may know somebody.
func (v *visit) namesOf(cookies loginform.Cookies) []string {
	var names []string
	for _, c := range cookies {
		if !c.Deleted && !v.login.Form.Passes(c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// ledHere tells whether a browser says that another site has led to the request.
func (v *visit) ledHere() bool {
	switch v.r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return true
	}
	return false
}

// askWho asks the app who is asking. It goes on when the person leaves, as pages do that
// send something while the next one is coming: others may wait for the answer.
func (v *visit) askWho(cookies loginform.Cookies, next Next) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), recheckLimit)
	defer cancel()
	name, err := v.login.Form.Who(ctx, nil, func(ctx context.Context, method, uri string) (*loginform.Answer, error) {
		return v.probe(ctx, method, uri, cookies, next) // what it sets reaches nobody: the app will set it again
	})
	if err == nil {
		name, err = v.site.Names.Canonical(name)
	}
	switch {
	case err == nil && name == v.Name:
		return nil
	case err == nil:
		v.gate.log.Warn("the app's session is another user's", "site", v.site.Name, "user", v.Name, "now", name)
		err = errOtherUser
	case errors.Is(err, loginform.ErrNobody):
		err = errSignIn
	default:
		err = fmt.Errorf("%w: %w", errAppDown, err)
	}
	return err
}

// anonymous tells whether a request is nobody's to the app, so that there is nobody to
// ask for: scripts send tokens with their own requests only, and some cookies stay behind
// when a link is followed. On the login page no cookie means that nobody is signed in.
func (v *visit) anonymous(kind loginform.Kind, cookies loginform.Cookies) bool {
	if v.login.Form.Config().Bearer == nil && kind == loginform.Page {
		return false
	}
	return v.vouching == "" && !slices.ContainsFunc(cookies, func(c loginform.Cookie) bool { return !v.login.Form.Passes(c.Name) })
}

// maySwitch tells whether a request may make the app's session another user's without any
// change of a cookie: a sign-in at a door that nobody has listed, say.
func (v *visit) maySwitch() bool {
	switch v.r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return !v.login.Form.Poll(v.r) || v.login.Form.Accounts(v.r)
}

// noteChange is told of each answer within a session before any of it is sent. A cookie
// that the operator does not list as changing by itself may mean another user, and so
// may any request that changes something: then nothing that was known counts any more.
func (v *visit) noteChange(c *checked, h http.Header, switches bool) error {
	if switches {
		c.forget() // here and not at the end of the answer, which may be long in coming
	}
	if len(h["Set-Cookie"]) == 0 {
		return nil
	}
	set := loginform.ReadSetCookies(h, v.now)
	if slices.ContainsFunc(set, func(s loginform.Cookie) bool {
		return !v.login.Form.Rotates(s.Name) && !v.opened.Has(s)
	}) {
		c.forget()
	} else if at, gen := c.when(v.vouchedSum(v.opened.sum)); !at.IsZero() {
		c.learn(v.vouchedSum(v.sumOf(v.shownOf(v.opened.With(set)))), at, gen)
	}
	return v.sameUser(h)
}

// sameUserNow ends the session if a request brings the cookie that names the user, with
// somebody else's name: the app may have set it before the sign-in.
func (v *visit) sameUserNow(cookies loginform.Cookies) error {
	name, told := v.login.Form.NamesUser(cookies)
	if !told {
		return nil
	}
	if name, err := v.site.Names.Canonical(name); err == nil && name == v.Name {
		return nil
	}
	v.gate.log.Warn("the app's session is another user's", "site", v.site.Name, "user", v.Name, "now", name)
	if err := v.endBinding(); err != nil {
		return err
	}
	return errOtherUser
}
