package mfagate_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// Two tabs at the challenge, as a browser restores them: the second one goes on to
// where the person wanted, after the first has signed in.
func TestSecondTab(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Minute)
		p := alice.elsewhere()
		p.header = http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"navigate"}}
		p.get("/reports").want(303).follow().want(200)
		token := p.token()
		p.post("/.mfa/challenge", "method", "totp", "code", p.code(0), "return", "/reports").want(303, "/reports")
		p.post("/.mfa/challenge", "method", "totp", "code", "123456", "return", "/reports", "form_token", token).want(303, "/.mfa/challenge?return=%2Freports").follow().want(303, "/reports")
		p.post("/.mfa/enroll/totp", "code", "123456", "return", "/reports", "form_token", token).want(303, "/.mfa/challenge").follow().want(303, "/reports")
	})
}

// A delay is told also to somebody who opens the page again.
func TestDelayIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.person("alice").enrol("/")
		p := w.person("alice")
		p.get("/").follow()
		for range 5 {
			p.post("/.mfa/challenge", "method", "totp", "code", "000000").want(401)
		}
		p.get("/.mfa/challenge").want(200)
		if !strings.Contains(p.body, "30 seconds") {
			t.Errorf("the page does not tell how long to wait")
		}
		time.Sleep(31 * time.Second)
		p.get("/.mfa/challenge").want(200)
		if strings.Contains(p.body, "data-wait") {
			t.Errorf("the page tells a wait that is over")
		}
	})
}

func TestSignOutPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		alice.get("/.mfa/sign-out").want(200) // a link in the app leads here
		alice.post("/.mfa/sign-out").want(200)
		if strings.Contains(alice.body, "alice") {
			t.Errorf("the page says who is signed in, after signing out")
		}
		alice.get("/.mfa/sign-out").want(200)
	})
}

// A ticket for somebody who is enrolled would be a link that does nothing.
func TestTicketForAnEnrolledUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.person("alice").enrol("/")
		if _, err := w.gate.IssueTicket(t.Context(), "root", aliceSubject, 0); !errors.Is(err, mfagate.ErrEnrolled) {
			t.Errorf("IssueTicket = %v; want ErrEnrolled", err)
		}
	})
}

// Whoever has used the last recovery code is told whom to ask.
func TestLastRecoveryCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		for _, code := range alice.codes {
			p := alice.elsewhere()
			p.get("/").follow().want(200)
			p.post("/.mfa/challenge", "method", "recovery", "code", code).want(303, "/.mfa/?notice=passed_recovery").follow().want(200)
			alice.body = p.body
		}
		if !strings.Contains(alice.body, "your last recovery code") {
			t.Errorf("the page does not tell that it was the last code")
		}
		p := alice.elsewhere()
		p.get("/").follow().want(200)
		if !strings.Contains(p.body, `href="/.mfa/help`) {
			t.Errorf("the challenge leads to no help")
		}
	})
}

func TestNavigationByPreference(t *testing.T) {
	w := newWorld(t, nil)
	for accept, want := range map[string]int{
		"text/html": 303, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": 303,
		"text/html;q=0.1, application/json": 401, "application/json, text/html;q=0.9": 401, "application/json;q=0.5, text/html": 303,
		"application/problem+json, */*": 401, "*/*": 401, "text/html;q=0": 401, "text/*": 401, "": 401, ";;,": 401,
	} {
		p := w.person("alice")
		p.header = http.Header{"Accept": {accept}}
		if p.get("/"); p.last.Code != want {
			t.Errorf("Accept %q = %d; want %d", accept, p.last.Code, want)
		}
	}
}
