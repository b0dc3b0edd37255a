package mfagate

import (
	"errors"
	"net/http"
)

// ErrNoIdentity reports that a request names no user.
var ErrNoIdentity = errors.New("mfagate: request carries no identity")

// A Subject is a user of one realm. Apps whose user names mean the same people
// share a realm.
type Subject struct {
	Realm string `json:"realm"`
	Name  string `json:"user"` // in canonical form, see [Names]
}

// An Identity is what the first factor tells of the user of a request. The gate
// trusts it as such.
type Identity struct {
	Name   string   // as the source has it; the gate makes it canonical
	Email  string   // if known
	Phone  string   // if known
	Groups []string // that the user is in; nil if the source does not know, empty if in none
}

// A Source tells the identity of requests: the first factor. The gate compares
// what it tells with the session on every request.
type Source interface {
	// Identify returns the identity of r, or an error wrapping
	// [ErrNoIdentity] if r has none. Any other error means that the source
	// could not tell; the request is then refused.
	Identify(r *http.Request) (Identity, error)
}

// A SourceFunc is a function used as a [Source].
type SourceFunc func(r *http.Request) (Identity, error)

// Identify calls f.
func (f SourceFunc) Identify(r *http.Request) (Identity, error) { return f(r) }
