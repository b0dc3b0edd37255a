package mfagate

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/pages"
	"github.com/mfagate/caddy-mfagate/storage"
)

// Limits of the codes that confirm an address. They are no factor: whoever asks
// for one has proved a factor already.
const (
	addressLife     = 10 * time.Minute
	addressTries    = 5
	addressMails    = 5 // a day, of a user
	addressReceived = 5 // a day, to one address, whoever asks
	addressWait     = 20 * time.Second
)

var (
	errAddressGiven = errors.New("mfagate: the address is given, and cannot be chosen")
	errAddressBad   = errors.New("mfagate: not an address")
	errAddressLimit = errors.New("mfagate: too many codes for an address today")
	errAddressGone  = errors.New("mfagate: no code for an address is waiting")
	errMailFailed   = errors.New("mfagate: code for an address was not sent")
)

// An awaited address is one that a person wants, until its code is typed.
type awaited struct {
	versioned
	Email string      `json:"email,omitempty"` // empty: none waits
	Salt  []byte      `json:"salt,omitempty"`
	Sum   []byte      `json:"sum,omitempty"` // of salt and code
	Until time.Time   `json:"until,omitzero"`
	Tries int         `json:"tries,omitempty"`
	Sent  []time.Time `json:"sent,omitempty"` // the mails of the last day
}

// mailed counts the codes that one address got within a day.
type mailed struct {
	versioned
	Sent []time.Time `json:"sent"`
}

func awaitedKey(s Subject) string { return key(kindAwaited, s.Realm, s.Name) }

func (t *txn) mailedKey(email string) (string, error) {
	hash, err := t.addressHash(email)
	return key(kindMailed, hash), err
}

// awaited reads what a user has asked for; nothing is no error.
func (t *txn) awaited(s Subject) (*awaited, error) {
	r := new(awaited)
	err := t.getRecord(awaitedKey(s), r)
	if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	if !t.now.Before(r.Until) {
		*r = awaited{Sent: r.Sent}
	}
	return r, err
}

func (t *txn) putAwaited(s Subject, r *awaited) {
	t.put(awaitedKey(s), encode(r), t.now.Add(day))
}

// withinDay drops what is older than a day, and adds now unless there are too many.
func withinDay(sent []time.Time, now time.Time, most int) ([]time.Time, error) {
	sent = slices.DeleteFunc(slices.Clone(sent), func(at time.Time) bool { return now.Sub(at) >= day })
	if len(sent) >= most {
		return sent, errAddressLimit
	}
	return append(sent, now.UTC()), nil
}

// chargeMail counts a mail to an address against the limits of the user and of the
// address.
func (t *txn) chargeMail(r *awaited, email string) (err error) {
	if r.Sent, err = withinDay(r.Sent, t.now, addressMails); err != nil {
		return err
	}
	k, err := t.mailedKey(email)
	if err != nil {
		return err
	}
	to := new(mailed)
	if err := t.getRecord(k, to); err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	if to.Sent, err = withinDay(to.Sent, t.now, addressReceived); err != nil {
		return err
	}
	t.put(k, encode(to), t.now.Add(day))
	return nil
}

// askAddress sends a code to the address that a person wants. It takes a fresh proof:
// whoever has the messages is told less of a theft.
func (v *visit) askAddress(email string) error {
	email, ok := address(email)
	if !ok {
		return errAddressBad
	}
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return fmt.Errorf("making a code: %w", err)
	}
	code := fmt.Sprintf("%06d", n)
	err = v.change(true, func(t *txn, _ *session, a *account) error {
		if _, given := v.gate.addressOf(a); given {
			return errAddressGiven
		}
		r, err := t.awaited(v.Subject)
		if err != nil {
			return err
		}
		if err := t.chargeMail(r, email); err != nil {
			return err
		}
		salt := []byte(rand.Text())
		*r = awaited{Email: email, Salt: salt, Sum: sumOf(salt, code), Until: t.now.Add(addressLife).UTC(), Sent: r.Sent}
		t.putAwaited(v.Subject, r)
		return nil
	})
	if err != nil {
		return err
	}
	if err := v.mailCode(email, code); err != nil {
		return errors.Join(err, v.dropAddress()) // there is no code that could be typed
	}
	return nil
}

func sumOf(salt []byte, code string) []byte {
	sum := sha256.Sum256(append(slices.Clip(salt), code...))
	return sum[:]
}

// mailCode sends at once, and not from the outbox: the person waits for it, and so
// no record has the code.
func (v *visit) mailCode(email, code string) error {
	m, err := v.gate.composeCode(v.language(), v.Name, v.site.Name, code)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), addressWait)
	defer cancel()
	d := &Delivery{By: v.gate.outbox.sender, To: email, Masked: masked(email), Code: code}
	if err := sendWithin(ctx, d, m); err != nil {
		v.gate.log.Warn("sending a code for an address", "realm", v.realm, "user", v.Name, "error", d.cause(err))
		return errMailFailed
	}
	return nil
}

// composeCode writes the message with a code.
func (g *Gate) composeCode(language, name, site, code string) (Message, error) {
	say := func(name string, args ...any) string {
		return g.pages.Text(language, pages.Text{Key: "address_mail." + name, Args: args})
	}
	if _, host, ok := strings.Cut(site, "://"); ok {
		site = host
	}
	app := fact(g.issuer, maxFact)
	if app == "" {
		app = fact(site, maxFact)
	}
	l := letter{
		Language: g.pages.Offered(language), Subject: unmarked.Replace(say("subject", app)), Hello: say("hello"),
		What: say("what", code), Facts: []string{say("user", fact(name, maxFact)), say("app", fact(site, maxFact))},
		Advice: say("advice"), Support: g.support.Text, URL: g.support.URL, Footer: say("footer"),
	}
	return l.message()
}

var sixDigits = regexp.MustCompile(`^[0-9]{6}$`)

// confirmAddress takes the code that was mailed. The try is counted in the commit that
// judges it, before anybody is answered.
func (v *visit) confirmAddress(code string) error {
	code = strings.NewReplacer(" ", "", "\u00a0", "", "-", "").Replace(code)
	outcome := errAddressGone
	err := v.change(false, func(t *txn, _ *session, a *account) error {
		r, err := t.awaited(v.Subject)
		if err != nil || r.Email == "" {
			outcome = errAddressGone
			return err
		}
		if _, given := v.gate.addressOf(a); given {
			return errAddressGiven
		}
		r.Tries++
		outcome = ErrRejected
		right := sixDigits.MatchString(code) && subtle.ConstantTimeCompare(sumOf(r.Salt, code), r.Sum) == 1
		if right {
			outcome = nil
			v.moveAddress(t, a, r.Email)
		}
		if right || r.Tries >= addressTries {
			*r = awaited{Sent: r.Sent}
		}
		t.putAwaited(v.Subject, r)
		return nil
	})
	if err != nil {
		return err
	}
	return outcome
}

// moveAddress makes an address the one of the account. The former one is told.
func (v *visit) moveAddress(t *txn, a *account, email string) {
	if to := v.gate.addresses(a, ""); len(to) > 0 && !strings.EqualFold(to[0], email) {
		t.former = to[0]
	}
	a.Confirmed = email
	t.event(v.event(EventAddressChanged))
}

// dropAddress forgets what was asked for, so that another address can be.
func (v *visit) dropAddress() error {
	return v.change(false, func(t *txn, _ *session, _ *account) error {
		r, err := t.awaited(v.Subject)
		if err != nil {
			return err
		}
		*r = awaited{Sent: r.Sent}
		t.putAwaited(v.Subject, r)
		return nil
	})
}
