package mfagate

import "time"

// An Event is something that happened to a user. It is stored in the commit
// that made it happen, and holds no secret.
type Event struct {
	Kind string    `json:"kind"`
	Time time.Time `json:"time"`
	Subject
	App    string `json:"app,omitempty"`    // the site where it happened
	Factor string `json:"factor,omitempty"` // which was used
	Label  string `json:"label,omitempty"`  // of the credential
	Remote string `json:"remote,omitempty"` // the address of the person's device
	Actor  string `json:"actor,omitempty"`  // who did it, if not the user
	Detail string `json:"detail,omitempty"`
}

// The kinds of events.
const (
	EventEnrolled     = "enrolled"
	EventPassed       = "passed"
	EventProved       = "proved" // for a change of settings
	EventRejected     = "rejected"
	EventLocked       = "locked"
	EventCodesMade    = "codes_made"
	EventCodesSaved   = "codes_saved"
	EventSignedOut    = "signed_out"
	EventSignedOutAll = "signed_out_everywhere"
	EventReset        = "reset"
	EventUnlocked     = "unlocked"
	EventTicketIssued = "ticket_issued"
	EventTicketUsed   = "ticket_used"
	EventNameRefused  = "name_refused"
)
