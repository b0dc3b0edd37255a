package mfagate_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// An exchangeApp gives tokens that end when it says so, and a second one that is good for
// new ones only, as OAuth 2.0 does (RFC 6749 section 6).
type exchangeApp struct {
	epoch int // of the tokens that are good now
	acts  []string
	asked []string // bodies of /auth/refresh
}

func (a *exchangeApp) token(user string) string { return fmt.Sprintf("access-%s-%d", user, a.epoch) }

func (a *exchangeApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user := ""
	for _, name := range []string{"vic", "eve"} {
		if r.Header.Get("Authorization") == "Bearer "+a.token(name) {
			user = name
		}
	}
	var body struct{ Username, Password, Refresh string }
	if r.Method == "POST" {
		data, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(data, &body)
		if r.URL.Path == "/auth/refresh" {
			a.asked = append(a.asked, string(data))
		}
	}
	switch {
	case r.URL.Path == "/":
		io.WriteString(w, "the login page")
	case r.URL.Path == "/auth/token" && body.Password != formPassword, r.URL.Path == "/auth/refresh" && !strings.HasPrefix(body.Refresh, "refresh-"):
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusForbidden)
	case r.URL.Path == "/auth/token":
		a.give(w, body.Username)
	case r.URL.Path == "/auth/refresh":
		a.give(w, strings.TrimPrefix(body.Refresh, "refresh-"))
	case user == "":
		http.Error(w, "ended", http.StatusUnauthorized)
	case r.URL.Path == "/me":
		fmt.Fprintf(w, `{"user":%q}`, user)
	default:
		a.acts = append(a.acts, user+" "+r.URL.Path)
		io.WriteString(w, "the app, for "+user)
	}
}

func (a *exchangeApp) give(w http.ResponseWriter, user string) {
	w.Header().Set("X-Token", a.token(user))
	fmt.Fprintf(w, `{"access_token":%q,"refresh":"refresh-%s","again":["Bearer %s"],"city":"Rome","user":%q}`, a.token(user), user, a.token(user), user)
}

// A tokenPair is what a script keeps of an answer with tokens.
type tokenPair struct {
	Access  string `json:"access_token"`
	Refresh string
	City    string
}

func exchangeWorld(t *testing.T, app *exchangeApp, change func(*loginform.Config)) *world {
	c := tokenConfig()
	c.Renew = []loginform.Pattern{{Text: "POST /auth/refresh"}}
	c.Tokens = []string{"/refresh"}
	if change != nil {
		change(&c)
	}
	return loginWorld(t, c, app)
}

func (p *person) pair(t *testing.T) (got tokenPair) {
	t.Helper()
	if err := json.Unmarshal([]byte(p.body), &got); err != nil {
		t.Fatalf("%v: %q", err, p.body)
	}
	if strings.Contains(p.body, "access-") || strings.Contains(p.body, "refresh-") || p.last.Header().Get("X-Token") != "" {
		t.Errorf("a token is told in clear: %q, %v", p.body, p.last.Header())
	}
	return got
}

// exchangeIn signs in and proves.
func (p *person) exchangeIn(t *testing.T, name string) tokenPair {
	t.Helper()
	p.get(p.w.ticketFor(name))
	p.get("/").want(200)
	p.fetch("POST", "/auth/token", "", fmt.Sprintf(`{"username":%q,"password":%q}`, name, formPassword)).want(200)
	got := p.pair(t)
	p.last.Header().Set("Location", "/.mfa/enroll")
	p.enrolHere()
	return got
}

func refreshBody(token string) string { return fmt.Sprintf(`{"refresh":%q}`, token) }

func TestScriptExchangesATokenThatHasEnded(t *testing.T) {
	synctest.Test(t, exchangeEnded)
}

func exchangeEnded(t *testing.T) {
	app := new(exchangeApp)
	p := exchangeWorld(t, app, nil).person("")
	in := p.exchangeIn(t, "vic")
	p.fetch("GET", "/data", in.Access, "").want(200)
	for range 3 {
		app.epoch++
		time.Sleep(2 * time.Minute)
		if p.fetch("GET", "/data", in.Access, ""); p.last.Code != 401 || !strings.Contains(p.body, "ended") {
			t.Fatalf("with a token that has ended: got %d %q; want the app's own 401", p.last.Code, p.body)
		}
		p.fetch("POST", "/auth/refresh", in.Access, refreshBody(in.Refresh)).want(200)
		got := p.pair(t)
		if got.City != "Rome" {
			t.Errorf("the rest of the answer: got %q; want it as it was", p.body)
		}
		in = got
		if p.fetch("GET", "/data", in.Access, ""); p.body != "the app, for vic" {
			t.Fatalf("with the new token: got %d %q; want the app", p.last.Code, p.body)
		}
	}
	if want := refreshBody("refresh-vic"); app.asked[0] != want {
		t.Errorf("the app was asked %q; want %q", app.asked[0], want)
	}
}

// Eve has a session of her own, and a refresh token of Vic's: from the app, or as Vic's
// browser has it.
func TestStolenTokenIsExchangedForNothing(t *testing.T) {
	for name, change := range map[string]func(*loginform.Config){
		"with a probe":         nil,
		"by the answer":        func(c *loginform.Config) { c.Identify = &loginform.Identify{JSON: "/user"} },
		"where nobody can say": func(c *loginform.Config) { c.Identify = nil },
	} {
		for _, clear := range []bool{true, false} {
			app := new(exchangeApp)
			w := exchangeWorld(t, app, change)
			vics := w.person("").exchangeIn(t, "vic")
			stolen := vics.Refresh
			if clear {
				stolen = "refresh-vic"
			}
			eve := w.person("")
			eves := eve.exchangeIn(t, "eve")
			app.acts = nil
			for _, body := range []string{refreshBody(stolen), fmt.Sprintf(`{"old":%q,"refresh":%q}`, eves.Refresh, stolen)} {
				eve.fetch("POST", "/auth/refresh", eves.Access, body)
				if eve.last.Code == 200 || strings.Contains(eve.body, "Rome") {
					t.Errorf("%s, %q: got %d %q; want nothing of vic's", name, stolen, eve.last.Code, eve.body)
				}
			}
			eve.fetch("GET", "/data", vics.Access, "")
			for _, act := range app.acts {
				if strings.HasPrefix(act, "vic ") {
					t.Errorf("%s: the app did %q for eve", name, act)
				}
			}
		}
	}
}

func TestStrangersScriptHearsFromTheAppThatNobodyIsSignedIn(t *testing.T) {
	app := new(exchangeApp)
	p := exchangeWorld(t, app, nil).person("")
	p.get("/").want(200)
	if p.fetch("POST", "/auth/refresh", "", `{}`); p.last.Code != 403 || !strings.Contains(p.body, "invalid_grant") {
		t.Errorf("got %d %q; want what the app says to strangers", p.last.Code, p.body)
	}
	if p.fetch("POST", "/auth/refresh", "", refreshBody("refresh-vic")); p.last.Code != 401 || strings.Contains(p.body, "access-") || strings.Contains(p.body, "Rome") {
		t.Errorf("with a stolen token: got %d %q; want nothing of the app's", p.last.Code, p.body)
	}
}

// Some scripts ask at the address of the login, without any field.
func TestRequestWithoutABodyIsNoLogin(t *testing.T) {
	app := new(exchangeApp)
	p := exchangeWorld(t, app, func(c *loginform.Config) { c.Renew = []loginform.Pattern{{Text: "POST /auth/token"}} }).person("")
	p.get("/").want(200)
	if p.fetch("POST", "/auth/token", "", ""); p.last.Code != 403 || !strings.Contains(p.body, "invalid_grant") {
		t.Errorf("got %d %q; want what the app says to strangers", p.last.Code, p.body)
	}
	p.fetch("POST", "/auth/token", "", `{"username":"vic","password":"wrong"}`).want(403)
	p.exchangeIn(t, "vic")
}

func TestFurtherTokensAreCheckedAtTheStart(t *testing.T) {
	for _, bad := range []func(*loginform.Config){
		func(c *loginform.Config) { c.Bearer = nil },
		func(c *loginform.Config) { c.Tokens = []string{"refresh"} },
		func(c *loginform.Config) { c.Tokens = []string{"/access_token"} },
	} {
		c := tokenConfig()
		c.Tokens = []string{"/refresh"}
		if bad(&c); c.Bearer == nil {
			c.Inject = false
		}
		if _, err := loginform.Compile(c); err == nil || !strings.Contains(err.Error(), "tokens: ") {
			t.Errorf("tokens %q: got %v; want an error", c.Tokens, err)
		}
	}
}
