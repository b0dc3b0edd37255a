package mfagate

import (
	"cmp"
	"errors"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/pages"
)

// A Login makes the app's own login form the first factor of a block, in place of
// a Source. Form is required.
//
// The gate then watches the form being submitted, and takes for the user whom the
// app takes for it. The app's cookies reach the browser sealed, each to one
// binding: one user in one app, from one sign-in to its end. So nobody has
// anything of use before the second factor, and no session of the app can be
// carried into another session of the gate.
type Login struct {
	Form *loginform.Form

	// Follow says that another block of the site watches the form, and that requests come
	// through that one first. This one then lets visitors of the form through, and asks
	// of those who are signed in what its own policy says.
	Follow bool

	// Subrequest returns a request of the gate's own, which goes the way of r
	// without being r. nil means a plain copy. The server in front must see to it
	// that what it keeps of r, such as variables, is not shared.
	Subrequest func(r *http.Request, method string, target *url.URL) *http.Request

	// Learner, if not nil, sees what passes while the site only observes.
	Learner Learner
}

// A Learner finds out what the login form of an app looks like. It must hand on what it
// sees as it is.
type Learner interface {
	// Watch returns what is to be used in place of w and r. done is called when the
	// answer was given. from is the address of the person's device, if that is known.
	Watch(w http.ResponseWriter, r *http.Request, from netip.Addr) (_ http.ResponseWriter, _ *http.Request, done func())
}

// Faults of requests on sites with a login form.
var (
	errSignIn = errors.New("mfagate: nobody is signed in")

	errAppDown    = errors.New("mfagate: the app could not be asked")
	errElsewhere  = errors.New("mfagate: credentials outside of the login form")
	errOtherUser  = errors.New("mfagate: the app's session is another user's")
	errAppLoop    = errors.New("mfagate: the app leads back from its login page to a page where it knows nobody; look at identify, whether parts of the app have sessions of their own under one name of a cookie, and whether each page of the form is listed")
	errCookieSize = errors.New("mfagate: a cookie of the app is too long to be sealed")
)

// noSource is the source of blocks with a login form: the session alone knows.
var noSource = SourceFunc(func(*http.Request) (Identity, error) { return Identity{}, ErrNoIdentity })

// serveLogin answers a request on a site with a login form. Without a session
// that may pass, only what the form itself needs reaches the app.
func (v *visit) serveLogin(next Next) error {
	if v.login.Follow {
		return v.followLogin(next)
	}
	if uri, found := v.login.Form.WithoutSessionID(v.client.Sent); found {
		return v.toURL(uri)
	}
	kind := v.login.Form.Classify(v.r)
	if v.login.Form.Config().Basic {
		return v.serveBasic(kind, next)
	}
	switch {
	case kind == loginform.Refuse:
		return v.refused(errForbidden)
	case kind == loginform.Submit:
		return v.attempt(next)
	case kind == loginform.Logout:
		return v.appLogout(next)
	}
	if v.sess != nil {
		d, err := v.decide()
		if err != nil {
			return v.refused(err)
		}
		if d.Verdict == Pass && v.reminds() && v.remind() {
			return nil
		}
		if d.Verdict == Pass {
			return v.passApp(kind, d, next)
		}
		if kind != loginform.Public {
			v.stop(d.Verdict)
			return nil
		}
	}
	return v.visitor(kind, next)
}

// learns tells whether everything passes as it is, so that one can see what the app's
// login form does. Nobody is known then, and nobody is asked for.
func (b *Block) learns() bool {
	return b.login != nil && b.site.Mode == Observe && !b.site.ModeStored
}

// learn hands a request to the app as it is, but for the gate's own cookies.
func (v *visit) learn(next Next) error {
	d, err := v.decide()
	if err != nil || d.Verdict != Pass {
		return v.refused(cmp.Or(err, errForbidden))
	}
	if err := hideCookies(v.r.Header); err != nil {
		return v.refused(err)
	}
	if v.login.Learner == nil || v.login.Follow {
		return next(v.w, v.r, d)
	}
	w, r, done := v.login.Learner.Watch(v.w, v.r, v.client.Addr)
	defer done()
	return next(w, r, d)
}

// refused answers with a fault, as an end of a handler.
func (v *visit) refused(err error) error {
	v.refuse(err)
	return nil
}

// toLogin leads a person who is not signed in to the app's login page.
func (v *visit) toLogin() error {
	if upgrade(v.r) || !navigation(v.r) || v.atLogin() {
		if !v.atLogin() {
			v.w.Header().Set(locationHeader, v.login.Form.LoginURI())
		}
		return v.refused(errSignIn)
	}
	if crossOrigin.Check(v.r) == nil { // else the browser may keep a lineage back, which must not be replaced
		if err := v.keepReturn(); err != nil {
			return v.refused(err)
		}
	}
	v.redirect(v.login.Form.LoginURI())
	return nil
}

// toURL leads to the same page by a URL without the session id that was in it. The app must
// not see that id in any place, so it is taken off by the browser.
func (v *visit) toURL(uri string) error {
	if localPath(uri) == "" {
		return v.refused(errElsewhere)
	}
	h := v.w.Header()
	pages.SetHeaders(h)
	h.Set("Location", uri)
	h.Set("Content-Length", "0")
	v.w.WriteHeader(http.StatusTemporaryRedirect) // a form is sent again
	return nil
}

// atLogin tells whether the request is for the login page, which something in
// front has rewritten into something else: leading there again would never end.
func (v *visit) atLogin() bool {
	return v.client.Sent.RequestURI() == v.login.Form.LoginURI()
}

// sameSite refuses what a browser says comes from another site, also where a link
// is followed: a sign-out, say, or a form that signs in as somebody else.
func (v *visit) sameSite() error {
	if err := crossOrigin.Check(v.r); err != nil {
		return errCrossSite
	}
	switch v.r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return nil
	}
	return errCrossSite
}

// sameSiteAsPost refuses a form that another site sends, also one that goes by GET: a browser without
// Sec-Fetch-Site tells by Origin at most.
func (v *visit) sameSiteAsPost() error {
	r := &http.Request{Method: http.MethodPost, Header: v.r.Header, Host: v.r.Host, URL: v.r.URL}
	if crossOrigin.Check(r) != nil {
		return errCrossSite
	}
	return nil
}

// byLogin marks requests that the block with the login form has let through, or
// makes itself, although nobody is signed in.
type byLogin struct{}

// followLogin answers a request that comes through the block with the login form.
func (v *visit) followLogin(next Next) error {
	if v.r.Context().Value(byLogin{}) != nil {
		return next(v.w, v.r, Decision{})
	}
	if v.sess == nil || passedTokens(v.r).own == "" {
		return v.toLogin()
	}
	d, err := v.decide()
	switch {
	case err != nil:
		return v.refused(err)
	case d.Verdict == Pass:
		return next(v.w, v.r, d)
	}
	v.stop(d.Verdict)
	return nil
}

// probes tells whether the app can be asked at any time who is signed in.
func (l *Login) probes() bool {
	id := l.Form.Config().Identify
	return id != nil && id.Probe != ""
}

// tells says whether the app shows that somebody is signed in, when it is asked or by
// the cookie that names the user.
func (l *Login) tells() bool {
	id := l.Form.Config().Identify
	return id != nil && (id.Probe != "" || id.Cookie != "")
}

// upgrades tells whether a request may become a WebSocket. Where nobody can ask the
// app whose session that is, the operator has to say so.
func (l *Login) upgrades(r *http.Request) bool { return l.probes() || l.Form.WebSocket(r) }
