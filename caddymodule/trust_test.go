package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const trusting = "mfa {\nuser {header.Remote-User}\nheader_from %s\ntrust {header.X-Amr} mfa hwk {\nauth_time {header.X-Auth-Time}\nmax_age 1h\n}\n}"

// S53, through the whole server: only what the proxy in front says counts.
func TestTrustFromHeader(t *testing.T) {
	now, before := fmt.Sprint(time.Now().Unix()), fmt.Sprint(time.Now().Add(-2*time.Hour).Unix())
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	tests := []struct {
		name, from string
		headers    []string
		want       bool
	}{
		{"from the proxy", "127.0.0.1", []string{"X-Amr", "pwd mfa", "X-Auth-Time", now}, true},
		{"with commas", "127.0.0.1", []string{"X-Amr", "pwd,hwk", "X-Auth-Time", now}, true},
		{"a JSON list", "127.0.0.1", []string{"X-Amr", `["pwd", "mfa"]`, "X-Auth-Time", now}, true},
		{"a broken JSON list", "127.0.0.1", []string{"X-Amr", `["mfa"`, "X-Auth-Time", now}, false},
		{"from a browser", "192.0.2.1", []string{"X-Amr", "mfa", "X-Auth-Time", now}, false},
		{"none", "127.0.0.1", []string{"X-Auth-Time", now}, false},
		{"empty", "127.0.0.1", []string{"X-Amr", "", "X-Auth-Time", now}, false},
		{"twice", "127.0.0.1", []string{"X-Amr", "pwd", "X-Amr", "mfa", "X-Auth-Time", now}, false},
		{"alias with underscore", "127.0.0.1", []string{"X_Amr", "mfa", "X-Auth-Time", now}, false},
		{"alias with dot", "127.0.0.1", []string{"X.Amr", "mfa", "X-Auth-Time", now}, false},
		{"another method", "127.0.0.1", []string{"X-Amr", "pwd sms", "X-Auth-Time", now}, false},
		{"part of a word", "127.0.0.1", []string{"X-Amr", "nomfa mfa2", "X-Auth-Time", now}, false},
		{"too old", "127.0.0.1", []string{"X-Amr", "mfa", "X-Auth-Time", before}, false},
		{"from the future", "127.0.0.1", []string{"X-Amr", "mfa", "X-Auth-Time", later}, false},
		{"no time", "127.0.0.1", []string{"X-Amr", "mfa"}, false},
		{"no real time", "127.0.0.1", []string{"X-Amr", "mfa", "X-Auth-Time", "-5"}, false},
		{"two times", "127.0.0.1", []string{"X-Amr", "mfa", "X-Auth-Time", before, "X-Auth-Time", now}, false},
		{"alias of the time", "127.0.0.1", []string{"X-Amr", "mfa", "X_Auth-Time", now}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := serve(t, fmt.Sprintf(trusting, test.from))
			if got := g.get("/", append(test.headers, "Remote-User", "bob")...); got.reachedApp() != test.want {
				t.Errorf("GET / = %d %s; want that it reaches the app: %t", got.status, got.body, test.want)
			}
		})
	}
}

// Without a user there is nobody to trust, and what a browser says of its sign-in
// does not reach the app either.
func TestTrustNeedsUser(t *testing.T) {
	g := serve(t, fmt.Sprintf(trusting, "127.0.0.1"))
	now := fmt.Sprint(time.Now().Unix())
	if got := g.get("/", "X-Amr", "mfa", "X-Auth-Time", now); got.status != http.StatusUnauthorized {
		t.Errorf("nobody with mfa: %d %s", got.status, got.body)
	}
	g = serve(t, strings.Replace(fmt.Sprintf(trusting, "192.0.2.1"), "mfa {", "mfa /admin {", 1)+"\nrespond \"amr=[{header.X-Amr}] time=[{header.X-Auth-Time}]\"")
	if got := g.get("/", "X-Amr", "mfa", "X-Auth-Time", now).body; got != "amr=[] time=[]" {
		t.Errorf("the app was told %q", got)
	}
}

// Behind forward_auth the answer of the auth server counts, whatever the browser sends.
func TestTrustFromForwardAuth(t *testing.T) {
	amr := ""
	auth := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Remote-User", "bob")
		if amr != "" {
			w.Header().Set("Remote-Amr", amr)
		}
	}))
	defer auth.Close()
	g := serve(t, "forward_auth "+strings.TrimPrefix(auth.URL, "http://")+` {
		uri /verify
	}
	mfa {
		user {http.reverse_proxy.header.Remote-User}
		trust {http.reverse_proxy.header.Remote-Amr} mfa
	}
	respond "APP-ANSWERED {http.mfa.user} {http.mfa.factor} [{http.mfa.proved_at}]"`)
	if got := g.get("/", "Remote-Amr", "mfa"); got.reachedApp() {
		t.Errorf("the browser's own word was believed: %s", got.body)
	}
	amr = "pwd, mfa"
	if got := g.get("/"); got.body != "APP-ANSWERED bob trusted []" {
		t.Errorf("the app was told %q", got.body)
	}
}
