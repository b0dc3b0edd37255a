package mfagate

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/pages"
)

// Faults of a request, before anybody's answer is looked at.
var (
	errInsecure   = errors.New("mfagate: request came without HTTPS and not from this machine; are trusted_proxies missing?")
	errCrossSite  = errors.New("mfagate: request came from another site")
	errForm       = errors.New("mfagate: form is not one of ours, or of an earlier session")
	errBadRequest = errors.New("mfagate: malformed request")
	errTooLarge   = errors.New("mfagate: request is too large")
	errMediaType  = errors.New("mfagate: media type is not one that is read here")
	errNotFound   = errors.New("mfagate: no such page")
	errMethodHTTP = errors.New("mfagate: method is not allowed here")
	errEarly      = errors.New("mfagate: request in early data could be a replay")
	errForbidden  = errors.New("mfagate: not for this user")
)

// A fault says how an error is answered: one place for pages and API alike.
type fault struct {
	err    error
	status int
	name   string // of the page message.NAME and of the problem type
}

// faults are looked through in order. What is none of them is our own trouble,
// mostly the store's: 503.
var faults = []fault{
	{ErrNoIdentity, http.StatusUnauthorized, "no_identity"},
	{ErrName, http.StatusBadRequest, "name_refused"},
	{errNoSession, http.StatusUnauthorized, "form_expired"},
	{errInsecure, http.StatusForbidden, "insecure"},
	{errCrossSite, http.StatusForbidden, "cross_site"},
	{errForm, http.StatusForbidden, "form_expired"},
	{errCookies, http.StatusBadRequest, "cookies_duplicate"},
	{errBadRequest, http.StatusBadRequest, "bad_request"},
	{errTooLarge, http.StatusRequestEntityTooLarge, "too_large"},
	{errMediaType, http.StatusUnsupportedMediaType, "media_type"},
	{errNotFound, http.StatusNotFound, "not_found"},
	{errMethodHTTP, http.StatusMethodNotAllowed, "method_not_allowed"},
	{errEarly, http.StatusTooEarly, "early_data"},
	{errStepGone, http.StatusConflict, "form_expired"},
	{errStaleCodes, http.StatusConflict, "form_expired"},
	{errEnrolled, http.StatusConflict, "enrolled_already"},
	{ErrEnrolled, http.StatusConflict, "user_enrolled"}, // an administrator is told
	{errTicketNeeded, http.StatusForbidden, "ticket_needed"},
	{errTicketWrong, http.StatusForbidden, "ticket_wrong"},
	{errTicketOther, http.StatusForbidden, "ticket_other"},
	{errNetwork, http.StatusForbidden, "network"},
	{errProofNeeded, http.StatusForbidden, "proof_needed"},
	{errForbidden, http.StatusForbidden, "forbidden"},
	{errMethod, http.StatusUnprocessableEntity, "method"},
	{errUnknownID, http.StatusNotFound, "not_found"},
	{errLast, http.StatusConflict, "last_factor"},
	{errHidden, http.StatusConflict, "codes_hidden"},
	{errTaken, http.StatusConflict, "taken"},
	{errLookOnly, http.StatusForbidden, "look_only"},
	{errWritten, http.StatusConflict, "written"},
	{errChanged, http.StatusConflict, "form_expired"},
	{errSelf, http.StatusForbidden, "own_account"},
	{errBusy, http.StatusTooManyRequests, "busy"},
	{errRequired, http.StatusForbidden, "required_here"},
	{errUnsent, http.StatusServiceUnavailable, "unsent"},
	{ErrAddress, http.StatusUnprocessableEntity, "address"},
	{ErrNoAddress, http.StatusConflict, "no_address"},
	{ErrUnknownUser, http.StatusNotFound, "not_found"},
	{ErrNoRequest, http.StatusNotFound, "not_found"},
	{errSignIn, http.StatusUnauthorized, "sign_in"},
	{errAppDown, http.StatusBadGateway, "app_down"},
	{errAppLoop, http.StatusBadGateway, "app_loop"},
	{errElsewhere, http.StatusBadRequest, "credentials_elsewhere"},
	{errCookieSize, http.StatusBadGateway, "cookie_size"},
	{errOtherUser, http.StatusForbidden, "other_user"},
}

// explain finds the fault of an error.
func explain(err error) fault {
	if locked, ok := errors.AsType[*LockedError](err); ok && locked.Limit != "" {
		return fault{err, http.StatusTooManyRequests, "sent_too_often"}
	} else if ok {
		return fault{err, http.StatusTooManyRequests, "locked"}
	}
	if errors.Is(err, ErrRejected) {
		return fault{err, http.StatusUnauthorized, "rejected"}
	}
	for _, f := range faults {
		if errors.Is(err, f.err) {
			return f
		}
	}
	return fault{err, http.StatusServiceUnavailable, "unavailable"}
}

// retryAfter is the value of a Retry-After header for a wait.
func retryAfter(wait time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(wait.Seconds()))))
}

// refuse answers a request that an error stands in the way of. What is our own
// trouble is logged; the person is told no more than that it is ours.
func (v *visit) refuse(err error) {
	f := explain(err)
	v.logFault(f)
	if locked, ok := errors.AsType[*LockedError](err); ok {
		v.w.Header().Set("Retry-After", retryAfter(locked.Until.Sub(v.now)))
	}
	if f.name == "unsent" {
		v.w.Header().Set("Retry-After", retryAfter(firstResend))
	} else if f.status == http.StatusServiceUnavailable {
		v.w.Header().Set("Retry-After", "5")
	}
	if !v.page() {
		v.problem(f)
		return
	}
	frame := v.frame()
	if f.name == "other_user" { // the session has ended
		frame.User, frame.SignOut = "", false
	}
	v.render(f.status, frame, v.message(f))
}

// message is the page about a fault, with a way on.
func (v *visit) message(f fault) pages.Message {
	name := f.name
	if !v.gate.pages.Has("message." + name + ".title") {
		name = "bad_request" // what only programs run into
	}
	m := pages.Message{
		Title: pages.Text{Key: "message." + name + ".title"}, Text: pages.Text{Key: "message." + name + ".text"},
		Status: f.status, Link: "/", Label: pages.Text{Key: "label.continue"},
	}
	switch {
	case f.name == "insecure":
		m.Link = "" // it would lead here again
	case v.own():
		m.Link = orRoot(v.back())
	case f.name == "app_loop" && v.sess != nil:
		m.Link = orRoot(localPath(v.login.Form.Config().Home)) // the page that was wanted would lead here again
	case f.name == "ask_password", f.name == "app_down" && !v.changes():
		m.Link, m.Label.Key = orRoot(v.wanted()), "label.try_again"
	case v.login != nil && (v.sess == nil || f.name == "other_user"):
		m.Link, m.Label.Key = orRoot(v.login.Form.LoginURI()), "label.to_form"
	}
	return m
}

func (v *visit) logFault(f fault) {
	switch {
	case errors.Is(f.err, context.Canceled):
	case errors.Is(f.err, ErrName):
		v.gate.log.Warn("user name refused", "error", f.err)
	case f.status >= 500:
		v.gate.log.Error("request refused", "error", f.err, "status", f.status)
	case f.name == "insecure":
		v.gate.log.Warn("request refused", "error", f.err, "host", v.r.Host)
	default:
		v.gate.log.Debug("request refused", "error", f.err, "status", f.status)
	}
}

// page tells whether the answer is for a person to read.
func (v *visit) page() bool {
	if strings.HasPrefix(v.client.Sent.Path, Prefix+"api/") || upgrade(v.r) {
		return false
	}
	return v.own() || navigation(v.r)
}

// A problem is an error as a program reads it (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	URL    string `json:"url,omitempty"`
	State  string `json:"state,omitempty"`
}

// problem answers with problem+json. 401 names the way to a proof, as the HTTP
// specification asks.
func (v *visit) problem(f fault) {
	state := ""
	if f.status == http.StatusUnauthorized {
		state = v.stateOrEmpty()
	}
	v.problemIn(f, state)
}

// problemIn answers with a problem to somebody whose state is known.
func (v *visit) problemIn(f fault, state string) {
	p := problem{
		Type: "urn:mfagate:problem:" + f.name, Title: http.StatusText(f.status), Status: f.status,
		Detail: v.gate.pages.Text(v.language(), pages.Text{Key: "problem." + f.name}),
	}
	if f.status == http.StatusUnauthorized {
		p.URL, p.State = Prefix+"challenge", state
		if p.State == stateEnroll {
			p.URL = Prefix + "enroll"
		}
		if v.asks {
			p.URL = askPath
		}
		if f.name == "sign_in" || f.name == "login_failed" {
			p.URL = v.login.Form.LoginURI()
		}
		v.w.Header().Set("WWW-Authenticate", challengeHeader(v.realm, p.URL))
	}
	v.json(f.status, "application/problem+json", p)
}

// challengeHeader is the WWW-Authenticate header of a stopped request. The realm
// is the operator's own word, yet it must not break out of its quotes.
func challengeHeader(realm, url string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, realm)
	return `MFA realm="` + clean + `", url="` + url + `"`
}

// json answers a program.
func (v *visit) json(status int, contentType string, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		v.gate.log.Error("encoding an answer", "error", err)
		status, b = http.StatusInternalServerError, []byte(`{"type":"about:blank","status":500}`)
	}
	h := v.w.Header()
	pages.SetHeaders(h)
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(b)+1))
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		_, _ = v.w.Write(append(b, '\n')) // the client may have left
	}
}

// redirect sends the browser to a page by GET.
func (v *visit) redirect(to string) {
	h := v.w.Header()
	pages.SetHeaders(h)
	h.Set("Location", to)
	h.Set("Content-Length", "0")
	v.w.WriteHeader(http.StatusSeeOther)
}

// render writes a page. If that fails nothing has been written yet.
func (v *visit) render(status int, f pages.Frame, p pages.Page) {
	if err := v.gate.pages.Render(v.w, status, f, p); err != nil {
		v.gate.log.Error("rendering a page", "error", err)
		http.Error(v.w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
	}
}

func (v *visit) language() string { return v.gate.pages.Match(v.r.Header.Get("Accept-Language")) }

// frame is what surrounds a page for the visit.
func (v *visit) frame() pages.Frame {
	f := pages.Frame{
		Language: v.language(), Site: v.gate.issuer, User: v.Name, Return: v.back(),
		Device: device(v.r.UserAgent()), SignOut: v.sess != nil, Support: v.gate.support,
	}
	if f.Site == "" {
		f.Site = hostname(v.r.Host)
	}
	if v.token != "" {
		f.Token = formToken(v.token)
	}
	return f
}

// device tells which store's link to show. A wrong guess costs a tap.
func device(agent string) string {
	switch {
	case strings.Contains(agent, "Android"):
		return "android"
	case strings.Contains(agent, "iPhone"), strings.Contains(agent, "iPad"), strings.Contains(agent, "iPod"):
		return "ios"
	}
	return ""
}
