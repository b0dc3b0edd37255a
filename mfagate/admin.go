package mfagate

import (
	"errors"
	"time"
)

// A UserStatus is what an administrator may see of a user: never a secret.
type UserStatus struct {
	Subject
	Enrolled      bool               `json:"enrolled"`
	Factors       []CredentialStatus `json:"factors"`
	RecoveryLeft  int                `json:"recovery_codes_left"`
	LastProof     time.Time          `json:"last_proof,omitzero"`
	LockedUntil   time.Time          `json:"locked_until,omitzero"`
	TicketNeeded  bool               `json:"ticket_needed"`
	Sessions      int                `json:"sessions"`
	FailedCodes24 int                `json:"failed_codes_24h"`
}

// A CredentialStatus is what may be shown of a credential.
type CredentialStatus struct {
	ID      string    `json:"id"`
	Factor  string    `json:"factor"`
	Label   string    `json:"label"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
}

// A Ticket admits one first enrolment of one user.
type Ticket struct {
	Subject
	Code    string    `json:"ticket"` // 128 bits in Crockford's base32; stored only as a hash
	Expires time.Time `json:"expires"`
}

// ErrUnknownUser reports that no record is of a user.
var ErrUnknownUser = errors.New("mfagate: no such user")
