package mfagate

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"time"
)

// An Event is something that happened to a user or, without a name, to a realm. It is stored in the commit
// that made it happen, and holds no secret.
type Event struct {
	ID   string    `json:"id"`
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
	EventRenamed      = "renamed"
	EventRemoved      = "removed"
	EventReplaced     = "replaced" // by a new one that was proved
	EventDisabled     = "disabled"
	EventCodeSent     = "code_sent" // by a message, to the address in Label
	EventCodesMade    = "codes_made"
	EventCodesViewed  = "codes_viewed"
	EventCodesSaved   = "codes_saved"
	EventSignedOut    = "signed_out"
	EventSignedOutAll = "signed_out_everywhere"
	EventExported     = "report_exported" // the list of all users, by an administrator or auditor
	EventImported     = "users_imported"  // of no user; the actor imported a list
	EventHelp         = "help"            // somebody is stuck and has a case number
	EventReset        = "reset"
	EventUnlocked     = "unlocked"
	EventTicketIssued = "ticket_issued"
	EventTicketUsed   = "ticket_used"
	EventAsked        = "asked"   // somebody gave the name where a block asks for it
	EventTrusted      = "trusted" // passes on the word of the first factor, told once an hour at most

	EventResetRequested = "reset_requested" // by somebody who lost every factor; Detail is the case number
	EventResetCancelled = "reset_cancelled" // by who still has a factor
	EventResetApproved  = "reset_approved"  // the reset itself is another event
	EventResetRefused   = "reset_refused"

	EventMadeRequired = "made_required" // of a realm, not of a user
	EventMadeOptional = "made_optional" // of a realm, not of a user

	EventAddressChanged = "address_changed" // to which notices go
	EventNoticeFailed   = "notice_failed"   // a notice was given up
)

// How long events are kept.
const (
	usualRetention = 365 * 24 * time.Hour
	leastRetention = 24 * time.Hour
)

type eventRecord struct {
	versioned
	Event
}

func (e Event) key() string { return key(kindEvent, e.ID) }

// event adds an event to the transaction.
func (t *txn) event(e Event) {
	e.Time = t.now.UTC()
	e.ID = fmt.Sprintf("%s-%d%s", CursorAt(e.Time), len(t.events), rand.Text()[:12])
	t.events = append(t.events, e)
}

// recordEvents puts the events among the changes: one record each, found by
// time, and a pointer to it, found by user.
func (t *txn) recordEvents() {
	expires := t.now.Add(cmp.Or(t.retention, usualRetention))
	for _, e := range t.events {
		t.put(e.key(), encode(&eventRecord{Event: e}), expires)
		if e.Name == "" { // of no user
			continue
		}
		t.put(key(kindUserEvent, e.Realm, e.Name, e.ID), []byte{}, expires)
	}
}
