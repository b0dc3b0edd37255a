package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func (g *gateway) check(body string) verdict {
	g.t.Helper()
	got := g.admin(http.MethodPost, "/mfa/check", body)
	var v verdict
	if err := json.Unmarshal([]byte(got.body), &v); err != nil || got.status != http.StatusOK {
		g.t.Fatalf("check %s = %d %s", body, got.status, got.body)
	}
	return v
}

func TestCheckExplains(t *testing.T) {
	g := serveAdmin(t, "PASSWORD\nmfa /app/*\nmfa /admin/* {\n factors totp\n max_age 5m\n}\nmfa /reset/* {\n ask\n}")
	for _, test := range []struct {
		url, user, verdict, why string
	}{
		{"/app/x", "alice", "enrol", "alice has no factor"},
		{"/app/x", "", "refuse", "nobody is named"},
		{"/app/x", "al\u0000ice", "refuse", ""},
		{"/admin/", "ALICE", "enrol", "alice"},
		{"/reset/", "", "challenge", "/.mfa/ask"},
		{"/open", "alice", "unprotected", ""},
	} {
		body, err := json.Marshal(checkBody{Method: "GET", URL: g.base() + test.url, User: test.user})
		if err != nil {
			t.Fatal(err)
		}
		got := g.check(string(body))
		var why []string
		for _, b := range got.Blocks {
			why = append(why, b.Why)
		}
		if got.Verdict != test.verdict || !strings.Contains(strings.Join(why, " "), test.why) {
			t.Errorf("%s as %q: %s, %q; want %s, %q", test.url, test.user, got.Verdict, why, test.verdict, test.why)
		}
	}
	if got := g.check(`{"method": "GET", "url": "https://elsewhere.example/"}`); len(got.Sites) != 0 || got.Verdict != "unprotected" {
		t.Errorf("a foreign URL gives %+v", got)
	}
}

// TestCheckAfterEnrolment: and the request itself gets what was said.
func TestCheckAfterEnrolment(t *testing.T) {
	g := serveAdmin(t, "PASSWORD\nmfa")
	enrol(g)
	got := g.check(fmt.Sprintf(`{"method": "GET", "url": "%s/", "user": "alice"}`, g.base()))
	if got.Verdict != "challenge" {
		t.Errorf("verdict = %+v; want challenge", got)
	}
	if a := g.get("/"); a.reachedApp() {
		t.Error("the request itself reached the app")
	}
}

// TestCheckChangesNothing asks for people whom a mode lets pass and whom a visit would note.
func TestCheckChangesNothing(t *testing.T) {
	for _, lines := range []string{"mode optional", "grace 14d", "exempt alice", "mode observe", "trust {header.X-Amr} mfa\nuser {header.X-User}\nheader_from 127.0.0.1"} {
		g := serveAdmin(t, "PASSWORD\nmfa {\n"+lines+"\n}")
		for range 3 {
			got := g.check(fmt.Sprintf(`{"method": "GET", "url": "%s/", "user": "alice", "header": {"X-Amr": ["mfa"]}}`, g.base()))
			if got.Verdict != "pass" {
				t.Errorf("%s: verdict = %+v; want pass", lines, got)
			}
		}
		for _, path := range []string{"/mfa/users", "/mfa/events"} {
			if got := g.admin(http.MethodGet, path, ""); strings.Contains(got.body, "alice") {
				t.Errorf("%s: %s tells of alice: %s", lines, path, got.body)
			}
		}
	}
}

func TestCheckOfALoginForm(t *testing.T) {
	g := serveAdmin(t, "mfa {\n login_form {\n page /login\n submit /login\n user u\n password p\n success status 302\n public /static/**\n refuse /xmlrpc.php\n}\n}")
	for path, want := range map[string]string{
		"GET /login": "pass", "POST /login": "pass", "GET /static/a.css": "pass", "GET /": "refuse", "GET /xmlrpc.php": "refuse",
		"GET /login.css": "refuse", "GET /login?u=a&p=b": "refuse", "GET //login": "refuse", "GET /.mfa/": "pass",
	} {
		method, at, _ := strings.Cut(path, " ")
		got := g.check(fmt.Sprintf(`{"method": %q, "url": %q}`, method, g.base()+at))
		if len(got.Blocks) != 1 || got.Blocks[0].Verdict != want {
			t.Errorf("%s: %+v; want %s", path, got.Blocks, want)
		}
	}
}

func TestCheckRefusesNonsense(t *testing.T) {
	g := serveAdmin(t, "PASSWORD\nmfa")
	for _, body := range []string{`{}`, `{"method": "GET", "url": "/path"}`, `{"method": "G T", "url": "http://x/"}`, `{"method": "GET", "url": "file:///etc/passwd"}`, `{"unknown": 1}`} {
		if got := g.admin(http.MethodPost, "/mfa/check", body); got.status != http.StatusBadRequest {
			t.Errorf("%s: status %d %s; want 400", body, got.status, got.body)
		}
	}
}
