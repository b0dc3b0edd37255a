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

	// ErrExpired reports an answer that was not looked at, since no code is
	// waiting for one any more: it is too old, was used, was replaced by a newer
	// one, or there were too many tries at it.
	ErrExpired = fmt.Errorf("%w: no code is waiting for it", ErrRejected)
)

// What can be wrong with the address or number that a person gives.
var (
	// ErrAddress reports one that cannot be understood.
	ErrAddress = errors.New("mfagate: address cannot be used")

	// ErrBarred reports one to which nothing is sent here, such as a number in a
	// country that the operator did not name.
	ErrBarred = fmt.Errorf("%w: nothing is sent there", ErrAddress)

	// ErrNoAddress reports that a person has none that could be used.
	ErrNoAddress = errors.New("mfagate: no address of this user is known")
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
// Begin is told the state of the conversation that is open, nil if there is none,
// and what the person answered so far: a phone number, say, or that they want
// another code. A factor that needs to be told nothing goes on with what is open:
// it returns that state, so that a page that is opened twice shows the same
// secret. Begin runs within a transaction that may be repeated: it must not send
// anything itself, but return a [Delivery].
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

	// BeginEnrol returns a Step without State as long as the person must tell
	// more before there is anything to prove. It may return an error wrapping
	// [ErrAddress] or [ErrNoAddress].
	BeginEnrol(ctx context.Context, c Call, u User, prior []byte, answer url.Values) (Step, error)

	// View returns what the enrolment page shows for a state that BeginEnrol
	// made: the page can be asked for again, and shows the same secret. The
	// state is nil if BeginEnrol returned none.
	View(ctx context.Context, c Call, u User, state []byte) (any, error)

	FinishEnrol(ctx context.Context, c Call, u User, state []byte, answer url.Values) (Credential, error)

	// BeginVerify is called with a nil answer when the page is merely shown,
	// which must send nothing: browsers fetch pages that nobody asked for.
	BeginVerify(ctx context.Context, c Call, u User, prior []byte, answer url.Values) (Step, error)

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

// A Restricted factor is one that is easier to get around than others, such as
// codes by text message (NIST SP 800-63B-4 section 3.2.9). The pages offer all
// others first, and say why in the message "factor.NAME.risk". All factors that
// send codes are of this kind.
type Restricted interface {
	Factor
	Restricted()
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

	// Tries is how many answers Finish may be asked about; after that only a new
	// Step helps. Zero sets no limit of its own.
	Tries int

	// Send, if not nil, is sent by the gate after the Step was stored, if the
	// limits on sending allow it.
	Send *Delivery
}

// A Delivery is a code that is to be brought to a person.
type Delivery struct {
	By     Sender
	To     string // the address, as By takes it
	Masked string // the address, as pages and events show it
	Brief  bool   // the channel takes a line of plain text, and no more
	Code   string
	Life   time.Duration // of the code
	Limits Limits
}

// Limits say how many codes a factor may send within a day. They must be positive.
type Limits struct {
	User    int // to one user; browsers that have proved a factor before have half as many on top
	Address int // to one address or number, for all users together; half of them at most to enrol it
	All     int // to everybody; half of them at most to enrol
}

// A Credential is one thing that a user enrolled: a phone, a key, a list of
// codes. It is stored as JSON.
type Credential struct {
	ID      string    `json:"id"`     // random, made by the gate
	Factor  string    `json:"factor"` // the Name of the factor that made it
	Label   string    `json:"label"`  // what the user calls it, perhaps nothing; at most 64 bytes
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
