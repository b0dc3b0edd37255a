package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

var formToken = regexp.MustCompile(`name="form_token" value="([^"]+)"`)

// asks files a request for a reset of alice, with her password and nothing else.
func asks(g *gateway, message string) {
	g.t.Helper()
	p := &person{g: g}
	p.keep(g.get("/", "Accept", "text/html"))
	got := p.get("/.mfa/help")
	p.keep(got)
	m := formToken.FindStringSubmatch(got.body)
	if m == nil {
		g.t.Fatalf("the page for help has no form: %d %s", got.status, got.body)
	}
	form := url.Values{"form_token": {m[1]}, "action": {"request"}, "message": {message}}
	req, err := http.NewRequest(http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/.mfa/help", g.port), strings.NewReader(form.Encode()))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Host = fmt.Sprintf("localhost:%d", g.port)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Cookie", p.cookie)
	req.SetBasicAuth("alice", "correct horse battery staple")
	if got := g.send(req); got.status != http.StatusSeeOther {
		g.t.Fatalf("filing = %d %s", got.status, got.body)
	}
}

// asked files a request for alice at the server on a port: asked PORT MESSAGE.
func asked(ts *testscript.TestScript, neg bool, args []string) {
	g := &gateway{t: scriptReporter{ts}}
	_, err := fmt.Sscan(args[0], &g.port)
	ts.Check(err)
	asks(g, args[1])
}

// What the admin API does with requests: a decision takes JSON and names what was
// seen; what is not so is told with a status that says whose mistake it is.
func TestRequestsOfAdminAPI(t *testing.T) {
	g := serveAdmin(t, `PASSWORD
		mfa {
			reset_delay 1h
		}
		respond APP-ANSWERED`)
	enrol(g)
	const at = "/mfa/users/default/alice/request"
	if got := g.admin("GET", at, ""); got.status != http.StatusNotFound {
		t.Errorf("no request: %d %s; want 404", got.status, got.body)
	}
	asks(g, "phone lost")
	var q mfagate.ResetRequest
	if err := json.Unmarshal([]byte(g.admin("GET", at, "").body), &q); err != nil || q.Message != "phone lost" || q.State != mfagate.RequestFiled {
		t.Fatalf("request = %+v, %v; want the one that was filed", q, err)
	}
	if got := g.admin("GET", "/mfa/requests?realm=default&limit=1", ""); !strings.Contains(got.body, q.Case) {
		t.Errorf("requests = %s; want case %s among them", got.body, q.Case)
	}
	if got := g.admin("GET", "/mfa/requests?realm=other", ""); !strings.Contains(got.body, `"requests":[]`) {
		t.Errorf("requests of another realm = %s; want none", got.body)
	}
	body := func(seen string) string {
		return fmt.Sprintf(`{"seen": %q, "reason": "called back", "actor": "Dora"}`, seen)
	}
	for _, test := range []struct {
		path, body string
		want       int
	}{
		{at + "/approve", `{"reason": "x"}`, http.StatusConflict},
		{at + "/approve", body("another.filed"), http.StatusConflict},
		{at + "/complete", body(q.Seen), http.StatusConflict},
		{"/mfa/users/default/bob/request/approve", body(q.Seen), http.StatusNotFound},
		{"/mfa/users/other/alice/request/approve", body(q.Seen), http.StatusNotFound},
		{at + "/approve", body(q.Seen), http.StatusOK},
		{at + "/approve", body(q.Seen), http.StatusConflict},
		{at + "/complete", body(strings.Replace(q.Seen, mfagate.RequestFiled, mfagate.RequestApproved, 1)), http.StatusConflict}, // its delay is not over
		{at + "/refuse", body(strings.Replace(q.Seen, mfagate.RequestFiled, mfagate.RequestApproved, 1)), http.StatusOK},
		{at + "/refuse", body(q.Seen), http.StatusNotFound},
	} {
		if got := g.admin("POST", test.path, test.body); got.status != test.want {
			t.Errorf("POST %s %s = %d %s; want %d", test.path, test.body, got.status, got.body, test.want)
		}
	}
	if got := g.admin("GET", "/mfa/users/default/alice", ""); !strings.Contains(got.body, `"enrolled":true`) || !strings.Contains(got.body, `"kind":"reset_refused"`) || !strings.Contains(got.body, `"actor":"Dora"`) {
		t.Errorf("alice = %s; want her enrolled, and what happened in her history", got.body)
	}
}
