package caddymodule

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/pquerna/otp/totp"
)

// bob's password is: well, well,424242
const bobsPassword = "basic_auth {\n bob $2a$05$XVWNLozXeb/l870P.XzO1OlSsh18HMhgtzjtAPcPNbzqlzFlLZcI2\n }\n"

const showsPassword = "respond \"APP-ANSWERED {http.mfa.user} {http.mfa.factor} {http.request.header.Authorization} [{http.vars.mfa_password_code}]\""

// as sends a request with a name and a password.
func (g *gateway) as(user, password string, headers ...string) answer {
	g.t.Helper()
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", g.port), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Host = fmt.Sprintf("localhost:%d", g.port)
	req.SetBasicAuth(user, password)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return g.send(req)
}

// enrolled enrols a user who has this password, and returns the seed. The time step
// of now is used up then.
func (g *gateway) enrolled(user, password string) (seed string) {
	g.t.Helper()
	p := &person{g: g, user: user, password: password}
	p.enrol()
	return p.seed
}

func codeAt(t *testing.T, seed string, at time.Time) string {
	t.Helper()
	c, err := totp.GenerateCode(seed, at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// totpAt is the code that a phone shows so much later.
func totpAt(seed string, later time.Duration) (string, error) {
	return totp.GenerateCode(seed, time.Now().Add(later))
}

const alicesWord = "correct horse battery staple"

// S88, through the whole server, with a real basic_auth.
func TestPasswordCode(t *testing.T) {
	g := serve(t, "mfa\nPASSWORD\nmfa_password_code\n"+showsPassword)
	seed := g.enrolled("alice", alicesWord)
	next := codeAt(t, seed, time.Now().Add(30*time.Second))
	with := alicesWord + "," + next
	for range 3 {
		got := g.as("alice", with)
		want := "APP-ANSWERED alice totp Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+alicesWord)) + " []"
		if got.body != want {
			t.Fatalf("the app was told %d %q; want %q", got.status, got.body, want)
		}
	}
	for _, password := range []string{alicesWord, "wrong," + next, alicesWord + "," + next + "," + next, alicesWord + ",", alicesWord + ",12345", alicesWord + ", " + next} {
		if got := g.as("alice", password); got.reachedApp() || got.status != http.StatusUnauthorized {
			t.Errorf("with %q: %d %q; want 401", password, got.status, got.body)
		}
	}
	if got := g.as("alice", alicesWord, "Sec-Fetch-Mode", "navigate", "Accept", "text/html"); got.status != http.StatusSeeOther {
		t.Errorf("a browser without code: %d; want the challenge", got.status)
	}
}

// Without the right password a right code tells nothing, is not consumed, and wrong
// ones use up no attempts.
func TestPasswordCodeIsNoOracle(t *testing.T) {
	g := serve(t, "mfa_password_code\nPASSWORD\nmfa\n"+showsPassword)
	seed := g.enrolled("alice", alicesWord)
	next := codeAt(t, seed, time.Now().Add(30*time.Second))
	right, wrong := g.as("alice", "guess,"+next), g.as("alice", "guess,000000")
	if right.status != wrong.status || right.body != wrong.body || right.header.Get("WWW-Authenticate") != wrong.header.Get("WWW-Authenticate") {
		t.Errorf("a right code with a wrong password: %d %q; a wrong one: %d %q", right.status, right.body, wrong.status, wrong.body)
	}
	for i := range 10 {
		g.as("alice", fmt.Sprintf("guess,%06d", i))
	}
	if got := g.as("alice", alicesWord+","+next); !got.reachedApp() {
		t.Errorf("afterwards the owner: %d %q", got.status, got.body)
	}
}

// Only the last comma with a code after it is taken off.
func TestPasswordWithCommas(t *testing.T) {
	g := serve(t, "mfa_password_code\n"+bobsPassword+"mfa\n"+showsPassword)
	seed := g.enrolled("bob", "well, well,424242,000000") // what is taken off need not be right as long as nobody asks for it
	if got := g.as("bob", "well, well,424242,"+codeAt(t, seed, time.Now().Add(30*time.Second))); !got.reachedApp() {
		t.Errorf("with a code: %d %q", got.status, got.body)
	}
	if got := g.as("bob", "well, well,424242"); got.status != http.StatusUnauthorized {
		t.Errorf("a password that ends like a code, without one: %d; want 401", got.status)
	}
}

// Off by default; and where the user does not come from basic_auth no code counts.
func TestPasswordCodeElsewhere(t *testing.T) {
	for name, lines := range map[string]string{
		"off":          "PASSWORD\nmfa\n",
		"another user": "mfa_password_code\nPASSWORD\nmfa {\nuser {header.X-User}\nheader_from 127.0.0.1\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			g := serve(t, lines+showsPassword)
			p := &person{g: g, user: "alice", password: alicesWord, headers: []string{"X-User", "alice"}}
			p.enrol()
			got := g.as("alice", alicesWord+","+codeAt(t, p.seed, time.Now().Add(30*time.Second)), "X-User", "alice")
			if got.reachedApp() {
				t.Errorf("%d %q", got.status, got.body)
			}
		})
	}
}

// What a client sends beside it does not count.
func TestPasswordCodeOddHeaders(t *testing.T) {
	g := serve(t, "mfa_password_code\nPASSWORD\nmfa\n"+showsPassword)
	seed := g.enrolled("alice", alicesWord)
	next := codeAt(t, seed, time.Now().Add(30*time.Second))
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", g.port), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = fmt.Sprintf("localhost:%d", g.port)
	basic := func(password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+password))
	}
	req.Header["Authorization"] = []string{basic(alicesWord + "," + next), basic(alicesWord)}
	if got := g.send(req); got.reachedApp() {
		t.Errorf("two Authorization headers: %d %q", got.status, got.body)
	}
	req.Header["Authorization"] = []string{basic(alicesWord)}
	req.Header["Mfa_password_code"] = []string{next}
	if got := g.send(req); got.reachedApp() {
		t.Errorf("a header called like the variable: %d %q", got.status, got.body)
	}
}

func TestCutCode(t *testing.T) {
	for _, test := range []struct{ whole, password, code, method string }{
		{"secret,123456", "secret", "123456", "totp"},
		{"secret,12345678", "secret", "12345678", "totp"},
		{"a,b,123456", "a,b", "123456", "totp"},
		{",123456", "", "123456", "totp"},
		{"secret,ABCD-0123-EFGH-4567", "secret", "ABCD-0123-EFGH-4567", "recovery"},
		{"secret,abcd-0123-efgh-4567", "secret", "abcd-0123-efgh-4567", "recovery"},
		{"secret,1234567", "", "", ""},
		{"secret123456", "", "", ""},
		{"secret,１２３４５６", "", "", ""},
		{"secret,ABCD0123EFGH4567", "", "", ""}, // could be the end of a password
		{"secret,123456\n", "", "", ""},
		{"", "", "", ""},
	} {
		c, ok := cutCode(test.whole)
		if c.Password != test.password || c.Code != test.code || c.Method != test.method || ok != (test.code != "") {
			t.Errorf("cutCode(%q) = %+v, %t; want %+v", test.whole, c, ok, test)
		}
	}
}

// The password stays out of whatever shows variables.
func TestPasswordCodeHidesItself(t *testing.T) {
	repl := caddy.NewReplacer()
	repl.Set("v", &appendedCode{user: "alice"})
	if got := repl.ReplaceAll("[{v}]", ""); got != "[]" || strings.Contains(fmt.Sprint(&appendedCode{user: "alice"}), "alice") {
		t.Errorf("shown as %q", got)
	}
}
