package api_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// TestContract drives the API through every operation of the document and every
// status that it describes. Each answer is held to the document on its way.
func TestContract(t *testing.T) {
	doc := load(t)
	for _, story := range []struct {
		name string
		settings
		tell func(*site)
	}{
		{name: "enrolment to sign-out", tell: enrolmentToSignOut},
		{name: "settings", tell: settingsNeedAProof},
		{name: "several sessions", tell: signOutEverywhere},
		{name: "wrong enrolments", tell: wrongEnrolments},
		{name: "further factors", tell: furtherFactors},
		{name: "guessing", tell: guessing},
		{name: "codes that are sent", settings: settings{by: gatewayOfCodes}, tell: sentCodes},
		{name: "stopped requests", tell: stoppedRequests},
		{name: "HTTPS", tell: cookiesOnHTTPS},
		{name: "tickets", settings: settings{site: mfagate.Site{Enrolment: mfagate.Enrolment{Ticket: true}}}, tell: tickets},
		{name: "networks", settings: settings{site: mfagate.Site{Enrolment: mfagate.Enrolment{From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}}, tell: networks},
		{name: "without recovery codes", settings: settings{noCodes: true}, tell: withoutCodes},
		{name: "faults", tell: faults},
		{name: "no operation", tell: noOperation},
	} {
		t.Run(story.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { story.tell(open(t, doc, story.settings)) })
		})
	}
	if !t.Failed() {
		for _, missing := range doc.unseen() {
			t.Errorf("described and not met by any request: %s", missing)
		}
	}
}

func enrolmentToSignOut(w *site) {
	c := w.client("Alice")
	c.call("GET", "session", nil).want(200, members{"user": "alice", "realm": "default", "state": "enroll", "recovery_codes_left": 0.0})
	if got, want := c.list("methods"), []string{"totp"}; !slices.Equal(got, want) {
		w.t.Errorf("methods = %q; want %q", got, want)
	}
	c.call("POST", "enroll/totp", nil).want(201, nil)
	begun := c.fields
	c.call("POST", "enroll/totp", "{}").want(201, members{"secret": begun["secret"], "enrollment": begun["enrollment"]})
	c.secret = begun["secret"].(string)
	c.call("POST", "enroll/totp/confirm", members{"enrollment": begun["enrollment"], "code": "000000"}).want(422, members{"type": "rejected"})
	c.send(c.request("GET", "/payslips", nil)).want(401, members{"type": "enroll"})
	c.call("POST", "enroll/totp/confirm", members{"enrollment": begun["enrollment"], "code": c.code(), "label": "my phone"}).want(200, nil)
	if got := c.fields["credential"].(map[string]any)["label"]; got != "my phone" {
		w.t.Errorf("label = %q", got)
	}
	codes := c.list("recovery_codes")
	if len(codes) != 10 {
		w.t.Fatalf("recovery codes = %q; want ten", codes)
	}
	c.call("GET", "session", nil).want(200, members{"state": "verified", "recovery_codes_left": 10.0})
	c.send(c.request("GET", "/payslips", nil)).want(200, nil)
	if c.header.Get(fromApp) == "" {
		w.t.Errorf("a verified session does not reach the app")
	}
	old := c.cookies["mfagate"]
	c.call("DELETE", "session", nil).want(204, nil)
	c.cookies["mfagate"] = old
	c.send(c.request("GET", "/payslips", nil)).want(401, members{"type": "challenge", "state": "challenge"})

	c.call("POST", "challenge/begin", members{"method": "totp"}).want(200, nil)
	c.call("POST", "challenge", members{"method": "totp", "code": "000000"}).want(401, members{"type": "rejected", "state": "challenge"})
	c.call("POST", "challenge", members{"method": "recovery", "code": strings.ToLower(codes[0])}).want(200, members{"state": "verified", "recovery_codes_left": 9.0})
	c.call("POST", "challenge", members{"method": "recovery", "code": codes[0]}).want(401, members{"type": "rejected"})
	c.call("DELETE", "session", nil).want(204, nil)
	c.call("DELETE", "session", nil).want(204, nil) // again
}

func settingsNeedAProof(w *site) {
	c := w.client("alice")
	old := c.enrol()
	c.call("GET", "credentials", nil).want(200, nil)
	if got := len(c.fields["credentials"].([]any)); got != 1 {
		w.t.Errorf("%d credentials; want one", got)
	}
	id := c.fields["credentials"].([]any)[0].(map[string]any)["id"].(string)
	c.call("POST", "recovery-codes", nil).want(403, members{"type": "proof_needed"})
	c.call("DELETE", "credentials/"+id, nil).want(403, members{"type": "proof_needed"})
	w.client("alice").call("DELETE", "credentials/"+id, nil).want(401, members{"type": "form_expired"})
	time.Sleep(time.Minute)
	c.call("POST", "challenge", members{"method": "totp", "code": c.code(), "purpose": "settings"}).want(200, members{"state": "verified"})
	c.call("POST", "recovery-codes", nil).want(200, nil)
	fresh := c.list("recovery_codes")
	c.call("DELETE", "credentials/"+id, nil).want(409, members{"type": "last_factor"})
	c.call("DELETE", "credentials/none", nil).want(404, members{"type": "not_found"})
	replaceAndRemove(w, c, id)
	if len(fresh) != 10 || slices.Contains(fresh, old[0]) {
		w.t.Errorf("recovery codes = %q; want ten new ones", fresh)
	}
	c.send(c.request("GET", "/", nil)).want(200, nil) // they count as saved
	c.call("POST", "challenge", members{"method": "recovery", "code": old[0]}).want(401, members{"type": "rejected"})
	c.call("POST", "challenge", members{"method": "recovery", "code": fresh[0]}).want(200, nil)
	time.Sleep(6 * time.Minute)
	c.call("POST", "recovery-codes", nil).want(403, members{"type": "proof_needed"})
	c.call("POST", "challenge", members{"method": "totp", "code": c.code(), "purpose": "sightseeing"}).want(400, members{"type": "bad_request"})
}

// replaceAndRemove puts a new phone in the place of one, adds another, and takes it
// away again.
func replaceAndRemove(w *site, c *client, id string) {
	c.call("POST", "enroll/totp", members{"replaces": "none"}).want(404, members{"type": "not_found"})
	c.call("POST", "enroll/totp", members{"replaces": id}).want(201, nil)
	c.secret = c.fields["secret"].(string)
	c.call("POST", "enroll/totp/confirm", members{"enrollment": c.fields["enrollment"], "code": c.code()}).want(200, nil)
	c.call("DELETE", "credentials/"+id, nil).want(404, members{"type": "not_found"}) // it went with the new one
	phone := c.secret
	c.enrol()
	other := c.fields["credential"].(map[string]any)["id"].(string)
	c.call("DELETE", "credentials/"+other, nil).want(204, nil)
	c.secret = phone
}

func signOutEverywhere(w *site) {
	c := w.client("alice")
	c.enrol()
	time.Sleep(time.Minute)
	other := w.client("alice")
	other.secret = c.secret
	other.call("GET", "credentials", nil).want(401, members{"type": "form_expired", "state": "challenge"})
	other.call("POST", "recovery-codes", nil).want(401, members{"type": "form_expired"})
	other.call("POST", "challenge/begin", members{"method": "totp"}).want(200, nil) // makes a pending session
	other.call("DELETE", "session", members{"everywhere": true}).want(403, members{"type": "proof_needed"})
	other.call("POST", "challenge", members{"method": "totp", "code": other.code()}).want(200, nil)
	other.call("DELETE", "session", members{"everywhere": true}).want(204, nil)
	c.call("GET", "session", nil).want(200, members{"state": "challenge"})
}

func wrongEnrolments(w *site) {
	c := w.client("alice")
	c.call("POST", "enroll/smoke-signals", nil).want(404, members{"type": "not_found"})
	c.call("POST", "enroll/recovery", nil).want(404, members{"type": "not_found"}) // the gate makes them
	c.call("POST", "enroll/smoke-signals/confirm", members{"enrollment": "x", "code": "1"}).want(404, members{"type": "not_found"})
	c.call("POST", "enroll/totp/confirm", members{"enrollment": "x", "code": "123456"}).want(401, members{"type": "form_expired", "state": "enroll"})
	c.call("POST", "challenge", members{"method": "totp", "code": "123456"}).want(422, members{"type": "method"})
	c.call("POST", "challenge/begin", members{"method": "pigeon"}).want(422, members{"type": "method"})
	c.call("POST", "challenge/begin", members{"method": "totp"}).want(422, members{"type": "method"})
	c.call("POST", "enroll/totp", nil).want(201, nil)
	c.call("POST", "enroll/totp/confirm", members{"code": "123456"}).want(400, members{"type": "bad_request"})
	c.call("POST", "enroll/totp/confirm", members{"enrollment": "x", "code": "123456"}).want(409, members{"type": "form_expired"})
	c.enrol()
	c.call("POST", "enroll/totp", nil).want(403, members{"type": "proof_needed"})
	w.client("alice").call("POST", "enroll/totp", nil).want(409, members{"type": "enrolled_already"})
}

// furtherFactors enrols as many as a user may have.
func furtherFactors(w *site) {
	c := w.client("alice")
	codes := c.enrol()
	c.call("POST", "challenge", members{"method": "recovery", "code": codes[0], "purpose": "settings"}).want(200, nil)
	for range 4 {
		if further := c.enrol(); len(further) != 0 {
			w.t.Errorf("a further factor came with recovery codes")
		}
	}
	c.call("GET", "session", nil).want(200, members{"state": "verified", "recovery_codes_left": 9.0})
	c.call("POST", "enroll/totp", nil).want(403, members{"type": "forbidden"})
}

func guessing(w *site) {
	c := w.client("alice")
	codes := c.enrol()
	time.Sleep(time.Hour)
	thief := w.client("alice")
	for range 5 {
		thief.call("POST", "challenge", members{"method": "totp", "code": "000000"}).want(401, members{"type": "rejected"})
	}
	thief.call("POST", "challenge", members{"method": "totp", "code": "000000"}).want(429, members{"type": "locked"})
	if got := thief.header.Get("Retry-After"); got != "30" {
		w.t.Errorf("Retry-After = %q; want 30", got)
	}
	thief.call("POST", "challenge", members{"method": "recovery", "code": codes[1]}).want(200, nil) // another method is open
}

func stoppedRequests(w *site) {
	c := w.client("alice")
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		c.send(c.request(method, "/invoices/7", nil)).want(401, members{"type": "enroll", "url": "/.mfa/enroll"})
	}
	socket := c.request("GET", "/socket", nil)
	socket.Header.Set("Connection", "Upgrade")
	socket.Header.Set("Upgrade", "websocket")
	socket.Header.Set("Accept", "text/html")
	c.send(socket).want(401, members{"type": "enroll"})
	page := c.request("GET", "/invoices/7?print=1", nil)
	page.Header.Set("Accept", "text/html")
	c.send(page).want(303, nil)
	if got, want := c.header.Get("Location"), "/.mfa/enroll?return=%2Finvoices%2F7%3Fprint%3D1"; got != want {
		w.t.Errorf("Location = %q; want %q", got, want)
	}
	c.enrol()
	c.send(c.request("GET", "/invoices/7", nil)).want(200, nil)
	stranger := w.client("")
	stranger.send(stranger.request("GET", "/", nil)).want(401, members{"type": "no_identity"})
	german := w.client("alice")
	r := german.request("GET", "/", nil)
	r.Header.Set("Accept-Language", "de")
	english := w.client("alice").send(german.request("GET", "/", nil)).fields["detail"]
	if got := german.send(r).fields["detail"]; got == english {
		w.t.Errorf("detail in German = %q", got)
	}
}

func cookiesOnHTTPS(w *site) {
	c := w.client("alice")
	r := c.request("POST", prefix+"enroll/totp", nil)
	r.TLS = tlsState
	c.send(r).want(201, nil)
	if len(c.cookies) != 1 || len(c.cookies["__Host-mfagate"]) != 43 {
		w.t.Errorf("cookies = %q; want __Host-mfagate", c.cookies)
	}
	r = c.request("POST", prefix+"enroll/totp/confirm", members{"enrollment": c.fields["enrollment"], "code": "000000"})
	r.TLS = tlsState
	c.secret = c.fields["secret"].(string)
	c.send(r).want(422, nil)
}

func tickets(w *site) {
	c := w.client("alice")
	c.call("POST", "enroll/totp", nil).want(403, members{"type": "ticket_needed"})
	c.call("POST", "enrollment-ticket", members{"ticket": "nonsense"}).want(403, members{"type": "ticket_wrong"})
	ticket, err := w.gate.IssueTicket(w.t.Context(), "test", mfagate.Subject{Realm: "default", Name: "alice"}, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	bob := w.client("bob")
	bob.call("POST", "enrollment-ticket", members{"ticket": ticket.Code}).want(403, members{"type": "ticket_other"})
	c.call("POST", "enrollment-ticket", members{"ticket": strings.ToLower(ticket.Code)}).want(200, members{"state": "enroll"})
	c.enrol()
	if _, err := w.gate.Reset(w.t.Context(), "test", mfagate.Subject{Realm: "default", Name: "alice"}, "", 0); err != nil {
		w.t.Fatal(err)
	}
	c.call("POST", "enrollment-ticket", members{"ticket": ticket.Code}).want(403, members{"type": "ticket_wrong"}) // used
}

func networks(w *site) {
	c := w.client("alice")
	c.call("POST", "enroll/totp", nil).want(403, members{"type": "network"})
	r := c.request("POST", prefix+"enroll/totp", nil)
	r.RemoteAddr = "10.1.2.3:4711"
	r.TLS = tlsState
	c.send(r).want(201, nil)
}

func withoutCodes(w *site) {
	c := w.client("alice")
	if codes := c.enrol(); len(codes) != 0 {
		w.t.Errorf("recovery codes = %q; want none", codes)
	}
	c.call("POST", "recovery-codes", nil).want(404, members{"type": "not_found"})
	c.call("POST", "challenge/begin", members{"method": "recovery"}).want(422, members{"type": "method"})
}

func noOperation(w *site) {
	c := w.client("alice")
	c.call("GET", "nothing", nil).want(404, members{"type": "not_found"})
	c.call("GET", "enroll/totp/confirm/again", nil).want(404, members{"type": "not_found"})
	for _, test := range []struct{ method, path, allow string }{
		{"PUT", "session", "GET, HEAD, DELETE"},
		{"POST", "credentials", "GET, HEAD"},
		{"GET", "challenge", "POST"},
		{"GET", "challenge/begin", "POST"},
		{"GET", "enroll/totp", "POST"},
		{"GET", "recovery-codes", "POST"},
		{"OPTIONS", "enrollment-ticket", "POST"},
	} {
		c.call(test.method, test.path, nil).want(405, members{"type": "method_not_allowed"})
		if got := c.header.Get("Allow"); got != test.allow {
			w.t.Errorf("%s %s: Allow = %q; want %q", test.method, test.path, got, test.allow)
		}
	}
}

// TestRoutesAreDescribed reads the gate's own table of routes, so that none is
// forgotten in the document.
func TestRoutesAreDescribed(t *testing.T) {
	doc := load(t)
	described := make(map[string]bool)
	for _, o := range doc.operations {
		described[o.String()] = true
	}
	delete(described, "GET /{app_path}")
	for _, route := range routesOfTheGate(t) {
		if !described[route] {
			t.Errorf("%s is a route of the gate and not in the document", route)
		}
		delete(described, route)
	}
	for o := range described {
		t.Errorf("%s is in the document and no route of the gate", o)
	}
}

const routesFile = "../../mfagate/serve.go"

func routesOfTheGate(t *testing.T) (routes []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), routesFile, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != "apiRoutes" {
			return true
		}
		for _, path := range spec.Values[0].(*ast.CompositeLit).Elts {
			entry := path.(*ast.KeyValueExpr)
			for _, method := range entry.Value.(*ast.CompositeLit).Elts {
				name := strings.ReplaceAll(text(t, entry.Key), "*", "{factor}")
				if name == "credentials/{factor}" {
					name = "credentials/{id}"
				}
				routes = append(routes, text(t, method.(*ast.KeyValueExpr).Key)+" "+prefix+name)
			}
		}
		return false
	})
	if len(routes) == 0 {
		t.Fatalf("no table of routes in %s", routesFile)
	}
	return routes
}

func text(t *testing.T, e ast.Expr) string {
	t.Helper()
	s, err := strconv.Unquote(e.(*ast.BasicLit).Value)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
