package mfagate

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
)

// A Ticket admits one first enrolment of one user (NIST SP 800-63B-4 section
// 4.1.2.2).
type Ticket struct {
	Subject
	Code    string    `json:"ticket"` // 128 bits in Crockford's base32; stored only as a hash
	Expires time.Time `json:"expires"`
}

// maxTicketLife is also the life of a ticket whose life is not given.
const maxTicketLife = 24 * time.Hour

type ticketRecord struct {
	versioned
	Subject
	Actor   string    `json:"actor"`
	Resets  int       `json:"resets,omitempty"` // of the account when it was made
	Expires time.Time `json:"expires"`
}

// crockford is base32 without letters that are mistaken for digits.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

var ticketMisread = strings.NewReplacer("O", "0", "I", "1", "L", "1", "-", "", " ", "")

// ticketHash is under what a ticket is stored; case, dashes and misread letters
// do not matter.
func ticketHash(code string) string {
	sum := sha256.Sum256([]byte(ticketMisread.Replace(strings.ToUpper(strings.TrimSpace(code)))))
	return hex.EncodeToString(sum[:])
}

// issueTicket adds a ticket to the transaction.
func (t *txn) issueTicket(a *account, o order, valid time.Duration) (Ticket, error) {
	if valid == 0 {
		valid = maxTicketLife
	}
	if valid < 0 || valid > maxTicketLife {
		return Ticket{}, fmt.Errorf("mfagate: a ticket is valid for at most %v", maxTicketLife)
	}
	code := make([]byte, 16)
	rand.Read(code) // never fails
	k := Ticket{Subject: a.Subject, Code: crockford.EncodeToString(code), Expires: t.now.Add(valid).UTC().Truncate(time.Second)}
	t.put(key(kindTicket, ticketHash(k.Code)), encode(&ticketRecord{Subject: a.Subject, Actor: o.actor, Resets: a.Resets, Expires: k.Expires}), k.Expires)
	t.event(o.event(EventTicketIssued))
	return k, nil
}

// checkTicket tells whether a ticket admits the owner of an account. A reset voids
// those that were made before it.
func (t *txn) checkTicket(hash string, a *account) error {
	var k ticketRecord
	err := t.getRecord(key(kindTicket, hash), &k)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return errTicketWrong
	case err != nil:
		return err
	case k.Subject != a.Subject:
		return errTicketOther
	case k.Resets != a.Resets:
		return errTicketWrong
	}
	return nil
}

// ticketOf returns the hash of a ticket if it is good for that account, and nothing of any other.
func (t *txn) ticketOf(code string, a *account) (hash string, err error) {
	if code == "" {
		return "", nil
	}
	hash = ticketHash(code)
	switch err := t.checkTicket(hash, a); {
	case errors.Is(err, errTicketWrong), errors.Is(err, errTicketOther):
		return "", nil
	case err != nil:
		return "", err
	}
	return hash, nil
}

// useTicket consumes the ticket of a session that enrols.
func (t *txn) useTicket(v *visit, s *session, a *account) error {
	if s.Ticket == "" {
		return nil
	}
	if err := t.remove(key(kindTicket, s.Ticket)); err != nil {
		return err
	}
	s.Ticket, a.TicketNeeded = "", false
	t.event(v.event(EventTicketUsed))
	return nil
}

// present notes a ticket in the session. It is consumed by the enrolment.
func (v *visit) present(code string) error {
	if err := v.ensure(); err != nil {
		return err
	}
	var out saved
	err := v.commit(func(t *txn) error {
		s, err := t.session(v.token)
		if err != nil {
			return err
		}
		next := *s
		next.Ticket = ticketHash(code)
		a, err := t.account(s.Subject)
		if err != nil {
			return err
		}
		if err := t.checkTicket(next.Ticket, a); err != nil {
			return err
		}
		out, err = t.putSession(&next, v.token, false)
		return err
	})
	if err == nil {
		v.adopt(out)
	}
	return err
}

// admits tells whether a first enrolment may come from an address without a
// ticket.
func (e Enrolment) admits(addr netip.Addr) bool {
	if e.From == nil {
		return true
	}
	addr = addr.Unmap().WithZone("")
	for _, p := range e.From {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
