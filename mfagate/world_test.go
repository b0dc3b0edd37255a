package mfagate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	pquerna "github.com/pquerna/otp/totp"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/recovery"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
	"github.com/mfagate/caddy-mfagate/pages"
	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// A world is a gate in front of an app that notes what reached it.
type world struct {
	t       testing.TB
	store   storage.Store
	records *mfagate.Records
	gate    *mfagate.Gate
	handler http.Handler

	mu     sync.Mutex
	hits   []*http.Request // that reached the app
	events []mfagate.Event
}

// builtIn are the pages, which take a while to read and are the same for all.
var builtIn = sync.OnceValue(func() *pages.Set {
	set, err := pages.New(pages.Options{})
	if err != nil {
		panic(err)
	}
	return set
})

// newWorld starts a gate over store, or over an empty one in memory. change may
// alter the block.
func newWorld(t testing.TB, store storage.Store, change ...func(*mfagate.BlockConfig)) *world {
	t.Helper()
	if store == nil {
		store = new(memory.Store)
	}
	w := &world{t: t, store: store}
	var err error
	if w.records, err = mfagate.OpenRecords(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.records.Close() })
	w.gate, err = mfagate.New(mfagate.Config{
		Records: w.records, Pages: builtIn(), Factors: []mfagate.Factor{&totp.Factor{}}, Recovery: &recovery.Factor{}, Issuer: "Example",
		OnEvent: func(_ context.Context, e mfagate.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.handler = w.block(change...).Handler(http.HandlerFunc(w.app))
	return w
}

func (w *world) block(change ...func(*mfagate.BlockConfig)) *mfagate.Block {
	w.t.Helper()
	c := mfagate.BlockConfig{Source: mfagate.SourceFunc(firstFactor)}
	for _, f := range change {
		f(&c)
	}
	b, err := w.gate.Block(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// firstFactor is a source that believes what tests say.
func firstFactor(r *http.Request) (mfagate.Identity, error) {
	name := r.Header.Get("First-Factor")
	if name == "" {
		return mfagate.Identity{}, mfagate.ErrNoIdentity
	}
	return mfagate.Identity{Name: name}, nil
}

func (w *world) app(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.hits = append(w.hits, r.Clone(context.Background()))
	w.mu.Unlock()
	io.WriteString(rw, "the app, for "+r.Header.Get("First-Factor"))
}

func (w *world) hit() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.hits)
}

func (w *world) kinds() (kinds []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// A person is somebody with a password, a browser and perhaps a phone.
type person struct {
	w       *world
	name    string
	cookies map[string]string
	header  http.Header
	secret  string
	codes   []string
	last    *httptest.ResponseRecorder
	body    string
}

func (w *world) person(name string) *person {
	return &person{w: w, name: name, cookies: map[string]string{}, header: http.Header{}}
}

// elsewhere is the same person at another browser.
func (p *person) elsewhere() *person {
	q := p.w.person(p.name)
	q.secret, q.codes = p.secret, p.codes
	return q
}

func (p *person) request(method, path, contentType, body string) *http.Request {
	r := httptest.NewRequestWithContext(p.w.t.Context(), method, "http://localhost"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:4711"
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if p.name != "" {
		r.Header.Set("First-Factor", p.name)
	}
	for name, value := range p.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	maps.Copy(r.Header, p.header)
	return r
}

// send sends a request and keeps the cookies of the answer.
func (p *person) send(r *http.Request) *person {
	p.w.t.Helper()
	p.last = httptest.NewRecorder()
	p.w.handler.ServeHTTP(p.last, r)
	p.body = p.last.Body.String()
	for _, c := range p.last.Result().Cookies() {
		if c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Before(time.Now()) {
			delete(p.cookies, c.Name)
		} else {
			p.cookies[c.Name] = c.Value
		}
	}
	return p
}

func (p *person) get(path string) *person {
	p.w.t.Helper()
	return p.send(p.request("GET", path, "", ""))
}

var hidden = regexp.MustCompile(`name="form_token"[^>]*value="([^"]*)"`)

// token is the form token of the page that the person looks at.
func (p *person) token() string {
	m := hidden.FindStringSubmatch(p.body)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// post sends a form as the page that the person looks at would.
func (p *person) post(path string, fields ...string) *person {
	p.w.t.Helper()
	form := url.Values{"form_token": {p.token()}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return p.send(p.request("POST", path, "application/x-www-form-urlencoded", form.Encode()))
}

// api sends a request to the JSON API.
func (p *person) api(method, path string, body any) map[string]any {
	p.w.t.Helper()
	var b []byte
	if body != nil {
		b, _ = json.Marshal(body)
	}
	r := p.request(method, "/.mfa/api/v1/"+path, "application/json", string(b))
	r.Header.Set("Accept", "application/json")
	p.send(r)
	out := map[string]any{}
	if p.body != "" {
		if err := json.NewDecoder(bytes.NewReader([]byte(p.body))).Decode(&out); err != nil {
			p.w.t.Fatalf("%s %s: answer %d %q is not JSON: %v", method, path, p.last.Code, p.body, err)
		}
	}
	return out
}

// want fails the test unless the last answer has the status and, for a redirect,
// leads to a path with the prefix.
func (p *person) want(status int, location ...string) *person {
	p.w.t.Helper()
	if p.last.Code != status {
		p.w.t.Fatalf("status = %d (to %q, body %.300q); want %d", p.last.Code, p.last.Header().Get("Location"), p.body, status)
	}
	if len(location) > 0 && !strings.HasPrefix(p.last.Header().Get("Location"), location[0]) {
		p.w.t.Fatalf("Location = %q; want %q", p.last.Header().Get("Location"), location[0])
	}
	return p
}

// follow goes where the last answer leads.
func (p *person) follow() *person {
	p.w.t.Helper()
	return p.get(p.last.Header().Get("Location"))
}

// code is what the phone shows now; in later steps, after so many.
func (p *person) code(later int) string {
	p.w.t.Helper()
	c, err := pquerna.GenerateCode(p.secret, time.Now().Add(time.Duration(later)*30*time.Second))
	if err != nil {
		p.w.t.Fatal(err)
	}
	return c
}

var (
	secret  = regexp.MustCompile(`<code class="secret">(.*?)</code>`)
	crock   = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){3}\b`)
	setName = regexp.MustCompile(`name="set"[^>]*value="([^"]*)"`)
	manual  = regexp.MustCompile(`[A-Z2-7]{4}`)
)

// scan reads the secret off the enrolment page.
func (p *person) scan() *person {
	p.w.t.Helper()
	p.secret = ""
	if m := secret.FindStringSubmatch(p.body); m != nil {
		p.secret = strings.Join(manual.FindAllString(m[1], -1), "")
	}
	if p.secret == "" {
		p.w.t.Fatalf("no secret on the page: %.2000s", p.body)
	}
	return p
}

// note writes the recovery codes down.
func (p *person) note() *person {
	p.w.t.Helper()
	seen := map[string]bool{}
	p.codes = nil
	for _, c := range crock.FindAllString(p.body, -1) {
		if !seen[c] {
			seen[c] = true
			p.codes = append(p.codes, c)
		}
	}
	return p
}

func (p *person) set() string {
	if m := setName.FindStringSubmatch(p.body); m != nil {
		return m[1]
	}
	return ""
}

// enrol goes through the wizard, up to the page first wanted.
func (p *person) enrol(path string) *person {
	p.w.t.Helper()
	p.get(path).want(303, "/.mfa/enroll").follow().want(200)
	p.post("/.mfa/enroll/totp", "return", path).want(303, "/.mfa/enroll/totp").follow().want(200).scan()
	p.post("/.mfa/enroll/totp", "code", p.code(0), "return", path).want(303, "/.mfa/recovery-codes").follow().want(200).note()
	return p.post("/.mfa/recovery-codes", "saved", "yes", "set", p.set(), "return", path).want(303, path)
}

// prove answers the challenge with a code of so many steps later.
func (p *person) prove(path string, later int) *person {
	p.w.t.Helper()
	p.get(path).want(303, "/.mfa/challenge").follow().want(200)
	return p.post("/.mfa/challenge", "method", "totp", "code", p.code(later), "return", path)
}
