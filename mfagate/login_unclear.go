package mfagate

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// signInUnclear ends an attempt of which nobody knows what the app thinks. Nothing
// of its answer is delivered.
func (v *visit) signInUnclear(a *loginAttempt, answer *loginform.Answer) error {
	v.clearCookie(loginCookie)
	if err := v.settle(a, attemptBurnt); err != nil && !errors.Is(err, errNoSession) {
		return err
	}
	if answer == nil || answer.Status >= 500 {
		return errAppDown
	}
	return v.tryAgain(http.StatusUnauthorized)
}

// maxLogged bounds what the log says of one answer: names of cookies, and bytes of a path.
const maxLogged = 128

// logUnclear tells the operator how the app has answered, where the options know neither
// sign in it: whoever wrote them has to see what they lack. Values stay out.
func (v *visit) logUnclear(a *loginAttempt, answer *loginform.Answer) {
	var names []string
	for _, c := range a.set[:min(len(a.set), maxLogged)] {
		if !c.Deleted {
			names = append(names, c.Name)
		}
	}
	to := ""
	if u, err := url.Parse(answer.Header.Get("Location")); err == nil {
		to = u.Path[:min(len(u.Path), maxLogged)]
	}
	v.gate.log.Warn("the app's answer to the form is neither success nor failure, so nobody is signed in; look at what the options success and failure say of it",
		"site", v.site.Name, "status", answer.Status, "leads_to", to, "sets_cookies", names)
}
