// Package legacygate_test leads people through the gate into real legacy apps, by
// the recipe of each, and tries whatever else leads into them.
package legacygate_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

func TestMain(m *testing.M) { os.Exit(gatetest.Main(m)) }

// A world is one app behind one gate.
type world struct {
	*testing.T
	app  *legacy.App
	wire *wire
	gate *gatetest.Server
	uses uses

	secure bool // over TLS
	roots  *x509.CertPool
}

// start starts the app and a gate with its recipe.
func start(t *testing.T, name string) *world {
	t.Helper()
	u, ok := usesOf[name]
	if !ok {
		t.Fatalf("nobody has told how to use %s", name)
	}
	w := &world{T: t, app: legacy.Start(t, name), uses: u}
	w.wire = newWire(t, w.app)
	w.gate = gatetest.Start(t, gatetest.Config{
		Plain: true, Site: w.site("login_form " + name),
		Options: "recovery_codes {\n\t\t\tcount 20\n\t\t}", // each takes the place of half a minute's wait for the next code of a phone
	})
	return w
}

// site is the site's lines, with those of its mfa directive.
func (w *world) site(lines string) string {
	return fmt.Sprintf("mfa {\n\t\t%s\n\t}\n\t%s", lines, w.proxy())
}

// proxy is the directive that leads to the app.
func (w *world) proxy() string {
	proxy := "reverse_proxy " + strings.TrimPrefix(w.wire.URL, "http://")
	if w.uses.ownHost {
		proxy += " {\n\t\theader_up Host " + strings.TrimPrefix(w.app.URL, "http://") + "\n\t}"
	}
	return proxy
}

// in returns the world for a part of the test.
func (w *world) in(t *testing.T) *world {
	part := *w
	part.T = t
	return &part
}

// A person sits at a browser, in which they use the pages of the gate and those of
// the app.
type person struct {
	*gatetest.Person
	app  *legacy.Visitor
	user legacy.User
	w    *world
}

// person returns somebody with an empty browser, who has that user's password.
func (w *world) person(name string) *person {
	w.Helper()
	p := &person{Person: w.gate.Person(""), w: w, user: legacy.User{Name: name, Password: w.app.Password(name)}}
	p.browse(w)
	return p
}

// elsewhere is the same person at another browser.
func (p *person) elsewhere(w *world) *person {
	w.Helper()
	q := &person{Person: p.Elsewhere(), w: w, user: p.user}
	q.browse(w)
	return q
}

// browse gives the person a way to use the app with the cookies of their browser.
func (p *person) browse(w *world) {
	w.Helper()
	p.app = w.app.Visit(w.T, w.gate.URL)
	p.app.Client = p.Client()
	w.trust(p.app.Client)
	p.app.Client.Transport = &spy{w: w, next: p.app.Client.Transport}
	p.app.Header = http.Header{
		"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}, "Accept-Language": {"en"}, "Origin": {w.gate.URL}, "Referer": {w.gate.URL + "/"},
		"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Dest": {"document"},
	}
	if w.uses.script {
		maps.Copy(p.app.Header, http.Header{"Accept": {"*/*"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}})
	}
}

// with is the same person in a part of the test.
func (p *person) with(t *testing.T) *person {
	q := *p
	q.w = p.w.in(t)
	q.app = q.w.app.Visit(t, q.w.gate.URL)
	q.app.Client, q.app.Header = p.app.Client, p.app.Header
	return &q
}

// A spy looks at every answer that a browser gets, for cookies of the app in clear.
type spy struct {
	w    *world
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (s *spy) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	s.wantSecure(resp)
	for _, c := range resp.Cookies() {
		if name := s.w.wire.sets(c.Value); name != "" && !s.w.uses.passes(name) {
			s.w.Errorf("%s %s gives the app's cookie %s away in clear", r.Method, r.URL.Path, name)
		}
	}
	return resp, nil
}

// accounts are the users who have a second factor.
func (w *world) accounts() []string {
	w.Helper()
	out, err := w.gate.Command("mfa", "report", "--json", "--address", "unix/"+w.gate.AdminSocket).Output()
	if err != nil {
		w.Fatalf("mfa report: %v", err)
	}
	var report struct {
		Users []struct {
			User     string `json:"user"`
			Enrolled bool   `json:"enrolled"`
		} `json:"users"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		w.Fatalf("mfa report: %v\n%s", err, out)
	}
	var names []string
	for _, u := range report.Users {
		if u.Enrolled {
			names = append(names, u.User)
		}
	}
	slices.Sort(names)
	return names
}

// ticket has an administrator let a user enrol.
func (w *world) ticket(user string) string {
	w.Helper()
	out, err := w.gate.Command("mfa", "enroll", user, "--json", "--address", "unix/"+w.gate.AdminSocket).Output()
	if err != nil {
		w.Fatalf("mfa enroll %s: %v\n%s", user, err, out)
	}
	var t struct {
		Ticket string `json:"ticket"`
	}
	if err := json.Unmarshal(out, &t); err != nil || t.Ticket == "" {
		w.Fatalf("mfa enroll: %v\n%s", err, out)
	}
	return t.Ticket
}

// enrol leads somebody who has signed in at the app to the page that they wanted.
func (p *person) enrol() *gatetest.Page {
	w := p.w
	w.Helper()
	page := p.Navigate(w, gatetest.PathEnrol)
	if w.uses.account != "" {
		if page.Find("form", "action", gatetest.PathTOTP) != nil {
			w.Error("whoever knows the password that all share may enrol without a ticket")
		}
		page = p.Submit(w, page, gatetest.PathEnrol, url.Values{"ticket": {w.ticket(w.uses.account)}})
	}
	page = p.Submit(w, page, gatetest.PathTOTP, nil)
	p.Phone = &gatetest.Authenticator{Secret: page.Secret(w)}
	page = p.ConfirmCode(w, page)
	return p.Submit(w, page, gatetest.PathCodes, url.Values{"saved": {"yes"}})
}

// recover proves a recovery code, of which there are many, or one of the phone, which may
// take half a minute.
func (p *person) recover() {
	w := p.w
	w.Helper()
	var method, code string
	if len(p.Codes) > 0 {
		method, code = "recovery", p.UseCode(w)
	} else {
		method, code = "totp", p.Phone.Code(w)
	}
	page := p.Prove(w, w.uses.pages[0].path, method, code)
	if !p.app.SignedIn() {
		w.Fatalf("%s has proved a recovery code, and is not in the app: %d at %s\n%.600s", p.user.Name, page.Status, page.URL, page.Text())
	}
}

// signIn types name and password at the app, and wants to be led to a page of the gate.
func (p *person) signIn(want string) {
	w := p.w
	w.Helper()
	a := p.app.SignIn(p.user.Name, p.user.Password)
	if w.uses.basic { // a browser sends it to all pages, those of the gate too
		p.Name, p.Password = p.user.Name, p.user.Password
	}
	if token, ok := strings.CutPrefix(p.app.Header.Get("Authorization"), "Bearer "); ok && w.wire.sets(token) != "" {
		w.Error("the app's token reaches the browser in clear")
	}
	if to := asked(a); to != want {
		w.Fatalf("the right password leads to %q (status %d); want %s:\n%.600s", to, a.Status, want, a.Body)
	}
	if strings.Contains(a.Body, legacy.Marker) {
		w.Error("the answer to the right password shows what is secret")
	}
}

// wantWithheld wants nothing of the app to be seen.
func (p *person) wantWithheld(a legacy.Answer) {
	p.w.Helper()
	if p.app.LetIn(a) {
		p.w.Errorf("the app is open without a second factor (status %d)", a.Status)
	}
}

// asked is the page of the gate to which an answer leads, or nothing.
func asked(a legacy.Answer) string {
	to := a.Header.Get("Location")
	if to == "" {
		to = a.Header.Get("Mfa-Location")
	}
	to, _, _ = strings.Cut(to, "?")
	return to
}
