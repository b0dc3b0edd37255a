package pages

import (
	"io/fs"
	"time"
)

// Options configures a [Set]. The zero value is the built-in pages in all their languages.
type Options struct {
	Overlay   fs.FS    // files that replace built-in ones of the same path; nil means none
	Languages []string // BCP 47 tags to offer, the first being the default; nil means all, English first
}

// A Text refers to a message in the language files, with what is filled in. The
// zero Text is no message.
type Text struct {
	Key  string
	Args []any
}

// Support tells a person who is stuck whom to ask.
type Support struct {
	Text string // in the operator's words
	URL  string // https, http, mailto or tel; empty means none
}

// A Frame is what surrounds every page.
type Frame struct {
	Language string // as [Set.Match] told it
	Site     string // the name of the app or issuer, for the head of the page
	User     string // empty if nobody is known
	Token    string // goes into every form as the hidden field form_token
	Return   string // local path where the person wanted to go; goes into every form as return
	Device   string // "ios", "android" or "" for anything else
	Notice   Text   // good news, shown on top
	Error    Text   // what went wrong, shown at the form's field (role=alert)
	SignOut  bool   // there is a session that can be signed out
	Support  Support
}

// A Page is one of the structs below; its name chooses the template.
type Page interface{ template() string }

// Choose is the first step of enrolment: which factor. GET /.mfa/enroll
type Choose struct {
	Factors      []string // names of factors that can be enrolled
	TicketNeeded bool     // show a field "ticket" and say where to get one
	HasTicket    bool     // one was accepted
	First        bool     // the person's first factor: explain why this page appears
	Later        string   // local path that leads on without a factor; empty if nobody comes in so
}

// Enrol shows a factor's own enrolment, templates/factor_NAME_enrol.html, which
// posts its answer to /.mfa/enroll/NAME.
type Enrol struct {
	Factor  string
	View    any
	Further bool // the person has a factor already: no recovery codes follow
	Last    bool // recovery codes came before

	ID     string        // goes into the forms that go on with it as enrollment
	Typed  string        // what the person gave as to in the form that is shown again
	Resend time.Duration // until another code may be sent; zero means now
}

// Challenge asks for a proof. Posts code and method to /.mfa/challenge.
type Challenge struct {
	Method  string        // the method whose form is open
	Methods []string      // all that the person could use here, "recovery" among them
	View    any           // of Method's factor
	Purpose string        // "sign_in" or "settings"
	Without string        // the method that will not do for what follows and is not offered, or empty
	Wait    time.Duration // until the next try is allowed; zero means now
	Resend  time.Duration // until another code may be sent; zero means now
}

// RecoveryCodes shows a set of codes. Posts saved, set and action ("download" or
// none) to /.mfa/recovery-codes.
type RecoveryCodes struct {
	Codes []string
	Set   string // names the set, so that nobody confirms codes that they have not seen
	Count int
	First bool // part of the enrolment wizard

	Before  bool // the factor follows: nothing is valid yet
	Confirm bool // the factor was proved, and is on once the codes are saved

	View bool      // shown again: there is nothing to confirm
	Made time.Time // for the printed sheet and the file; zero means now
}

// Security is the page /.mfa/ itself.
type Security struct {
	Credentials []Credential
	CodesLeft   int
	CodesTotal  int
	CodesMade   time.Time
	HasCodes    bool
	CodesShown  bool       // the codes that are left can be shown
	Activity    []Activity // the latest first
	Optional    bool       // it can be switched off
	Admin       bool       // the person may look after others
	Request     bool       // somebody has asked to reset the factors
	Mail        Mail       // where messages go
	Missed      Missed     // nothing in it: all was told
	Proved      bool       // a proof for settings is fresh, so that forms need no detour
	Continue    string     // local path back to the app
}

// Mail tells where messages go.
type Mail struct {
	On     bool   // messages are sent
	To     string // masked; empty: there is no address
	Choose bool   // the person can choose one
}

// Address asks for the address of messages. Posts email and code with action (send,
// confirm, other) to /.mfa/address.
type Address struct {
	To    string // where they go now, masked; empty: nowhere
	Given bool   // that cannot be changed here
	Asked string // address that waits for its code; empty: none
}

// Missed tells what happened to the account and no message could tell, the latest
// first; the texts notice_mail.KIND.subject name it. Posts seen to /.mfa/notices.
type Missed struct {
	Notices []Activity
	Last    string // names the latest, so that nobody dismisses what they have not seen
}

// A Credential is one line of the security page.
type Credential struct {
	ID, Factor, Label string
	Created, Used     time.Time
}

// SignOut asks whether to sign out. Posts to /.mfa/sign-out.
type SignOut struct {
	App bool // who stays goes back to the app: there is no security page
}

// Help is for somebody who is stuck. Posts to /.mfa/help for a case number or, with
// the action "request" and perhaps a message, for a reset.
type Help struct {
	Case    string        // empty before
	Offer   bool          // a reset can be asked for
	Delay   time.Duration // that a reset takes
	Message string        // as it was typed
	Request Request       // the last one of the person
}

// A Request is one for a reset of somebody's factors.
type Request struct {
	State   string // "filed", "approved", "due" (approved, and its delay is over), "refused", or empty
	Filed   time.Time
	Due     time.Time // before that it does not take effect
	Decided time.Time
	Remote  string
	App     string
}

// OwnRequest tells the owner of an account, who has proved a factor, of a request.
// Posts the action "cancel" or "keep", and seen, to /.mfa/reset-request.
type OwnRequest struct {
	Request
	Seen     string
	Continue string // local path back to where the person wanted to go
}

// Disable asks for switching off. Posts password to /.mfa/disable.
type Disable struct {
	Required bool // the site wants a second factor: say so, and ask nothing
	Password bool // it is asked for
	Unasked  bool // it could be checked, but is not asked for
}

// Ask is for somebody whom no first factor names. Posts user and code to /.mfa/ask.
type Ask struct {
	Name string // as it was typed before
	App  bool   // it is the way into the whole app, not to one page of it
}

// AskTicket is for somebody who has a ticket and whom no first factor names. Posts user and
// ticket to /.mfa/enroll.
type AskTicket struct {
	Name, Ticket string // as they were typed, or came with the link
}

// An Activity is one line of what happened lately. The texts event.KIND name it.
type Activity struct {
	Kind, Factor, Label, Remote string
	Time                        time.Time
}

// Message is everything else: errors, signed out, no identity.
type Message struct {
	Title  Text
	Text   Text
	Status int    // shown small, for the help desk
	Link   string // local path; empty means none
	Label  Text   // of the link
}

func (Choose) template() string        { return "choose" }
func (Enrol) template() string         { return "enrol" }
func (Challenge) template() string     { return "challenge" }
func (RecoveryCodes) template() string { return "recovery_codes" }
func (Security) template() string      { return "security" }
func (Address) template() string       { return "address" }
func (Missed) template() string        { return "missed" }
func (SignOut) template() string       { return "sign_out" }
func (Help) template() string          { return "help" }
func (OwnRequest) template() string    { return "reset_request" }
func (Disable) template() string       { return "disable" }
func (Ask) template() string           { return "ask" }
func (AskTicket) template() string     { return "ask_ticket" }
func (Message) template() string       { return "message" }
