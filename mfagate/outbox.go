package mfagate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// Pace of the outbox.
const (
	outboxIdle  = 30 * time.Second // between looks for what another process left
	outboxBatch = 20               // notices read at once
	sendLimit   = time.Minute      // for one message
	sendLease   = 2 * time.Minute  // nobody else sends a notice meanwhile
	firstRetry  = time.Minute      // doubled each time
	lastRetry   = time.Hour
	giveUpAfter = 48 * time.Hour
	noticeLife  = 7 * 24 * time.Hour // of one that no process is set up to send
)

// An outbox sends notices in the background, one at a time. A notice is a record
// under the time when it is due. To lease it, to put it off and to delete it are
// each one swap of that record, so of several processes one sends it. Who dies
// while sending leaves the lease to run out: then it is sent again, since twice is
// better than never.
type outbox struct {
	gate   *Gate
	sender Sender // of mails; may be nil
	more   chan struct{}
	stop   context.CancelFunc
}

const dueLayout = "20060102T150405.000000000"

func noticeKey(due time.Time, id string) string {
	return key(kindOutbox, due.UTC().Format(dueLayout)+"-"+id)
}

// dueOf tells when the notice with the given key is due.
func dueOf(key string) (time.Time, error) {
	last, err := lastPart(key)
	if err != nil {
		return time.Time{}, err
	}
	due, _, _ := strings.Cut(last, "-")
	return time.Parse(dueLayout, due)
}

// putNotice adds a notice that is due at a time, and returns its key.
func (t *txn) putNotice(n outgoing, due time.Time) string {
	if n.ID == "" {
		n.ID = rand.Text()
	}
	k := noticeKey(due, n.ID)
	t.put(k, encode(&n), n.Time.Add(noticeLife))
	return k
}

// moveNotice puts a notice off that the transaction has read.
func (t *txn) moveNotice(from string, n outgoing, due time.Time) (to string, err error) {
	if to = t.putNotice(n, due); to == from {
		return to, nil
	}
	return to, t.remove(from)
}

// startOutbox begins to send. It ends with stop, or when the records are closed.
func (g *Gate) startOutbox(s Sender) {
	o := &outbox{gate: g, sender: s, more: make(chan struct{}, 1)}
	var ctx context.Context
	ctx, o.stop = context.WithCancel(g.records.open)
	g.outbox = o
	g.records.done.Go(func() { o.run(ctx) })
}

// wake tells the outbox that there may be more to send.
func (o *outbox) wake() {
	select {
	case o.more <- struct{}{}:
	default:
	}
}

func (o *outbox) run(ctx context.Context) {
	for {
		timer := time.NewTimer(o.pass(ctx))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-o.more:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// pass sends what is due and tells how long nothing else will be.
func (o *outbox) pass(ctx context.Context) time.Duration {
	after := ""
	for ctx.Err() == nil {
		records, err := o.gate.records.store.List(ctx, prefix(kindOutbox), after, outboxBatch)
		if err != nil {
			o.trouble(ctx, "reading the outbox", err)
		}
		if len(records) == 0 {
			return outboxIdle
		}
		for _, rec := range records {
			after = rec.Key
			due, err := dueOf(rec.Key)
			if err != nil {
				o.trouble(ctx, "reading the outbox", err)
				continue
			}
			if wait := time.Until(due); wait > 0 {
				return min(wait, outboxIdle)
			}
			if err := o.handle(ctx, rec.Key); err != nil {
				o.trouble(ctx, "handling a notice", err)
			}
		}
	}
	return outboxIdle
}

func (o *outbox) trouble(ctx context.Context, doing string, err error) {
	if ctx.Err() == nil {
		o.gate.log.Error(doing, "error", err)
	}
}

// A lease is a notice that this process may send, and nobody else meanwhile.
type lease struct {
	outgoing
	key string    // of the record meanwhile
	by  *Delivery // how it goes out; nil if it cannot any more
	bar error     // a limit on sending is reached
}

// errNotOurs reports a notice that this process is not set up to send.
var errNotOurs = errors.New("mfagate: another process is to send this notice")

// handle leases the notice with the given key, sends it, and notes what came of
// it.
func (o *outbox) handle(ctx context.Context, key string) error {
	l, err := o.lease(ctx, key)
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrConflict) || errors.Is(err, errNotOurs) {
		return nil // another process was faster, or it is another's
	}
	if err != nil {
		return fmt.Errorf("leasing it: %w", err)
	}
	cause := l.bar
	if cause == nil {
		cause = o.send(ctx, l)
	}
	if cause != nil && ctx.Err() != nil {
		return nil //nolint:nilerr // the outbox ends; the lease runs out, and then it is sent
	}
	if err := o.settle(ctx, l.key, l.outgoing, cause); err != nil {
		return fmt.Errorf("noting that it was sent: %w", err)
	}
	return nil
}

// lease takes a notice, and counts what costs like a code before it is sent.
func (o *outbox) lease(ctx context.Context, key string) (l lease, err error) {
	_, err = o.gate.commit(ctx, func(t *txn) (err error) {
		l = lease{}
		if err := t.getRecord(key, &l.outgoing); err != nil {
			return err
		}
		if err := o.route(t, &l); err != nil {
			return err
		}
		if l.bar == nil {
			l.Tries++
		}
		l.key, err = t.moveNotice(key, l.outgoing, t.now.Add(sendLease))
		return err
	})
	return l, err
}

// route finds how a notice goes out.
func (o *outbox) route(t *txn, l *lease) error {
	if l.Via == "" {
		if o.sender == nil {
			return errNotOurs
		}
		l.by = &Delivery{By: o.sender, To: l.To}
		return nil
	}
	a, err := t.account(l.Subject)
	if err != nil {
		return err
	}
	if l.by = o.gate.contact(a, l.outgoing); l.by == nil {
		return nil
	}
	err = chargeContact(t, l.Via, l.by)
	if _, full := errors.AsType[*LockedError](err); full {
		l.bar, err = err, nil
	}
	return err
}

func (o *outbox) send(ctx context.Context, l lease) (err error) {
	if l.by == nil {
		return fmt.Errorf("the person no longer has that %s: %w", l.Via, ErrUndeliverable)
	}
	limit := sendLimit
	if l.Via != "" {
		limit = deliverLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	m, err := l.words(o.gate)
	if err != nil {
		return err
	}
	if err = sendBy(ctx, l.by, m); err != nil && l.Via != "" {
		err = l.by.hiding(err)
	}
	return err
}

// settle deletes a notice that was sent or is hopeless, and puts off any other.
// It does so even if the outbox is about to end: what was sent is not sent again.
func (o *outbox) settle(ctx context.Context, leased string, n outgoing, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxCommit)
	defer cancel()
	g := o.gate
	t, err := g.commitOf(ctx, n.Subject, func(t *txn) error {
		if _, err := t.get(leased); err != nil {
			return err // the lease ran out, and another process has it now
		}
		n := n
		if err := t.deliver(&n, cause != nil); err != nil {
			return err
		}
		if again := tryAgain(n, cause, t.now); cause != nil && !again.IsZero() {
			g.logNotice(slog.LevelWarn, "notice was not sent, will be tried again", n, cause)
			_, err := t.moveNotice(leased, n, again)
			return err
		}
		if cause != nil {
			g.logNotice(slog.LevelError, "notice was given up", n, cause)
			t.event(Event{Kind: EventNoticeFailed, Subject: n.Subject, App: n.App, Detail: n.Kind + ": " + fact(cause.Error(), maxCause)})
		}
		return t.remove(leased)
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err == nil {
		g.tell(ctx, t.events)
	}
	return err
}

// tryAgain tells when a notice that was not sent for that cause is tried again, zero
// for never.
func tryAgain(n outgoing, cause error, now time.Time) time.Time {
	again := now.Add(retryAfterTry(max(1, n.Tries)))
	if full, ok := errors.AsType[*LockedError](cause); ok {
		again = full.Until
	}
	if errors.Is(cause, ErrUndeliverable) || n.Via != "" && n.Tries >= maxContactTries || !again.Before(n.Time.Add(giveUpAfter)) {
		return time.Time{}
	}
	return again
}

func (g *Gate) logNotice(level slog.Level, what string, n outgoing, cause error) {
	g.log.Log(context.Background(), level, what, "notice", n.Kind, "realm", n.Realm, "user", n.Name, "tries", n.Tries, "error", cause)
}

// retryAfterTry is how long to wait after so many tries.
func retryAfterTry(tries int) time.Duration {
	return min(lastRetry, firstRetry<<min(tries-1, 10))
}
