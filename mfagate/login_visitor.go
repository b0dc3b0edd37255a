package mfagate

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// visitor answers somebody who is not signed in. Only the login form and what it
// needs reach the app, with the cookies of a visitor at most.
func (v *visit) visitor(kind loginform.Kind, next Next) error {
	switch kind {
	case loginform.Page, loginform.Reset, loginform.Renew:
	case loginform.Public:
		return v.public(kind, next)
	default:
		return v.toLogin()
	}
	if err := v.harmless(); err != nil {
		return v.refused(err)
	}
	l, old, err := v.visitorLineage()
	if err != nil {
		return v.refused(err)
	}
	cookies, jar, err := v.visitorCookies(kind, l)
	if err != nil {
		return v.refused(err)
	}
	if kind == loginform.Reset && v.login.tells() || kind == loginform.Renew {
		return v.resetVisit(kind, l, jar, cookies, next)
	}
	r := v.appRequest(v.r.Context(), v.r, cookies)
	if old && len(cookies) > 0 {
		return v.heldVisit(kind, l, jar, r, next)
	}
	if err := v.keep(l); err != nil {
		return v.refused(err)
	}
	w := v.sealPage(kind, jar)
	return w.finish(next(w, r, Decision{}))
}

// harmless refuses credentials where no form was, and what could be a replay.
func (v *visit) harmless() error {
	if v.changes() {
		if v.r.TLS != nil && !v.r.TLS.HandshakeComplete || v.r.Header.Get("Early-Data") != "" {
			return errEarly
		}
		if err := v.sameSite(); err != nil {
			return err
		}
	}
	return v.noPage()
}

// noPage refuses what no page of a visitor's asks for: connections that stay, service workers,
// which could answer in the place of all pages of the site, and credentials.
func (v *visit) noPage() error {
	switch {
	case upgrade(v.r):
		return errSignIn
	case v.r.Header.Get("Service-Worker") != "":
		return errForbidden
	}
	return v.guarded(v.login.Form.GuardVisitor(v.r))
}

// visitorLineage returns that of the request or, if it was promoted meanwhile, a
// new one. old tells that it is the request's own.
func (v *visit) visitorLineage() (l lineage, old bool, err error) {
	l, old, err = v.lineage()
	if err != nil {
		return l, false, err
	}
	if old {
		gone, err := v.promoted(l)
		if err != nil {
			return l, false, err
		}
		if !gone {
			return l, true, nil
		}
	}
	fresh := v.lineageAfter(l)
	return fresh, false, nil
}

// visitorCookies opens the cookies of a visitor, and says where new ones go. Requests for
// a forgotten password have cookies of their own: some apps sign people in there, without
// another cookie than before. Where the app can be asked it is, and such requests share the
// visitor's: in many apps the name is such a step, and the form for the password wants its cookie.
func (v *visit) visitorCookies(kind loginform.Kind, l lineage) (loginform.Cookies, *loginform.Jar, error) {
	jar, purpose := v.jar(), loginform.ForVisitor
	if (kind == loginform.Reset || kind == loginform.Renew) && !v.login.probes() {
		purpose = loginform.ForReset
	}
	box, err := v.box(purpose, l.ID)
	if err != nil {
		return nil, nil, err
	}
	jar.Open, jar.Seal = []*loginform.Box{box}, box
	cookies, err := readCookies(jar, v.r.Header)
	return cookies, jar, err
}

// heldVisit holds the answer to somebody whose cookies the app knows, and drops it
// if anybody has tried to sign in with them meanwhile.
func (v *visit) heldVisit(kind loginform.Kind, l lineage, jar *loginform.Jar, r *http.Request, next Next) error {
	answer, err := v.hold(r, next)
	if err != nil {
		v.gate.log.Error("asking the app for its login page", "site", v.site.Name, "error", err)
		return v.refused(errAppDown)
	}
	return v.heldAnswer(kind, l, jar, answer, next)
}

// heldAnswer sends a held answer to a visitor, unless his lineage was promoted meanwhile.
func (v *visit) heldAnswer(kind loginform.Kind, l lineage, jar *loginform.Jar, answer *loginform.Answer, next Next) error {
	gone, err := v.promoted(l)
	if err != nil {
		return v.refused(err)
	}
	if gone || answer.Truncated {
		return v.freshVisit(kind, l, next)
	}
	jarred := http.Header{"Set-Cookie": answer.Header["Set-Cookie"]}
	if err := jar.Write(jarred, v.now); err != nil {
		return v.refused(errCookieSize)
	}
	own := v.w.Header()
	own["Set-Cookie"] = append(own["Set-Cookie"], jarred["Set-Cookie"]...)
	w := v.sealPage(kind, jar)
	w.header = answer.Header
	answer.Body = append(answer.Body, w.tagFor(answer.Status)...)
	return v.sendAnswer(answer)
}

// resetVisit holds the answer to somebody who has forgotten a password, and drops it if the
// app has signed him in with that. He is to use his new password: that lineage is no
// visitor's any more. So it is where nobody knows what the app has done; it goes on when
// the visitor leaves.
func (v *visit) resetVisit(kind loginform.Kind, l lineage, jar *loginform.Jar, cookies loginform.Cookies, next Next) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), attemptLimit)
	defer cancel()
	answer, err := v.hold(v.appRequest(ctx, v.r, cookies), next)
	if err != nil {
		v.gate.log.Error("asking the app for a new password", "site", v.site.Name, "error", err)
		return v.refused(cmp.Or(v.burn(l), errAppDown))
	}
	a := &loginAttempt{lineage: l, sent: cookies, next: next}
	a.take(answer, v.now)
	_, sets := v.login.Form.SetsUser(answer.Header)
	if !sets && len(v.login.Form.TokensIn(answer)) == 0 && (!v.login.tells() || v.nobodyIn(a, answer)) {
		if err := v.keep(l); err != nil {
			return v.refused(err)
		}
		return v.heldAnswer(kind, l, jar, answer, next)
	}
	v.gate.log.Warn("the app signs in without a password", "site", v.site.Name, "path", v.loggedPath())
	if err := v.burn(l); err != nil {
		return v.refused(err)
	}
	v.leaveApp(cookies.With(a.set))
	return v.toForm()
}

// freshVisit asks again as somebody whom the app has never seen. What was not a
// GET is not repeated.
func (v *visit) freshVisit(kind loginform.Kind, l lineage, next Next) error {
	if v.changes() {
		return v.toLogin()
	}
	fresh := v.lineageAfter(l)
	if err := v.keep(fresh); err != nil {
		return v.refused(err)
	}
	box, err := v.box(loginform.ForVisitor, fresh.ID)
	if err != nil {
		return v.refused(err)
	}
	jar := v.jar()
	jar.Seal = box
	w := v.sealPage(kind, jar)
	return w.finish(next(w, v.appRequest(v.r.Context(), v.r, nil), Decision{}))
}

// public lets anybody have what the operator lists as such: without cookies,
// without credentials, and without what the app would set.
func (v *visit) public(kind loginform.Kind, next Next) error {
	if err := v.noPage(); err != nil {
		return v.refused(err)
	}
	encodings, ranges := v.r.Header["Accept-Encoding"], v.r.Header["Range"]
	since, match := v.r.Header["If-Modified-Since"], v.r.Header["If-None-Match"]
	r := v.appRequest(v.r.Context(), v.r, nil)
	w := v.sealPage(kind, v.closedJar())
	w.again = kind == loginform.Page
	if w.script != "" {
		return w.finish(next(w, r, Decision{}))
	}
	for name, values := range map[string][]string{
		"Accept-Encoding": encodings, "Range": ranges, "If-Modified-Since": since, "If-None-Match": match,
	} { // there is nothing in the answer that the gate reads
		delete(r.Header, name)
		if values != nil {
			r.Header[name] = values
		}
	}
	return w.finish(next(w, r, Decision{}))
}

// guard refuses a request with credentials that are not in the login form.
func (v *visit) guard() error {
	return v.guarded(v.login.Form.Guard(v.r))
}

// guarded logs what Guard refuses.
func (v *visit) guarded(err error) error {
	if err != nil {
		v.gate.log.Warn("credentials outside of the login form; if nobody signs in there, list the request under accounts", "site", v.site.Name, "path", v.loggedPath(), "error", err)
		return errElsewhere
	}
	return nil
}

// loggedPath is the path of the request without the parameters of its segments: one may be the id
// of a session.
func (v *visit) loggedPath() string {
	var path strings.Builder
	for segment := range strings.SplitAfterSeq(v.client.Sent.Path, "/") {
		plain, _, cut := strings.Cut(segment, ";")
		path.WriteString(plain)
		if cut && strings.HasSuffix(segment, "/") {
			path.WriteByte('/')
		}
	}
	return path.String()
}
