package mfagate_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

func (w *world) ticketFor(name string) string {
	w.t.Helper()
	k, err := w.gate.IssueTicket(w.t.Context(), "root", mfagate.Subject{Realm: "default", Name: name}, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return "/.mfa/enroll?ticket=" + k.Code
}

// Whoever opens the link with a ticket before signing in enrols with it afterwards, also
// where the first name was misspelt, and comes to the app then and not to the link.
func TestTicketOpenedBeforeSigningIn(t *testing.T) {
	w, _ := newFormWorld(t, func(c *loginform.Config) { c.Identify = nil })
	link := w.ticketFor("alice")
	p := w.person("")
	p.get(link).want(303, "/login")
	p.signIn("alcie", "wrong").want(200)
	p.signIn("alice", formPassword).want(303, "/.mfa/enroll")
	p.enrolHere().want(303, "/")
	p.get("/home").want(200)

	q := p.elsewhere()
	q.get(link).want(303, "/login")
	q.signIn("alice", formPassword).want(303, "/.mfa/challenge")
}

// A ticket of somebody else, a used and a made up one open nothing, and no page fails for them.
func TestTicketOfAnotherOpenedBeforeSigningIn(t *testing.T) {
	w, _ := newFormWorld(t, func(c *loginform.Config) { c.Identify = nil })
	vics := w.ticketFor("vic")
	for _, link := range []string{vics, "/.mfa/enroll?ticket=0123456789ABCDEFGHJKMNPQRS", "/.mfa/enroll?ticket=" + strings.Repeat("x", 4000)} {
		eve := w.person("")
		eve.get(link).want(303, "/login")
		eve.signIn("eve", formPassword).want(303, "/.mfa/enroll").follow().want(200)
		if !strings.Contains(eve.body, `name="ticket"`) {
			t.Errorf("%.60s: eve is not asked for a ticket", link)
		}
		eve.post("/.mfa/enroll/totp").want(403)
	}
	vic := w.person("")
	vic.get(vics).want(303, "/login")
	vic.signIn("vic", formPassword)
	vic.enrolHere().want(303, "/") // nobody has used it up
}

// The same where the browser asks for the password.
func TestTicketOpenedBeforeBasicCredentials(t *testing.T) {
	w := loginWorld(t, loginform.Config{Basic: true}, &keyApp{passwords: map[string]string{"alice": formPassword}})
	p := w.person("")
	p.get(w.ticketFor("alice")).want(303, "/")
	r := p.request("GET", "/", "", "")
	r.SetBasicAuth("alice", formPassword)
	p.send(r).want(303).follow().want(http.StatusOK)
	if strings.Contains(p.body, `name="ticket"`) {
		t.Error("alice is asked for the ticket again")
	}
	p.post("/.mfa/enroll/totp").want(303, "/.mfa/enroll/totp")
	stranger := httptest.NewRecorder()
	r = w.person("").request("GET", "/", "", "")
	r.SetBasicAuth("alice", formPassword)
	w.handler.ServeHTTP(stranger, r)
	if at := stranger.Header().Get("Location"); !strings.HasPrefix(at, "/.mfa/enroll") {
		t.Errorf("another browser: got %d to %q; want the enrolment", stranger.Code, at)
	}
}
