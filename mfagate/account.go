package mfagate

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

const (
	maxSessions = 10 // live sessions of a user; the oldest ends first
	maxBrowsers = 10 // browsers known to have proved
	browserLife = 180 * 24 * time.Hour
)

// An account is what a user can prove and which sessions that has made, in one
// record: so whatever happens to a user's factors and codes happens in one swap of
// one version, and no two requests can both consume the same thing. Attempts,
// tickets and events are records of their own, changed in the same commits.
type account struct {
	versioned
	Subject
	Handle       []byte       `json:"handle"`
	Created      time.Time    `json:"created"`
	Credentials  []Credential `json:"credentials,omitempty"`
	CodesTotal   int          `json:"codes_total,omitempty"` // in the set when it was made
	CodesSaved   bool         `json:"codes_saved,omitempty"` // the person said so
	CodesSet     string       `json:"codes_set,omitempty"`   // names the set
	Sessions     []sessionRef `json:"sessions,omitempty"`    // verified ones
	Browsers     []browserRef `json:"browsers,omitempty"`
	TicketNeeded bool         `json:"ticket_needed,omitempty"` // for the next enrolment
	LastProof    time.Time    `json:"last_proof,omitzero"`
	Resets       int          `json:"resets,omitempty"` // counts resets: tickets of before are void
	ProgramKey   []byte       `json:"program_key,omitempty"`

	Imported time.Time `json:"imported,omitzero"` // when a list of users named somebody who had no account
	Groups   []string  `json:"groups,omitempty"`  // as that list told; for reports only

	Seen     time.Time `json:"seen,omitzero"`     // first told by a source, without a factor
	Reminded time.Time `json:"reminded,omitzero"` // last, of setting up a factor
	Exempted time.Time `json:"exempted,omitzero"` // last passed so, to the day

	Email        string               `json:"email,omitempty"`    // as the source told it last
	Language     string               `json:"language,omitempty"` // of the last page
	Notices      int                  `json:"notices,omitempty"`  // made since NoticesSince
	NoticesSince time.Time            `json:"notices_since,omitzero"`
	Confirmed    string               `json:"confirmed,omitempty"` // address that the person chose and confirmed
	Missed       []missed             `json:"missed,omitempty"`    // notices for the next sign-in, the oldest first
	Told         map[string]time.Time `json:"told,omitempty"`      // when, by kind of notice, of those that are not told each time
}

type sessionRef struct {
	Hash    string    `json:"hash"`
	Expires time.Time `json:"expires"`
}

type browserRef struct {
	Hash    []byte    `json:"hash"`
	Expires time.Time `json:"expires"`
}

func accountKey(s Subject) string { return key(kindUser, s.Realm, s.Name) }

// account reads the account of a user. A user without a record has a new,
// empty account, which is stored by the first putAccount.
func (t *txn) account(s Subject) (*account, error) {
	a := &account{Subject: s, Created: t.now.UTC()}
	err := t.getRecord(accountKey(s), a)
	if errors.Is(err, storage.ErrNotFound) {
		err = nil
		a.Handle = make([]byte, 64)
		rand.Read(a.Handle) // never fails
	}
	if err == nil && a.Subject != s {
		err = errors.New("mfagate: account is of another user")
	}
	return a, err
}

func (t *txn) putAccount(a *account) {
	t.put(accountKey(a.Subject), encode(a), time.Time{})
}

// enrolled tells whether the user has a factor that stands on its own: recovery
// codes alone do not count.
func (a *account) enrolled(recovery string) bool {
	return slices.ContainsFunc(a.Credentials, func(c Credential) bool { return c.Factor != recovery })
}

// of returns copies of the credentials of a factor.
func (a *account) of(factor string) []Credential {
	var creds []Credential
	for _, c := range a.Credentials {
		if c.Factor == factor {
			c.Data = slices.Clone(c.Data)
			creds = append(creds, c)
		}
	}
	return creds
}

// swap replaces the credential with the id of c.
func (a *account) swap(c Credential) bool {
	for i := range a.Credentials {
		if a.Credentials[i].ID == c.ID && a.Credentials[i].Factor == c.Factor {
			a.Credentials[i] = c
			return true
		}
	}
	return false
}

// replaceFactor makes c the only credential of its factor.
func (a *account) replaceFactor(c Credential) {
	a.Credentials = slices.DeleteFunc(a.Credentials, func(o Credential) bool { return o.Factor == c.Factor })
	a.Credentials = append(a.Credentials, c)
}

// admit adds a verified session, ending the oldest ones if there are too many,
// and returns the hashes of those that end.
func (a *account) admit(ref sessionRef, now time.Time) (ended []string) {
	a.Sessions = slices.DeleteFunc(a.Sessions, func(s sessionRef) bool {
		return s.Hash == ref.Hash || !now.Before(s.Expires)
	})
	a.Sessions = append(a.Sessions, ref)
	for len(a.Sessions) > maxSessions {
		ended = append(ended, a.Sessions[0].Hash)
		a.Sessions = a.Sessions[1:]
	}
	return ended
}

func (a *account) forget(hash string) {
	a.Sessions = slices.DeleteFunc(a.Sessions, func(s sessionRef) bool { return s.Hash == hash })
}

// knows tells whether the browser that carries token has proved a factor of this
// user before.
func (a *account) knows(token string, now time.Time) bool {
	if token == "" {
		return false
	}
	sum := sha256.Sum256([]byte(token))
	return slices.ContainsFunc(a.Browsers, func(b browserRef) bool {
		return string(b.Hash) == string(sum[:]) && now.Before(b.Expires)
	})
}

// learn notes that the browser that carries token has proved a factor.
func (a *account) learn(token string, now time.Time) {
	sum := sha256.Sum256([]byte(token))
	a.Browsers = slices.DeleteFunc(a.Browsers, func(b browserRef) bool {
		return string(b.Hash) == string(sum[:]) || !now.Before(b.Expires)
	})
	a.Browsers = append(a.Browsers, browserRef{sum[:], now.Add(browserLife).UTC()})
	if n := len(a.Browsers) - maxBrowsers; n > 0 {
		a.Browsers = a.Browsers[n:]
	}
}

// endSessions removes all sessions of the account and tells how many there were.
func (t *txn) endSessions(a *account) (n int, err error) {
	for _, ref := range a.Sessions {
		if t.now.Before(ref.Expires) {
			n++
		}
		if err := t.removeSession(ref.Hash); err != nil {
			return 0, err
		}
	}
	a.Sessions = nil
	return n, nil
}
