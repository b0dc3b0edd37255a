package pages

import (
	"strings"
	"time"
)

// AdminUsers lists the users of a realm. GET /.mfa/admin/
type AdminUsers struct {
	Search string // the beginning of a name
	Show   string // a filter: "none", "locked", "low", or "" for all
	Users  []AdminEntry

	Next    string // local path of the next page; empty at the end
	Later   bool   // this is not the first page
	Scanned bool   // there may be more on the next page, though this one is not full

	Requests bool // requests for a reset are taken
	Waiting  int  // how many are open, at most 50 being counted

	Unknown string // a name that nobody has yet, and that could be given a ticket
}

// An AdminEntry is one line of AdminUsers.
type AdminEntry struct {
	Name                   string
	Enrolled, FewCodes     bool
	NeverSeen              bool // known from a list of users only
	Factors, CodesLeft     int
	LastProof, LockedUntil time.Time
	Kinds                  []string // names of the factors
	Standing               Text     // in a report: what whoever is not enrolled meets on this site
}

// AdminReport counts the users of a realm and lists them. GET /.mfa/admin/report; a
// POST there sends them all as a file.
type AdminReport struct {
	Summary AdminSummary
	Users   []AdminEntry
	Next    string // local path of the next page; empty at the end
	Later   bool   // this is not the first page
}

// An AdminSummary is how many users there are.
type AdminSummary struct {
	Counted                              time.Time // zero: not yet
	Counting                             bool      // a newer count is under way
	Users, Enrolled, NotEnrolled, Locked int
	NeverSeen                            int // of those who are not enrolled
	Factors                              []FactorCount
}

// A FactorCount is how many users have a factor of a kind.
type FactorCount struct {
	Factor string
	Users  int
}

// An AdminAccount is what a user has.
type AdminAccount struct {
	Name        string
	Known       bool // the gate has a record of the user
	NeverSeen   bool // from a list of users only
	Enrolled    bool
	Credentials []Credential
	CodesLeft   int
	Sessions    int
}

// AdminUser is the page of one user. Its links lead to AdminOrder.
type AdminUser struct {
	AdminAccount
	LastProof, LockedUntil time.Time // zero means never and not
	Failed                 int       // wrong codes of the last day
	TicketNeeded           bool      // for the next enrolment
	History                []History // the latest first
	Actions                []string  // of "unlock", "sign_out", "ticket", "reset", "disable"
	LookOnly               bool      // the person is an auditor
	Request                bool      // a request for a reset is open
	Self                   bool      // it is their own page
}

// A History is one line of what happened to a user.
type History struct {
	Activity
	Actor, Reason string // of an administrator
	Case          string // the number that somebody who is stuck was given
}

// AdminOrder says what an action does, and asks for the reason. Posts user, action,
// reason and seen to /.mfa/admin/order.
type AdminOrder struct {
	AdminAccount
	Action string
	Reason string
	Seen   string // names what was shown
}

// AdminTicket shows a ticket, once.
type AdminTicket struct {
	Name    string
	Link    string
	Expires time.Time
	Reset   bool // it follows a reset
}

// AdminRequests lists the open requests for a reset. GET /.mfa/admin/requests
type AdminRequests struct {
	Requests []AdminRequest
	Next     string // local path of the next page; empty at the end
	Later    bool   // this is not the first page
}

// AdminRequest is one request, on a page of its own or as a line of AdminRequests.
// Posts user, seen, reason and the action "approve", "refuse" or "complete" to
// /.mfa/admin/requests.
type AdminRequest struct {
	Request
	Name, Case, Message string
	Expires             time.Time
	Held                bool // the owner has signed in since, and has not said that it is theirs
	Actor, Reason       string
	Seen                string
	LookOnly, Self      bool
	Proved              bool   // a proof for changes is fresh, so that there are forms
	Prove               string // local path to where one is made
	Given               string // the reason as it was typed
}

func (AdminRequests) template() string { return "admin_requests" }
func (AdminRequest) template() string  { return "admin_request" }

func (AdminUsers) template() string  { return "admin_users" }
func (AdminReport) template() string { return "admin_report" }
func (AdminUser) template() string   { return "admin_user" }
func (AdminOrder) template() string  { return "admin_order" }
func (AdminTicket) template() string { return "admin_ticket" }

// ForOthers reports whether the page stands on the way to an AdminOrder.
func (v *view) ForOthers() bool { return strings.HasPrefix(v.Return, "/.mfa/admin/") }
