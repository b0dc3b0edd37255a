package mfagate

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// A block that asks protects what people reach before they sign in, such as a link
// that resets a password. It asks a stranger for a name and a proof at once, and
// says nothing of whether there is such a user: the same steps, the same records
// written, the same answer, at the same time.

// An Unprompted factor can be proved without BeginVerify, by what the person has
// in the hand. Only such factors, and recovery codes, answer a block that asks: a
// stranger who types names must not make the gate send messages.
type Unprompted interface {
	Factor
	Unprompted()
}

const (
	// askBuckets is how many counters there are for all names, of users and of
	// nobody alike: so names that do not exist leave no records behind.
	askBuckets = 1 << 14

	// maxAsks is how often one address may answer within pendingLife.
	maxAsks = 20

	// maxAskers bounds the addresses that are counted apart.
	maxAskers = 50_000

	// askBeat is at whose multiples answers are sent that are not right, so that
	// their time tells nothing.
	askBeat = time.Second
)

// askBudget is for the names that share a bucket. The budget of codes is smaller by
// it where anything asks, so that the sums stay.
var askBudget = budget{7, 3, 14, 6}

const askTally = "ask"

func askKey(s Subject) string {
	sum := sha256.Sum256([]byte(s.Realm + "\x00" + s.Name))
	return key(kindAsk, strconv.Itoa(int(binary.BigEndian.Uint32(sum[:])%askBuckets)))
}

// An asker is the network that asks: an IPv4 address, or the /64 that one customer
// has of IPv6.
func asker(addr netip.Addr) requester {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		p, _ := addr.Prefix(64)
		addr = p.Addr()
	}
	return requester{Subject: Subject{Name: addr.String()}}
}

// prove judges the name and the code that a stranger gave.
func (v *visit) prove(name, code string) error {
	if err := v.gate.records.asks.take(asker(v.client.Addr), v.now); err != nil {
		return err
	}
	canonical, err := v.site.Names.Canonical(name)
	if err != nil {
		return ErrRejected
	}
	values := url.Values{"code": {code}}
	if v.impossible(values) {
		return ErrShape
	}
	v.Subject = Subject{v.realm, canonical}
	if v.browser, err = v.cookie(browserCookie); err != nil {
		return err
	}
	charged, err := v.chargeAsk()
	if err != nil {
		return err
	}
	var out saved
	err = v.commit(func(t *txn) (err error) {
		out, err = v.judgeAsk(t, values, charged)
		return err
	})
	if err == nil {
		v.gate.records.asks.giveBack(asker(v.client.Addr))
		v.adopt(out)
		if v.asksForApp {
			v.remember()
		}
	}
	return err
}

// impossible tells that a code has the shape of none, whoever it is from.
func (v *visit) impossible(values url.Values) bool {
	ctx := context.Background()
	return !slices.ContainsFunc(v.askable(), func(f Factor) bool {
		_, err := f.FinishVerify(ctx, v.call, User{}, nil, values)
		return !errors.Is(err, ErrShape)
	})
}

// askable lists the factors that answer the block.
func (v *visit) askable() []Factor {
	return slices.DeleteFunc(slices.Clone(v.gate.all()), func(f Factor) bool {
		_, unprompted := f.(Unprompted)
		return !unprompted && f.Name() != v.gate.recoveryName() ||
			v.policy.Factors != nil && !slices.Contains(v.policy.Factors, f.Name())
	})
}

func (t *txn) asked(s Subject) (*attempts, error) {
	a := &attempts{Factors: make(map[string]*tally)}
	err := t.getRecord(askKey(s), a)
	if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	return a, err
}

func (t *txn) putAsked(s Subject, a *attempts) { t.put(askKey(s), encode(a), t.now.Add(month)) }

// chargeAsk counts an attempt. The name's owner, if there is one, finds it in their
// history: in this commit, since a further one could be told from outside.
func (v *visit) chargeAsk() (c charge, err error) {
	err = v.commit(func(t *txn) error {
		a, err := t.account(v.Subject)
		if err != nil {
			return err
		}
		att, err := t.asked(v.Subject)
		if err != nil {
			return err
		}
		if c, err = att.charge(askTally, v.gate.asked(), a.knows(v.browser, t.now), t.now); err != nil {
			return err
		}
		t.putAsked(v.Subject, att)
		if a.enrolled(v.gate.recoveryName()) {
			t.event(v.event(EventAsked))
		}
		return nil
	})
	return c, err
}

// judgeAsk asks the factors. A right answer makes a session that is worth something
// for blocks that ask, and nowhere else.
func (v *visit) judgeAsk(t *txn, values url.Values, charged charge) (saved, error) {
	a, err := t.account(v.Subject)
	if err != nil {
		return saved{}, err
	}
	cred, err := v.askFactors(t, a, values)
	if err != nil {
		return saved{}, err
	}
	att, err := t.asked(v.Subject)
	if err != nil {
		return saved{}, err
	}
	att.giveBack(askTally, charged, true)
	t.putAsked(v.Subject, att)
	s := v.pendingSession(t.now)
	s.Factor, s.Proved, s.Asked, s.Deadline = cred.Factor, t.now.UTC(), true, t.now.Add(v.lifetime).UTC()
	s.Hold = v.asksForApp && v.gate.recovery != nil && !a.CodesSaved
	out, err := t.putSession(&s, "", false)
	if err != nil {
		return saved{}, err
	}
	for _, hash := range a.admit(sessionRef{out.hash(), s.Deadline}, t.now) {
		if err := t.removeSession(hash); err != nil {
			return saved{}, err
		}
	}
	a.LastProof = s.Proved
	v.rememberAsked(t, a)
	t.putAccount(a)
	e := v.event(EventPassed)
	if e.Factor, e.Detail = cred.Factor, EventAsked; e.Factor != v.gate.recoveryName() {
		e.Label = cred.Label
	}
	t.event(e)
	return out, nil
}

// askFactors swaps in the credential that the answer proved. For a name without
// factors each of them refuses by itself.
func (v *visit) askFactors(t *txn, a *account, values url.Values) (Credential, error) {
	usable := a.enrolled(v.gate.recoveryName())
	for _, f := range v.askable() {
		cred, err := f.FinishVerify(t.ctx, v.call, v.gate.user(a, f.Name(), Identity{}, v.call), nil, values)
		switch {
		case err == nil && usable:
			cred.Used = t.now.UTC()
			if !a.swap(cred) {
				return cred, errors.New("mfagate: factor " + f.Name() + " proved a credential that the user does not have")
			}
			return cred, nil
		case err != nil && !errors.Is(err, ErrRejected): // to say so would tell that the user exists
			v.gate.log.Error("asking a factor", "factor", f.Name(), "realm", v.Realm, "user", v.Name, "error", err)
		}
	}
	return Credential{}, ErrRejected
}

// beat waits, so that the time of an answer tells nothing of the name.
func (v *visit) beat() {
	took := time.Since(v.now)
	select {
	case <-time.After(took.Truncate(askBeat) + askBeat - took):
	case <-v.r.Context().Done():
	}
}

// newAskToken is what ties the form to the browser before there is a session.
// Nothing is stored for it.
func newAskToken() string { return hashOf(rand.Text()).String() }
