package mfagate

import (
	"context"
	"fmt"
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
	page, err := v.loginPage(ctx, a, cookies)
	if err != nil {
		return
	}
	a.sent = a.sent.With(a.set)
	a.renewed = v.login.Form.Renew(sub, v.r.Header, page)
}

// maxLed is how many pages loginPage sees.
const maxLed = 5

// loginPage fetches the login page, and takes the cookies that it sets. Some apps redirect it first, to
// see whether the browser keeps their cookies, and take no password from one that does not.
func (v *visit) loginPage(ctx context.Context, a *loginAttempt, cookies loginform.Cookies) (*loginform.Answer, error) {
	uri := v.login.Form.LoginURI()
	for range maxLed {
		page, err := v.probe(ctx, http.MethodGet, uri, cookies.With(a.set), a.next)
		if err != nil {
			return nil, err
		}
		a.take(page, v.now)
		next, led := v.login.Form.FailurePage(page)
		if !led {
			return page, nil
		}
		uri = next
	}
	return nil, fmt.Errorf("fetching the login page: %d redirections", maxLed)
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
	if err != nil || page.Status != http.StatusOK || page.Truncated {
		return answer
	}
	return page
}
