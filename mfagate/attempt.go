package mfagate

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// Limits on guessing. They hold over all sessions, addresses and nodes of a
// user, and an attempt is counted, durably, before the factor is asked: n
// parallel guesses cost n (RFC 4226 section 7.3; NIST SP 800-63B-4 section
// 3.2.2).
//
// Each kind of code has a budget of its own, so that a factor that is locked
// never locks the person's others; the budgets add up to 50 a day and 100 in 30
// days. Part of each is kept for browsers that proved a factor of this user
// before, so that somebody who has the password alone cannot use up the owner's
// share. A success gives back its own attempt and ends the delays, and gives
// back no other attempt: else the owner's sign-ins would pay for a thief's
// guesses.
const (
	freeTries  = 5 // in a row, before delays
	firstDelay = 30 * time.Second
	maxDelay   = time.Hour
	day        = 24 * time.Hour
	month      = 30 * day
)

// A budget is how many attempts may be outstanding: those that were not given
// back.
type budget struct{ strangersDay, knownDay, strangersMonth, knownMonth int }

var (
	codeBudget     = budget{30, 10, 60, 20}
	recoveryBudget = budget{7, 3, 14, 6}
)

// among returns the share of one of n factors: the sum stays the same, lest each
// factor more be that many guesses more.
func (b budget) among(n int) budget {
	return budget{b.strangersDay / n, b.knownDay / n, b.strangersMonth / n, b.knownMonth / n}
}

// A LockedError reports that a factor may not be tried now, or may not send a code
// now. It says nothing about the answer, which was not looked at.
type LockedError struct {
	Factor string
	Until  time.Time
	Limit  string // of sending that was reached: "user", "address" or "all"; empty: it is about answers
}

func (e *LockedError) Error() string {
	if e.Limit != "" {
		return fmt.Sprintf("mfagate: factor %s may send no code until %s, by the limit per %s", e.Factor, e.Until.UTC().Format(time.RFC3339), e.Limit)
	}
	return fmt.Sprintf("mfagate: factor %s is locked until %s", e.Factor, e.Until.UTC().Format(time.RFC3339))
}

// attempts are the outstanding attempts of a user, by factor.
type attempts struct {
	versioned
	Factors map[string]*tally `json:"factors"`
	Sent    map[string]*tally `json:"sent,omitempty"` // codes sent, by factor
}

type tally struct {
	Strangers count `json:"strangers"`
	Known     count `json:"known"` // browsers that proved before
}

type count struct {
	Streak int       `json:"streak,omitempty"` // attempts since the last success
	Until  time.Time `json:"until,omitzero"`   // no attempt before
	At     []int64   `json:"at,omitempty"`     // of outstanding attempts, Unix seconds, oldest first
}

func attemptsKey(s Subject) string { return key(kindAttempts, s.Realm, s.Name) }

func (t *txn) attempts(s Subject) (*attempts, error) {
	a := &attempts{}
	err := t.getRecord(attemptsKey(s), a)
	if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	if a.Factors == nil {
		a.Factors = make(map[string]*tally)
	}
	return a, err
}

func (t *txn) putAttempts(s Subject, a *attempts) {
	t.put(attemptsKey(s), encode(a), t.now.Add(month))
}

func (a *attempts) of(factor string) *tally {
	if a.Factors[factor] == nil {
		a.Factors[factor] = new(tally)
	}
	return a.Factors[factor]
}

// A charge is an attempt that was counted.
type charge struct {
	at     time.Time
	known  bool      // by a browser that proved before
	streak int       // that this attempt made
	before time.Time // the delay that held before it
}

// delays tells whether the attempt brings a delay for the next one.
func (c charge) delays() bool { return c.streak >= freeTries }

// charge counts an attempt, or returns a LockedError and counts none.
func (a *attempts) charge(factor string, b budget, known bool, now time.Time) (charge, error) {
	t := a.of(factor)
	if until := t.lockedUntil(b, known, now); now.Before(until) {
		return charge{}, &LockedError{Factor: factor, Until: until}
	}
	c := t.share(known)
	c.At = append(c.At, now.Unix())
	c.Streak++
	made := charge{at: now, known: known, streak: c.Streak, before: c.Until}
	if made.delays() {
		c.Until = now.Add(min(maxDelay, firstDelay<<min(c.Streak-freeTries, 10)))
	}
	return made, nil
}

// lockedUntil tells when the next attempt may be made.
func (t *tally) lockedUntil(b budget, known bool, now time.Time) time.Time {
	t.Strangers.prune(now)
	t.Known.prune(now)
	if !known {
		return latest(t.Strangers.Until,
			windowEnd(t.Strangers.At, b.strangersDay, day, now),
			windowEnd(t.Strangers.At, b.strangersMonth, month, now))
	}
	both := slices.Concat(t.Strangers.At, t.Known.At)
	slices.Sort(both)
	return latest(t.Known.Until,
		windowEnd(both, b.strangersDay+b.knownDay, day, now),
		windowEnd(both, b.strangersMonth+b.knownMonth, month, now))
}

// giveBack undoes a charge: the factor accepted the answer, or could not tell.
// After a success the delays end for everybody.
func (a *attempts) giveBack(factor string, made charge, success bool) {
	t := a.of(factor)
	c := t.share(made.known)
	if i := slices.Index(c.At, made.at.Unix()); i >= 0 {
		c.At = slices.Delete(c.At, i, i+1)
		if c.Streak == made.streak { // nobody else was charged since
			c.Until = made.before
		}
		c.Streak = max(0, c.Streak-1)
	}
	if success {
		t.Strangers.Streak, t.Strangers.Until = 0, time.Time{}
		t.Known.Streak, t.Known.Until = 0, time.Time{}
	}
}

func (t *tally) share(known bool) *count {
	if known {
		return &t.Known
	}
	return &t.Strangers
}

func (c *count) prune(now time.Time) {
	old := now.Add(-month).Unix()
	c.At = slices.DeleteFunc(c.At, func(at int64) bool { return at <= old })
}

// windowEnd tells when fewer than limit of the sorted times will lie within the
// window before now.
func windowEnd(at []int64, limit int, window time.Duration, now time.Time) time.Time {
	begin := now.Add(-window).Unix()
	i, _ := slices.BinarySearch(at, begin+1)
	in := at[i:]
	if len(in) < limit {
		return time.Time{}
	}
	return time.Unix(in[len(in)-limit], 0).Add(window + time.Second)
}

func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}

// failed counts the outstanding attempts of the last day.
func (a *attempts) failed(now time.Time) (n int) {
	begin := now.Add(-day).Unix()
	for _, t := range a.Factors {
		for _, at := range slices.Concat(t.Strangers.At, t.Known.At) {
			if at > begin {
				n++
			}
		}
	}
	return n
}
