package mfagate

import (
	"context"
	"time"
)

// An order is what an administrator wants done to a user, and why.
type order struct {
	Subject
	actor, reason string
	app           string // the site where it was given; empty for root's own

	allowed func(*txn, *account) error // asked within the commit; nil means yes
}

func (o order) event(kind string) Event {
	return Event{Kind: kind, Subject: o.Subject, App: o.app, Actor: o.actor, Detail: o.reason}
}

func (o order) allow(t *txn, a *account) error {
	if o.allowed == nil {
		return nil
	}
	return o.allowed(t, a)
}

// administer runs f on the account of a user in one commit.
func (g *Gate) administer(ctx context.Context, o order, f func(*txn, *account) error) error {
	t, err := g.commitOf(ctx, o.Subject, func(t *txn) error {
		a, err := t.existing(o.Subject)
		if err != nil {
			return err
		}
		if err := o.allow(t, a); err != nil {
			return err
		}
		return f(t, a)
	})
	if err == nil {
		g.tell(ctx, t.events)
	}
	return err
}

func (g *Gate) reset(ctx context.Context, o order, valid time.Duration) (k Ticket, err error) {
	err = g.administer(ctx, o, func(t *txn, a *account) error {
		k, err = t.reset(a, o, valid)
		return err
	})
	return k, err
}

// reset takes everything from an account and makes the ticket for the next
// enrolment.
func (t *txn) reset(a *account, o order, valid time.Duration) (Ticket, error) {
	if err := t.strip(a); err != nil {
		return Ticket{}, err
	}
	a.TicketNeeded = true
	t.putAccount(a)
	t.event(o.event(EventReset))
	return t.issueTicket(a, o, valid)
}

// disable takes away what a reset does, and asks for no ticket afterwards.
func (g *Gate) disable(ctx context.Context, o order) error {
	return g.administer(ctx, o, func(t *txn, a *account) error {
		t.event(o.event(EventDisabled))
		return t.strip(a)
	})
}

// strip takes everything from an account by which its owner could prove or had
// proved themselves. Tickets that were issued before are void.
func (t *txn) strip(a *account) error {
	if _, err := t.endSessions(a); err != nil {
		return err
	}
	for _, c := range a.Credentials {
		for _, name := range c.Unique {
			if err := t.remove(key(kindUnique, name)); err != nil {
				return err
			}
		}
	}
	*a = account{
		Subject: a.Subject, Handle: a.Handle, Created: a.Created, LastProof: a.LastProof, Resets: a.Resets + 1,
		Email: a.Email, Confirmed: a.Confirmed, Missed: a.Missed, // else nobody would be told of the reset, nor of what follows it
		Language: a.Language, Imported: a.Imported, Groups: a.Groups, Seen: a.Seen,
	}
	t.putAccount(a)
	return t.remove(attemptsKey(a.Subject))
}

func (g *Gate) unlock(ctx context.Context, o order) error {
	return g.administer(ctx, o, func(t *txn, _ *account) error {
		t.event(o.event(EventUnlocked))
		return t.remove(attemptsKey(o.Subject))
	})
}

func (g *Gate) signOut(ctx context.Context, o order) (n int, err error) {
	err = g.administer(ctx, o, func(t *txn, a *account) error {
		if n, err = t.endSessions(a); err != nil {
			return err
		}
		t.putAccount(a)
		t.event(o.event(EventSignedOutAll))
		return nil
	})
	return n, err
}

// issueTicket makes a ticket for somebody who may have no account yet.
func (g *Gate) issueTicket(ctx context.Context, o order, valid time.Duration) (k Ticket, err error) {
	t, err := g.commit(ctx, func(t *txn) error {
		a, err := t.account(o.Subject)
		if err != nil {
			return err
		}
		if err := o.allow(t, a); err != nil {
			return err
		}
		if a.enrolled(g.recoveryName()) {
			return ErrEnrolled
		}
		k, err = t.issueTicket(a, o, valid)
		return err
	})
	if err == nil {
		g.tell(ctx, t.events)
	}
	return k, err
}
