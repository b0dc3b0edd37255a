package api_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// A gateway is a sender that keeps the code of the last message.
type gateway struct {
	code string
	down bool
}

var digits = regexp.MustCompile(`[0-9]{6}`)

func (g *gateway) Send(_ context.Context, _ string, m mfagate.Message) error {
	if g.down {
		return errors.New("gateway is down")
	}
	g.code = digits.FindString(m.Text)
	return nil
}

var gatewayOfCodes = new(gateway)

func sentCodes(w *site) {
	by := gatewayOfCodes
	c := w.client("alice")
	c.call("GET", "session", nil).want(200, members{"state": "enroll"})
	if got, want := c.list("methods"), []string{"totp", "sms", "email"}; !slices.Equal(got, want) {
		w.t.Errorf("methods = %q; want %q, the weaker ones last", got, want)
	}
	c.call("POST", "enroll/sms", nil).want(201, members{"sent_to": nil})
	c.call("POST", "enroll/sms", members{"to": "+49 900 1234567"}).want(422, members{"type": "address"})
	c.call("POST", "enroll/sms", members{"to": "+49 1511 2345642", "enrollment": "other"}).want(409, members{"type": "form_expired"})
	c.call("POST", "enroll/sms", members{"to": "+49 1511 2345642"}).want(201, members{"sent_to": "•• 42"})
	id := c.fields["enrollment"]
	c.call("POST", "enroll/sms", members{"enrollment": id, "action": "resend"}).want(429, members{"type": "sent_too_often"})
	if got := c.header.Get("Retry-After"); got != "30" {
		w.t.Errorf("Retry-After = %q; want 30", got)
	}
	time.Sleep(30 * time.Second)
	older := by.code
	c.call("POST", "enroll/sms", members{"enrollment": id, "action": "resend"}).want(201, members{"sent_to": "•• 42"})
	if older != by.code {
		c.call("POST", "enroll/sms/confirm", members{"enrollment": id, "code": older}).want(422, members{"type": "rejected"})
	}
	c.call("POST", "enroll/sms/confirm", members{"enrollment": id, "code": by.code}).want(200, nil)

	d := w.client("alice")
	d.call("POST", "challenge/begin", members{"method": "sms", "credential": "of somebody else"}).want(422, members{"type": "address"})
	d.call("POST", "challenge/begin", members{"method": "email"}).want(422, members{"type": "method"})
	by.down = true
	d.call("POST", "challenge/begin", members{"method": "sms"}).want(503, members{"type": "unsent"})
	if got := d.header.Get("Retry-After"); got != "30" {
		w.t.Errorf("Retry-After = %q; want 30", got)
	}
	by.down = false
	d.call("POST", "challenge/begin", members{"method": "sms"}).want(429, members{"type": "sent_too_often"})
	time.Sleep(30 * time.Second)
	d.call("POST", "challenge/begin", members{"method": "sms", "purpose": "settings"}).want(200, members{"sent_to": "•• 42"})
	d.call("POST", "challenge", members{"method": "sms", "code": by.code}).want(401, members{"type": "rejected"})
	d.call("POST", "challenge", members{"method": "sms", "code": by.code, "purpose": "settings"}).want(200, members{"state": "verified"})
	d.call("POST", "enroll/email", members{"to": "alice@example.com"}).want(201, members{"sent_to": "a•••@example.com"})
	d.call("POST", "enroll/email/confirm", members{"enrollment": d.fields["enrollment"], "code": by.code}).want(200, nil)

	e := w.client("eve")
	e.call("POST", "enroll/sms", members{"to": "+49 1511 2345643"}).want(201, members{"sent_to": "•• 43"})
	id, wrong := e.fields["enrollment"], strings.Repeat("0", 6)
	if wrong == by.code {
		wrong = strings.Repeat("1", 6)
	}
	for range 5 {
		e.call("POST", "enroll/sms/confirm", members{"enrollment": id, "code": wrong}).want(422, members{"type": "rejected"})
	}
	e.call("POST", "enroll/sms/confirm", members{"enrollment": id, "code": by.code}).want(429, members{"type": "locked"})
}
