package caddymodule

import (
	"errors"
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// TestRewriteIsNoWayAround sends a request to an app behind alice's password,
// who has not proved a second factor. Whatever was rewritten before, a request
// that matches as sent or as rewritten must not reach the app.
func TestRewriteIsNoWayAround(t *testing.T) {
	tests := []struct {
		name, lines, path string
		passes            bool
	}{
		{"nothing rewritten", "mfa /admin/*", "/admin/x", false},
		{"nothing matched", "mfa /admin/*", "/public/x", true},
		{"path hidden by rewrite", "rewrite * /index.php\nmfa /admin/*", "/admin/x", false},
		{"path reached by rewrite", "rewrite /pub /admin/x\nmfa /admin/*", "/pub", false},
		{"path hidden by uri strip_prefix", "uri strip_prefix /admin\nmfa /admin/*", "/admin/x", false},
		{"path hidden by try_files", "root DIR/www\ntry_files /index.html\nmfa /admin/*", "/admin/x", false},
		{"path reached by try_files", "root DIR/www\ntry_files /index.html\nmfa /index.html", "/other", false},
		{"path hidden by handle_path", "handle_path /app/* {\nmfa /app/admin/*\nrespond APP-ANSWERED\n}", "/app/admin/x", false},
		{"path reached by handle_path", "handle_path /app/* {\nmfa /admin/*\nrespond APP-ANSWERED\n}", "/app/admin/x", false},
		{"path_regexp hidden by rewrite", "rewrite * /index.php\n@a path_regexp ^/admin/\nmfa @a", "/admin/x", false},
		{"path_regexp reached by rewrite", "rewrite * /admin/x\n@a path_regexp ^/admin/\nmfa @a", "/pub", false},
		{"expression hidden by rewrite", "rewrite * /index.php\n@a expression path('/admin/*')\nmfa @a", "/admin/x", false},
		{"expression on a placeholder hidden by rewrite", "rewrite * /index.php\n@a expression {http.request.uri.path}.startsWith('/admin/')\nmfa @a", "/admin/x", false},
		{"expression reached by rewrite", "rewrite * /admin/x\n@a expression path('/admin/*')\nmfa @a", "/pub", false},
		{"vars hidden by rewrite", "rewrite * /index.php\n@a vars {http.request.uri.path} /admin/x\nmfa @a", "/admin/x", false},
		{"vars_regexp hidden by rewrite", "rewrite * /index.php\n@a vars_regexp {http.request.uri.path} ^/admin/\nmfa @a", "/admin/x", false},
		{"vars set by the operator", "vars /x guarded yes\n@a vars guarded yes\nmfa @a", "/x", false},
		{"query hidden by rewrite", "rewrite * /index.php?a=b\n@a query page=admin\nmfa @a", "/?page=admin", false},
		{"not, reached by rewrite", "rewrite * /admin/x\n@a not path /public/*\nmfa @a", "/public/x", false},
		{"not, hidden by rewrite", "rewrite * /public/x\n@a not path /public/*\nmfa @a", "/admin/x", false},
		{"not, never matched", "@a not path /public/*\nmfa @a", "/public/x", true},
		{"file hidden by rewrite", "root DIR/www\nrewrite * /nothing\n@a file\nmfa @a", "/index.html", false},
		{"file reached by try_files", "root DIR/www\ntry_files /index.html\n@a file\nmfa @a", "/nothing", false},
		{"user and path hidden by rewrite", "rewrite * /index.php\n@a expression path('/admin/*') && {http.auth.user.id} == 'alice'\nmfa @a", "/admin/x", false},
		{"var and path hidden by rewrite", "vars guarded yes\nrewrite * /index.php\n@a {\nvars guarded yes\npath /admin/*\n}\nmfa @a", "/admin/x", false},
		{"method hidden by rewrite", "method PUT\n@a method GET\nmfa @a", "/x", false},
		{"encoded path", "mfa /admin/*", "/%61dmin/x", false},
		{"encoded slash", "mfa /admin/*", "/admin%2Fx", false},
		{"doubled slash", "mfa /admin/*", "//admin/x", false},
		{"dots", "mfa /admin/*", "/public/../admin/x", false},
		{"case", "mfa /admin/*", "/ADMIN/x", false},
		{"second block not satisfied", "mfa /admin/*\nmfa /admin/deep/*", "/admin/deep/x", false},
		{"pages alone protect nothing", "mfa_pages", "/x", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := newGateway(t)
			g.file("www/index.html", "index")
			if err := g.load("", "PASSWORD\n"+test.lines); err != nil {
				t.Fatal(err)
			}
			got := g.get(test.path)
			if got.reachedApp() != test.passes {
				t.Errorf("GET %s = %d %q; want that it reaches the app: %t", test.path, got.status, got.body, test.passes)
			}
			if !test.passes && got.status != http.StatusUnauthorized {
				t.Errorf("GET %s = %d; want 401", test.path, got.status)
			}
		})
	}
}

// The pages are the gate's on whatever way the request comes.
func TestPagesAreReached(t *testing.T) {
	for _, lines := range []string{
		"mfa /admin/*",
		"rewrite * /index.php\nmfa /admin/*",
		"handle /admin/* {\nmfa\n}\nmfa_pages",
		"mfa_pages\nhandle {\nrespond APP-ANSWERED\n}",
	} {
		g := serve(t, "PASSWORD\n"+lines)
		if got := g.get("/.mfa/api/v1/session"); got.reachedApp() || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("with %q the page is %d %q", lines, got.status, got.body)
		}
	}
}

// An error of the gate must not start an error route, for that may lead to the app.
func TestErrorRouteIsNoWayAround(t *testing.T) {
	route := "\nhandle_errors {\nrespond APP-ANSWERED\n}"
	tests := []struct {
		name, lines string
		status      int
	}{
		{"stopped", "PASSWORD\nmfa", http.StatusUnauthorized},
		{"nobody", "mfa", http.StatusUnauthorized},
		{"broken matcher", "PASSWORD\n@a testbroken\nmfa @a", http.StatusInternalServerError},
	}
	for _, test := range tests {
		g := serve(t, test.lines+route)
		got := g.get("/x")
		if got.reachedApp() || got.status != test.status {
			t.Errorf("%s: GET /x = %d %q; want %d, not from the app", test.name, got.status, got.body, test.status)
		}
	}
}

func init() {
	caddy.RegisterModule(testBroken{})
}

// testBroken is a matcher that cannot tell.
type testBroken struct{}

func (testBroken) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.matchers.testbroken", New: func() caddy.Module { return new(testBroken) }}
}

func (*testBroken) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return nil }

func (*testBroken) MatchWithError(*http.Request) (bool, error) {
	return false, errors.New("cannot tell")
}

func (*testBroken) Match(*http.Request) bool { return false }
