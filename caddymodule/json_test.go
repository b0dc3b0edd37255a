package caddymodule

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// JSON that no Caddyfile would make is refused too.
func TestJSONIsValidated(t *testing.T) {
	tests := []struct{ name, app, handler, want string }{
		{"nothing wrong", `{}`, `"site": "a"`, ""},
		{"no site", `{}`, `"factors": []`, "site NAME"},
		{"header of anybody", `{}`, `"site": "a", "identity": {"source": "user", "user": "{http.request.header.X}"}`, "header_from"},
		{"short form of a header", `{}`, `"site": "a", "identity": {"source": "user", "user": "{header.X}"}`, "header_from"},
		{"contact from a header", `{}`, `"site": "a", "identity": {"source": "user", "email": "{http.request.header.X}"}`, "header_from"},
		{"the gate's own word", `{}`, `"site": "a", "identity": {"source": "user", "user": "{http.mfa.user}"}`, "gate itself"},
		{"path", `{}`, `"site": "a", "identity": {"source": "user", "user": "{path}"}`, "chosen by the browser"},
		{"idle", `{}`, `"site": "a", "idle": "2h"`, "idle"},
		{"idle of nothing", `{}`, `"site": "a", "idle": "1ns"`, "idle"},
		{"lifetime of nothing", `{}`, `"site": "a", "lifetime": "1ns"`, "lifetime"},
		{"max_age of nothing", `{}`, `"site": "a", "max_age": "1ns"`, "max_age"},
		{"lifetime", `{}`, `"site": "a", "lifetime": "25h"`, "lifetime"},
		{"enroll_from", `{}`, `"site": "a", "enroll_from": ["ticket", "open"]`, "enroll_from"},
		{"aliases", `{}`, `"site": "a", "aliases": {"x": ""}`, "alias"},
		{"factors", `{}`, `"site": "a", "factors": ["pigeon"]`, "totp, recovery"},
		{"profile", `{"profile": "iso"}`, `"site": "a"`, "nist"},
		{"support", `{"support": {"text": "x", "url": "javascript:x"}}`, `"site": "a"`, "support"},
		{"recovery", `{"recovery_codes": {"count": 1}}`, `"site": "a"`, "4 to 20"},
		{"totp", `{"factors": {"totp": {"digits": 7}}}`, `"site": "a"`, "totp"},
		{"retention", `{"retention": "23h"}`, `"site": "a"`, "24h"},
		{"webhook", `{"webhook": {"url": "https://x.example", "secret": "in the open, for all to see"}}`, `"site": "a"`, "placeholder"},
		{"language", `{"languages": ["xx"]}`, `"site": "a"`, "xx"},
	}
	for _, test := range tests {
		text := fmt.Sprintf(`{"apps": {"mfa": %s, "http": {"servers": {"s": {"routes": [{"handle": [{"handler": "mfa", %s}]}]}}}}}`, test.app, test.handler)
		var config caddy.Config
		if err := json.Unmarshal([]byte(text), &config); err != nil {
			t.Fatal(err)
		}
		err := caddy.Validate(&config)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: validate = %v; want an error with %q", test.name, err, test.want)
		}
	}
}

// A certificate counts only if the server verified it.
func TestUnverifiedCertificate(t *testing.T) {
	source := &PlaceholderSource{User: "{http.request.tls.client.serial}"}
	if err := source.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	certificate := &x509.Certificate{}
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}
	repl := caddy.NewReplacer()
	r = caddyhttp.PrepareRequest(r, repl, nil, new(caddyhttp.Server))
	repl.Set("http.request.tls.client.serial", "4711") // static values come first
	if id, err := source.Identify(r); !errors.Is(err, mfagate.ErrNoIdentity) {
		t.Errorf("identity of an unverified certificate = %v, %v; want none", id, err)
	}
	r.TLS.VerifiedChains = [][]*x509.Certificate{{certificate}}
	if id, err := source.Identify(r); err != nil || id.Name != "4711" {
		t.Errorf("identity of a verified certificate = %v, %v; want 4711", id, err)
	}
}

// The examples in the documentation are valid.
func TestDocumentedExamples(t *testing.T) {
	data, err := os.ReadFile("../docs/caddyfile.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for i, block := range strings.Split(string(data), "```") {
		if i%2 == 0 || !strings.HasPrefix(block, "\napp.example.com {") {
			continue
		}
		found++
		block = strings.ReplaceAll(block, "$2a$14$...", "$2a$05$lMKbdYaDQbrIPJLxwsfDtu330l96GbLMulpbEZWa3MwBbShhOjYtC")
		if got := outcome(t, block); !strings.HasPrefix(got, "{") {
			t.Errorf("example %d: %s%s", found, got, block)
		}
	}
	if found < 3 {
		t.Errorf("found %d examples; want at least 3", found)
	}
}

// Every option has a line in the documentation.
func TestOptionsAreDocumented(t *testing.T) {
	data, err := os.ReadFile("../docs/caddyfile.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range []string{"app.example.com {\nmfa {\nno_such_option\n}\n}", "{\nmfa {\nno_such_option\n}\n}", "{\nmfa {\nfactor totp {\nno_such_option\n}\n}\n}",
		"{\nmfa {\nsender smtp localhost {\nno_such_option\n}\n}\n}", "{\nmfa {\nwebhook https://x.example {\nno_such_option\n}\n}\n}", "{\nmfa {\nnotify {\nno_such_option\n}\n}\n}"} {
		_, err := adapt(block)
		if err == nil {
			t.Fatal("an unknown option was taken")
		}
		_, known, _ := strings.Cut(err.Error(), "known here: ")
		known, _, _ = strings.Cut(known, ", at ")
		for name := range strings.SplitSeq(known, ", ") {
			if name != "testguest" && !strings.Contains(string(data), "`"+name+"`") {
				t.Errorf("docs/caddyfile.md has no word on %q", name)
			}
		}
	}
}
