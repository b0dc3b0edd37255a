package caddymodule

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// admin asks the admin API. A body that is not empty is JSON.
func (g *gateway) admin(method, path, body string) answer {
	g.t.Helper()
	req, err := http.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", g.socket)
		},
	}}
	resp, err := askAnew(client, req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(content)}
}

func serveAdmin(t *testing.T, lines string) *gateway {
	t.Helper()
	g := newGateway(t)
	g.socket = filepath.Join(g.dir, "admin.sock")
	if err := g.load("", lines); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestAdminAPI(t *testing.T) {
	g := serveAdmin(t, "PASSWORD\nmfa")
	tests := []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/mfa/users", "", 200, `{"users":[]}`},
		{"GET", "/mfa/realms", "", 200, `{"realms":`},
		{"GET", "/mfa/users?limit=0", "", 400, "want a number from 1 to 1000"},
		{"GET", "/mfa/users/default/alice", "", 404, "no such user"},
		{"GET", "/mfa/users/default/" + strings.Repeat("a", 300), "", 400, "300 bytes"},
		{"GET", "/mfa/users/default/" + url.PathEscape("bob/../x"), "", 404, "bob/../x"},
		{"POST", "/mfa/users/default/alice", "{}", 405, ""},
		{"GET", "/mfa/users/default/alice/reset", "", 405, ""},
		{"POST", "/mfa/users/default/alice/reset", "{}", 404, "no such user"},
		{"POST", "/mfa/users/default/alice/unlock", "{}", 404, "no such user"},
		{"POST", "/mfa/users/default/alice/sign-out", "{}", 404, "no such user"},
		{"POST", "/mfa/users/default/alice/tickets", "", 415, "application/json"},
		{"POST", "/mfa/users/default/alice/tickets", `{"valid":"25h"}`, 400, "at most 24h"},
		{"POST", "/mfa/users/default/alice/tickets", `{"vaild":"1h"}`, 400, "vaild"},
		{"POST", "/mfa/users/default/alice/tickets", `[`, 400, "reading body"},
		{"POST", "/mfa/users/elsewhere/alice/tickets", `{}`, 404, "there are: default"},
	}
	for _, test := range tests {
		got := g.admin(test.method, test.path, test.body)
		if got.status != test.status || !strings.Contains(got.body, test.want) {
			t.Errorf("%s %s = %d %s; want %d with %q", test.method, test.path, got.status, got.body, test.status, test.want)
		}
	}
}

func TestAdminTicket(t *testing.T) {
	g := serveAdmin(t, "PASSWORD\nmfa {\naliases {\nWORKS\\ally alice\n}\n}")
	for _, name := range []string{"alice", "ALICE", "WORKS\\ally", "works\\ALLY"} {
		got := g.admin("POST", "/mfa/users/default/"+url.PathEscape(name)+"/tickets", `{"valid":"1h"}`)
		var ticket issuedTicket
		if err := json.Unmarshal([]byte(got.body), &ticket); err != nil || got.status != 200 {
			t.Fatalf("ticket for %s = %d %s", name, got.status, got.body)
		}
		if ticket.Name != "alice" || len(ticket.Code) != 26 || len(ticket.URLs) != 1 {
			t.Errorf("ticket for %s = %+v; want one for alice with one URL", name, ticket)
		}
		if got.header.Get("Cache-Control") != "no-store" {
			t.Error("an answer with a ticket may be stored")
		}
	}
}

func TestAdminWithoutMFA(t *testing.T) {
	g := serveAdmin(t, "PASSWORD")
	text := g.caddyfile("", "PASSWORD")
	start, end := strings.Index(text, "mfa {"), strings.Index(text, "http://localhost")
	adapted, err := adapt(text[:start] + "}\n" + text[end:])
	if err != nil {
		t.Fatal(err)
	}
	if err := g.loadJSON(adapted); err != nil {
		t.Fatal(err)
	}
	got := g.admin("GET", "/mfa/users", "")
	if got.status != 404 || !strings.Contains(got.body, "has no mfa") {
		t.Errorf("GET /mfa/users = %d %s; want 404 that says why", got.status, got.body)
	}
}
