package mfagate

import (
	"context"
	"net/http"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// renew fetches the login page for a form whose token is worth nothing any more, and puts the new
// one into it: else the app would refuse it for a reason of which nobody at the keyboard knows. It has
// lost its cookies when somebody corrects a misspelt name; and some apps take another token with each
// view of the form, the gate's own question who is signed in being one. Without such a page it goes as it is.
func (v *visit) renew(ctx context.Context, a *loginAttempt, sub *loginform.Submission) {
	cookies := a.sent
	if a.fresh {
		cookies = nil
	}
	page, err := v.probe(ctx, http.MethodGet, v.login.Form.LoginURI(), cookies, a.next)
	if err != nil || !v.login.Form.Renew(sub, v.r.Header, page) {
		return
	}
	a.renewed = true
	a.take(page, v.now)
	a.sent = a.sent.With(a.set)
}

// failurePage returns the login page in place of an answer that redirects there, as most
// frameworks make it do: what was wrong is told on that page, and only to these
// cookies, which no other request opens. It is fetched only where the app can be asked afterwards
// whether anybody is signed in.
func (v *visit) failurePage(a *loginAttempt, answer *loginform.Answer) *loginform.Answer {
	uri, ok := v.login.Form.FailurePage(answer)
	if !ok || !v.login.probes() || !navigation(v.r) {
		return answer
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), recheckLimit)
	defer cancel()
	page, err := v.prober(a)(ctx, http.MethodGet, uri)
	if err != nil || page.Status != http.StatusOK || page.Truncated || !page.ShowsAt(answer.URL) {
		return answer
	}
	return page
}

// astray tells whether an answer is a page that has been fetched, and whose links would mean something
// else at the form's address.
func (a *loginAttempt) astray(answer *loginform.Answer) bool {
	return a.given != nil && answer.URL != nil && !answer.ShowsAt(a.given.URL)
}
