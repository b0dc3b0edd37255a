package mfagate_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/email"
	"github.com/mfagate/caddy-mfagate/mfagate/outofband"
	"github.com/mfagate/caddy-mfagate/mfagate/recovery"
	"github.com/mfagate/caddy-mfagate/mfagate/sms"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// A carrier is a sender that keeps what it is given.
type carrier struct {
	mu   sync.Mutex
	sent []carried
	send func(ctx context.Context, to string, m mfagate.Message) error // nil: takes all
}

type carried struct {
	to string
	mfagate.Message
}

func (c *carrier) Send(ctx context.Context, to string, m mfagate.Message) error {
	c.mu.Lock()
	c.sent = append(c.sent, carried{to, m})
	send := c.send
	c.mu.Unlock()
	if send != nil {
		return send(ctx, to, m)
	}
	return nil
}

func (c *carrier) all() []carried {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]carried(nil), c.sent...)
}

func (c *carrier) broken(send func(ctx context.Context, to string, m mfagate.Message) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.send = send
}

var sixDigits = regexp.MustCompile(`\b[0-9]{6}\b`)

// code is the code of the latest message.
func (c *carrier) code(t testing.TB) string {
	t.Helper()
	all := c.all()
	if len(all) == 0 {
		t.Fatal("got no message; want one with a code")
	}
	code := sixDigits.FindString(all[len(all)-1].Text)
	if code == "" {
		t.Fatalf("got the message %q; want a code in it", all[len(all)-1].Text)
	}
	return code
}

// other returns a code that is not the given one.
func other(code string) string {
	b := []byte(code)
	b[5] = '0' + (b[5]-'0'+1)%10
	return string(b)
}

// A codesWorld is a gate that can send codes.
type codesWorld struct {
	*world
	*carrier
	log *bytes.Buffer
}

// newCodesWorld starts one. change may alter the factors.
func newCodesWorld(t testing.TB, change ...func(phone, mail *outofband.Factor)) *codesWorld {
	t.Helper()
	w := &codesWorld{world: &world{t: t, store: new(memory.Store)}, carrier: new(carrier), log: new(bytes.Buffer)}
	phone := sms.New(sms.Numbers{Countries: []string{"DE", "AT"}}, w.carrier)
	mail := email.New(email.Addresses{}, w.carrier)
	for _, f := range change {
		f(&phone, &mail)
	}
	var err error
	if w.records, err = mfagate.OpenRecords(t.Context(), w.store); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.records.Close() })
	w.gate, err = mfagate.New(mfagate.Config{
		Records: w.records, Pages: builtIn(), Recovery: &recovery.Factor{}, Issuer: "Example",
		Factors: []mfagate.Factor{mail, phone, &totp.Factor{}},
		Logger:  slog.New(slog.NewTextHandler(&lockedWriter{w: w.log}, nil)),
		OnEvent: func(_ context.Context, e mfagate.Event) {
			w.mu().Lock()
			defer w.mu().Unlock()
			w.events = append(w.events, e)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.handler = w.block(func(c *mfagate.BlockConfig) { c.Source = mfagate.SourceFunc(contactSource) }).Handler(http.HandlerFunc(w.app))
	return w
}

func (w *codesWorld) mu() *sync.Mutex { return &w.world.mu }

// contactSource is firstFactor, and tells what is on file.
func contactSource(r *http.Request) (mfagate.Identity, error) {
	id, err := firstFactor(r)
	id.Phone, id.Email = r.Header.Get("First-Phone"), r.Header.Get("First-Email")
	return id, err
}

type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

const aliceNumber = "+4915112345642"

// enrolPhone enrols a number as somebody's first factor, up to the app.
func (w *codesWorld) enrolPhone(name, number string) *person {
	w.t.Helper()
	p := w.person(name)
	p.get("/").want(303, "/.mfa/enroll").follow().want(200)
	p.post("/.mfa/enroll/sms").want(303, "/.mfa/enroll/sms").follow().want(200)
	p.post("/.mfa/enroll/sms", "to", number, "enrollment", p.field("enrollment")).want(303, "/.mfa/enroll/sms").follow().want(200)
	p.post("/.mfa/enroll/sms", "code", w.code(w.t)).want(303, "/.mfa/recovery-codes").follow().want(200).note()
	return p.post("/.mfa/recovery-codes", "saved", "yes", "set", p.set(), "return", "/").want(303, "/")
}

// at leads a new browser of the person to the challenge.
func (p *person) at(path string) *person {
	p.w.t.Helper()
	return p.get(path).want(303, "/.mfa/challenge").follow().want(200)
}

func (p *person) ask(fields ...string) *person {
	p.w.t.Helper()
	return p.post("/.mfa/challenge", append([]string{"method", "sms", "action", "send"}, fields...)...)
}

func (p *person) answer(code string, fields ...string) *person {
	p.w.t.Helper()
	return p.post("/.mfa/challenge", append([]string{"method", "sms", "code", code, "return", "/"}, fields...)...)
}

// field is the value of a hidden field of the page.
func (p *person) field(name string) string {
	m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(p.body)
	if m == nil {
		p.w.t.Fatalf("no field %q on the page", name)
	}
	return m[1]
}

// try sends an answer in a form that another goroutine can make too, and returns the
// status.
func (p *person) try(token, code string) int {
	form := url.Values{"form_token": {token}, "method": {"sms"}, "code": {code}, "return": {"/"}}
	q := p.w.person(p.name)
	maps.Copy(q.cookies, p.cookies)
	return q.send(q.request("POST", "/.mfa/challenge", "application/x-www-form-urlencoded", form.Encode())).last.Code
}

func lastLine(text string) string {
	text = strings.TrimRight(text, "\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}

var phoneID = regexp.MustCompile(`name="credential" value="([^"]*)"`)
