package mfagate

import (
	"errors"
	"fmt"
)

// What can stand between a person and what they asked for, besides a wrong
// answer and a LockedError. Package-internal: answers to them are in answer.go.
var (
	errNoSession    = errors.New("mfagate: session is over")
	errStepGone     = errors.New("mfagate: conversation with the factor is over")
	errEnrolled     = errors.New("mfagate: user is enrolled already")
	errProofNeeded  = errors.New("mfagate: a fresh proof is needed")
	errTicketNeeded = errors.New("mfagate: enrolment needs a ticket")
	errTicketWrong  = errors.New("mfagate: ticket is not valid")
	errTicketOther  = errors.New("mfagate: ticket is for another user")
	errNetwork      = errors.New("mfagate: enrolment is not open to this network")
	errMethod       = errors.New("mfagate: no such method for this user")
	errTaken        = errors.New("mfagate: credential is registered already")
)

// errIdle reports a session that was not used for too long. One that is bound to
// the app's own session is locked thereby, any other is over.
var errIdle = fmt.Errorf("%w: it was idle", errNoSession)
