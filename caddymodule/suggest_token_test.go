package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A tokenApp answers the login with a token, which its scripts bring in a header.
type tokenApp struct{ header, scheme string }

func (a tokenApp) token(user string) string { return "token-of-" + user + "-0123456789" }

func (a tokenApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/login":
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<form><input name=username><input type=password name=password></form>")
	case "/api/login":
		var given struct{ Username, Password string }
		w.Header().Set("Content-Type", "application/json")
		if json.NewDecoder(r.Body).Decode(&given) != nil || given.Password != "the right one" {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"error": "wrong"}`)
			return
		}
		fmt.Fprintf(w, `{"auth": {"token": %q, "kind": "a kind of a token"}, "build": "2026-11-22-release-7"}`, a.token(given.Username))
	default:
		user, found := strings.CutPrefix(r.Header.Get(a.header), a.scheme+"token-of-")
		user, _, whole := strings.Cut(user, "-")
		if !found || !whole {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"name": %q}`, user)
	}
}

// TestSuggestedTokenWorks: the scripts of the app bring back what the login's answer gave them, so
// the block says where it is, and what is told of it names no token.
func TestSuggestedTokenWorks(t *testing.T) {
	for want, app := range map[string]tokenApp{
		"session bearer /auth/token\n":                          {"Authorization", "Bearer "},
		"session bearer /auth/token X-Auth\n":                   {"X-Auth", ""},
		"session bearer /auth/token \"Authorization: Token\"\n": {"Authorization", "Token "},
		"session bearer /auth/token Authorization\n":            {"Authorization", ""},
	} {
		g, addr := behind(t, app.ServeHTTP)
		for _, user := range []string{"alice", "bobby"} {
			s := newSurfer(t, g.base())
			s.client.Transport = agentOf(user)
			s.open("GET", "/login", "", nil)
			for _, password := range []string{"wrong", "the right one"} {
				s.posts("/api/login", "application/json", fmt.Sprintf(`{"username":%q,"password":%q}`, user, password))
			}
			req, err := http.NewRequestWithContext(t.Context(), "GET", g.base()+"/api/me", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set(app.header, app.scheme+app.token(user))
			resp, err := askAnew(s.client, req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		learnt := g.learnt()
		text, _ := suggest(learnt)
		if !strings.Contains(text, "\t"+want) || !strings.Contains(text, "\tidentify probe GET /api/me json /name\n") || strings.Contains(text, "will be stopped: browser") {
			t.Fatalf("no %q, or no identify, or a word on the app's own scripts, in\n%s", want, text)
		}
		if told, err := json.Marshal(learnt); err != nil || strings.Contains(string(told), "token-of") {
			t.Errorf("a token is kept: %s, %v", told, err)
		}
		if err := g.load("", proxying(addr, strings.TrimSuffix(text, "\n"))); err != nil {
			t.Fatalf("the server does not take\n%s\n%v", text, err)
		}
		s := newSurfer(t, g.base())
		s.open("GET", "/login", "", nil)
		status, answer := s.posts("/api/login", "application/json", `{"username":"alice","password":"the right one"}`)
		if status != http.StatusOK || strings.Contains(answer, "token-of") || !strings.Contains(answer, `"token":"`) {
			t.Errorf("with %q the login answers %d %s; want the token sealed", want, status, answer)
		}
	}
}
