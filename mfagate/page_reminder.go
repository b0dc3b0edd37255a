package mfagate

import (
	"errors"
	"net/http"

	"github.com/mfagate/caddy-mfagate/pages"
)

// getReminder tells somebody who passes without a factor that they could have
// one, or by when they must.
func (v *visit) getReminder() error {
	if err := v.ensure(); err != nil {
		return err
	}
	a, err := v.account()
	if err != nil {
		return err
	}
	back := orRoot(v.back())
	v.leave = v.leaveOf(a, v.mode(v.r.Context()), v.now)
	switch v.leave.kind {
	case leaveGrace:
		v.render(http.StatusOK, v.frame(), pages.Reminder{Until: v.leave.until, Left: v.leave.until.Sub(v.now)})
	case leaveOptional:
		v.render(http.StatusOK, v.frame(), pages.Reminder{})
	default: // there is nothing to remind of; the app's own path leads on
		v.redirect(back)
	}
	return nil
}

// postReminder takes the person's "later".
func (v *visit) postReminder() error {
	if err := v.noteReminder(0); err != nil && !errors.Is(err, errReminded) {
		return err
	}
	v.redirect(orRoot(v.back()))
	return nil
}
