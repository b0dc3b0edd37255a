package attack_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// Bodies, methods and types that no page sends.
func TestOddRequestsToPages(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	q := p.Elsewhere()
	token := q.Challenge(t).Form(t, gatetest.PathChallenge).Values.Get("form_token")
	form := "form_token=" + url.QueryEscape(token) + "&method=totp&code=123456"
	cases := []struct {
		what, method, path, kind, body string
		want                           int
	}{
		{"1 MB", "POST", gatetest.PathChallenge, "application/x-www-form-urlencoded", form + "&x=" + strings.Repeat("a", 1<<20), 413},
		{"1 MB of code", "POST", gatetest.PathChallenge, "application/x-www-form-urlencoded", form + strings.Repeat("1", 1<<20), 413},
		{"1 MB to the API", "POST", "/.mfa/api/v1/challenge", "application/json", `{"code":"` + strings.Repeat("1", 1<<20) + `"}`, 413},
		{"JSON to a page", "POST", gatetest.PathChallenge, "application/json", `{"code":"123456"}`, 415},
		{"no type", "POST", gatetest.PathChallenge, "", form, 415},
		{"nonsense type", "POST", gatetest.PathChallenge, "x", form, 415},
		{"form to the API", "POST", "/.mfa/api/v1/challenge", "application/x-www-form-urlencoded", form, 415},
		{"broken JSON", "POST", "/.mfa/api/v1/challenge", "application/json", `{"code":`, 400},
		{"two values of JSON", "POST", "/.mfa/api/v1/challenge", "application/json", `{"method":"totp","code":"123456"}{}`, 400},
		{"number for a code", "POST", "/.mfa/api/v1/challenge", "application/json", `{"method":"totp","code":123456}`, 400},
		{"list", "POST", "/.mfa/api/v1/challenge", "application/json", `[]`, 400},
		{"percent", "POST", gatetest.PathChallenge, "application/x-www-form-urlencoded", form + "%zz", 400},
		{"PUT", "PUT", gatetest.PathChallenge, "application/x-www-form-urlencoded", form, 405},
		{"DELETE", "DELETE", gatetest.PathSecurity, "", "", 405},
		{"PATCH", "PATCH", "/.mfa/api/v1/session", "application/json", "{}", 405},
		{"no such page", "GET", "/.mfa/nothing", "", "", 404},
		{"no such call", "GET", "/.mfa/api/v1/nothing", "", "", 404},
		{"no such factor", "GET", "/.mfa/enroll/nothing", "", "", 404},
	}
	s.App.Quiet(t, func() {
		for _, c := range cases {
			r := q.Request(t, c.method, c.path, strings.NewReader(c.body), http.Header{"Content-Type": {c.kind}, "Origin": {s.URL}})
			page := q.Do(t, r)
			if page.Status != c.want {
				t.Errorf("%s: %s %s got %d; want %d", c.what, c.method, c.path, page.Status, c.want)
			}
			wantClientError(t, c.what, page)
			if strings.HasPrefix(c.path, "/.mfa/api/") {
				wantProblem(t, c.what, page)
			}
		}
	})
	q.SignIn(t, "/")
}

// wantProblem checks an answer by RFC 9457.
func wantProblem(t *testing.T, what string, page *gatetest.Page) {
	t.Helper()
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	if err := json.Unmarshal([]byte(page.Body), &p); err != nil || page.Header.Get("Content-Type") != "application/problem+json" || p.Status != page.Status || p.Title == "" {
		t.Errorf("%s: got %s %q; want application/problem+json with status %d and a title", what, page.Header.Get("Content-Type"), page.Body, page.Status)
	}
}

// Issue point 6: what is not a navigation gets 401 and is told where to go, not
// a page.
func TestScriptsGetNoPage(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	enrolled(t, s, "bob")
	s.App.Quiet(t, func() {
		for name, state := range map[string]string{"alice": "enroll", "bob": "challenge"} {
			p := s.Person(name)
			for _, header := range []http.Header{
				{"Accept": {"application/json"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}},
				{"Accept": {"*/*"}, "Sec-Fetch-Mode": {""}, "Sec-Fetch-Dest": {""}, "Sec-Fetch-Site": {""}},
				{"Accept": {""}, "Sec-Fetch-Mode": {""}, "Sec-Fetch-Dest": {""}, "X-Requested-With": {"XMLHttpRequest"}},
				{"Accept": {"image/png"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Dest": {"image"}},
				{"Accept": {"text/html"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}},
			} {
				page := p.Do(t, p.Request(t, "GET", "/data", nil, header))
				if page.Status != 401 || !strings.HasPrefix(page.Header.Get("Www-Authenticate"), "MFA realm=") {
					t.Errorf("%v: got %d, WWW-Authenticate %q; want 401 MFA", header, page.Status, page.Header.Get("Www-Authenticate"))
				}
				wantProblem(t, "a script", page)
				var told struct{ State, URL string }
				if err := json.Unmarshal([]byte(page.Body), &told); err != nil || told.State != state || !strings.HasPrefix(told.URL, "/.mfa/") {
					t.Errorf("%s: told %+v; want the state %s and a page", name, told, state)
				}
			}
			if page := p.PostValues(t, "/form", url.Values{"a": {"b"}}); page.Status == 200 || page.Status == 307 {
				t.Errorf("a form of the app: got %d; want a stop", page.Status)
			}
		}
	})
}
