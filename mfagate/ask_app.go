package mfagate

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/pages"
)

// A block that asks with a lifetime stands before a whole app whose own login cannot be
// watched: the gate asks for name and second factor, and then the app for the password. So its
// session is one to work in, and the pages by which people begin and end are there too. Those
// that change factors are not: here nobody has shown a password.

// validateAsk says what is wrong with the times of a block that asks.
func (c BlockConfig) validateAsk() error {
	switch {
	case (c.AskLifetime != 0 || c.AskIdle != 0) && !c.Ask:
		return errors.New("mfagate: the times of a block that asks are given for one that does not")
	case c.AskLifetime < 0 || c.AskLifetime > maxLifetime:
		return fmt.Errorf("mfagate: lifetime of what was asked is %v; it must lie between 0 and %v", c.AskLifetime, maxLifetime)
	case c.AskIdle < 0 || c.AskIdle > maxIdle || c.AskIdle > 0 && c.AskLifetime == 0:
		return fmt.Errorf("mfagate: idle time of what was asked is %v; it must lie between 0 and %v, and takes a lifetime", c.AskIdle, maxIdle)
	}
	return nil
}

// setAsk makes b one that asks.
func (b *Block) setAsk(c BlockConfig) {
	b.asks, b.asksForApp = true, c.AskLifetime > 0
	b.lifetime = cmp.Or(c.AskLifetime, pendingLife)
	b.idle = cmp.Or(c.AskIdle, b.idle)
	b.gate.asks.Store(true)
	if b.asksForApp {
		b.gate.asksForApp.Store(true)
	}
}

// askAppBudget is that of the names where people sign in every day at a page that asks. The
// challenge has so much less.
var askAppBudget = budget{15, 5, 30, 10}

// asked is the budget of pages that ask.
func (g *Gate) asked() budget {
	if g.asksForApp.Load() {
		return askAppBudget
	}
	return askBudget
}

// opens tells whether one of the gate's own paths is for this block.
func (v *visit) opens(path string) bool {
	if path == askPath || !v.asks {
		return v.asks == (path == askPath)
	}
	rest := strings.TrimPrefix(path, Prefix)
	return v.asksForApp && (slices.Contains([]string{"", "challenge", "enroll", "recovery-codes", "sign-out"}, rest) || strings.HasPrefix(rest, "enroll/"))
}

// leadsToAsk answers for pages that this block does not have, and those that take a session where
// there is none.
func (v *visit) leadsToAsk(path string) bool {
	rest := strings.TrimPrefix(path, Prefix)
	if !v.asks || path == askPath || rest == "sign-out" || rest == "enroll" || v.sess != nil && rest != "" && rest != "challenge" {
		return false
	}
	v.redirect(page("ask", v.back()))
	return true
}

// enrolsHere tells whether a factor that is enrolled at this block can be proved at it.
func (v *visit) enrolsHere(f Factor) bool {
	return !v.asks || slices.ContainsFunc(v.askable(), func(a Factor) bool { return a.Name() == f.Name() })
}

// rememberAsked lets the browser of somebody who works behind the block keep its share of the tries.
func (v *visit) rememberAsked(t *txn, a *account) {
	if !v.asksForApp {
		return
	}
	if !a.knows(v.browser, t.now) {
		v.browser = newBrowser() // never one that somebody else could have put there
	}
	a.learn(v.browser, t.now)
}

// getTicket asks for the name that goes with a ticket.
func (v *visit) getTicket(ticket string) error {
	return v.ticketPage(http.StatusOK, pages.Text{}, ticket)
}

func (v *visit) ticketPage(status int, cause pages.Text, ticket string) error {
	if v.token == "" {
		v.token = newAskToken()
		v.setCookie(askCookie, v.token, time.Time{})
	}
	v.Subject = Subject{} // nobody is signed in, whatever was typed
	f := v.frame()
	f.Error, f.SignOut = cause, false
	v.render(status, f, pages.AskTicket{Name: v.field("user"), Ticket: ticketMisread.Replace(strings.ToUpper(cleanLine(ticket, maxTicket)))})
	return nil
}

// maxTicket is the length in bytes of the longest ticket that is shown again.
const maxTicket = 100

// postTicket judges the ticket and the name. All that is not right is answered alike.
func (v *visit) postTicket() error {
	err := v.admitTicket(v.field("user"), v.field("ticket"))
	switch locked, tooOften := errors.AsType[*LockedError](err); {
	case err == nil:
		v.redirect(page("enroll", v.back()))
		return nil
	case errors.Is(err, errEnrolled):
		v.redirect(page("ask", v.back()))
		return nil
	case tooOften:
		v.beat()
		wait := roundUp(time.Until(locked.Until))
		v.w.Header().Set("Retry-After", retryAfter(wait))
		return v.ticketPage(http.StatusTooManyRequests, pages.Text{Key: "ask.locked", Args: []any{wait}}, v.field("ticket"))
	case errors.Is(err, ErrRejected):
		v.beat()
		v.w.Header().Set("WWW-Authenticate", challengeHeader(v.realm, askPath))
		return v.ticketPage(http.StatusUnauthorized, pages.Text{Key: "ask.ticket_wrong"}, v.field("ticket"))
	}
	return err
}

// admitTicket makes a pending session for whoever brings a name and the ticket for it.
func (v *visit) admitTicket(name, ticket string) error {
	from := asker(v.client.Addr)
	if err := v.gate.records.asks.take(from, v.now); err != nil {
		return err
	}
	canonical, err := v.site.Names.Canonical(name)
	if err != nil {
		return ErrRejected
	}
	v.Subject = Subject{v.realm, canonical}
	var out saved
	err = v.commit(func(t *txn) error {
		a, err := t.account(v.Subject)
		if err != nil {
			return err
		}
		hash := ticketHash(ticket)
		err = t.checkTicket(hash, a)
		switch {
		case errors.Is(err, errTicketWrong), errors.Is(err, errTicketOther):
			return ErrRejected
		case err != nil:
			return err
		case a.enrolled(v.gate.recoveryName()):
			return errEnrolled
		}
		s := v.pendingSession(t.now)
		s.Asked, s.Ticket = true, hash
		out, err = t.putSession(&s, "", false)
		return err
	})
	if err == nil {
		v.gate.records.asks.giveBack(from)
		v.adopt(out)
	}
	return err
}
