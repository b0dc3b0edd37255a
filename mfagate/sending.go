package mfagate

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/pages"
	"github.com/mfagate/caddy-mfagate/storage"
)

// Limits on sending codes. They keep strangers from filling somebody's phone, and
// from spending the operator's money. Each is a record that is swapped in the commit
// that stores the code: parallel requests cannot send more than one after the other.
// What was charged is not given back if the sender fails, since it cannot be known
// whether the message arrives after all.
const (
	firstResend  = 30 * time.Second // doubled with each code that nobody enters
	lastResend   = 15 * time.Minute
	resendMemory = time.Hour // after which the wait is short again

	deliverLimit = 10 * time.Second // for the sender

	maxHost = 253 // characters of the longest name of a host (RFC 1035 section 2.3.4)
)

// errUnsent reports that the sender did not take a code.
var errUnsent = errors.New("mfagate: the code could not be sent")

// sentTo counts the codes sent to one address within a day.
type sentTo struct {
	versioned
	At []int64 `json:"at"` // Unix seconds, oldest first
}

// sentAll counts the codes that a factor has sent to everybody.
type sentAll struct {
	versioned
	Begin time.Time `json:"begin"` // of the day that is counted
	Count int       `json:"count"`
}

func sendBudget(l Limits) budget {
	known := (l.User + 1) / 2
	return budget{l.User, known, 10 * l.User, 10 * known}
}

func (a *attempts) sent(factor string) *tally {
	if a.Sent == nil {
		a.Sent = make(map[string]*tally)
	}
	if a.Sent[factor] == nil {
		a.Sent[factor] = new(tally)
	}
	return a.Sent[factor]
}

// received notes that a code of a factor arrived: the next one need not wait.
func (a *attempts) received(factor string) {
	if t := a.Sent[factor]; t != nil {
		t.Strangers.Streak, t.Strangers.Until = 0, time.Time{}
		t.Known.Streak, t.Known.Until = 0, time.Time{}
	}
}

func (t *txn) received(f Factor, s Subject) error {
	if _, sends := f.(Restricted); !sends {
		return nil
	}
	att, err := t.attempts(s)
	if err != nil {
		return err
	}
	att.received(f.Name())
	t.putAttempts(s, att)
	return nil
}

// commitSending is a commit that may charge for a code. Within one process they wait
// for one another, since all of them change the same count; what is right does not
// depend on it.
func (v *visit) commitSending(f Factor, answer url.Values, do func(*txn) error) error {
	if _, sends := f.(Restricted); sends && answer != nil {
		v.gate.records.sending.Lock()
		defer v.gate.records.sending.Unlock()
	}
	return v.commit(do)
}

// chargeSending counts a code against all limits, or returns a LockedError and
// counts none.
func (v *visit) chargeSending(t *txn, factor string, a *account, st *step, d *Delivery) error {
	if err := d.limited(factor); err != nil {
		return err
	}
	if err := v.chargeUser(t, factor, a, d); err != nil {
		return err
	}
	most, all := d.Limits.Address, d.Limits.All
	if st.Purpose == "" { // an enrolment, for which anybody can type any address
		most, all = (most+1)/2, (all+1)/2
	}
	if err := chargeAddress(t, factor, most, d); err != nil {
		return err
	}
	if err := chargeAll(t, factor, all); err != nil {
		return err
	}
	e := v.event(EventCodeSent)
	e.Factor, e.Label = factor, d.Masked
	t.event(e)
	return nil
}

func (v *visit) chargeUser(t *txn, factor string, a *account, d *Delivery) error {
	att, err := t.attempts(v.Subject)
	if err != nil {
		return err
	}
	known := a.knows(v.browser, t.now)
	sent := att.sent(factor)
	if until := sent.lockedUntil(sendBudget(d.Limits), known, t.now); t.now.Before(until) {
		return &LockedError{factor, until, "user"}
	}
	c := sent.share(known)
	if n := len(c.At); n == 0 || t.now.Sub(time.Unix(c.At[n-1], 0)) >= resendMemory {
		c.Streak = 0
	}
	c.At = append(c.At, t.now.Unix())
	c.Until = t.now.Add(min(lastResend, firstResend<<min(c.Streak, 10)))
	c.Streak++
	t.putAttempts(v.Subject, att)
	return nil
}

// chargeAddress counts a code to an address of which there may be so many. Half of
// them are for people who have proved that the address is theirs: else whoever
// enrols it would use up what its owner signs in with.
func chargeAddress(t *txn, factor string, most int, d *Delivery) error {
	hash, err := t.addressHash(d.To)
	if err != nil {
		return err
	}
	k := key(kindSent, "to", factor, hash)
	to := new(sentTo)
	if err := t.getRecord(k, to); err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	if until := windowEnd(to.At, most, day, t.now); t.now.Before(until) {
		return &LockedError{factor, until, "address"}
	}
	if n := len(to.At) - d.Limits.Address; n > 0 {
		to.At = to.At[n:]
	}
	to.At = append(to.At, t.now.Unix())
	t.put(k, encode(to), t.now.Add(day+time.Second))
	return nil
}

// addressHash names an address in keys, which are not sealed: a hash without a key
// of its own would be found by trying all numbers.
func (t *txn) addressHash(to string) (string, error) {
	k := key(kindMeta, "addresses")
	secret, err := t.get(k)
	if errors.Is(err, storage.ErrNotFound) {
		secret = make([]byte, sha256.Size)
		rand.Read(secret) // never fails
		t.put(k, secret, time.Time{})
	} else if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(strings.ToLower(to)))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
}

// chargeAll counts a code of a factor, of which there may be so many within a day. Half
// of them are for people who have enrolled: else strangers with passwords could stop
// everybody's sign-ins by enrolling.
func chargeAll(t *txn, factor string, most int) error {
	k := key(kindSent, "all", factor)
	all := new(sentAll)
	if err := t.getRecord(k, all); err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	if t.now.Sub(all.Begin) >= day {
		all.Begin, all.Count = t.now.UTC(), 0
	}
	if all.Count >= most {
		return &LockedError{factor, all.Begin.Add(day), "all"}
	}
	all.Count++
	t.put(k, encode(all), all.Begin.Add(day))
	return nil
}

// unsent tells the operator of a limit that was reached, and returns err.
func (v *visit) unsent(f Factor, err error) error {
	locked, ok := errors.AsType[*LockedError](err)
	if !ok || locked.Limit == "" {
		return err
	}
	level := slog.LevelInfo
	if locked.Limit == "all" {
		level = slog.LevelError // nobody, or nobody who is setting up, gets a code until the day is over
	}
	v.gate.log.Log(v.r.Context(), level, "code was not sent, a limit is reached", "factor", f.Name(),
		"limit", locked.Limit, "realm", v.Realm, "user", v.Name, "until", locked.Until)
	return err
}

// resendWait is how long the next code must wait, as far as the user's own limit
// tells.
func (v *visit) resendWait(f Factor) (time.Duration, error) {
	if _, sends := f.(Restricted); !sends {
		return 0, nil
	}
	t := newTxn(v.r.Context(), v.gate.records.store)
	a, err := t.account(v.Subject)
	if err != nil {
		return 0, err
	}
	att, err := t.attempts(v.Subject)
	if err != nil {
		return 0, err
	}
	return max(0, att.sent(f.Name()).share(a.knows(v.browser, t.now)).Until.Sub(t.now)), nil
}

// deliver sends a code that was stored. The person waits for it, so a sender that
// hangs is left behind; it goes on when the client leaves.
func (v *visit) deliver(f Factor, d *Delivery) error {
	if d == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), deliverLimit)
	defer cancel()
	m := v.codeMessage(f.Name(), d)
	err := sendWithin(ctx, d, m)
	if err == nil {
		return nil
	}
	v.gate.log.Error("code was not sent", "factor", f.Name(), "realm", v.Realm, "user", v.Name, "error", d.cause(err))
	return errUnsent
}

// sendWithin sends a message, and leaves a sender behind that goes on when ctx is done.
func sendWithin(ctx context.Context, d *Delivery, m Message) error {
	done := make(chan error, 1)
	go func() { done <- sendBy(ctx, d, m) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cause puts the error of a sender into words for the log: it may quote what was to be sent.
func (d *Delivery) cause(err error) string {
	return fact(d.hide(err.Error()), maxCause)
}

func sendBy(ctx context.Context, d *Delivery, m Message) (err error) {
	defer func() { // a sender is anybody's code, and must not take the server with it
		if p := recover(); p != nil {
			err = fmt.Errorf("sender panicked: %v", p)
		}
	}()
	return d.By.Send(ctx, d.To, m)
}

// codeMessage puts a code into words, in the language of the page.
func (v *visit) codeMessage(factor string, d *Delivery) Message {
	app := v.gate.issuer
	if app == "" {
		app = v.call.Host
	}
	say := func(kind string) string {
		key := "factor." + factor + "." + kind
		if !v.gate.pages.Has(key) {
			key = "factor.any." + kind
		}
		return unmarked.Replace(v.gate.pages.Text(v.language(), pages.Text{
			Key: key, Args: []any{fact(app, maxTold), d.Code, d.Life, fact(v.call.Host, maxHost)},
		}))
	}
	return Message{Subject: say("message_subject"), Text: say("message") + "\n", Language: v.language()}
}
