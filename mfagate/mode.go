package mfagate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// A Mode says whether people need a second factor. The zero Mode is the strict
// one.
type Mode int

// The modes.
const (
	Required Mode = iota // nothing passes without
	Optional             // who has one needs it; who has none passes, and may enrol
	Observe              // everything passes, and the log says what would have been stopped
)

// String returns the word for m in a Caddyfile.
func (m Mode) String() string {
	switch m {
	case Optional:
		return "optional"
	case Observe:
		return "observe"
	default:
		return "required"
	}
}

// mode is what holds for the site now. Only who has no live session has to wait
// for it.
func (b *Block) mode(ctx context.Context) Mode {
	if !b.site.ModeStored {
		return b.site.Mode
	}
	return b.gate.storedMode(ctx, b.realm)
}

// keeps tells whether nobody may switch the second factor off here: it is required,
// here or on another site of the realm, which shares the enrolment.
func (v *visit) keeps() bool {
	return v.site.RequiredElsewhere || v.mode(v.r.Context()) == Required ||
		v.site.StoredElsewhere && v.gate.storedMode(v.r.Context(), v.realm) == Required
}

// observe logs and counts a request that passes only because the site observes.
func (v *visit) observe() error {
	if v.gate.onObserve != nil {
		v.gate.onObserve(v.site.Name)
	}
	v.gate.log.Info("would have been stopped", "realm", v.Realm, "user", v.Name, "site", v.site.Name,
		"method", v.r.Method, "path", v.loggedPath(), "navigation", navigation(v.r))
	return nil
}

// A StoredMode is what the administrators of a realm chose for the sites that
// write no mode. The zero StoredMode is that nobody chose: required.
type StoredMode struct {
	Mode    Mode      `json:"-"`
	Actor   string    `json:"actor,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Changed time.Time `json:"changed,omitzero"`
}

type modeRecord struct {
	versioned
	Required bool `json:"required"`
	Optional bool `json:"optional"` // the other word, so that a damaged record means neither
	StoredMode
}

func modeKey(realm string) string { return key(kindMode, realm) }

// storedMode reads the mode of a realm within the transaction. With an error it
// is Required.
func (t *txn) storedMode(realm string) (StoredMode, error) {
	var r modeRecord
	err := t.getRecord(modeKey(realm), &r)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return StoredMode{}, nil
	case err != nil:
		return StoredMode{}, fmt.Errorf("reading the mode of realm %q: %w", realm, err)
	case r.Required == r.Optional:
		return StoredMode{}, fmt.Errorf("mfagate: the stored mode of realm %q is neither required nor optional", realm)
	}
	if r.Optional {
		r.Mode = Optional
	}
	return r.StoredMode, nil
}

// StoredMode tells what the administrators of a realm chose. An error means that
// it cannot be read, and that the sites take it for Required.
func (g *Gate) StoredMode(ctx context.Context, realm string) (StoredMode, error) {
	return newTxn(ctx, g.records.store).storedMode(realm)
}

// Require stores whether the users of a realm need a second factor, for the sites
// that write no mode, with who says so and why. It holds at once on this node and
// within a second on others.
func (g *Gate) Require(ctx context.Context, actor, realm string, required bool, reason string) error {
	return g.require(ctx, order{Subject: Subject{Realm: realm}, actor: actor, reason: reason}, required, nil)
}

// require asks allowed within the commit, with what is stored until then.
func (g *Gate) require(ctx context.Context, o order, required bool, allowed func(*txn, StoredMode) error) error {
	t, err := g.commitOf(ctx, o.Subject, func(t *txn) error {
		was, err := t.storedMode(o.Realm)
		if errors.Is(err, errFormat) { // not ours to replace
			return err
		}
		if err != nil {
			g.log.Error("a stored mode that cannot be read is replaced", "error", err)
			if _, err := t.load(modeKey(o.Realm)); err != nil {
				return err
			}
		}
		if allowed != nil {
			if err := allowed(t, was); err != nil {
				return err
			}
		}
		kind := EventMadeOptional
		if required {
			kind = EventMadeRequired
		}
		t.put(modeKey(o.Realm), encode(&modeRecord{
			Required: required, Optional: !required,
			StoredMode: StoredMode{Actor: o.actor, Reason: o.reason, Changed: t.now.UTC()},
		}), time.Time{})
		t.event(o.event(kind))
		return nil
	})
	if err == nil {
		g.tell(ctx, t.events)
	}
	return err
}

// modeLife is how long a mode that was read counts: other nodes may change it.
const modeLife = time.Second

// A modeCache holds the modes of the realms that sites have, which are few. The
// zero modeCache is empty.
type modeCache struct {
	mu   sync.RWMutex
	read map[string]readMode
	gen  uint64 // counts what was dropped
}

type readMode struct {
	mode Mode
	at   time.Time // when the reading began
}

// drop forgets the mode whose record has the key, because it was changed.
func (c *modeCache) drop(changed string) {
	if !strings.HasPrefix(changed, kindMode+"/") {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gen++
	clear(c.read)
}

func (c *modeCache) get(realm string, now time.Time) (m Mode, ok bool, mark uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	r, ok := c.read[realm]
	age := now.Sub(r.at)
	return r.mode, ok && age >= 0 && age < modeLife, c.gen
}

func (c *modeCache) insert(realm string, r readMode, mark uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gen != mark { // changed since the reading began
		return
	}
	if c.read == nil {
		c.read = make(map[string]readMode)
	}
	c.read[realm] = r
}

// storedMode is what holds for the sites of a realm that write no mode. What
// cannot be read is Required.
func (g *Gate) storedMode(ctx context.Context, realm string) Mode {
	now := time.Now()
	m, ok, mark := g.records.modes.get(realm, now)
	if ok {
		return m
	}
	s, err := g.StoredMode(ctx, realm)
	if err != nil && ctx.Err() == nil {
		g.log.Error("the second factor counts as required", "error", err)
	}
	if ctx.Err() == nil { // else nobody knows
		g.records.modes.insert(realm, readMode{s.Mode, now}, mark)
	}
	return s.Mode
}

// A Tally counts the users of a realm that the gate knows: who has a factor, or
// passed without one.
type Tally struct {
	Users    int       `json:"users"`
	Enrolled int       `json:"enrolled"`
	At       time.Time `json:"at"` // when they were counted; zero means that they are being counted
}

// Tally counts the users of a realm. At says when: after a while they are counted
// anew in the background. It waits for two seconds at most, and less if there is an older count.
func (g *Gate) Tally(ctx context.Context, realm string) Tally {
	s, _ := g.summary(ctx, realm)
	return Tally{s.users, s.enrolled, s.at}
}
