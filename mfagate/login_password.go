package mfagate

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// checkAtApp tells whether a password is the visit's user's, by signing in at the
// app once more in the background, as somebody whom it has never seen. What that
// has made is signed out and thrown away. It counts as an attempt to sign in.
func (v *visit) checkAtApp(password string) (right bool, err error) {
	if _, err := v.allowLogin(v.Name); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), attemptLimit)
	defer cancel()
	a := &loginAttempt{typed: v.Name, next: v.next}
	answer, err := v.signInAgain(ctx, a, password)
	if err != nil {
		return false, err
	}
	if answer, err = v.login.Form.Follow(ctx, answer, v.prober(a)); err != nil {
		return false, err
	}
	outcome, err := v.login.Form.Judge(ctx, answer, v.prober(a))
	if err != nil || outcome != loginform.Succeeded {
		return false, err
	}
	name, _, err := v.whoIs(ctx, a, answer)
	if method, uri, ok := v.login.Form.LogoutRequest(); ok {
		if _, err := v.probe(ctx, method, uri, a.set, a.next); err != nil {
			v.gate.log.Info("signing out at the app", "site", v.site.Name, "error", err)
		}
	}
	return err == nil && name == v.Name, nil
}

// signInAgain fetches the login page and submits its form.
func (v *visit) signInAgain(ctx context.Context, a *loginAttempt, password string) (*loginform.Answer, error) {
	page, err := v.loginPage(ctx, a, nil)
	if err != nil {
		return nil, err
	}
	form, err := v.login.Form.Fill(page, a.typed, password)
	if err != nil {
		return nil, err
	}
	target, err := url.ParseRequestURI(form.URI)
	if err != nil {
		return nil, fmt.Errorf("submitting the login form: %w", err)
	}
	r := v.appRequest(ctx, v.subrequest(ctx, form.Method, target), a.set)
	setFilled(r, form)
	r.Header.Set("Origin", v.call.Origin)
	r.Header.Set("Referer", v.call.Origin+v.login.Form.LoginURI())
	answer, err := v.hold(r, a.next)
	if err == nil {
		a.take(answer, v.now)
	}
	return answer, err
}

// setFilled puts a form that the gate has filled in into a request.
func setFilled(r *http.Request, form *loginform.Filled) {
	if form.Authorization != "" {
		r.Header.Set("Authorization", form.Authorization)
		return
	}
	r.Header.Set("Content-Type", form.ContentType)
	r.Header.Set("Content-Length", strconv.Itoa(len(form.Body)))
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(form.Body)), int64(len(form.Body))
}
