package mfagate

import (
	"crypto/rand"
	"net/http"

	"github.com/mfagate/caddy-mfagate/pages"
)

// getHelp is for somebody who has lost every way to confirm: whom to ask, and a
// case number by which an administrator finds what happened.
func (v *visit) getHelp() error {
	if err := v.ensure(); err != nil {
		return err
	}
	v.render(http.StatusOK, v.frame(), pages.Help{Case: v.sess.Case})
	return nil
}

// postHelp gives a case number, one for a session: the event of that number tells
// who asked, when and from where.
func (v *visit) postHelp() error {
	if v.sess == nil {
		return errNoSession
	}
	if v.sess.Case == "" {
		if err := v.gate.records.cases.take(requester{Subject: v.Subject}, v.now); err != nil {
			return err
		}
	}
	var out saved
	err := v.commit(func(t *txn) error {
		s, err := t.session(v.token)
		if err != nil {
			return err
		}
		next := *s
		if next.Case == "" {
			next.Case = rand.Text()[:4] + "-" + rand.Text()[:4]
			e := v.event(EventHelp)
			e.Detail = next.Case
			t.event(e)
		}
		out, err = t.putSession(&next, v.token, false)
		return err
	})
	if err != nil {
		return err
	}
	v.adopt(out)
	v.redirect(page("help", v.back()))
	return nil
}
