package mfagate

// The signatures that package caddymodule builds on; each moves to its own file
// when it is written.

import (
	"context"
	"net/http"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// Records are the gate's records over a store, with the cache of live sessions.
// They outlive a Gate: two configurations that overlap during a reload must
// share one Records, else a session ended in one lives on in the other.
type Records struct{}

// OpenRecords checks the format of the records in s. It takes s over: Close closes it.
func OpenRecords(ctx context.Context, s storage.Store) (*Records, error) { panic("not yet") }

// Close writes what is still to be written and closes the store.
func (r *Records) Close() error { panic("not yet") }

// A Gate decides which requests may pass, and serves the pages on which people
// enrol and prove their factors. It is safe for concurrent use.
type Gate struct{}

// New returns a gate.
func New(c Config) (*Gate, error) { panic("not yet") }

// Block returns a block of the gate, or an error that says what is wrong with c.
func (g *Gate) Block(c BlockConfig) (*Block, error) { panic("not yet") }

// A Block protects a part of an app. It is safe for concurrent use.
type Block struct{}

// Validate says what is wrong with c, without a gate: so that a configuration
// can be checked beside a running server.
func (c BlockConfig) Validate() error { panic("not yet") }

// Serve hands r to next if it may pass, and answers it otherwise. Paths under
// Prefix (of the request as sent) are answered by the gate in any case. The
// error is that of next; the gate's own troubles are answered and logged, never
// returned.
func (b *Block) Serve(w http.ResponseWriter, r *http.Request, next Next) error { panic("not yet") }

// Handler returns plain middleware: [Block.Serve] around next.
func (b *Block) Handler(next http.Handler) http.Handler { panic("not yet") }

// What an administrator may do. actor says who did it, for the event. A subject
// that no record is of is an error wrapping ErrUnknownUser.

// Users lists users that have a record, in order of realm and name, after the given one.
func (g *Gate) Users(ctx context.Context, realm, after string, limit int) ([]UserStatus, error) {
	panic("not yet")
}

// User tells the status of one user.
func (g *Gate) User(ctx context.Context, s Subject) (UserStatus, error) { panic("not yet") }

// Events lists what happened to a user, newest first.
func (g *Gate) Events(ctx context.Context, s Subject, limit int) ([]Event, error) {
	panic("not yet")
}

// Reset removes all of a user's credentials, codes and sessions, and issues the ticket that the new enrolment needs.
func (g *Gate) Reset(ctx context.Context, actor string, s Subject, reason string, valid time.Duration) (Ticket, error) {
	panic("not yet")
}

// Unlock forgets a user's failed attempts.
func (g *Gate) Unlock(ctx context.Context, actor string, s Subject) error { panic("not yet") }

// SignOut ends all sessions of a user and tells how many there were.
func (g *Gate) SignOut(ctx context.Context, actor string, s Subject) (int, error) {
	panic("not yet")
}

// IssueTicket makes a ticket; valid zero means 24 hours, which is also the most.
func (g *Gate) IssueTicket(ctx context.Context, actor string, s Subject, valid time.Duration) (Ticket, error) {
	panic("not yet")
}

// Canonical returns name in canonical form, or an error that says why it has none.
func (n Names) Canonical(name string) (string, error) { panic("not yet") }
