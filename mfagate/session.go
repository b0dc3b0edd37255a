package mfagate

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/mfagate/caddy-mfagate/storage"
)

// pendingLife is how long a session may wait for its first proof.
const pendingLife = 15 * time.Minute

// A session is what the gate remembers of one browser and one user at one site.
// It is immutable: a change makes a new one, under a new token where rights are
// gained (ASVS 5.0 7.2.4).
type session struct {
	versioned
	Subject
	Site     string    `json:"site"`
	Created  time.Time `json:"created"`
	Deadline time.Time `json:"deadline"`

	Factor   string    `json:"factor,omitempty"`   // of the last proof
	Proved   time.Time `json:"proved,omitzero"`    // zero: pending
	Settings time.Time `json:"settings,omitzero"`  // last proof made for a change of settings
	Disable  time.Time `json:"disable,omitzero"`   // last such proof made on the way to switching off
	Recovery bool      `json:"recovery,omitempty"` // that proof was a recovery code
	Hold     bool      `json:"hold,omitempty"`     // until the recovery codes are saved
	Case     string    `json:"case,omitempty"`     // number given to a person who is stuck
	Ticket   string    `json:"ticket,omitempty"`   // hash of the ticket that admits an enrolment
	Binding  string    `json:"binding,omitempty"`  // to the app's session, from one sign-in at its login form to its end
	Lineage  string    `json:"lineage,omitempty"`  // that became the binding: the app keeps some cookies that it has set before
	Password []byte    `json:"password,omitempty"` // keyed hash of the Basic credentials that it was made with
	Typed    bool      `json:"typed,omitempty"`    // nobody but the person says who signed in there
	Locked   bool      `json:"locked,omitempty"`   // was idle for too long: a new proof opens it again

	Want  requirement `json:"want,omitzero"`   // what the last stopped request needed
	Asked bool        `json:"asked,omitempty"` // made by a block that asks, and good for such alone
	Email string      `json:"email,omitempty"` // as the source told it then; it may not tell on our pages
	Phone string      `json:"phone,omitempty"` // likewise
}

// A requirement is what a request that was stopped needs.
type requirement struct {
	Factors []string      `json:"factors,omitempty"`
	MaxAge  time.Duration `json:"max_age,omitempty"`
	Return  string        `json:"return,omitempty"`
}

func (q requirement) equal(o requirement) bool {
	return q.MaxAge == o.MaxAge && q.Return == o.Return && slices.Equal(q.Factors, o.Factors)
}

// satisfies tells whether the session's last proof is what p asks for.
func (s *session) satisfies(p Policy, now time.Time) bool {
	return !s.Proved.IsZero() && !s.Hold &&
		(p.Factors == nil || slices.Contains(p.Factors, s.Factor)) &&
		(p.MaxAge == 0 || now.Sub(s.Proved) <= p.MaxAge)
}

func (q requirement) policy() Policy { return Policy{Factors: q.Factors, MaxAge: q.MaxAge} }

// freshSettings is how long a proof for a change of settings counts.
const freshSettings = 5 * time.Minute

func (s *session) maySet(now time.Time) bool {
	return !s.Proved.IsZero() && !s.Settings.IsZero() && now.Sub(s.Settings) <= freshSettings
}

// tokenLength is that of the tokens that scs makes: 32 random bytes in base64.
const tokenLength = 43

// A tokenHash is the SHA-256 of a session's token. The token itself is only in
// the person's cookie.
type tokenHash [sha256.Size]byte

func hashOf(token string) tokenHash { return sha256.Sum256([]byte(token)) }

func (h tokenHash) String() string { return base64.RawURLEncoding.EncodeToString(h[:]) }

func parseHash(s string) (h tokenHash, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil && len(b) != len(h) {
		err = errors.New("mfagate: hash of a token has the wrong length")
	}
	copy(h[:], b)
	return h, err
}

func sessionKey(hash string) string { return key(kindSession, hash) }
func seenKey(hash string) string    { return key(kindSeen, hash) }

// sessionValue is the name under which a session is the only value of scs's own
// session data.
const sessionValue = "session"

// sessionCodec stores the one value as JSON. The deadline is the session's own,
// which scs must not move when it renews a token.
type sessionCodec struct{}

func (sessionCodec) Encode(_ time.Time, values map[string]any) ([]byte, error) {
	s, ok := values[sessionValue].(*session)
	if !ok {
		return nil, errors.New("mfagate: session data without a session")
	}
	return encode(s), nil
}

func (sessionCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	s := new(session)
	if err := decode(b, s); err != nil {
		return time.Time{}, nil, err
	}
	return s.Deadline, map[string]any{sessionValue: s}, nil
}

// sessionStore is the scs.CtxStore over the transaction in the context: scs
// reads through it, and what it writes joins the other changes of the commit.
type sessionStore struct{ scs.Store }

var _ scs.CtxStore = sessionStore{}

type txnKey struct{}

func (sessionStore) FindCtx(ctx context.Context, hash string) ([]byte, bool, error) {
	b, err := ctx.Value(txnKey{}).(*txn).get(sessionKey(hash))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, false, nil
	}
	return b, err == nil, err
}

func (sessionStore) CommitCtx(ctx context.Context, hash string, b []byte, expiry time.Time) error {
	ctx.Value(txnKey{}).(*txn).put(sessionKey(hash), b, expiry)
	return nil
}

func (sessionStore) DeleteCtx(ctx context.Context, hash string) error {
	return ctx.Value(txnKey{}).(*txn).removeSession(hash)
}

// removeSession ends a session.
func (t *txn) removeSession(hash string) error {
	if err := t.remove(sessionKey(hash)); err != nil {
		return err
	}
	return t.remove(seenKey(hash))
}

// sessions makes tokens and hashes them. A literal, not scs.New, which would
// start a goroutine for a store that is not used. IdleTimeout must stay zero, or
// each request would write.
var sessions = &scs.SessionManager{
	Lifetime:         24 * time.Hour,
	Store:            sessionStore{},
	Codec:            sessionCodec{},
	HashTokenInStore: true,
}

// saved is a session as it was stored by a transaction.
type saved struct {
	*session
	token string
}

func (s saved) hash() string { return hashOf(s.token).String() }

// session reads the session of a token. It must exist: a session that ended
// while a request was under way does not come back to life.
func (t *txn) session(token string) (*session, error) {
	ctx, err := t.sessionData(token)
	if err != nil {
		return nil, err
	}
	s, ok := sessions.Get(ctx, sessionValue).(*session)
	if !ok {
		return nil, errNoSession
	}
	return s, nil
}

func (t *txn) sessionData(token string) (context.Context, error) {
	return sessions.Load(context.WithValue(t.ctx, txnKey{}, t), token)
}

// putSession stores s in place of the session of token; with renew or without a
// token, under a new token, the old one being dead.
func (t *txn) putSession(s *session, token string, renew bool) (saved, error) {
	ctx, err := t.sessionData(token)
	if err != nil {
		return saved{}, err
	}
	if token != "" && sessions.Get(ctx, sessionValue) == nil {
		return saved{}, errNoSession
	}
	if renew && token != "" {
		if err := sessions.RenewToken(ctx); err != nil {
			return saved{}, err
		}
	}
	sessions.SetDeadline(ctx, s.Deadline) // RenewToken has moved it
	sessions.Put(ctx, sessionValue, s)
	renewed, _, err := sessions.Commit(ctx)
	if err != nil {
		return saved{}, err
	}
	if renew && token != "" {
		t.renewed = [2]string{hashOf(token).String(), hashOf(renewed).String()}
	}
	return saved{s, renewed}, nil
}
