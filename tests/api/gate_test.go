package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pquerna "github.com/pquerna/otp/totp"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/email"
	"github.com/mfagate/caddy-mfagate/mfagate/recovery"
	"github.com/mfagate/caddy-mfagate/mfagate/sms"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// A site is a gate in front of an app.
type site struct {
	t       *testing.T
	doc     *document
	disk    *disk
	gate    *mfagate.Gate
	handler http.Handler
}

// fromApp marks the answers that are the app's.
const fromApp = "From-App"

type settings struct {
	site    mfagate.Site
	noCodes bool
	by      *gateway // of codes by text message and e-mail; nil: there are none
}

func open(t *testing.T, doc *document, s settings) *site {
	t.Helper()
	w := &site{t: t, doc: doc, disk: &disk{Store: new(memory.Store)}}
	records, err := mfagate.OpenRecords(t.Context(), w.disk)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { records.Close() })
	config := mfagate.Config{Records: records, Factors: []mfagate.Factor{totp.Factor{}}, Issuer: "Example"}
	if s.by != nil {
		config.Factors = append(config.Factors, sms.New(sms.Numbers{Countries: []string{"DE"}}, s.by), email.New(email.Addresses{}, s.by))
	}
	if !s.noCodes {
		config.Recovery = recovery.Factor{}
	}
	if w.gate, err = mfagate.New(config); err != nil {
		t.Fatal(err)
	}
	block, err := w.gate.Block(mfagate.BlockConfig{Site: s.site, Source: mfagate.SourceFunc(firstFactor)})
	if err != nil {
		t.Fatal(err)
	}
	w.handler = block.Handler(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set(fromApp, "yes")
		io.WriteString(rw, "the app")
	}))
	return w
}

func firstFactor(r *http.Request) (mfagate.Identity, error) {
	name := r.Header.Get("First-Factor")
	if name == "" {
		return mfagate.Identity{}, mfagate.ErrNoIdentity
	}
	return mfagate.Identity{Name: name}, nil
}

var errDisk = errors.New("disk is on fire")

// A disk is a store that can fail.
type disk struct {
	storage.Store
	broken atomic.Bool
}

func (d *disk) Get(ctx context.Context, key string) (storage.Record, error) {
	if d.broken.Load() {
		return storage.Record{}, errDisk
	}
	return d.Store.Get(ctx, key)
}

func (d *disk) Apply(ctx context.Context, changes ...storage.Change) error {
	if d.broken.Load() {
		return errDisk
	}
	return d.Store.Apply(ctx, changes...)
}

// A client is a program that acts for a user.
type client struct {
	site    *site
	user    string
	cookies map[string]string
	secret  string

	status int
	header http.Header
	fields map[string]any // of the last answer
}

func (w *site) client(user string) *client {
	return &client{site: w, user: user, cookies: map[string]string{}}
}

// request makes a request; a body that is not a string is sent as JSON.
func (c *client) request(method, path string, body any) *http.Request {
	text, ok := body.(string)
	if !ok && body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			c.site.t.Fatal(err)
		}
		text = string(b)
	}
	r := httptest.NewRequestWithContext(c.site.t.Context(), method, "http://localhost"+path, strings.NewReader(text))
	r.RemoteAddr = "127.0.0.1:4711"
	r.Header.Set("Accept", "application/json")
	if method == http.MethodPost || text != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.user != "" {
		r.Header.Set("First-Factor", c.user)
	}
	for name, value := range c.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// send sends r, holds the answer to the document and keeps its cookies.
func (c *client) send(r *http.Request) *client {
	c.site.t.Helper()
	rec := httptest.NewRecorder()
	c.site.handler.ServeHTTP(rec, r)
	resp := rec.Result()
	c.status, c.header, c.fields = resp.StatusCode, resp.Header, nil
	for _, k := range resp.Cookies() {
		c.cookies[k.Name] = k.Value
		if k.Value == "" {
			delete(c.cookies, k.Name)
		}
	}
	if resp.Header.Get(fromApp) != "" {
		return c
	}
	body, _ := io.ReadAll(resp.Body) // of a recorder
	c.site.doc.check(c.site.t, r, resp, body)
	if len(body) > 0 {
		if err := json.Unmarshal(body, &c.fields); err != nil {
			c.site.t.Fatalf("%s %s: %.300q: %v", r.Method, r.URL.Path, body, err)
		}
	}
	return c
}

const prefix = "/.mfa/api/v1/"

func (c *client) call(method, path string, body any) *client {
	c.site.t.Helper()
	return c.send(c.request(method, prefix+path, body))
}

type members map[string]any

// want fails the test unless the last answer has the status and the members.
func (c *client) want(status int, want members) *client {
	c.site.t.Helper()
	if c.status != status {
		c.site.t.Fatalf("status = %d, %v; want %d", c.status, c.fields, status)
	}
	for name, value := range want {
		got := c.fields[name]
		if s, ok := got.(string); ok && name == "type" {
			got = strings.TrimPrefix(s, "urn:mfagate:problem:")
		}
		if got != value {
			c.site.t.Errorf("%s = %v; want %v", name, got, value)
		}
	}
	return c
}

// list returns the strings of a member.
func (c *client) list(name string) (texts []string) {
	c.site.t.Helper()
	values, ok := c.fields[name].([]any)
	if !ok {
		c.site.t.Fatalf("%s = %v; want a list", name, c.fields[name])
	}
	for _, v := range values {
		texts = append(texts, v.(string))
	}
	return texts
}

// code is what the user's authenticator app shows now.
func (c *client) code() string {
	c.site.t.Helper()
	code, err := pquerna.GenerateCode(c.secret, time.Now())
	if err != nil {
		c.site.t.Fatal(err)
	}
	return code
}

// enrol sets up an authenticator app and returns the recovery codes.
func (c *client) enrol() []string {
	c.site.t.Helper()
	c.call("POST", "enroll/totp", nil).want(201, nil)
	c.secret = c.fields["secret"].(string)
	c.call("POST", "enroll/totp/confirm", members{"enrollment": c.fields["enrollment"], "code": c.code(), "label": "my phone"}).want(200, nil)
	return c.list("recovery_codes")
}
