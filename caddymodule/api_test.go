package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A mobileApp signs in with a name and a password, and speaks nothing but JSON.
type mobileApp struct {
	*person
	status int
	said   map[string]any
}

// call sends a request of the API, or of the app if path begins with a slash.
func (m *mobileApp) call(method, path string, body map[string]any) *mobileApp {
	m.g.t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = "/.mfa/api/v1/" + path
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		m.g.t.Fatal(err)
	}
	if body == nil {
		encoded = nil
	}
	req, err := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d%s", m.g.port, path), strings.NewReader(string(encoded)))
	if err != nil {
		m.g.t.Fatal(err)
	}
	req.Host = fmt.Sprintf("localhost:%d", m.g.port)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if m.cookie != "" {
		req.Header.Set("Cookie", m.cookie)
	}
	req.SetBasicAuth("alice", alicesWord)
	got := m.g.send(req)
	m.keep(got)
	m.status, m.said = got.status, nil
	if strings.Contains(got.header.Get("Content-Type"), "html") {
		m.g.t.Errorf("%s %s was answered with a page: %s", method, path, got.body)
	}
	if strings.Contains(got.header.Get("Content-Type"), "json") {
		if err := json.Unmarshal([]byte(got.body), &m.said); err != nil {
			m.g.t.Fatalf("%s %s: %v: %s", method, path, err, got.body)
		}
	}
	return m
}

// want fails the test unless the last answer has this status and member.
func (m *mobileApp) want(status int, name string, value any) *mobileApp {
	m.g.t.Helper()
	if m.status != status || name != "" && fmt.Sprint(m.said[name]) != fmt.Sprint(value) {
		m.g.t.Fatalf("got %d %v; want %d with %s %v", m.status, m.said, status, name, value)
	}
	return m
}

func (m *mobileApp) list(name string) []any {
	m.g.t.Helper()
	all, ok := m.said[name].([]any)
	if !ok {
		m.g.t.Fatalf("%v has no list %s", m.said, name)
	}
	return all
}

// enrolPhone enrols an authenticator app, and returns the codes that come with the first.
func (m *mobileApp) enrolPhone() []any {
	m.g.t.Helper()
	m.call("POST", "enroll/totp", map[string]any{}).want(201, "", nil)
	m.seed = strings.ReplaceAll(m.said["secret"].(string), " ", "")
	code, err := totpAt(m.seed, 0)
	if err != nil {
		m.g.t.Fatal(err)
	}
	m.call("POST", "enroll/totp/confirm", map[string]any{"enrollment": m.said["enrollment"], "code": code, "label": "phone"}).want(200, "", nil)
	return m.list("recovery_codes")
}

// S88: all that a person does on the pages an app does with the JSON API, behind
// basic_auth.
func TestMobileApp(t *testing.T) {
	g := serve(t, "PASSWORD\nmfa")
	m := &mobileApp{person: &person{g: g}}
	m.call("GET", "/inbox", nil).want(401, "state", "enroll").want(401, "url", "/.mfa/enroll")
	m.call("GET", "session", nil).want(200, "state", "enroll").want(200, "user", "alice")
	codes := m.enrolPhone()
	if len(codes) != 10 {
		t.Fatalf("recovery codes = %v; want ten", codes)
	}
	m.call("GET", "session", nil).want(200, "state", "verified").want(200, "recovery_codes_left", 10)
	m.call("GET", "/inbox", nil).want(200, "", nil)

	m.call("DELETE", "session", nil).want(204, "", nil)
	m.call("GET", "/inbox", nil).want(401, "state", "challenge").want(401, "url", "/.mfa/challenge")
	m.call("POST", "challenge/begin", map[string]any{"method": "totp"}).want(200, "", nil)
	m.call("POST", "challenge", map[string]any{"method": "totp", "code": "000000"}).want(401, "type", "urn:mfagate:problem:rejected")
	m.call("POST", "challenge", map[string]any{"method": "recovery", "code": codes[0]}).want(200, "state", "verified")
	m.call("GET", "/inbox", nil).want(200, "", nil)

	m.call("POST", "recovery-codes", nil).want(403, "type", "urn:mfagate:problem:proof_needed")
	next, err := totpAt(m.seed, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	m.call("POST", "challenge", map[string]any{"method": "totp", "code": next, "purpose": "settings"}).want(200, "state", "verified")
	m.call("POST", "recovery-codes", nil).want(200, "", nil)
	if got := m.list("recovery_codes"); len(got) != 10 || got[1] == codes[1] {
		t.Errorf("recovery codes = %v; want ten new ones", got)
	}
	m.call("GET", "credentials", nil).want(200, "", nil)
	old := m.list("credentials")[0].(map[string]any)["id"].(string)
	m.enrolPhone()
	m.call("DELETE", "credentials/"+old, nil).want(204, "", nil)
	m.call("GET", "credentials", nil).want(200, "", nil)
	if got := m.list("credentials"); len(got) != 1 || got[0].(map[string]any)["id"] == old {
		t.Errorf("credentials = %v; want the new phone alone", got)
	}
	m.call("DELETE", "session", nil).want(204, "", nil)
	m.call("GET", "/inbox", nil).want(401, "state", "challenge")
}
