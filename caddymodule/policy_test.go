package caddymodule

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// What root chose is stored for the realm, and a reload neither loses it nor lets it
// win over what is written.
func TestStoredModeOverReloads(t *testing.T) {
	g := serveAdmin(t, "PASSWORD\nmfa")
	const mode = "/mfa/realms/default/mode"
	want := func(what string, status int) {
		t.Helper()
		if got := g.get("/", "Sec-Fetch-Mode", "cors"); got.status != status {
			t.Errorf("%s: status = %d; want %d", what, got.status, status)
		}
	}
	want("nobody has chosen", http.StatusUnauthorized)
	if got := g.admin("POST", mode, `{"required": false, "reason": "trial"}`); got.status != 200 || !strings.Contains(got.body, `"required":false`) {
		t.Fatalf("POST = %d %s; want optional", got.status, got.body)
	}
	want("optional", http.StatusOK)
	if err := g.load("", "PASSWORD\nmfa {\nidle 10m\n}"); err != nil {
		t.Fatal(err)
	}
	want("after a reload", http.StatusOK)
	if err := g.load("", "PASSWORD\nmfa {\nmode required\n}"); err != nil {
		t.Fatal(err)
	}
	want("what is written wins", http.StatusUnauthorized)
	if err := g.load("", "PASSWORD\nmfa"); err != nil {
		t.Fatal(err)
	}
	want("and is written no more", http.StatusOK)
	if got := g.admin("POST", mode, `{"required": true, "actor": ""}`); !strings.Contains(got.body, `"actor":"cli"`) {
		t.Errorf("POST by nobody = %s; want an actor", got.body)
	}
	want("required again", http.StatusUnauthorized)
}

// The admin API takes no mode that is not clear.
func TestModeAPI(t *testing.T) {
	g := serveAdmin(t, "PASSWORD\nmfa")
	for _, test := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/mfa/realms/default/mode", "", 200},
		{"GET", "/mfa/realms/elsewhere/mode", "", 404},
		{"POST", "/mfa/realms/elsewhere/mode", `{"required": true}`, 404},
		{"POST", "/mfa/realms/default/mode", "", 415},
		{"POST", "/mfa/realms/default/mode", `{}`, 400},
		{"POST", "/mfa/realms/default/mode", `{"required": null}`, 400},
		{"POST", "/mfa/realms/default/mode", `{"required": "no"}`, 400},
		{"POST", "/mfa/realms/default/mode", `{"mode": "optional"}`, 400},
		{"PUT", "/mfa/realms/default/mode", `{"required": false}`, 405},
	} {
		if got := g.admin(test.method, test.path, test.body); got.status != test.status {
			t.Errorf("%s %s %s = %d %s; want %d", test.method, test.path, test.body, got.status, got.body, test.status)
		}
	}
	if got := g.admin("GET", "/mfa/realms/default/mode", ""); !strings.Contains(got.body, `"required":true`) {
		t.Errorf("mode = %s; want required, as nothing was said clearly", got.body)
	}
}

// M-14: a browser that claims a group in a header is not exempt by it.
func TestForgedGroupIsNotExempt(t *testing.T) {
	const block = "mfa {\nuser {header.X-User}\ngroups {header.X-Groups}\nexempt @kiosks\nheader_from "
	forged := []string{"X-User", "alice", "X-Groups", "kiosks", "X_Groups", "kiosks", "Sec-Fetch-Mode", "cors"}
	g := serve(t, block+"192.0.2.1\n}") // the proxy is another one
	if got := g.get("/", forged...); got.status != http.StatusUnauthorized {
		t.Errorf("from a browser: status = %d; want 401", got.status)
	}
	if err := g.load("", block+"127.0.0.1\n}"); err != nil {
		t.Fatal(err)
	}
	if got := g.get("/", "X-User", "alice", "X-Groups", "staff", "X_Groups", "kiosks", "Sec-Fetch-Mode", "cors"); got.status != http.StatusUnauthorized {
		t.Errorf("by an alias of the header: status = %d; want 401", got.status)
	}
	if got := g.get("/", "X-User", "alice", "X-Groups", "staff,kiosks", "Sec-Fetch-Mode", "cors"); got.status != http.StatusOK {
		t.Errorf("from the proxy: status = %d; want 200", got.status)
	}
}

// The log says at the start who passes without a second factor.
func TestLeavesAreLogged(t *testing.T) {
	for lines, want := range map[string]string{
		"exempt robot":     "exempt=robot",
		"grace 14d":        "grace=14d",
		"grace 2026-12-24": "until=2026-12-25",
		"grace 2020-01-01": "the grace is over",
		"mode required":    "",
	} {
		adapted, err := adapt("app.example.com {\nmfa {\n" + lines + "\n}\n}\n")
		if err != nil {
			t.Fatal(err)
		}
		var config caddy.Config
		if err := json.Unmarshal(adapted, &config); err != nil {
			t.Fatal(err)
		}
		ctx, err := caddy.ProvisionContext(&config)
		if err != nil {
			t.Fatal(err)
		}
		app, err := ctx.AppIfConfigured("mfa")
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		app.(*App).sites.logLeaves(slog.New(slog.NewTextHandler(&log, nil)), time.Date(2026, 12, 24, 23, 0, 0, 0, time.UTC))
		if got := log.String(); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: the log says %q; want %q", lines, got, want)
		}
	}
}
