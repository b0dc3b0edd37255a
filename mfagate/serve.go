package mfagate

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxBody is the length in bytes of the longest body that the gate reads.
const maxBody = 64 << 10

const (
	apiPrefix    = Prefix + "api/v1/"
	staticPrefix = Prefix + "static/"
	adminPrefix  = Prefix + "admin/"
)

// A handler answers one kind of request; an error is answered by visit.refuse.
type handler func(*visit) error

// A route lists what a path takes, by method.
type route map[string]handler

// routes are the pages by their path below Prefix. A part "*" stands for
// the name of a factor or the id of a credential, the path value "part".
var routes = map[string]route{
	"":               {"GET": (*visit).getSecurity, "POST": (*visit).postSecurity},
	"challenge":      {"GET": (*visit).getChallenge, "POST": (*visit).postChallenge},
	"enroll":         {"GET": (*visit).getChoose, "POST": (*visit).postChoose},
	"enroll/*":       {"GET": (*visit).getEnrol, "POST": (*visit).postEnrol},
	"recovery-codes": {"GET": (*visit).getCodes, "POST": (*visit).postCodes},
	"help":           {"GET": (*visit).getHelp, "POST": (*visit).postHelp},
	"reset-request":  {"GET": (*visit).getRequest, "POST": (*visit).postRequest},
	"disable":        {"GET": (*visit).getDisable, "POST": (*visit).postDisable},
	"address":        {"GET": (*visit).getAddress, "POST": (*visit).postAddress},
	"notices":        {"GET": (*visit).getMissed, "POST": (*visit).postMissed},
	"reminder":       {"GET": (*visit).getReminder, "POST": (*visit).postReminder},
	"sign-out":       {"GET": (*visit).getSignOut, "POST": (*visit).postSignOut},
	"ask":            {"GET": (*visit).getAsk, "POST": (*visit).postAsk},
	"admin":          {"GET": (*visit).getAdmin},
	"admin/":         {"GET": (*visit).getUsers},
	"admin/user":     {"GET": (*visit).getUser},
	"admin/report":   {"GET": (*visit).getReport, "POST": (*visit).postReport},
	"admin/order":    {"GET": (*visit).getOrder, "POST": (*visit).postOrder},
	"admin/requests": {"GET": (*visit).getRequests, "POST": (*visit).postDecision},
	"admin/settings": {"GET": (*visit).getRealm},
	"admin/mode":     {"GET": (*visit).getMode, "POST": (*visit).postMode},
}

// apiRoutes are those of the JSON API, below apiPrefix.
var apiRoutes = map[string]route{
	"session":           {"GET": (*visit).apiSession, "DELETE": (*visit).apiSignOut},
	"enroll/*":          {"POST": (*visit).apiEnrol},
	"enroll/*/confirm":  {"POST": (*visit).apiConfirm},
	"challenge":         {"POST": (*visit).apiChallenge},
	"challenge/begin":   {"POST": (*visit).apiBegin},
	"credentials":       {"GET": (*visit).apiCredentials},
	"credentials/*":     {"DELETE": (*visit).apiRemove},
	"recovery-codes":    {"POST": (*visit).apiCodes},
	"enrollment-ticket": {"POST": (*visit).apiTicket},
}

// servePages answers a request for a path under Prefix.
func (v *visit) servePages() {
	path := v.client.Sent.Path
	if strings.HasPrefix(path, staticPrefix) {
		r := *v.r
		r.URL = v.client.Sent // a rewrite must not lead the pages' own files astray
		v.gate.pages.ServeStatic(v.w, &r)
		return
	}
	if path == strings.TrimSuffix(Prefix, "/") {
		v.redirect(Prefix)
		return
	}
	if err := v.dispatch(path); err != nil {
		v.refuse(err)
	}
}

func (v *visit) dispatch(path string) error {
	admin := path == Prefix+"admin" || strings.HasPrefix(path, adminPrefix)
	if admin {
		if err := v.enterAdmin(); err != nil {
			return err
		}
	}
	if err := v.admissible(); err != nil {
		return err
	}
	h, err := v.find(path)
	if err != nil {
		return err
	}
	if !v.opens(path) {
		return errNotFound
	}
	if mode := v.r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" && !strings.HasPrefix(path, apiPrefix) {
		return errForbidden // a script of the app, reading over the person's shoulder (ASVS 5.0 3.5.4)
	}
	if !admin {
		if err := v.identify(); err != nil {
			return err
		}
	}
	if v.Name == "" && path != Prefix+"sign-out" && !v.asks {
		return v.nobody()
	}
	if v.leadsToAsk(path) {
		return nil
	}
	v.call = v.newCall()
	if v.browser, err = v.cookie(browserCookie); err != nil {
		return err
	}
	if err := v.enterByCode(path); err != nil {
		return err
	}
	if v.changes() {
		err := v.readForm(strings.HasPrefix(path, apiPrefix))
		if errors.Is(err, errForm) && v.r.Header.Get("Sec-Fetch-Site") == "same-origin" && !strings.HasPrefix(path, apiPrefix) {
			v.again(path)
			return nil
		}
		if err != nil {
			return err
		}
	}
	return h(v)
}

// nobody answers for a page that is somebody's. Where the gate knows the login page
// it leads there.
func (v *visit) nobody() error {
	if v.login == nil || !v.page() {
		return ErrNoIdentity
	}
	return v.toLogin()
}

// again answers a form of our own that belongs to an earlier session: another tab
// has signed in meanwhile, or the session is over. The page itself leads on.
func (v *visit) again(path string) {
	name := strings.TrimPrefix(path, Prefix)
	if strings.HasPrefix(name, "enroll") || name == "recovery-codes" {
		name = "challenge" // which knows where the person stands
	}
	v.redirect(page(name, v.back()))
}

// changes tells whether the request may change something.
func (v *visit) changes() bool {
	return v.r.Method != http.MethodGet && v.r.Method != http.MethodHead
}

// crossOrigin refuses what a browser says comes from elsewhere, sibling domains
// among it. What comes from no browser says nothing; for that there is the form
// token, and the media type of the API, which no form can send.
var crossOrigin http.CrossOriginProtection

// admissible looks at what every request for the gate's own paths must fulfil.
func (v *visit) admissible() error {
	if !v.changes() {
		return nil
	}
	if v.r.TLS != nil && !v.r.TLS.HandshakeComplete || v.r.Header.Get("Early-Data") != "" {
		return errEarly // RFC 8470: it could be a replay
	}
	if err := crossOrigin.Check(v.r); err != nil {
		return errCrossSite
	}
	return nil
}

// find returns the handler for the request's path and method.
func (v *visit) find(path string) (handler, error) {
	table, name := routes, strings.TrimPrefix(path, Prefix)
	if rest, ok := strings.CutPrefix(path, apiPrefix); ok {
		table, name = apiRoutes, rest
	}
	r, ok := table[name]
	if first, rest, cut := strings.Cut(name, "/"); !ok && cut {
		part, last, deep := strings.Cut(rest, "/")
		v.r.SetPathValue("part", part)
		if r, ok = table[first+"/*"]; deep {
			r, ok = table[first+"/*/"+last]
		}
	}
	if !ok {
		return nil, errNotFound
	}
	method := v.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	h, ok := r[method]
	if !ok {
		v.w.Header().Set("Allow", r.allow())
		return nil, errMethodHTTP
	}
	return h, nil
}

func (r route) allow() string {
	var methods []string
	for _, m := range []string{"GET", "HEAD", "POST", "DELETE"} {
		if r[m] != nil || m == "HEAD" && r["GET"] != nil {
			methods = append(methods, m)
		}
	}
	return strings.Join(methods, ", ")
}

// newCall tells the factors of the request.
func (v *visit) newCall() Call {
	scheme := "http://"
	if v.client.Secure {
		scheme = "https://"
	}
	return Call{
		Origin: scheme + strings.ToLower(v.r.Host), Host: hostname(v.r.Host), Language: v.language(),
		ClientIP: v.client.Addr, Now: v.now,
	}
}

// readForm reads the body of a state change into r.PostForm: a form with the
// token of the session that it was made for, or JSON. Whatever two readers could
// understand differently is refused.
func (v *visit) readForm(api bool) error {
	body, err := io.ReadAll(http.MaxBytesReader(v.w, v.r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	if err != nil || !utf8.Valid(body) {
		return errBadRequest
	}
	media, _, err := mime.ParseMediaType(v.r.Header.Get("Content-Type"))
	if api {
		return v.readJSON(media, body, err)
	}
	if err != nil || media != "application/x-www-form-urlencoded" {
		return errMediaType
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return errBadRequest
	}
	v.r.PostForm = form
	for _, values := range form {
		if len(values) > 1 {
			return errBadRequest
		}
	}
	if v.sess == nil && v.client.Sent.Path == Prefix+"sign-out" {
		return nil // there is nothing left to end
	}
	if v.token == "" || subtle.ConstantTimeCompare([]byte(form.Get("form_token")), []byte(formToken(v.token))) != 1 {
		return errForm
	}
	return nil
}

// formToken ties a form to the session that it was made for. It tells nothing of
// the session's token or of the hash under which that is stored.
func formToken(token string) string {
	sum := sha256.Sum256([]byte("mfagate form token\x00" + token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// field returns a field of the form.
func (v *visit) field(name string) string { return v.r.PostForm.Get(name) }

// query returns a parameter of the URL as it was sent.
func (v *visit) query(name string) string { return v.client.Sent.Query().Get(name) }

// back is the local path where the person wanted to go, empty if none is known.
func (v *visit) back() string {
	back := v.query("return")
	if v.r.PostForm != nil {
		back = v.field("return")
	}
	if back = localPath(back); back == "" && v.sess != nil {
		back = localPath(v.sess.Want.Return)
	}
	return back
}
