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
	sender Sender
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

// handle leases the notice with the given key, sends it, and notes what came of
// it.
func (o *outbox) handle(ctx context.Context, key string) error {
	n, leased, err := o.lease(ctx, key)
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrConflict) {
		return nil // another process was faster
	}
	if err != nil {
		return fmt.Errorf("leasing it: %w", err)
	}
	cause := o.send(ctx, n)
	if cause != nil && ctx.Err() != nil {
		return nil //nolint:nilerr // the outbox ends; the lease runs out, and then it is sent
	}
	if err := o.settle(ctx, leased, n, cause); err != nil {
		return fmt.Errorf("noting that it was sent: %w", err)
	}
	return nil
}

func (o *outbox) lease(ctx context.Context, key string) (n outgoing, leased string, err error) {
	_, err = o.gate.commit(ctx, func(t *txn) (err error) {
		n = outgoing{}
		if err := t.getRecord(key, &n); err != nil {
			return err
		}
		n.Tries++
		leased, err = t.moveNotice(key, n, t.now.Add(sendLease))
		return err
	})
	return n, leased, err
}

func (o *outbox) send(ctx context.Context, n outgoing) (err error) {
	defer func() { // a sender is anybody's code, and must not take the server with it
		if p := recover(); p != nil {
			err = fmt.Errorf("sender panicked: %v", p)
		}
	}()
	m, err := o.gate.compose(n)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	return o.sender.Send(ctx, n.To, m)
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
		wait := retryAfterTry(n.Tries)
		if cause != nil && !errors.Is(cause, ErrUndeliverable) && t.now.Add(wait).Before(n.Time.Add(giveUpAfter)) {
			g.logNotice(slog.LevelWarn, "notice was not sent, will be tried again", n, cause)
			_, err := t.moveNotice(leased, n, t.now.Add(wait))
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

func (g *Gate) logNotice(level slog.Level, what string, n outgoing, cause error) {
	g.log.Log(context.Background(), level, what, "notice", n.Kind, "realm", n.Realm, "user", n.Name, "tries", n.Tries, "error", cause)
}

// retryAfterTry is how long to wait after so many tries.
func retryAfterTry(tries int) time.Duration {
	return min(lastRetry, firstRetry<<min(tries-1, 10))
}
