package mfagate_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// revokeWorld is an app whose sign-out names the token in its body, as RFC 7009 has it, and which
// answers with what echo makes of that body.
func revokeWorld(t *testing.T, bodies *[]string, echo func(body string) string) *world {
	var acts []string
	app := tokenApp(&acts)
	c := tokenConfig()
	c.Logout = []loginform.Pattern{{Text: "POST /auth/revoke"}}
	return loginWorld(t, c, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/auth/revoke" {
			app.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		*bodies = append(*bodies, r.Header.Get("Authorization")+" "+string(body))
		if int64(len(body)) != r.ContentLength {
			*bodies = append(*bodies, "of another length than it says")
		}
		io.WriteString(w, echo(string(body)))
	}))
}

// signedInWithToken enrols vic, and returns the token as the script knows it.
func signedInWithToken(t *testing.T, w *world) (*person, string) {
	t.Helper()
	p := w.person("")
	p.get("/")
	p.fetch("POST", "/auth/token", "", fmt.Sprintf(`{"username":"vic","password":%q}`, formPassword)).want(200)
	_, rest, _ := strings.Cut(p.body, `"access_token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	p.last.Header().Set("Location", "/.mfa/enroll")
	p.enrolHere()
	return p, token
}

func TestSignOutEndsTheTokenAtTheApp(t *testing.T) {
	var bodies []string
	w := revokeWorld(t, &bodies, func(string) string { return "bye" })
	p, token := signedInWithToken(t, w)
	p.fetch("POST", "/auth/revoke", token, fmt.Sprintf(`{"token":%q}`, token)).want(200)
	if want := `Bearer token-of-vic {"token":"token-of-vic"}`; len(bodies) != 1 || bodies[0] != want {
		t.Errorf("to the app goes %q; want %q", bodies, want)
	}
	if p.body != "bye" {
		t.Errorf("the app's answer arrives as %q; want bye", p.body)
	}
	if p.fetch("GET", "/data", token, ""); p.last.Code != 401 {
		t.Errorf("after the sign-out the token opens: %d %q", p.last.Code, p.body)
	}
}

// An app that repeats the token must not be a way to see it.
func TestSignOutDoesNotTellTheToken(t *testing.T) {
	for name, echo := range map[string]func(string) string{
		"the body":    func(body string) string { return body },
		"it escaped":  func(string) string { return "token%2Dof-vic token-of-vic" },
		"a long text": func(body string) string { return strings.Repeat("x", loginform.MaxAnswer) + body },
	} {
		t.Run(name, func(t *testing.T) {
			var bodies []string
			w := revokeWorld(t, &bodies, echo)
			p, token := signedInWithToken(t, w)
			p.fetch("POST", "/auth/revoke", token, fmt.Sprintf(`{"token":%q}`, token))
			if len(bodies) != 1 || strings.Contains(p.body, "token-of-vic") || p.last.Code != 401 {
				t.Errorf("got %d %.200q after %q went to the app; want 401 and no token", p.last.Code, p.body, bodies)
			}
		})
	}
}

// Somebody else's token is what it is: a text that opens nothing.
func TestSignOutOpensNoTokenButItsOwn(t *testing.T) {
	var bodies []string
	w := revokeWorld(t, &bodies, func(string) string { return "bye" })
	vic, vics := signedInWithToken(t, w)
	other := w.person("")
	other.get("/")
	other.fetch("POST", "/auth/token", "", fmt.Sprintf(`{"username":"eve","password":%q}`, formPassword)).want(200)
	_, rest, _ := strings.Cut(other.body, `"access_token":"`)
	eves, _, _ := strings.Cut(rest, `"`)
	other.fetch("POST", "/auth/revoke", eves, fmt.Sprintf(`{"token":%q}`, eves))
	if len(bodies) != 0 {
		t.Errorf("before the second factor %q goes to the app", bodies)
	}
	vic.fetch("POST", "/auth/revoke", vics, fmt.Sprintf(`{"token":%q,"too":%q}`, eves, vics))
	if len(bodies) != 1 || strings.Contains(bodies[0], "token-of-eve") || !strings.Contains(bodies[0], eves) {
		t.Errorf("within vic's session %q goes to the app; want eve's token as sealed as it was", bodies)
	}
}
