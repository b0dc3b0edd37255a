package mfagate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mfagate/caddy-mfagate/pages"
)

// Prefix is the path under which the gate's own pages and API live.
const Prefix = "/.mfa/"

// Config configures a [Gate]. Records and Factors are required; the zero value
// of everything else is the safe default.
type Config struct {
	Records  *Records
	Factors  []Factor
	Recovery Recovery // nil means that there are no recovery codes
	Order    CodesOrder

	Pages   *pages.Set    // nil means the built-in ones
	Issuer  string        // the name that authenticator apps show; empty means the host of the app
	Support pages.Support // what the pages say to a person who is stuck

	// OnEvent, if not nil, is told of everything that happened to a user,
	// after it was recorded. It must return soon and may be called by several
	// goroutines.
	OnEvent func(context.Context, Event)

	// OnObserve, if not nil, is told of each request that passes only because its
	// site, which it is given, has mode [Observe]. As OnEvent it must return soon.
	OnObserve func(site string)

	// Retention is how long events are kept, counted from when they are made;
	// zero means 365 days, the least is one day.
	Retention time.Duration

	// Notify, if not nil, brings notices to people of what happened to their
	// account. They are recorded with what they tell of and sent in the
	// background: see [Gate.Close].
	Notify Sender

	// NotifyOnPage makes notices also without Notify: those that no message can
	// bring are told on the pages after the next sign-in. With Notify this is so
	// in any case. What a [Teller] can bring it brings in either case.
	NotifyOnPage bool

	// NotifyAddresses are addresses by canonical user name, of whatever realm, of
	// users whose source tells none. Those win over all below.
	NotifyAddresses map[string]string

	// NotifyAsk lets people choose an address on the security page, which a code that
	// is mailed there confirms, where neither their source nor NotifyAddresses tell one.
	NotifyAsk bool

	// NotifyAddress is a template of the addresses of users whose source tells
	// none, such as "{user}@example.com"; see [ValidateAddress]. Empty means
	// that these are told nothing.
	NotifyAddress string

	Logger *slog.Logger // nil discards
}

// A BlockConfig configures a [Block]. One of Source, Login and Ask is required.
type BlockConfig struct {
	Site   Site
	Source Source
	Login  *Login // the app's own login form
	Policy Policy
	Trust  Trust

	// Ask is for what people reach before they sign in, such as a link that resets
	// a password: the block asks for the name and a code on the page
	// Prefix + "ask", tells nobody whether there is such a user, and needs no
	// Source. What that opens is open for 15 minutes, and on such blocks of the
	// site only. The gate's other pages are for another block to serve.
	Ask bool

	// AskLifetime makes Ask stand before a whole app whose own login cannot be
	// watched: what the answer opens is open for so long, at most 24 hours, or until
	// AskIdle (zero: as on the site) has passed without a request; people sign out at
	// Prefix + "sign-out", and enrol with a ticket at Prefix + "enroll". Zero is 15
	// minutes, and no such pages. The blocks of a site that ask must agree.
	AskLifetime, AskIdle time.Duration
}

// A Site is what all blocks of one app share: they show the same pages and
// accept the same sessions. The zero value is one unnamed site.
type Site struct {
	Name  string // of the app; a session is worth nothing on another site
	Realm string // empty means "default"

	Idle     time.Duration // after which a session without requests ends; zero means 30 minutes, at most 1 hour
	Lifetime time.Duration // after which a session ends in any case; zero means 12 hours, at most 24 hours

	Mode Mode
	// ModeStored says that nobody wrote a mode for the site: then what the
	// administrators chose for the realm counts in place of Mode; see
	// [Gate.Require].
	ModeStored bool
	// RequiredElsewhere says that another site of the realm requires a second factor,
	// so that none may be switched off here; StoredElsewhere, that another one
	// requires it if that is what is stored.
	RequiredElsewhere, StoredElsewhere bool

	Grace Grace
	// Exempt lists users, and groups with an @ before them, who need no factor for
	// as long as they have none. Administrators, auditors, and whoever the source
	// cannot tell not to be one, are never exempt.
	Exempt []string
	// RemindEvery is how often people who need no factor are reminded that they
	// could have one; zero means every 7 days, less than zero means never.
	RemindEvery time.Duration

	Confirm Confirm // what switching off asks for

	Names     Names
	Enrolment Enrolment

	// ResetDelay lets people who lost every factor file a request for a reset. It
	// takes effect after an administrator approved it and this time has passed: 1
	// hour to 30 days; zero means that nobody can file one. So that no site
	// leads around another, the sites of one realm should have the same.
	ResetDelay time.Duration

	// Admins may look after the users of the realm, and Auditors may see what is
	// known of them, on the pages below Prefix + "admin/". Each entry is a user's
	// name or, with an @ before it, that of a group. They need a ticket for
	// their first enrolment; so that no other way leads around it, the sites of
	// one realm should have the same lists.
	Admins   []string
	Auditors []string

	// Client tells what the server knows of a request. nil means what the
	// connection tells.
	Client func(*http.Request) Client
}

// A Client is what the server in front of the gate knows of a request.
type Client struct {
	Addr   netip.Addr // of the person's device; invalid if unknown
	Secure bool       // the device came by HTTPS, perhaps to a trusted proxy
	Sent   *url.URL   // as the device sent it, before any rewriting; nil means the request's own
}

// Names says how user names are made canonical, the form in which they are
// compared and stored everywhere. The zero value folds case (RFC 8265,
// UsernameCaseMapped); what the profile refuses is refused.
type Names struct {
	CaseSensitive bool              // UsernameCasePreserved instead
	Aliases       map[string]string // from a name in any form to the name that it stands for
}

// Enrolment says who may enrol a first factor. The zero value admits whoever
// the source names.
type Enrolment struct {
	Ticket bool           // only with a ticket made by an administrator
	From   []netip.Prefix // without a ticket only from these networks; nil means from everywhere
}

// A Policy says what a request needs in order to pass. The zero Policy asks for
// any enrolled factor, once per session.
type Policy struct {
	Factors []string      // names of factors, any of which will do; nil means all. Recovery codes and [FactorTrusted] always will do unless Factors is set
	MaxAge  time.Duration // since the last proof; zero means the session's life
}

// A Verdict says what to do with a request. The zero Verdict refuses it.
type Verdict int

// The verdicts.
const (
	Refuse    Verdict = iota // nothing that the person can do here will help
	Pass                     // hand the request to the app
	Challenge                // the user must prove a factor first
	Enrol                    // the user must enrol a factor first, or save their recovery codes
)

// A Decision is a verdict with what led to it.
type Decision struct {
	Verdict Verdict
	Subject Subject
	Factor  string        // with which the user last proved themselves, if Pass
	Proved  time.Time     // when; zero if nobody told
	Age     time.Duration // of the session; zero without one
}

// Next hands a request to the app. It may return an error, which [Block.Serve]
// returns as it is.
type Next func(w http.ResponseWriter, r *http.Request, d Decision) error

// A Gate decides which requests may pass, and serves the pages on which people
// enrol and prove their factors. It is safe for concurrent use.
type Gate struct {
	records   *Records
	factors   []Factor
	recovery  Recovery // may be nil
	order     CodesOrder
	pages     *pages.Set
	issuer    string
	support   pages.Support
	onEvent   func(context.Context, Event)
	onObserve func(site string) // may be nil
	outbox    *outbox           // nil if no notices are sent, not even by a [Teller]
	notices   bool              // are made
	table     map[string]string
	ask       bool   // people can choose an address
	template  string // of addresses of users whose source told none; empty means none
	log       *slog.Logger

	retention  time.Duration // zero: the usual
	asks       atomic.Bool   // a block asks
	asksForApp atomic.Bool   // before a whole app
}

var factorName = regexp.MustCompile(`^[a-z0-9_]+$`)

// New returns a gate.
func New(c Config) (*Gate, error) {
	if c.Records == nil || len(c.Factors) == 0 {
		return nil, errors.New("mfagate: records and at least one factor are required")
	}
	if c.Retention != 0 && c.Retention < leastRetention {
		return nil, fmt.Errorf("mfagate: retention %s: want at least %s", c.Retention, leastRetention)
	}
	g := &Gate{
		records: c.Records, factors: slices.Clone(c.Factors), recovery: c.Recovery, order: c.Order, pages: c.Pages,
		issuer: c.Issuer, support: c.Support, onEvent: c.OnEvent, onObserve: c.OnObserve, log: c.Logger,
		retention: c.Retention,
	}
	slices.SortStableFunc(g.factors, weakerLast)
	names := make(map[string]bool)
	for _, f := range g.all() {
		if !factorName.MatchString(f.Name()) || names[f.Name()] || f.Name() == FactorTrusted {
			return nil, fmt.Errorf("mfagate: factor name %q is malformed, doubled or reserved", f.Name())
		}
		names[f.Name()] = true
	}
	if g.onEvent == nil {
		g.onEvent = func(context.Context, Event) {}
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.pages == nil {
		var err error
		if g.pages, err = pages.New(pages.Options{}); err != nil {
			return nil, err
		}
	}
	if c.NotifyAddress != "" {
		if err := ValidateAddress(c.NotifyAddress); err != nil {
			return nil, err
		}
	}
	g.table, g.ask = c.NotifyAddresses, c.NotifyAsk
	g.notices, g.template = c.NotifyOnPage || c.Notify != nil, c.NotifyAddress
	if c.Notify != nil || len(g.tellers()) > 0 {
		g.startOutbox(c.Notify)
	}
	return g, nil
}

// Close ends what the gate does in the background; the notices that it has not
// sent are sent by the next gate over the same records. Requests may still be
// under way. Closing the records does the same.
func (g *Gate) Close() {
	if g.outbox != nil {
		g.outbox.stop()
	}
}

// all returns the factors, recovery codes among them.
func (g *Gate) all() []Factor {
	if g.recovery == nil {
		return g.factors
	}
	return append(slices.Clip(g.factors), g.recovery)
}

// factor returns the factor with the given name, or nil.
func (g *Gate) factor(name string) Factor {
	for _, f := range g.all() {
		if f.Name() == name {
			return f
		}
	}
	return nil
}

// enrollable returns the factor of the given name that a person can enrol, or nil.
func (g *Gate) enrollable(name string) Factor {
	for _, f := range g.factors {
		if f.Name() == name {
			return f
		}
	}
	return nil
}

// weakerLast orders factors as they are offered to people.
func weakerLast(a, b Factor) int {
	_, aWeaker := a.(Restricted)
	_, bWeaker := b.(Restricted)
	switch {
	case aWeaker == bWeaker:
		return 0
	case aWeaker:
		return 1
	}
	return -1
}

func (g *Gate) recoveryName() string {
	if g.recovery == nil {
		return ""
	}
	return g.recovery.Name()
}

func (g *Gate) budget(factor string) budget {
	if factor == g.recoveryName() {
		return recoveryBudget
	}
	b := codeBudget
	if g.asks.Load() { // strangers have a share of their own there
		share := g.asked()
		b.strangersDay -= share.strangersDay + share.knownDay
		b.strangersMonth -= share.strangersMonth + share.knownMonth
	}
	n := 1
	for _, f := range g.factors {
		if _, sends := f.(Restricted); sends {
			n++
		}
	}
	return b.among(n)
}
