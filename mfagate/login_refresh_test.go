package mfagate_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// refreshApp answers a login with tokens in every place where one may be, and takes a refresh token for new ones.
// It knows people by the header, and by a cookie too.
func refreshApp(acts *[]string) http.Handler {
	grant := func(w http.ResponseWriter, user string) {
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "cookie-token-of-" + user, Path: "/"})
		w.Header().Set("X-Refresh-Token", "refresh-token-of-"+user)
		w.Header().Set("Authorization", "Bearer token-of-"+user)
		w.Header().Set("Link", "</?token=link-token-of-"+user+">")
		fmt.Fprintf(w, `{"access_token":"token-of-%[1]s","refresh_token":"refresh-token-of-%[1]s","id_token":"id-token-of-%[1]s","expires_in":60,`+
			`"more":{"all":["list-token-of-%[1]s"],"again":"Bearer token-of-%[1]s"},"name":"%[1]s"}`, user)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, signedIn := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer token-of-")
		if c, err := r.Cookie("sid"); err == nil {
			user, signedIn = strings.CutPrefix(c.Value, "cookie-token-of-")
		}
		var body struct{ Username, Password, Refresh string }
		if r.Method == http.MethodPost {
			_ = json.NewDecoder(r.Body).Decode(&body)
		}
		refreshed, ok := strings.CutPrefix(body.Refresh, "refresh-token-of-")
		switch {
		case r.URL.Path == "/":
			io.WriteString(w, "the login page")
		case r.URL.Path == "/auth/token" && body.Password == formPassword:
			grant(w, body.Username)
		case r.URL.Path == "/auth/refresh" && ok:
			grant(w, refreshed)
		case !signedIn:
			http.Error(w, "no", http.StatusUnauthorized)
		case r.URL.Path == "/me":
			fmt.Fprintf(w, `{"user":%q}`, user)
		default:
			*acts = append(*acts, user+" "+r.URL.Path)
			io.WriteString(w, "the app, for "+user)
		}
	})
}

// Whoever has the password only gets no token of any kind, at no place of any answer.
func TestNoTokenLeavesTheGateBeforeTheSecondFactor(t *testing.T) {
	for what, tell := range map[string][]string{"nothing told": nil, "much told": {"more", "all", "again", "name"}} {
		var acts []string
		c := tokenConfig()
		c.Tell = tell
		w := loginWorld(t, c, refreshApp(&acts))
		p := w.person("")
		look := func(at string) {
			t.Helper()
			got := fmt.Sprint(p.last.Code, p.last.Header(), p.body)
			for _, kind := range []string{"refresh-token-of", "id-token-of", "cookie-token-of", "link-token-of", "Bearer token-of", `"token-of`} {
				if strings.Contains(got, kind) {
					t.Errorf("%s: %s tells %s: %s", what, at, kind, got)
				}
			}
		}
		sealed := p.tokenFor("vic")
		look("the sign-in")
		for _, uri := range []string{"/", "/me", "/data", "/auth/token", "/auth/refresh", "/.mfa/", "/.mfa/api/v1/session"} {
			p.fetch("GET", uri, sealed, "")
			look(uri)
		}
		p.fetch("POST", "/auth/refresh", sealed, `{"refresh":"refresh-token-of-vic"}`)
		look("a refresh")
		if len(acts) > 0 {
			t.Errorf("%s: before the second factor the app did %q", what, acts)
		}
	}
}

// A colleague who has stolen a refresh token gets nothing of its owner's through the gate, and his session ends with
// the sign-in at the app that it is.
func TestStolenRefreshTokenOpensNothing(t *testing.T) {
	var acts []string
	w := loginWorld(t, tokenConfig(), refreshApp(&acts))
	tokens := make(map[string]string)
	people := make(map[string]*person)
	for _, user := range []string{"vic", "eve"} {
		p := w.person("")
		tokens[user] = p.tokenFor(user)
		p.last.Header().Set("Location", "/.mfa/enroll")
		p.enrolHere()
		p.fetch("GET", "/data", tokens[user], "").want(200)
		people[user] = p
	}
	acts = nil
	eve := people["eve"]
	eve.fetch("POST", "/auth/refresh", tokens["eve"], `{"refresh":"refresh-token-of-vic"}`)
	for _, token := range []string{"", tokens["eve"], "token-of-vic", "id-token-of-vic", tokens["vic"]} {
		for _, uri := range []string{"/data", "/me", "/data?access_token=token-of-vic"} {
			if eve.fetch("GET", uri, token, ""); strings.Contains(eve.body, "vic") {
				t.Errorf("%s with %q shows eve %q", uri, token, eve.body)
			}
		}
	}
	for _, act := range acts {
		if strings.HasPrefix(act, "vic ") {
			t.Errorf("the app did %q for eve", act)
		}
	}
	eve.fetch("GET", "/data", tokens["eve"], "").want(401)
	people["vic"].fetch("GET", "/data", tokens["vic"], "").want(200)
}

// What an app writes into a token must not become further cookies where a script has made one of it.
func TestTokenInACookieOfAScriptIsOneCookie(t *testing.T) {
	var seen []string
	const token = "token-of-vic;role=admin"
	plain := tokenApp(new([]string))
	w := loginWorld(t, tokenConfig(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/auth/token" {
			fmt.Fprintf(w, `{"access_token":%q}`, token)
			return
		}
		seen = append(seen, r.Header.Get("Cookie"))
		if r.Header.Get("Authorization") == "Bearer "+token {
			r = r.Clone(r.Context())
			r.Header = maps.Clone(r.Header)
			r.Header.Set("Authorization", "Bearer token-of-vic")
		}
		plain.ServeHTTP(w, r)
	}))
	p := w.person("")
	sealed := p.tokenFor("vic")
	p.last.Header().Set("Location", "/.mfa/enroll")
	p.enrolHere()
	if p.fetch("GET", "/data", sealed, ""); p.last.Code != http.StatusOK {
		t.Fatalf("with its header: got %d %s", p.last.Code, p.body)
	}
	p.askWith("/data", "Cookie", "made_by_script="+sealed)
	for _, line := range seen {
		if strings.Contains(line, "role=") {
			t.Errorf("the app gets the cookies %q", line)
		}
	}
}
