package mfagate

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// How long what the app said of Basic credentials holds for requests without a session.
const (
	rightFor = 5 * time.Second  // a browser sends many at once before it has a cookie
	wrongFor = 30 * time.Second // a page that polls goes on with a password that was changed

	// A request that begins so soon after the app's answer may have been sent by a browser that
	// has not got the cookie yet. Any later one is from another browser, or a new sign-in.
	oneBurst = time.Second
)

// A triedCredentials is what the app has said of credentials, by their keyed hash. They count
// as one guess however often they are sent.
type triedCredentials struct {
	turn  chan struct{} // holds one while the app is being asked
	begin time.Time     // when they were counted
	at    time.Time     // as of when the app's answer holds; zero if there is none
	name  string        // of the user; empty if they were wrong
	told  bool          // the app says so itself
	came  time.Time     // when the answer came
}

// credentialsTried remembers them in the memory of this process, within pendingLife.
type credentialsTried struct {
	mu     sync.Mutex
	tried  map[string]*triedCredentials
	pruned time.Time
}

// of returns what is known of credentials, and whether they are new. Beyond maxTracked
// nothing is kept, so that each counts.
func (c *credentialsTried) of(sum string, now time.Time) (t *triedCredentials, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tried == nil || now.Sub(c.pruned) > time.Minute {
		c.prune(now)
	}
	if t := c.tried[sum]; t != nil && now.Sub(t.begin) < pendingLife {
		return t, false
	}
	t = &triedCredentials{turn: make(chan struct{}, 1), begin: now}
	if len(c.tried) < maxTracked {
		c.tried[sum] = t
	}
	return t, true
}

func (c *credentialsTried) prune(now time.Time) {
	c.pruned = now
	if c.tried == nil {
		c.tried = make(map[string]*triedCredentials)
	}
	for sum, t := range c.tried {
		if now.Sub(t.begin) >= pendingLife {
			delete(c.tried, sum)
		}
	}
}

// drop forgets credentials that were not tried after all.
func (c *credentialsTried) drop(sum string, t *triedCredentials) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tried[sum] == t {
		delete(c.tried, sum)
	}
}

// wait waits for the turn to ask the app about the credentials.
func (t *triedCredentials) wait(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errAppDown, context.Cause(ctx))
	}
}

func (t *triedCredentials) done() { <-t.turn }

// holds tells whether the app need not be asked again. Its turn must be held.
func (t *triedCredentials) holds(now time.Time) bool {
	life := wrongFor
	if t.name != "" {
		life = rightFor
	}
	return !t.at.IsZero() && now.Sub(t.at) < life
}

// tryOnce finds out whose credentials are: the empty name means that they are wrong. again
// tells that another request of the same page has just asked.
func (v *visit) tryOnce(ctx context.Context, a *loginAttempt, sum string) (name string, told, again bool, err error) {
	tried := &v.gate.records.tried
	t, fresh := tried.of(sum, v.now)
	if fresh {
		if a.counted, err = v.allowLogin(a.name); err != nil {
			tried.drop(sum, t)
			return "", false, false, err
		}
	}
	if err := t.wait(ctx); err != nil {
		return "", false, false, err
	}
	defer t.done()
	if again = t.holds(v.now); !again {
		if err := v.tryAtApp(ctx, a, t); err != nil {
			return "", false, false, err
		}
	}
	if t.name != "" {
		v.gate.records.logins.giveBack(a.counted)
	}
	return t.name, t.told, again && v.now.Sub(t.came) < oneBurst, nil
}

// tryAtApp asks the app whose credentials are, and notes what it says.
func (v *visit) tryAtApp(ctx context.Context, a *loginAttempt, t *triedCredentials) error {
	answer, err := v.askApp(ctx, a)
	if err != nil {
		v.gate.log.Error("asking the app about credentials", "site", v.site.Name, "error", err)
		return errAppDown
	}
	t.at, t.name, t.told = v.now, "", false
	defer func() { t.came = time.Now() }()
	if answer == nil {
		return nil
	}
	name, told, err := v.whoIs(ctx, a, answer)
	if err != nil {
		v.gate.log.Warn("the app does not say who signed in", "site", v.site.Name, "error", err)
		return nil
	}
	t.name, t.told = name, told
	return nil
}

// askAgain makes the browser ask for a name and a password once more after a sign-out: it
// would send those that it has kept, and nobody else could sign in.
func (v *visit) askAgain() {
	if form := v.login.Form; !form.Config().Basic || form.OwnForm() {
		return
	}
	l := v.newLineage()
	l.Again = true
	if err := v.keep(l); err != nil {
		v.gate.log.Error("keeping a sign-out", "site", v.site.Name, "error", err)
	}
}

// asksAgain tells whether a browser was signed out and sends what it has kept. It tells
// so until the browser can ask.
func (v *visit) asksAgain() bool {
	l, found, err := v.lineage()
	if err != nil || !found || !l.Again {
		return false
	}
	if v.prompts() {
		v.clearCookie(loginCookie)
	}
	return true
}

// waits tells whether a request could only lead to a session that waits for a factor.
func (v *visit) waits() bool {
	a, err := v.account()
	mode := v.mode(v.r.Context())
	return err == nil && mode != Observe && v.leaveOf(a, mode, v.now).kind == noLeave
}
