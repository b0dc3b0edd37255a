package loginattack

import (
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	pquerna "github.com/pquerna/otp/totp"
)

// A client is a browser.
type client struct {
	w       *world
	cookies map[string]string
	header  http.Header
	last    *httptest.ResponseRecorder
	body    string
}

const gateCookie = "mfagate"

func (w *world) client() *client {
	return &client{w: w, cookies: map[string]string{}, header: http.Header{}}
}

// copied is another browser, or a thief's, with the same cookies and page.
func (c *client) copied() *client {
	return &client{w: c.w, cookies: maps.Clone(c.cookies), header: c.header.Clone(), last: c.last, body: c.body}
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
	for name, value := range c.cookies {
		r.Header.Set("Cookie", strings.TrimPrefix(r.Header.Get("Cookie")+"; "+name+"="+value, "; "))
	}
	maps.Copy(r.Header, c.header)
	return r
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
	before, w := c.cookies[gateCookie], c.w
	owner := w.owner(before) // who may lose the session while this is under way
	c.last = httptest.NewRecorder()
	w.front.ServeHTTP(c.last, r)
	c.body = c.last.Body.String()
	for _, k := range c.last.Result().Cookies() {
		if k.MaxAge < 0 || !k.Expires.IsZero() && k.Expires.Before(time.Now()) {
			delete(c.cookies, k.Name)
		} else {
			c.cookies[k.Name] = k.Value
		}
	}
	own := strings.HasPrefix(r.RequestURI, "/.mfa/")
	if user != "" && (c.last.Code != 303 || strings.HasPrefix(c.last.Header().Get("Location"), "/.mfa/challenge")) {
		user = "" // the gate did not accept it
	}
	w.moved(before, c.cookies[gateCookie], user, own && !strings.HasSuffix(r.RequestURI, "/sign-out"))
	w.ledger.Delivered(w.t, owner, received(c.last))
	w.ledger.Check(w.t)
	return c
}

// received is all that a client gets.
func received(a *httptest.ResponseRecorder) string {
	var all strings.Builder
	_ = a.Result().Header.Write(&all)
	_ = a.Result().Trailer.Write(&all)
	_, _ = io.WriteString(&all, a.Body.String())
	return all.String()
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
	ok := c.w.owner(c.cookies[gateCookie]) == user
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
