package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestIdentityHeader(t *testing.T) {
	const trusting = "mfa {\nuser {header.Remote-User}\nheader_from 127.0.0.1\n}"
	const elsewhere = "mfa {\nuser {header.Remote-User}\nheader_from 192.0.2.1\n}"
	tests := []struct {
		name, lines string
		headers     []string
		want        string
	}{
		{"from the proxy", trusting, []string{"Remote-User", "bob"}, "bob"},
		{"from anybody else", elsewhere, []string{"Remote-User", "bob"}, ""},
		{"none", trusting, nil, ""},
		{"empty", trusting, []string{"Remote-User", ""}, ""},
		{"two headers", trusting, []string{"Remote-User", "alice", "Remote-User", "bob"}, ""},
		{"two values", trusting, []string{"Remote-User", "alice, bob"}, ""},
		{"other case", trusting, []string{"remote-user", "bob"}, "bob"},
		{"alias with underscore", trusting, []string{"Remote_User", "bob"}, ""},
		{"alias with dot", trusting, []string{"Remote.User", "bob"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := serve(t, test.lines)
			if got := g.user(test.headers...); got != test.want {
				t.Errorf("user = %q; want %q", got, test.want)
			}
		})
	}
}

func TestSeveralNamesAreRefused(t *testing.T) {
	g := serve(t, "mfa {\nuser {header.Remote-User}\nheader_from 127.0.0.1\n}")
	for _, headers := range [][]string{{"Remote-User", "alice", "Remote-User", "bob"}, {"Remote-User", "alice, bob"}} {
		for _, path := range []string{"/", "/.mfa/api/v1/session"} {
			if got := g.get(path, headers...); got.status != http.StatusBadRequest || !strings.Contains(got.body, "name_refused") {
				t.Errorf("GET %s with %q = %d %s; want 400 that says why", path, headers, got.status, got.body)
			}
		}
	}
}

// What nobody may say must not reach the app either, where the gate lets pass.
func TestIdentityHeaderIsRemoved(t *testing.T) {
	const lines = "mfa /admin/* {\nuser {header.X-User}\nheader_from 192.0.2.1\n}\nhandle {\nrespond \"user=[{header.X-User}]\"\n}"
	g := serve(t, lines)
	if got := g.get("/public", "X-User", "bob").body; got != "user=[]" {
		t.Errorf("the app was told %q; want user=[]", got)
	}
}

func TestHeaderGuard(t *testing.T) {
	g := newHeaderGuard([]string{"X-User"}, nil)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, name := range []string{"X-User", "x-user", "X_User", "X.User", "x_user", "X-Users"} {
		r.Header[name] = []string{"bob"}
	}
	g.clean(r)
	if len(r.Header) != 1 || r.Header.Get("X-Users") == "" {
		t.Errorf("headers = %v; want X-Users only", r.Header)
	}
}

func TestForwardAuth(t *testing.T) {
	answers := ""
	auth := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answers != "" {
			w.Header().Set("Remote-User", answers)
		}
	}))
	defer auth.Close()
	g := serve(t, "forward_auth /.mfa/* "+strings.TrimPrefix(auth.URL, "http://")+` {
		uri /verify
		copy_headers Remote-User
	}
	mfa {
		user {http.reverse_proxy.header.Remote-User}
	}`)
	if got := g.user("Remote-User", "mallory"); got != "" {
		t.Errorf("the auth server named nobody, but the user is %q", got)
	}
	answers = "bob"
	if got := g.user("Remote-User", "mallory"); got != "bob" {
		t.Errorf("user = %q; want bob", got)
	}
	answers = "bob,alice"
	if got := g.user(); got != "" {
		t.Errorf("the auth server named two, but the user is %q", got)
	}
	answers = "bob"
	if got := g.get("/without/forward_auth", "Remote-User", "bob"); got.reachedApp() || got.status != http.StatusUnauthorized {
		t.Errorf("where forward_auth did not run: %d %q", got.status, got.body)
	}
}

// A name is never read as a placeholder, wherever it goes.
func TestNameIsNoPlaceholder(t *testing.T) {
	t.Setenv("MFAGATE_TEST_SECRET", "hunter2")
	g := serve(t, "mfa {\nuser {header.X-User}\nheader_from 127.0.0.1\n}")
	got := g.get("/.mfa/api/v1/session", "X-User", "{env.MFAGATE_TEST_SECRET}")
	if strings.Contains(got.body, "hunter2") {
		t.Errorf("session = %s", got.body)
	}
}

func TestNobody(t *testing.T) {
	g := serve(t, "mfa")
	if got := g.user(); got != "" {
		t.Errorf("user = %q; want nobody", got)
	}
}
