package caddymodule

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// The password of the very request is the one that is compared.
func TestCheckPassword(t *testing.T) {
	for _, test := range []struct {
		user, name, sent, typed string
		right, known            bool
	}{
		{"alice", "alice", "secret", "secret", true, true},
		{"alice", "alice", "secret", "Secret", false, true},
		{"alice", "alice", "secret", "", false, true},
		{"alice", "bob", "secret", "secret", false, false}, // not who the first factor names
		{"alice", "", "", "secret", false, false},          // no basic_auth
	} {
		source := new(PlaceholderSource)
		if err := source.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		repl := caddy.NewReplacer()
		repl.Set("http.auth.user.id", test.user)
		r := httptest.NewRequest("POST", "/", nil)
		r = r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, repl))
		if test.name != "" {
			r.SetBasicAuth(test.name, test.sent)
		}
		if right, known := source.CheckPassword(r, test.typed); right != test.right || known != test.known {
			t.Errorf("%+v: got %v, %v", test, right, known)
		}
	}
}

// Whole server: optional, enrolled, switched off with the password of basic_auth.
func TestOptionalBehindBasicAuth(t *testing.T) {
	g := serve(t, "PASSWORD\nmfa {\nmode optional\n}")
	if got := g.get("/"); !got.reachedApp() {
		t.Fatalf("GET / = %d %s; want the app, since nobody is enrolled", got.status, got.body)
	}
	if got := g.get("/.mfa/", "Accept", "text/html"); got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "/.mfa/enroll") {
		t.Errorf("GET /.mfa/ = %d to %q; want the way to enrol", got.status, got.header.Get("Location"))
	}
}
