package mfagate

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/mfagate/caddy-mfagate/pages"
)

// A Teller is a factor over whose channel people can be told something. Of a request
// for a reset the owner of the account is told on every channel that there is: a
// thief with the password counts on a mailbox that nobody looks at.
type Teller interface {
	Factor

	// Contacts returns what would bring a message to each credential of u: without
	// Code and Life, and with Limits. A credential that cannot be read is left out.
	Contacts(u User) []Delivery
}

// maxContactTries is how often a message that costs money is tried: within the
// first two hours.
const maxContactTries = 8

// tellers are the factors that notices can go out by.
func (g *Gate) tellers() (list []Teller) {
	if !g.notices {
		return nil
	}
	for _, f := range g.factors {
		if f, ok := f.(Teller); ok {
			list = append(list, f)
		}
	}
	return list
}

// mails tells whether notices go out by e-mail.
func (g *Gate) mails() bool { return g.outbox != nil && g.outbox.sender != nil }

// contact returns how a notice that goes out by a factor reaches its address, or nil
// if the person has it no more, or the factor is gone.
func (g *Gate) contact(a *account, n outgoing) *Delivery {
	for _, f := range g.tellers() {
		if f.Name() != n.Via {
			continue
		}
		for _, d := range f.Contacts(g.user(a, n.Via, Identity{}, Call{})) {
			if d.To == n.To {
				return &d
			}
		}
	}
	return nil
}

// putContacts adds a notice for each address of the person's factors that none of the
// mails goes to.
func (g *Gate) putContacts(t *txn, a *account, n outgoing, mailed []string) {
	for _, f := range g.tellers() {
		n.Via = f.Name()
		for _, d := range f.Contacts(g.user(a, n.Via, Identity{}, Call{})) {
			if slices.ContainsFunc(mailed, func(to string) bool { return strings.EqualFold(to, d.To) }) {
				continue
			}
			mailed = append(mailed, d.To)
			n.ID, n.To = "", d.To
			t.putNotice(n, t.now)
		}
	}
}

// chargeContact counts a notice against what its factor may send to one address and
// to everybody, as if it were a code.
func chargeContact(t *txn, factor string, d *Delivery) error {
	if err := d.limited(factor); err != nil {
		return err
	}
	if err := chargeAddress(t, factor, d.Limits.Address, d); err != nil {
		return err
	}
	return chargeAll(t, factor, d.Limits.All)
}

func (d *Delivery) limited(factor string) error {
	if d.Limits.User < 1 || d.Limits.Address < 1 || d.Limits.All < 1 {
		return fmt.Errorf("mfagate: factor %s sets no limit on sending", factor)
	}
	return nil
}

// hiding returns err without the address, which senders may quote.
func (d *Delivery) hiding(err error) error {
	text := d.hide(err.Error())
	if errors.Is(err, ErrUndeliverable) {
		return fmt.Errorf("%w: %s", ErrUndeliverable, text)
	}
	return errors.New(text)
}

// hide returns text without address and code: pages, logs and events show addresses
// masked, and codes not at all.
func (d *Delivery) hide(text string) string {
	pairs := []string{d.To, d.Masked, url.QueryEscape(d.To), d.Masked, strings.TrimPrefix(d.To, "+"), d.Masked}
	if d.Code != "" {
		pairs = append([]string{d.Code, "[code]"}, pairs...)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// words returns the message of a notice as its channel takes it.
func (l lease) words(g *Gate) (Message, error) {
	if l.by.Brief {
		return g.brief(l.outgoing), nil
	}
	return g.compose(l.outgoing)
}

// brief puts a notice into one line, for a channel that takes no more.
func (g *Gate) brief(n outgoing) Message {
	app := cmp.Or(fact(g.issuer, maxTold), fact(siteHost(n.App), maxTold))
	return Message{
		Text:     unmarked.Replace(g.pages.Text(n.Language, pages.Text{Key: "notice_brief." + n.Kind, Args: []any{app}})) + "\n",
		Language: g.pages.Offered(n.Language),
	}
}
