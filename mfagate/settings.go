package mfagate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What a person changes on the security page. Each change takes a fresh proof made
// for that purpose, but for the name of a credential, which opens nothing.

var (
	errLast      = errors.New("mfagate: the last factor cannot be removed here")
	errUnknownID = errors.New("mfagate: no such credential of this user")
)

// maxLabel is the length in bytes of the longest label.
const maxLabel = 64

// cleanLabel returns a label on one line, without what turns or hides letters, in
// at most maxLabel bytes.
func cleanLabel(label string) string { return cleanLine(label, maxLabel) }

// cleanLine returns a text on one line, without what turns or hides letters, in at
// most so many bytes.
func cleanLine(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, strings.TrimSpace(text))
	for len(text) > most {
		_, n := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-n]
	}
	return strings.TrimSpace(text)
}

// find returns the index of a credential that stands on its own, or errUnknownID:
// somebody else's ids are as unknown as any.
func (g *Gate) find(a *account, id string) (int, error) {
	i := slices.IndexFunc(a.Credentials, func(c Credential) bool {
		return c.ID == id && c.Factor != g.recoveryName()
	})
	if i < 0 {
		return i, errUnknownID
	}
	return i, nil
}

// change runs f on the account of a person whose session was proved; with fresh
// also for settings, a few minutes ago.
func (v *visit) change(fresh bool, f func(*txn, *session, *account) error) error {
	if v.sess == nil || v.sess.Proved.IsZero() || v.sess.Hold {
		return errNoSession
	}
	return v.commit(func(t *txn) error {
		s, err := t.session(v.token)
		if err != nil {
			return err
		}
		if fresh && (!s.maySet(t.now) || s.Recovery) { // a code on paper lets a person in and add a phone, no more
			return errProofNeeded
		}
		a, err := t.account(s.Subject)
		if err != nil {
			return err
		}
		if err := f(t, s, a); err != nil {
			return err
		}
		t.putAccount(a)
		return nil
	})
}

// rename gives a credential another label.
func (v *visit) rename(id, label string) error {
	if label = cleanLabel(label); label == "" {
		return errBadRequest
	}
	return v.change(false, func(t *txn, _ *session, a *account) error {
		i, err := v.gate.find(a, id)
		if err != nil {
			return err
		}
		a.Credentials[i].Label = label
		e := v.event(EventRenamed)
		e.Factor, e.Label = a.Credentials[i].Factor, label
		t.event(e)
		return nil
	})
}

// remove takes a credential away. A person must keep one: without any, the next
// visit would let whoever has the password enrol.
func (v *visit) remove(id string) error {
	return v.change(true, func(t *txn, _ *session, a *account) error {
		i, err := v.gate.find(a, id)
		if err != nil {
			return err
		}
		if len(a.Credentials)-len(a.of(v.gate.recoveryName())) == 1 {
			return errLast
		}
		return v.takeAway(t, a, i, EventRemoved)
	})
}

// takeAway removes a credential with the names that it claimed.
func (v *visit) takeAway(t *txn, a *account, i int, kind string) error {
	c := a.Credentials[i]
	a.Credentials = slices.Delete(a.Credentials, i, i+1)
	for _, name := range c.Unique {
		if err := t.remove(key(kindUnique, name)); err != nil {
			return err
		}
	}
	if kind != "" { // else the caller tells of all at once
		e := v.event(kind)
		e.Factor, e.Label = c.Factor, c.Label
		t.event(e)
	}
	return nil
}

// replaced removes the credential that a new one takes the place of, now that the
// new one is proved: until then the old one was valid.
func (v *visit) replaced(t *txn, a *account, id, factor string) error {
	if id == "" {
		return nil
	}
	i, err := v.gate.find(a, id)
	if err != nil {
		return err
	}
	if a.Credentials[i].Factor != factor {
		return errUnknownID
	}
	return v.takeAway(t, a, i, EventReplaced)
}

// A Revealer is a [Recovery] that can show the codes that are left.
type Revealer interface {
	// Reveal returns the codes of c that were not used. An error says why they
	// cannot be shown, such as that only their hashes are kept.
	Reveal(c Credential) ([]string, error)
}

var errHidden = errors.New("mfagate: recovery codes cannot be shown")

// reveal returns the recovery codes that are left. Whoever proved by one of them
// does not get the others.
func (v *visit) reveal() (codes []string, err error) {
	err = v.change(true, func(t *txn, _ *session, a *account) error {
		if codes, err = v.gate.revealed(a); err != nil {
			return err
		}
		t.event(v.event(EventCodesViewed))
		return nil
	})
	return codes, err
}

// revealed returns the recovery codes that an account has left.
func (g *Gate) revealed(a *account) ([]string, error) {
	r, ok := g.recovery.(Revealer)
	creds := a.of(g.recoveryName())
	if !ok || len(creds) == 0 {
		return nil, errHidden
	}
	codes, err := r.Reveal(creds[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errHidden, err)
	}
	return codes, nil
}

// reveals tells whether the codes of an account can be shown: a set stays as it was
// made, whatever the configuration says now.
func (g *Gate) reveals(a *account) bool {
	_, err := g.revealed(a)
	return err == nil
}
