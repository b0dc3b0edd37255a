package mfagate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"
)

// ErrRejected reports that a person's answer is wrong: a mistyped code, a
// signature that does not verify, a code that was used before. It is the only
// error for which a person is to blame; all others are the gate's own trouble.
var ErrRejected = errors.New("mfagate: answer rejected")

// Kinds of ErrRejected, for which the person can be told more.
var (
	// ErrShape reports that an answer cannot be right, whatever the secret:
	// letters in a code, or too few digits.
	ErrShape = fmt.Errorf("%w: malformed", ErrRejected)

	// ErrReplayed reports a right answer that was used before.
	ErrReplayed = fmt.Errorf("%w: already used", ErrRejected)
)

// A Factor is one way for a user to prove who they are, such as an
// authenticator app. It holds only its configuration; all that it remembers of
// a user is in the Data of their credentials, which nobody else reads.
//
// Both enrolment and verification are conversations of two turns. Begin
// prepares a [Step] for the browser, and Finish judges the answer. What Begin
// put in Step.State comes back to Finish, within a few minutes, only for the
// same user, session and purpose. While the person mistypes, Finish may be
// called several times with the same state; once it succeeded, never again.
//
// Finish must return an error wrapping [ErrRejected] if the answer is wrong.
// Any other error means that the factor could not tell, and is not counted
// against the user.
//
// Implementations must be safe for concurrent use.
type Factor interface {
	// Name identifies the factor in configuration, records, URLs, events and
	// the JSON API, such as "totp". It must match [a-z0-9_]+ and never change.
	Name() string

	BeginEnrol(ctx context.Context, c Call, u User) (Step, error)

	// View returns what the enrolment page shows for a state that BeginEnrol
	// made: the page can be asked for again, and shows the same secret.
	View(ctx context.Context, c Call, u User, state []byte) (any, error)

	FinishEnrol(ctx context.Context, c Call, u User, state []byte, answer url.Values) (Credential, error)

	BeginVerify(ctx context.Context, c Call, u User) (Step, error)

	// FinishVerify returns the credential that proved the user, with its Data
	// as it must be from now on. The gate stores it in place of the one that
	// u holds, and asks again if another request did so first: this is what
	// makes a code good for one use only.
	FinishVerify(ctx context.Context, c Call, u User, state []byte, answer url.Values) (Credential, error)
}

// A Recovery is a Factor whose credential is a set of one-time codes. The gate
// makes the set itself when a user enrols their first other factor, and again
// when they ask for a new one; its Begin and FinishEnrol are never called.
type Recovery interface {
	Factor

	// Issue makes a new set, returning the credential that replaces any older
	// one, and the codes as they are shown to the person.
	Issue(ctx context.Context, c Call, u User) (Credential, []string, error)

	// Left tells how many codes of the set have not been used.
	Left(c Credential) (int, error)
}

// A Call tells a factor of the request on whose behalf it works.
type Call struct {
	Origin   string     // of the app, such as "https://app.example.com"; from configuration or the connection, never a forwarded header of a stranger
	Host     string     // of the app, without port
	Language string     // BCP 47 tag of the page's language
	ClientIP netip.Addr // as the server's own rules tell it; invalid if unknown
	Now      time.Time
}

// A Step is one turn of a conversation with a factor.
type Step struct {
	State []byte // kept by the gate until Finish, sealed; may be nil
	View  any    // given to the factor's page and, as JSON, to the API; may be nil
}

// A Credential is one thing that a user enrolled: a phone, a key, a list of
// codes. It is stored as JSON.
type Credential struct {
	ID      string    `json:"id"`     // random, made by the gate
	Factor  string    `json:"factor"` // the Name of the factor that made it
	Label   string    `json:"label"`  // what the user calls it; at most 64 bytes
	Data    []byte    `json:"data"`   // of the factor's own making; sealed at rest
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`

	// Unique names keys that may exist only once over all users, such as the
	// id of a WebAuthn credential. They are claimed in the same commit.
	Unique []string `json:"unique,omitempty"`
}

// A User is what a factor is told of the person in front of it.
type User struct {
	Subject
	Handle      []byte // 64 random bytes, made at the first enrolment; never shown; WebAuthn's user.id
	Email       string // if known
	Phone       string // if known
	Issuer      string // the name that an authenticator app shows
	Credentials []Credential
}
