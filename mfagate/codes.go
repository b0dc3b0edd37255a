package mfagate

import (
	"crypto/rand"
	"errors"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// shownCodes is a set of recovery codes for as long as the person has not said
// that it is saved: so the page can be asked for again, also when the account
// holds only hashes.
type shownCodes struct {
	versioned
	Set   string   `json:"set"`
	Codes []string `json:"codes"`
}

// codesLife is how long codes can be shown before a new set must be made.
const codesLife = 15 * time.Minute

const codesPurpose = "codes"

// issueCodes makes a new set of recovery codes: the old one is dead in the same
// commit.
func (g *Gate) issueCodes(t *txn, c Call, a *account) (shownCodes, error) {
	cred, codes, err := g.recovery.Issue(t.ctx, c, g.user(a, g.recovery.Name(), Identity{}, c))
	if err != nil {
		return shownCodes{}, err
	}
	cred.ID, cred.Factor, cred.Created = rand.Text(), g.recovery.Name(), t.now.UTC()
	a.replaceFactor(cred)
	a.CodesTotal, a.CodesSaved, a.CodesSet = len(codes), false, rand.Text()
	return shownCodes{Set: a.CodesSet, Codes: codes}, nil
}

// showCodes keeps a set for the page of the session with the given hash.
func (t *txn) showCodes(hash string, s shownCodes) error {
	k := stepKey(hash, codesPurpose)
	if _, err := t.load(k); err != nil {
		return err
	}
	t.put(k, encode(&s), t.now.Add(codesLife))
	return nil
}

// shown returns the set that the page of the session shows, or ErrNotFound.
func (t *txn) shown(hash string) (shownCodes, error) {
	var s shownCodes
	err := t.getRecord(stepKey(hash, codesPurpose), &s)
	return s, err
}

// codesLeft tells how many recovery codes a user has left.
func (g *Gate) codesLeft(a *account) (int, error) {
	if g.recovery == nil {
		return 0, nil
	}
	n := 0
	for _, c := range a.of(g.recovery.Name()) {
		left, err := g.recovery.Left(c)
		if err != nil {
			return 0, err
		}
		n += left
	}
	return n, nil
}

// remakeCodes makes a new set and shows it in the session: because the person
// asked for it, or left before the last one was saved.
func (g *Gate) remakeCodes(t *txn, v *visit, hold bool) (saved, error) {
	s, err := t.session(v.token)
	if err != nil {
		return saved{}, err
	}
	if !(hold && s.Hold) && (!s.maySet(t.now) || s.Recovery) {
		return saved{}, errProofNeeded // also if another tab has saved the codes meanwhile
	}
	a, err := t.account(s.Subject)
	if err != nil {
		return saved{}, err
	}
	codes, err := g.issueCodes(t, v.call, a)
	if err != nil {
		return saved{}, err
	}
	t.putAccount(a)
	next := *s
	next.Hold = s.Hold || hold
	out, err := t.putSession(&next, v.token, false)
	if err != nil {
		return saved{}, err
	}
	t.event(v.event(EventCodesMade))
	return out, t.showCodes(out.hash(), codes)
}

// errStaleCodes reports that a person has confirmed a set that is no more.
var errStaleCodes = errors.New("mfagate: recovery codes were replaced")

// saveCodes notes that the person has saved the set.
func (v *visit) saveCodes(set string) error {
	return v.commit(func(t *txn) error {
		s, err := t.session(v.token)
		if err != nil {
			return err
		}
		a, err := t.account(s.Subject)
		if err != nil {
			return err
		}
		shown, err := t.shown(hashOf(v.token).String())
		if errors.Is(err, storage.ErrNotFound) || err == nil && (shown.Set != set || a.CodesSet != set) {
			return errStaleCodes
		}
		if err != nil {
			return err
		}
		a.CodesSaved = true
		t.putAccount(a)
		next := *s
		next.Hold = false
		if _, err := t.putSession(&next, v.token, false); err != nil {
			return err
		}
		t.event(v.event(EventCodesSaved))
		return t.remove(stepKey(hashOf(v.token).String(), codesPurpose))
	})
}
