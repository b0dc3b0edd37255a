package caddymodule

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// A person is alice, or somebody else, with a browser and an authenticator app.
type person struct {
	g      *gateway
	cookie string

	user, password string   // empty means alice's
	headers        []string // sent with requests of the API, two by two
	seed           string
	recovery       []string
}

// ask sends a request of the JSON API, and reads the answer into out.
func (p *person) ask(method, path string, body, out any) {
	p.g.t.Helper()
	got := p.request(method, path, body)
	if got.status >= 300 {
		p.g.t.Fatalf("%s %s = %d %s", method, path, got.status, got.body)
	}
	if err := json.Unmarshal([]byte(got.body), out); err != nil {
		p.g.t.Fatal(err)
	}
}

// request sends a request of the JSON API.
func (p *person) request(method, path string, body any) answer {
	p.g.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		p.g.t.Fatal(err)
	}
	req, err := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d/.mfa/api/v1/%s", p.g.port, path), strings.NewReader(string(encoded)))
	if err != nil {
		p.g.t.Fatal(err)
	}
	req.Host = fmt.Sprintf("localhost:%d", p.g.port)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Cookie", p.cookie)
	req.SetBasicAuth(cmp.Or(p.user, "alice"), cmp.Or(p.password, "correct horse battery staple"))
	for i := 0; i+1 < len(p.headers); i += 2 {
		req.Header.Set(p.headers[i], p.headers[i+1])
	}
	got := p.g.send(req)
	p.keep(got)
	return got
}

// keep takes the cookies of an answer, as a browser does.
func (p *person) keep(a answer) {
	jar := make(map[string]string)
	for part := range strings.SplitSeq(p.cookie, "; ") {
		if name, value, ok := strings.Cut(part, "="); ok {
			jar[name] = value
		}
	}
	for _, line := range a.header["Set-Cookie"] {
		if c, err := http.ParseSetCookie(line); err == nil {
			jar[c.Name] = c.Value
		}
	}
	var parts []string
	for name, value := range jar {
		parts = append(parts, name+"="+value)
	}
	p.cookie = strings.Join(parts, "; ")
}

// enrol makes alice prove herself for the first time.
func enrol(g *gateway) *person {
	g.t.Helper()
	p := &person{g: g}
	p.keep(g.get("/"))
	p.enrol()
	return p
}

func (p *person) enrol() {
	g := p.g
	g.t.Helper()
	var begun struct{ Enrollment, Secret string }
	p.ask("POST", "enroll/totp", map[string]string{}, &begun)
	p.seed = strings.ReplaceAll(begun.Secret, " ", "")
	code, err := totp.GenerateCode(p.seed, time.Now())
	if err != nil {
		g.t.Fatal(err)
	}
	var done struct {
		Codes []string `json:"recovery_codes"`
	}
	p.ask("POST", "enroll/totp/confirm", map[string]string{"enrollment": begun.Enrollment, "code": code, "label": "phone"}, &done)
	if len(done.Codes) == 0 {
		g.t.Fatal("enrolling gave no recovery codes")
	}
	p.recovery = done.Codes
}

func (p *person) get(path string, headers ...string) answer {
	p.g.t.Helper()
	return p.g.get(path, append(headers, "Cookie", p.cookie)...)
}

func TestPlaceholders(t *testing.T) {
	g := serve(t, `PASSWORD
		mfa
		respond /show "{http.mfa.user} {http.mfa.factor} {http.mfa.proved_at} {http.mfa.session_age}|{header.Cookie}|"`)
	p := enrol(g)
	got := p.get("/show", "Cookie", "theirs=1")
	want := regexp.MustCompile(`^alice totp 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ \d+\|theirs=1\|$`)
	if !want.MatchString(got.body) {
		t.Errorf("the app was told %q; want %s", got.body, want)
	}
	if got := g.get("/show"); got.status == http.StatusOK {
		t.Errorf("without a session: %d %q", got.status, got.body)
	}
}

// Several directives on one request share the session, and each is asked.
func TestSeveralBlocks(t *testing.T) {
	g := serve(t, "PASSWORD\nmfa\nmfa /x/* {\nmax_age 10m\n}\nmfa /none/* {\nfactors recovery\n}\nmfa_pages")
	p := enrol(g)
	for path, want := range map[string]bool{"/": true, "/x/y": true, "/none/x": false} {
		if got := p.get(path); got.reachedApp() != want {
			t.Errorf("GET %s = %d %q; want that it reaches the app: %t", path, got.status, got.body, want)
		}
	}
}

// Where the first factor is inside a handle, the pages beside it know the person
// from the stop, and nobody without one.
func TestPagesBesideTheFirstFactor(t *testing.T) {
	g := serve(t, "mfa_pages\nhandle /wiki/* {\nPASSWORD\nmfa\nrespond APP-ANSWERED\n}")
	if got := g.user(); got != "" {
		t.Fatalf("before the stop the user is %q; want nobody", got)
	}
	p := &person{g: g}
	p.keep(g.get("/wiki/x", "Sec-Fetch-Mode", "navigate"))
	p.enrol()
	if got := p.get("/wiki/x"); !got.reachedApp() {
		t.Errorf("after enrolment: %d %q", got.status, got.body)
	}
}

// A session is good on the site where it was made only, whatever the realm.
func TestSessionStaysOnItsSite(t *testing.T) {
	g := serve(t, "PASSWORD\nmfa\nrespond APP-ANSWERED\n}\nhttp://127.0.0.2:0 {\nbind 127.0.0.2\nPASSWORD\nmfa {\nrealm other\n}")
	p := enrol(g)
	if got := p.get("/"); !got.reachedApp() {
		t.Fatalf("with a session: %d %q", got.status, got.body)
	}
	if err := g.load("realm default", "PASSWORD\nmfa {\nsite elsewhere\n}"); err != nil {
		t.Fatal(err)
	}
	if got := p.get("/"); got.reachedApp() {
		t.Error("a session was good on another site")
	}
}

func TestReloadUnderTraffic(t *testing.T) {
	g := serve(t, "PASSWORD\nmfa")
	p := enrol(g)
	var asked atomic.Int32
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			p.passes(&asked)
		}
	}()
	for i := range 20 {
		if err := g.load(fmt.Sprintf("issuer %d", i), "PASSWORD\nmfa"); err != nil {
			t.Error(err)
		}
		before, deadline := asked.Load(), time.Now().Add(time.Minute)
		for asked.Load() == before && time.Now().Before(deadline) && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
	}
	close(stop)
	<-done
	if asked.Load() < 20 {
		t.Errorf("only %d requests were answered", asked.Load())
	}
}

// passes asks for a page, which must come from the app. A connection that breaks
// says nothing of the gate: Caddy itself drops those that come in while it
// replaces a listener.
func (p *person) passes(asked *atomic.Int32) {
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", p.g.port), nil)
	if err != nil {
		p.g.t.Error(err)
		return
	}
	req.Host = fmt.Sprintf("localhost:%d", p.g.port)
	req.Header.Set("Cookie", p.cookie)
	req.SetBasicAuth("alice", "correct horse battery staple")
	resp, err := noRedirects.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil && string(body) != "APP-ANSWERED" {
		p.g.t.Errorf("during a reload: %d %q", resp.StatusCode, body)
	}
	asked.Add(1)
}

// Behind a proxy that is not trusted nobody may say that the browser came by HTTPS.
func TestForwardedProto(t *testing.T) {
	tests := []struct {
		name, trusted string
		headers       []string
		secure        bool
	}{
		{"trusted", "127.0.0.0/8", []string{"X-Forwarded-Proto", "https"}, true},
		{"trusted, several proxies", "127.0.0.0/8", []string{"X-Forwarded-Proto", "https, https"}, true},
		{"trusted, partly", "127.0.0.0/8", []string{"X-Forwarded-Proto", "https, http"}, false},
		{"trusted, twice", "127.0.0.0/8", []string{"X-Forwarded-Proto", "http", "X-Forwarded-Proto", "https"}, false},
		{"trusted, alias", "127.0.0.0/8", []string{"X_Forwarded_Proto", "https"}, false},
		{"not trusted", "192.0.2.0/24", []string{"X-Forwarded-Proto", "https"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := newGateway(t)
			text := strings.Replace(g.caddyfile("", "PASSWORD\nmfa"), "persist_config off",
				"persist_config off\nservers {\ntrusted_proxies static "+test.trusted+"\n}", 1)
			adapted, err := adapt(text)
			if err != nil {
				t.Fatal(err)
			}
			if err := g.loadJSON(adapted); err != nil {
				t.Fatal(err)
			}
			got := strings.Contains(strings.Join(g.get("/", append(test.headers, "Sec-Fetch-Mode", "navigate")...).header["Set-Cookie"], " "), "__Host-")
			if got != test.secure {
				t.Errorf("the cookie is one for HTTPS: %t; want %t", got, test.secure)
			}
		})
	}
}
