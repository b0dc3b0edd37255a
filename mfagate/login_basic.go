package mfagate

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/pages"
)

// Some apps have no form and ask for HTTP Basic credentials on every request. There
// the credentials are the app's session: the gate asks the app once whether they are
// right, keeps a keyed hash of them, and lets only requests with the same ones pass in
// the session that this has made.

// serveBasic answers a request on a site whose app asks for Basic credentials.
func (v *visit) serveBasic(kind loginform.Kind, next Next) error {
	switch kind {
	case loginform.Refuse:
		return v.refused(errForbidden)
	case loginform.Logout:
		if v.sess != nil {
			return v.appLogout(next)
		}
	default: // the rest takes credentials, but for what is public
	}
	open := v.login.Form.ShowsAnybody(v.r)
	user, credentials, ok := v.basicCredentials()
	if open && (!ok || v.sess == nil) {
		return v.public(kind, next)
	}
	if !ok {
		return v.askPassword()
	}
	sums, err := v.credentialSums(credentials)
	if err != nil {
		return v.refused(err)
	}
	known := v.sess != nil && slices.ContainsFunc(sums, func(s []byte) bool { return subtle.ConstantTimeCompare(s, v.sess.Password) == 1 })
	if open && !known {
		return v.public(kind, next) // which is no reason to try any
	}
	v.vouching = credentials
	if !known {
		return v.tryCredentials(kind, user, sums[0], next)
	}
	d, err := v.decide()
	switch {
	case err != nil:
		return v.refused(err)
	case d.Verdict == Pass:
		return v.passApp(kind, d, next)
	case open:
		v.vouching = ""
		return v.public(kind, next)
	}
	v.stop(d.Verdict)
	return nil
}

// basicCredentials are those of the request, if there is one way to read them.
func (v *visit) basicCredentials() (user, header string, ok bool) {
	given := v.r.Header["Authorization"]
	if len(given) != 1 {
		return "", "", false
	}
	user, _, ok = v.r.BasicAuth()
	if !ok || user == "" || strings.ContainsFunc(user, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", "", false
	}
	return user, given[0], true
}

func (v *visit) credentialSums(credentials string) ([][]byte, error) {
	s, err := v.gate.records.sealer(v.r.Context(), v.now)
	if err != nil {
		return nil, err
	}
	return s.Sums(v.site.Name, credentials), nil
}

// askPassword makes the browser ask for a name and a password, as the app would. A script
// is told that they are wrong or missing.
func (v *visit) askPassword() error {
	h := v.w.Header()
	if !v.prompts() {
		if !v.login.Form.OwnForm() { // where the page that asks would be a reload of the script's
			h.Set(locationHeader, v.login.Form.LoginURI())
		}
		return v.tryAgain(http.StatusUnauthorized)
	}
	h.Set("WWW-Authenticate", `Basic realm="`+strings.Map(quotable, v.realm)+`", charset="UTF-8"`)
	if v.page() { // which people see who close the browser's window for the password
		v.render(http.StatusUnauthorized, v.frame(), v.message(fault{status: http.StatusUnauthorized, name: "ask_password"}))
		return nil
	}
	pages.SetHeaders(h)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	v.w.WriteHeader(http.StatusUnauthorized)
	if v.r.Method != http.MethodHead {
		fmt.Fprintln(v.w, v.gate.pages.Text(v.language(), pages.Text{Key: "problem.login_failed"}))
	}
	return nil
}

// prompts tells whether a browser may ask for a password in a window of its own. Over a page whose
// script has asked it would come a second time, or for a part of the page. What is
// given to XMLHttpRequest.open stays in the browser until a challenge comes, though, and wrong
// ones are kept there until another does: so the pages of WebDAV apps get what the app would answer.
func (v *visit) prompts() bool {
	h := v.r.Header
	switch mode := h.Get("Sec-Fetch-Mode"); {
	case strings.EqualFold(h.Get("X-Requested-With"), "XMLHttpRequest"):
		return false
	case mode == "" || mode == "navigate":
		return true
	}
	return v.login.Form.OwnForm() && v.r.Method == "PROPFIND"
}

func quotable(r rune) rune {
	if r < ' ' || r > '~' || r == '"' || r == '\\' {
		return '_'
	}
	return r
}

// tryCredentials asks the app whether credentials are right, and makes the session that
// waits for a second factor. Whoever was signed in is signed out. Of many requests with the
// same credentials at once one asks, and the parts of a page make no sessions of their own.
func (v *visit) tryCredentials(kind loginform.Kind, user string, sum []byte, next Next) error {
	if err := v.sameSite(); err != nil && v.changes() {
		return v.refused(err)
	}
	if v.sess == nil && v.asksAgain() {
		return v.askPassword()
	}
	a := &loginAttempt{name: v.typedName(user), typed: user, binding: rand.Text(), next: next}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), attemptLimit)
	defer cancel()
	name, identified, again, err := v.tryOnce(ctx, a, string(sum))
	switch {
	case err != nil:
		return v.refused(err)
	case name == "":
		return v.askPassword()
	}
	if v.sess != nil {
		if err := v.endBinding(); err != nil {
			return v.refused(err)
		}
	}
	v.Subject = Subject{v.realm, name}
	if again && !navigation(v.r) && v.waits() {
		v.unauthorized(Challenge)
		return nil
	}
	if err := v.admitBasic(a, identified, sum); err != nil {
		return v.refused(err)
	}
	d, err := v.decide()
	if err != nil {
		return v.refused(err)
	}
	if d.Verdict == Pass {
		if err := v.takeSession(v.token); err != nil || v.sess == nil {
			return v.refused(cmp.Or(err, errSignIn))
		}
		return v.passApp(kind, d, next)
	}
	v.stop(d.Verdict)
	return nil
}

// askApp makes a request with the credentials, mostly for the first page. nil means that they
// are not known to be right. It must be one that is refused without them, which is looked at
// once in a while: else any credentials would look right.
func (v *visit) askApp(ctx context.Context, a *loginAttempt) (*loginform.Answer, error) {
	uri := v.login.Form.TryURI()
	if !v.gate.records.guarded.has(v.site.Name, v.now) {
		with := v.vouching
		v.vouching = ""
		bare, err := v.probe(ctx, http.MethodGet, uri, nil, a.next)
		v.vouching = with
		if err != nil {
			return nil, err
		}
		if bare.Status != http.StatusUnauthorized {
			return nil, fmt.Errorf("%s answers %d without credentials; name a page that asks for them", uri, bare.Status)
		}
		v.gate.records.guarded.note(v.site.Name, v.now)
	}
	answer, err := v.probe(ctx, http.MethodGet, uri, nil, a.next)
	if err != nil {
		return nil, err
	}
	switch {
	case answer.Status >= 500:
		return nil, fmt.Errorf("%s answers %d", uri, answer.Status)
	case answer.Status >= 200 && answer.Status < 400:
		return answer, nil
	case answer.Status != http.StatusUnauthorized:
		v.gate.log.Error("what the app answers says nothing of the credentials, so they count as wrong; if they are right, name a page that answers 2xx or 3xx to them",
			"site", v.site.Name, "request", uri, "status", answer.Status)
	}
	return nil, nil
}

// admitBasic makes the session of right credentials.
func (v *visit) admitBasic(a *loginAttempt, identified bool, sum []byte) error {
	if err := v.allowPending(); err != nil {
		return err
	}
	l, _, err := v.lineage()
	if err != nil {
		return err
	}
	var out saved
	err = v.commit(func(t *txn) (err error) {
		s := v.pendingSession(t.now)
		s.Binding, s.Typed, s.Password = a.binding, !identified, sum
		s.Want = requirement{v.policy.Factors, v.policy.MaxAge, v.wantedPage()}
		out, err = v.putSignIn(t, s, l.Ticket)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting a sign-in: %w", err)
	}
	v.adopt(out)
	return nil
}

// wantedPage is where to go after the proof: for a script to the page that it is on.
func (v *visit) wantedPage() string {
	if navigation(v.r) {
		return v.wanted()
	}
	if ref, err := url.Parse(v.r.Referer()); err == nil && ref.Host == v.r.Host && localPath(ref.RequestURI()) != "" {
		return localPath(ref.RequestURI())
	}
	return orRoot(cmp.Or(v.login.Form.Config().Home, v.login.Form.LoginURI()))
}

// guardedLife is how long it is remembered that the first page of a site asks for
// credentials.
const guardedLife = time.Hour

// guardedPages remember that, by site.
type guardedPages struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

func (g *guardedPages) has(site string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, ok := g.seen[site]
	return ok && now.Sub(at) < guardedLife
}

func (g *guardedPages) note(site string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.seen == nil {
		g.seen = make(map[string]time.Time)
	}
	g.seen[site] = now
}
