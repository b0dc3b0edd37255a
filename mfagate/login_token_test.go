package mfagate_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

func jwtFor(user string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"HS256","typ":"JWT","kid":"secret-key-7"}`)) + "." +
		enc(fmt.Appendf(nil, `{"exp":1999999999,"name":%q,"role":"owner","phone":"+4912345","org":{"id":77}}`, user)) + "." + enc([]byte("signature for "+user))
}

// jwtApp answers a login with a token that its scripts read (RFC 7519), and takes it in
// a header of its own, a parameter, or a cookie that scripts have made.
func jwtApp(acts *[]string) http.Handler {
	owner := map[string]string{jwtFor("vic"): "vic", jwtFor("eve"): "eve"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := owner[r.Header.Get("X-Auth")]
		if user == "" {
			user = owner[r.URL.Query().Get("auth")]
		}
		if c, err := r.Cookie("made_by_script"); user == "" && err == nil {
			user = owner[c.Value]
		}
		switch {
		case r.URL.Path == "/":
			io.WriteString(w, "the login page")
		case r.URL.Path == "/auth/token":
			var body struct{ Username, Password string }
			if json.NewDecoder(r.Body).Decode(&body); body.Password != formPassword {
				http.Error(w, `{"error":"invalid_grant"}`, http.StatusForbidden)
				return
			}
			name := strings.ToLower(body.Username)
			fmt.Fprintf(w, `{"status":"ok","data":{"token":%q,"expires":60,"admin":{"email":%q,"city":"Rome","age":44},"again":["x",{"y":%q}]}}`, jwtFor(name), name, "Bearer "+jwtFor(name))
		case user == "":
			http.Error(w, "no", http.StatusUnauthorized)
		case r.URL.Path == "/me":
			fmt.Fprintf(w, `{"user":%q}`, user)
		default:
			*acts = append(*acts, user+" "+r.URL.Path)
			io.WriteString(w, "the app, for "+user)
		}
	})
}

func jwtWorld(t *testing.T, acts *[]string) *world {
	c := tokenConfig()
	c.Success = []loginform.Signs{{JSON: []string{"/data/token"}}}
	c.Bearer = &loginform.Bearer{JSON: "/data/token", Header: "x-auth"}
	c.QueryKeys = []string{"auth"}
	return loginWorld(t, c, jwtApp(acts))
}

// askWith sends a request as a script of the app would, with a header.
func (p *person) askWith(uri, header, value string) *person {
	p.w.t.Helper()
	p.name = ""
	r := p.request("GET", uri, "", "")
	r.Header.Set("Accept", "*/*")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if value != "" {
		r.Header.Add(header, value)
	}
	return p.send(r)
}

// tokenIn signs in and returns what the script is told, and the token in it.
func (p *person) tokenIn(typed string) (told map[string]any, token string) {
	p.w.t.Helper()
	p.get("/")
	p.fetch("POST", "/auth/token", "", fmt.Sprintf(`{"username":%q,"password":%q}`, typed, formPassword)).want(200)
	var body struct{ Data map[string]any }
	if err := json.Unmarshal([]byte(p.body), &body); err != nil {
		p.w.t.Fatal(err)
	}
	token, _ = body.Data["token"].(string)
	p.last.Header().Set("Location", p.last.Header().Get("Mfa-Location"))
	return body.Data, token
}

func TestScriptReadsOfATokenWhatIsNoSecret(t *testing.T) {
	var acts []string
	p := jwtWorld(t, &acts).person("")
	told, token := p.tokenIn("VIC")
	admin, _ := told["admin"].(map[string]any)
	if told["expires"] != 60.0 || len(admin) != 1 || admin["email"] != "vic" || strings.Contains(p.body, "Rome") {
		t.Errorf("the script is told %s; want the token, its life, and the name", p.body)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("the token is %q; want three parts, as scripts do", token)
	}
	header, _ := base64.RawURLEncoding.DecodeString(parts[0])
	claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
	if got, want := string(header), `{"alg":"HS256","typ":"JWT"}`; got != want {
		t.Errorf("header: got %s; want %s", got, want)
	}
	if got, want := string(claims), `{"exp":1999999999,"name":"vic"}`; got != want {
		t.Errorf("claims: got %s; want %s", got, want)
	}
	if real := strings.Split(jwtFor("vic"), "."); strings.Contains(p.body, real[2]) {
		t.Error("the signature is in clear")
	}
}

func TestTokenOpensWhereTheScriptPutsIt(t *testing.T) {
	var acts []string
	p := jwtWorld(t, &acts).person("")
	_, token := p.tokenIn("vic")
	uri := "/data?a=%2F1&auth=" + token + "&b=2"
	places := []struct{ uri, header, value string }{
		{"/data", "X-Auth", token}, {uri, "X-None", ""}, {"/data", "Cookie", "made_by_script=" + token},
	}
	for _, at := range places {
		if p.askWith(at.uri, at.header, at.value); p.last.Code == 200 || len(acts) > 0 {
			t.Errorf("%s of %s before the proof: got %d, and the app has done %q", at.header, at.uri, p.last.Code, acts)
		}
	}
	p.last.Header().Set("Location", "/.mfa/enroll")
	p.enrolHere()
	for _, at := range places {
		p.askWith(at.uri, at.header, at.value)
		if want := "the app, for vic"; p.last.Code != 200 || p.body != want {
			t.Errorf("%s of %s: got %d %q; want %q", at.header, at.uri, p.last.Code, p.body, want)
		}
	}
}

func TestTokenOfSomebodyElseOpensNowhere(t *testing.T) {
	var acts []string
	w := jwtWorld(t, &acts)
	vic, eve := w.person(""), w.person("")
	_, vics := vic.tokenIn("vic")
	vic.last.Header().Set("Location", "/.mfa/enroll")
	vic.enrolHere()
	_, eves := eve.tokenIn("eve")
	eve.last.Header().Set("Location", "/.mfa/enroll")
	eve.enrolHere()
	acts = nil
	sealed := vics[strings.LastIndexByte(vics, '.')+1:]
	for _, stolen := range []string{vics, sealed, jwtFor("vic"), eves[:strings.LastIndexByte(eves, '.')+1] + sealed} {
		for _, at := range []struct{ uri, header, value string }{
			{"/data", "X-Auth", stolen}, {"/data", "X_Auth", stolen}, {"/data", "Authorization", "Bearer " + stolen},
			{"/data?auth=" + stolen, "X-None", ""}, {"/data?AUTH=" + stolen, "X-None", ""}, {"/data?%61uth=" + stolen, "X-None", ""},
			{"/data?auth=" + eves + "&auth=" + stolen, "X-None", ""}, {"/data?auth=" + stolen + "&auth=" + eves, "X-None", ""},
			{"/data?auth=" + eves + ";auth=" + stolen, "X-None", ""},
			{"/data", "Cookie", "made_by_script=" + stolen}, {"/data", "Cookie", "made_by_script=" + eves + "; made_by_script=" + stolen},
		} {
			eve.askWith(at.uri, at.header, at.value)
			if strings.Contains(eve.body, "vic") {
				t.Errorf("%s %q of %s shows eve %q", at.header, at.value, at.uri, eve.body)
			}
		}
	}
	for _, act := range acts {
		if strings.HasPrefix(act, "vic ") {
			t.Errorf("the app did %q for eve", act)
		}
	}
	if eve.askWith("/data", "X-Auth", eves); eve.last.Code != 200 {
		t.Errorf("eve herself afterwards: got %d", eve.last.Code)
	}
}

func TestWhoOpenedTheLoginPageItselfComesHome(t *testing.T) {
	var acts []string
	for want, before := range map[string]string{"/app/?tab=1": "", "/deep?x=1": "/deep?x=1"} {
		c := tokenConfig()
		c.Home = "/app/?tab=1"
		p := loginWorld(t, c, tokenApp(&acts)).person("")
		if before != "" {
			p.get(before).want(303, "/")
		}
		p.get("/")
		p.fetch("POST", "/auth/token", "", fmt.Sprintf(`{"username":"vic","password":%q}`, formPassword)).want(200)
		p.last.Header().Set("Location", p.last.Header().Get("Mfa-Location"))
		p.enrolHere()
		if got := p.last.Header().Get("Location"); got != want {
			t.Errorf("after %q and the enrolment: got %q; want %q", before, got, want)
		}
	}
}

func TestTheOperatorListsWhatElseAScriptIsTold(t *testing.T) {
	var acts []string
	c := tokenConfig()
	c.Success = []loginform.Signs{{JSON: []string{"/data/token"}}}
	c.Bearer = &loginform.Bearer{JSON: "/data/token", Header: "X-Auth"}
	c.Tell = []string{"role", "city", "again"}
	told, token := loginWorld(t, c, jwtApp(&acts)).person("").tokenIn("vic")
	if admin, _ := told["admin"].(map[string]any); admin["city"] != "Rome" || admin["age"] != nil {
		t.Errorf("the script is told %v; want the city and no age", admin)
	}
	if told["again"] != nil {
		t.Errorf("the token is told in clear, at another place: %v", told)
	}
	claims, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if got, want := string(claims), `{"exp":1999999999,"name":"vic","role":"owner"}`; got != want {
		t.Errorf("claims: got %s; want %s", got, want)
	}
	for _, bad := range [][]string{{"token"}, {"data"}, {"refresh_token"}, {"role", "refreshToken"}, {"X-Refresh-Token"}} {
		c.Tell = bad
		if _, err := loginform.Compile(c); err == nil {
			t.Errorf("tell %v gives the token away", bad)
		}
	}
	c.Tell, c.Bearer = []string{"role"}, nil
	if _, err := loginform.Compile(c); err == nil {
		t.Error("tell without a token is no error")
	}
}
