package loginattack

import (
	"context"
	"crypto/tls"
	"errors"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	pquerna "github.com/pquerna/otp/totp"

	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// A client is a browser.
type client struct {
	w       *world
	cookies map[string]string
	planted []string // "name=value", set by a sibling domain: they go along and the gate cannot delete them
	fouled  bool     // by one of these: what comes of a request is anybody's guess
	header  http.Header
	gone    context.Context // of a person who leaves; nil for one who waits
	knows   []string        // secrets that it had before: told back to it they are no news
	page
}

// A page is what a tab shows.
type page struct {
	last *httptest.ResponseRecorder
	body string
	of   string // token of the session that the gate's page was made for
}

const gateCookie = "mfagate"

func (w *world) client() *client {
	return &client{w: w, cookies: map[string]string{}, header: http.Header{}}
}

// copied is another browser, or a thief's, with the same cookies and page.
func (c *client) copied() *client {
	return &client{w: c.w, cookies: maps.Clone(c.cookies), planted: slices.Clone(c.planted), fouled: c.fouled, header: c.header.Clone(), knows: c.knows, page: c.page}
}

func (c *client) request(method, uri, contentType, body string) *http.Request {
	r := httptest.NewRequestWithContext(c.w.t.Context(), method, "http://localhost/", strings.NewReader(body))
	r.RemoteAddr, r.RequestURI = "127.0.0.1:4711", uri
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		c.w.t.Fatal(err)
	}
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.URL.ForceQuery = u.Path, u.RawPath, u.RawQuery, u.ForceQuery
	r.URL.Scheme, r.URL.Host = "", ""
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	c.w.likeABrowser(r)
	all := slices.Clone(c.planted) // first, as if their path were longer
	for _, name := range slices.Sorted(maps.Keys(c.cookies)) {
		all = append(all, name+"="+c.cookies[name])
	}
	if len(all) > 0 {
		r.Header.Set("Cookie", strings.Join(all, "; "))
	}
	maps.Copy(r.Header, c.header)
	if c.gone != nil {
		r = r.WithContext(c.gone)
	}
	return r
}

// likeABrowser adds what browsers of today send of their own, and HTTPS, if the world has these.
func (w *world) likeABrowser(r *http.Request) {
	scheme := "http://"
	if w.secure {
		scheme, r.TLS = "https://", &tls.ConnectionState{HandshakeComplete: true}
	}
	if w.modern {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "document")
		if r.Method == http.MethodPost {
			r.Header.Set("Origin", scheme+r.Host)
		}
	}
}

// gateName is the name of the cookie with the gate's session.
func (w *world) gateName() string {
	if w.secure {
		return "__Host-" + gateCookie
	}
	return gateCookie
}

// token is that of the gate's session with which the next request goes out; empty if
// there is none, or more than one.
func (c *client) token() string {
	name := c.w.gateName()
	all := c.named(name)
	if own := c.cookies[name]; own != "" {
		all = append(all, own)
	}
	if len(all) != 1 {
		return ""
	}
	return all[0]
}

// named are the values that were planted under a name.
func (c *client) named(name string) (all []string) {
	for _, p := range c.planted {
		if n, value, _ := strings.Cut(p, "="); n == name {
			all = append(all, value)
		}
	}
	return all
}

// send sends a request, and holds the gate to its invariants.
func (c *client) send(r *http.Request) *client {
	c.w.t.Helper()
	return c.sendAs(r, "")
}

// sendAs is send for a request with which a user proves a second factor.
func (c *client) sendAs(r *http.Request, user string) *client {
	c.w.t.Helper()
	time.Sleep(time.Millisecond)
	before, kept, w := c.token(), c.cookies[c.w.gateName()], c.w
	owner, from := w.owner(before), w.app.Count() // who may lose the session while this is under way
	answer := httptest.NewRecorder()
	arrived := w.serve(answer, r) && c.gone == nil
	if arrived {
		c.take(answer)
	}
	own := strings.HasPrefix(r.RequestURI, "/.mfa/")
	if user != "" && (!arrived || answer.Code != 303 || strings.HasPrefix(answer.Header().Get("Location"), "/.mfa/challenge")) {
		user = "" // the gate did not accept it
	}
	if now := c.cookies[w.gateName()]; now != kept {
		w.moved(before, now, user, own && !strings.HasSuffix(r.RequestURI, "/sign-out"))
	}
	w.ledger.Delivered(w.t, owner, c.news(received(answer)))
	w.alone(owner, from)
	w.ledger.Check(w.t)
	return c
}

// serve lets the gate answer, and tells whether it did so to the end.
func (w *world) serve(answer http.ResponseWriter, r *http.Request) (whole bool) {
	defer func() {
		p := recover()
		if cause, ok := p.(error); ok && errors.Is(cause, http.ErrAbortHandler) {
			return // the connection breaks off
		}
		if p != nil {
			panic(p)
		}
	}()
	w.front.ServeHTTP(answer, r)
	return true
}

// take keeps the page and the cookies of an answer.
func (c *client) take(answer *httptest.ResponseRecorder) {
	c.page = page{last: answer, body: answer.Body.String()}
	for _, k := range answer.Result().Cookies() {
		if k.Path != "/" && !strings.Contains(k.Name, "~p") {
			continue // a deletion, of what older versions of the gate left there
		}
		if k.MaxAge < 0 || !k.Expires.IsZero() && k.Expires.Before(time.Now()) {
			delete(c.cookies, k.Name)
		} else {
			c.cookies[k.Name] = k.Value
		}
	}
	if c.find(gateToken) != "" {
		c.of = c.token()
	}
}

// alone fails the test if the app has acted since act number from as anybody but the owner of the
// session whose request that was. It holds where one request is under way at a time.
func (w *world) alone(owner string, from int) {
	w.t.Helper()
	if !w.strict || w.crowded.Load() > 0 {
		return
	}
	for _, a := range w.app.Since(from) {
		if a.User != "" && a.User != owner && !oracle.LoginSurface(a) {
			w.t.Errorf("the app did %q as %s, told by %s, for a browser in which %q has proved: %s %s", a.Action, a.User, a.Channel, owner, a.Method, a.URI)
		}
	}
}

// received is all that a client gets.
func received(a *httptest.ResponseRecorder) string {
	var all strings.Builder
	_ = a.Result().Header.Write(&all)
	_ = a.Result().Trailer.Write(&all)
	_, _ = io.WriteString(&all, a.Body.String())
	return all.String()
}

// news is a text without what the client knew anyway.
func (c *client) news(text string) string {
	for _, secret := range c.knows {
		text = strings.ReplaceAll(text, secret, "")
	}
	return text
}

func (c *client) get(uri string) *client {
	c.w.t.Helper()
	return c.send(c.request("GET", uri, "", ""))
}

const formType = "application/x-www-form-urlencoded"

// post sends a form, with the gate's token of the page that is shown.
func (c *client) post(uri string, fields ...string) *client {
	c.w.t.Helper()
	return c.send(c.request("POST", uri, formType, c.form(fields...)))
}

var (
	gateToken = regexp.MustCompile(`name="form_token"[^>]*value="([^"]*)"`)
	appToken  = regexp.MustCompile(`name="token" value="([^"]*)"`)
	secret    = regexp.MustCompile(`<code class="secret">(.*?)</code>`)
	codes     = regexp.MustCompile(`(?s)<textarea id="all-codes"[^>]*>(.*?)</textarea>`)
	setName   = regexp.MustCompile(`name="set"[^>]*value="([^"]*)"`)
	manual    = regexp.MustCompile(`[A-Z2-7]{4}`)
)

// find returns the first group of a pattern in the page that is shown.
func (c *client) find(pattern *regexp.Regexp) string {
	if m := pattern.FindStringSubmatch(c.body); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

func (c *client) form(fields ...string) string {
	form := url.Values{}
	if token := c.find(gateToken); token != "" {
		form.Set("form_token", token)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return form.Encode()
}

// want fails the test unless the last answer has the status and, for a redirect,
// leads to a path with the prefix.
func (c *client) want(status int, location ...string) *client {
	c.w.t.Helper()
	if to := c.last.Header().Get("Location"); c.last.Code != status || len(location) > 0 && !strings.HasPrefix(to, location[0]) {
		c.w.t.Fatalf("answer %d to %q, %.300q; want %d %q", c.last.Code, to, c.body, status, location)
	}
	return c
}

// shows fails the test unless the page has the text.
func (c *client) shows(text string) *client {
	c.w.t.Helper()
	if !strings.Contains(c.body, text) {
		c.w.t.Errorf("the page (%d) lacks %q: %.500s", c.last.Code, text, c.body)
	}
	return c
}

func (c *client) follow() *client {
	c.w.t.Helper()
	return c.get(c.last.Header().Get("Location"))
}

// signIn types a user's name and right password into the app's form.
func (c *client) signIn(user string) *client {
	c.w.t.Helper()
	c.get("/login")
	return c.submit(user, c.w.app.Password(user))
}

// submit sends the app's form that is shown.
func (c *client) submit(user, password string, more ...string) *client {
	c.w.t.Helper()
	form := url.Values{"user": {user}, "password": {password}}
	if token := c.find(appToken); token != "" {
		form.Set("token", token)
	}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return c.send(c.request("POST", "/login", formType, form.Encode()))
}

// enrol goes through the wizard with a new phone, and on to the page first asked for.
func (c *client) enrol(user string) *client {
	c.w.t.Helper()
	c.follow().want(200).post("/.mfa/enroll/totp").want(303, "/.mfa/enroll/totp").follow().want(200)
	p := &phone{secret: strings.Join(manual.FindAllString(c.find(secret), -1), "")}
	c.w.phones[user] = p
	c.sendAs(c.request("POST", "/.mfa/enroll/totp", formType, c.form("code", c.code(user))), user)
	c.want(303, "/.mfa/recovery-codes").follow().want(200)
	p.codes = strings.Fields(c.find(codes))
	return c.post("/.mfa/recovery-codes", "saved", "yes", "set", c.find(setName)).want(303)
}

// code waits until a user's phone shows a code that was not used yet.
func (c *client) code(user string) string {
	c.w.t.Helper()
	p := c.w.phones[user]
	step := time.Now().Unix() / 30
	if step <= p.step {
		time.Sleep(time.Duration(p.step-step+1) * 30 * time.Second)
		step = p.step + 1
	}
	p.step = step
	code, err := pquerna.GenerateCode(p.secret, time.Now())
	if err != nil {
		c.w.t.Fatal(err)
	}
	p.last = code
	return code
}

// prove answers the challenge to which the last answer leads with a code of a user's
// phone, and tells whether that was accepted.
func (c *client) prove(user string) bool {
	c.w.t.Helper()
	c.get("/.mfa/challenge")
	code := c.code(user)
	if c.last.Code != 200 {
		return false
	}
	c.sendAs(c.request("POST", "/.mfa/challenge", formType, c.form("method", "totp", "code", code)), user)
	ok := c.w.owner(c.token()) == user
	if ok {
		c.w.ledger.Accepted(c.w.t, "totp", user+strconv.FormatInt(c.w.phones[user].step, 10))
	}
	return ok
}

// signOut signs out by the gate.
func (c *client) signOut() *client {
	c.w.t.Helper()
	c.get("/.mfa/sign-out").want(200)
	c.post("/.mfa/sign-out").want(200)
	time.Sleep(time.Millisecond)
	return c
}
