package mfagate

import (
	"context"
	"errors"
)

// A Message is what a [Sender] brings to a person. It holds no secret but a code, if a
// factor sends one, and no
// link that does anything without a sign-in.
type Message struct {
	Subject  string // one line
	Text     string // lines end with \n
	HTML     string // the same for those who read HTML; empty means none
	Language string // BCP 47 tag
}

// ErrUndeliverable reports that a message can never be delivered, so that trying
// again is of no use: its address does not exist, for example.
var ErrUndeliverable = errors.New("mfagate: message cannot be delivered")

// A Sender brings messages to people, by e-mail for example. Implementations must
// be safe for concurrent use.
type Sender interface {
	// Send brings m to an address and returns nil once somebody else has taken
	// over the delivery. It must return soon after ctx is done. An error
	// wrapping [ErrUndeliverable] is final; after any other one the gate
	// tries again. What failed half-way may be delivered twice.
	Send(ctx context.Context, to string, m Message) error
}
