package httpsender_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/httpsender"
)

// A service answers as it is told and keeps what it was sent.
type service struct {
	*httptest.Server
	mu     sync.Mutex
	got    []*http.Request
	bodies []string
	status int
	answer string
	header http.Header
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{status: http.StatusOK}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.got, s.bodies = append(s.got, r), append(s.bodies, string(b))
		maps.Copy(w.Header(), s.header)
		w.WriteHeader(s.status)
		io.WriteString(w, s.answer)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) last(t *testing.T) (*http.Request, string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.got) == 0 {
		t.Fatal("nothing was sent")
	}
	return s.got[len(s.got)-1], s.bodies[len(s.bodies)-1]
}

func (s *service) answers(status int, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.answer = status, body
}

func none(name string) (string, error) { return "", fmt.Errorf("%s is not known", name) }

func newSender(t *testing.T, c httpsender.Config) *httpsender.Sender {
	t.Helper()
	s, err := httpsender.New(c, none)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const number = "+491701234567"

func sms(text string) mfagate.Message { return mfagate.Message{Text: text, Language: "de"} }

func wantForm(t *testing.T, what, got string, want url.Values) {
	t.Helper()
	if got != want.Encode() {
		t.Errorf("%s = %q; want %q", what, got, want.Encode())
	}
}

func TestTwilio(t *testing.T) {
	s := newService(t)
	s.answers(http.StatusCreated, `{"status": "queued", "sid": "SM1"}`)
	c := httpsender.Config{Preset: "twilio", URL: s.URL + "/2010-04-01/Accounts/{user}/Messages.json", User: "AC123", Password: "t0ken", From: "+15005550006"}
	if err := newSender(t, c).Send(t.Context(), number, sms("Code 123456 für Größe & Co")); err != nil {
		t.Fatal(err)
	}
	r, body := s.last(t)
	if user, password, _ := r.BasicAuth(); user != "AC123" || password != "t0ken" || r.Method != http.MethodPost || r.URL.Path != "/2010-04-01/Accounts/AC123/Messages.json" {
		t.Errorf("%s %s as %s:%s; want the API's request", r.Method, r.URL, user, password)
	}
	wantForm(t, "body", body, url.Values{"To": {number}, "From": {"+15005550006"}, "Body": {"Code 123456 für Größe & Co"}})

	c.From, c.Form = "", map[string]string{"MessagingServiceSid": "MG1"}
	if err := newSender(t, c).Send(t.Context(), number, sms("x")); err != nil {
		t.Fatal(err)
	}
	_, body = s.last(t)
	wantForm(t, "body with a service", body, url.Values{"To": {number}, "MessagingServiceSid": {"MG1"}, "Body": {"x"}})

	for answer, final := range map[string]bool{
		`{"code": 21211, "message": "The 'To' number +491701234567 is not valid", "status": 400}`: true,
		`{"code":21610}`:             true,
		`{"code": 21606}`:            false, // From is not ours: the operator can mend it
		`{"code": 212110}`:           false,
		`<html>21211 Bad request...`: false,
	} {
		s.answers(http.StatusBadRequest, answer)
		err := newSender(t, c).Send(t.Context(), number, sms("x"))
		if err == nil || errors.Is(err, mfagate.ErrUndeliverable) != final || strings.Contains(err.Error(), number) {
			t.Errorf("%s: err = %v; want one, final %v, without the number", answer, err, final)
		}
	}
}

func TestKannel(t *testing.T) {
	s := newService(t)
	c := httpsender.Config{Preset: "kannel", URL: s.URL + "/cgi-bin/sendsms", User: "mfa", Password: "p&to=1", From: "MFA"}
	sender := newSender(t, c)
	for text, coding := range map[string]string{"Code 1 äöüß€": "0", "Код": "2", "„Code“": "2"} {
		s.answers(http.StatusAccepted, "0: Accepted for delivery")
		if err := sender.Send(t.Context(), number, sms(text+"\n")); err != nil {
			t.Fatal(err)
		}
		r, _ := s.last(t)
		wantForm(t, "query", r.URL.RawQuery, url.Values{
			"username": {"mfa"}, "password": {"p&to=1"}, "from": {"MFA"}, "to": {number}, "text": {text}, "charset": {"utf-8"}, "coding": {coding},
		})
	}
	for _, tt := range []struct {
		status      int
		body        string
		okay, final bool
	}{
		{202, "3: Queued for later delivery", true, false},
		{202, "6: Not routable", false, false},
		{403, "Not routable. Do not try again.", false, true},
		{403, "Authorization failed for sendsms", false, false},
		{503, "Temporal failure, try again later.", false, false},
	} {
		s.answers(tt.status, tt.body)
		if err := sender.Send(t.Context(), number, sms("x")); (err == nil) != tt.okay || errors.Is(err, mfagate.ErrUndeliverable) != tt.final {
			t.Errorf("%d %s: err = %v; want success %v, final %v", tt.status, tt.body, err, tt.okay, tt.final)
		}
	}
}

// Whatever stands in the address or the text is a value and nothing else.
func TestValuesCannotBreakOut(t *testing.T) {
	const text = "x\"}, {\"to\": \"+1900\"}\r\nX-Evil: 1\n&to=+1900#{from}{to}%26to=1"
	s := newService(t)
	for _, c := range []httpsender.Config{
		{URL: s.URL + "/send?to={to}&key=k", Query: map[string]string{"text": "T:{text}"}},
		{URL: s.URL, Form: map[string]string{"to": "{to}", "text": "T:{text}"}},
		{URL: s.URL, JSON: `{"list": [{"to": "{to}", "n": 12345678901234567890}], "text": "T:{text}"}`},
	} {
		if err := newSender(t, c).Send(t.Context(), number, sms(text)); err != nil {
			t.Fatal(err)
		}
		r, body := s.last(t)
		if r.Header.Get("X-Evil") != "" {
			t.Error("a header was added")
		}
		switch {
		case c.JSON != "":
			var got struct {
				List []struct{ To string }
				Text string
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil || len(got.List) != 1 || got.List[0].To != number || got.Text != "T:"+text ||
				!strings.Contains(body, "12345678901234567890") {
				t.Errorf("body = %s (%v); want one number, and the text whole", body, err)
			}
		case c.Form != nil:
			wantForm(t, "body", body, url.Values{"to": {number}, "text": {"T:" + text}})
		default:
			wantForm(t, "query", r.URL.RawQuery, url.Values{"to": {number}, "text": {"T:" + text}, "key": {"k"}})
		}
	}
}

func TestMalformedAddress(t *testing.T) {
	s := newService(t)
	sender := newSender(t, httpsender.Config{URL: s.URL, Form: map[string]string{"to": "{to}", "text": "{text}"}})
	for _, to := range []string{"", "+49 170", "+49\n170", "+49\x00", "\xff", strings.Repeat("1", 300)} {
		if err := sender.Send(t.Context(), to, sms("x")); !errors.Is(err, mfagate.ErrUndeliverable) {
			t.Errorf("to %q: err = %v; want ErrUndeliverable", to, err)
		}
	}
	if len(s.got) != 0 {
		t.Errorf("%d requests were sent; want none", len(s.got))
	}
}

// What a secret stands for is text: braces in it are not read again.
func TestSecretsAreText(t *testing.T) {
	s := newService(t)
	c := httpsender.Config{
		URL: s.URL + "/a/{env.ACCOUNT}/b", Header: map[string]string{"Authorization": "Bearer {env.TOKEN}"},
		Form: map[string]string{"to": "{to}", "text": "{text}", "key": "{password}"}, Password: "{env.KEY}",
	}
	sender, err := httpsender.New(c, func(name string) (string, error) {
		return map[string]string{"env.ACCOUNT": "x/../y?z", "env.TOKEN": "t", "env.KEY": "{text}{env.TOKEN}"}[name], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), number, sms("hello")); err != nil {
		t.Fatal(err)
	}
	r, body := s.last(t)
	wantForm(t, "body", body, url.Values{"to": {number}, "text": {"hello"}, "key": {"{text}{env.TOKEN}"}})
	if r.RequestURI != "/a/x%2F..%2Fy%3Fz/b" || r.Header.Get("Authorization") != "Bearer t" {
		t.Errorf("%s with %q; want the account as one part of the path", r.RequestURI, r.Header.Get("Authorization"))
	}
}

const secret, text = "s3cretpassword", "Your code is 482913"

// Neither what is sent nor what comes back is in an error: both may hold the password
// or the code.
func TestErrorsTellNoSecret(t *testing.T) {
	hanging := rawServer(t, "")
	for name, at := range map[string]string{
		"refused":     "http://127.0.0.1:1",
		"hangs":       "http://" + hanging,
		"not HTTP":    "http://" + rawServer(t, "HTTP/1.1 "+secret+" "+text+"\r\n\r\n"),
		"bad header":  "http://" + rawServer(t, "HTTP/1.1 200 OK\r\n"+secret+" "+text+"\r\n\r\n"),
		"breaks off":  "http://" + rawServer(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"+secret),
		"bad length":  "http://" + rawServer(t, "HTTP/1.1 200 OK\r\nContent-Length: "+secret+"\r\n\r\n"),
		"no TLS":      "https://" + rawServer(t, secret+text+"\r\n\r\n"),
		"echoes":      "http://" + rawServer(t, "HTTP/1.1 500 "+secret+"\r\nContent-Length: 34\r\n\r\n"+secret+" "+text),
		"long header": "http://" + rawServer(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n"),
		"redirect":    "http://" + rawServer(t, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/"+secret+"\r\nContent-Length: 0\r\n\r\n"),
		"bad target":  "http://" + rawServer(t, "HTTP/1.1 302 Found\r\nLocation: ::"+secret+"\r\nContent-Length: 0\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			sender := newSender(t, httpsender.Config{
				URL: at + "/send?password=" + secret, Query: map[string]string{"to": "{to}", "text": "{text}"}, Timeout: 300 * time.Millisecond,
			})
			err := sender.Send(t.Context(), number, sms(text))
			if err == nil || errors.Is(err, mfagate.ErrUndeliverable) {
				t.Fatalf("err = %v; want one after which it is tried again", err)
			}
			for _, bad := range []string{secret, "482913", "password=", number, "1701234567"} {
				if strings.Contains(err.Error(), bad) {
					t.Errorf("err = %v; it tells %q", err, bad)
				}
			}
		})
	}
}

// rawServer answers each connection with some bytes; with none it says nothing.
func rawServer(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(time.Minute)) // longer than a busy machine takes
				conn.Read(make([]byte, 4096))
				if answer == "" {
					io.Copy(io.Discard, conn)
					return
				}
				io.WriteString(conn, answer)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		done.Wait()
	})
	return l.Addr().String()
}

func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere, s := newService(t), newService(t)
	for _, status := range []int{301, 302, 303, 307, 308} {
		s.header = http.Header{"Location": {elsewhere.URL}}
		s.answers(status, "")
		sender := newSender(t, httpsender.Config{URL: s.URL, Form: map[string]string{"to": "{to}", "text": "{text}"}})
		if err := sender.Send(t.Context(), number, sms("x")); err == nil || errors.Is(err, mfagate.ErrUndeliverable) {
			t.Errorf("%d: err = %v; want one", status, err)
		}
	}
	if len(elsewhere.got) != 0 {
		t.Errorf("the other server got %d requests; want none", len(elsewhere.got))
	}
}

// What is no fault of the address is tried again.
func TestStatuses(t *testing.T) {
	s := newService(t)
	sender := newSender(t, httpsender.Config{
		URL: s.URL, Form: map[string]string{"to": "{to}", "text": "{text}"}, Undeliverable: []httpsender.Rule{{Status: 404}, {Status: 200, Body: "no such number"}},
	})
	for _, tt := range []struct {
		status      int
		body        string
		okay, final bool
	}{
		{200, "ok", true, false}, {204, "", true, false}, {200, "no such number", false, true}, {404, "x", false, true},
		{400, "no such number", false, false}, {401, "", false, false}, {429, "", false, false}, {500, "", false, false}, {503, "", false, false}, {304, "", false, false},
	} {
		s.answers(tt.status, tt.body)
		if err := sender.Send(t.Context(), number, sms("x")); (err == nil) != tt.okay || errors.Is(err, mfagate.ErrUndeliverable) != tt.final {
			t.Errorf("%d %s: err = %v; want success %v, final %v", tt.status, tt.body, err, tt.okay, tt.final)
		}
	}
}

// A service that never stops to answer neither fills the memory nor holds on longer
// than the timeout; one that hangs is left at once when the context is done.
func TestEndlessAnswer(t *testing.T) {
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	c := httpsender.Config{URL: endless.URL, Form: map[string]string{"to": "{to}", "text": "{text}"}, Timeout: time.Minute}
	begin := time.Now()
	if err := newSender(t, c).Send(t.Context(), number, sms("x")); err != nil || time.Since(begin) > 30*time.Second {
		t.Errorf("err = %v after %v; want success at once", err, time.Since(begin))
	}
	c.URL, c.Timeout = "http://"+rawServer(t, ""), time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin = time.Now()
	if err := newSender(t, c).Send(ctx, number, sms("x")); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 30*time.Second {
		t.Errorf("err = %v after %v; want the context's", err, time.Since(begin))
	}
}

func TestNewRefuses(t *testing.T) {
	good := func() httpsender.Config {
		return httpsender.Config{URL: "https://sms.example.com/send", Query: map[string]string{"to": "{to}", "text": "{text}"}}
	}
	if _, err := httpsender.New(good(), none); err != nil {
		t.Fatal(err)
	}
	for _, fine := range []string{"http://127.0.0.1:8080", "http://localhost/x", "http://[::1]/", "http://10.1.2.3/", "http://192.168.1.1", "http://[fd00::1]:80/"} {
		c := good()
		c.URL = fine
		if _, err := httpsender.New(c, none); err != nil {
			t.Errorf("%s: err = %v; want none", fine, err)
		}
	}
	for name, change := range map[string]func(*httpsender.Config){
		"no URL":            func(c *httpsender.Config) { c.URL = "" },
		"http far away":     func(c *httpsender.Config) { c.URL = "http://sms.example.com/" },
		"http by a name":    func(c *httpsender.Config) { c.URL = "http://localhost.example.com/" },
		"http, public":      func(c *httpsender.Config) { c.URL = "http://8.8.8.8/" },
		"http, link-local":  func(c *httpsender.Config) { c.URL = "http://169.254.169.254/" },
		"ftp":               func(c *httpsender.Config) { c.URL = "ftp://x/" },
		"password in URL":   func(c *httpsender.Config) { c.URL = "https://u:p@x/" },
		"host by name":      func(c *httpsender.Config) { c.URL = "https://{env.X}/" },
		"host by number":    func(c *httpsender.Config) { c.URL = "https://{to}.example.com/" },
		"number in path":    func(c *httpsender.Config) { c.URL += "/{to}" },
		"number in header":  func(c *httpsender.Config) { c.Header = map[string]string{"X-To": "{to}"} },
		"number in from":    func(c *httpsender.Config) { c.From = "{to}" },
		"unknown name":      func(c *httpsender.Config) { c.Query["x"] = "{nope}" },
		"header lines":      func(c *httpsender.Config) { c.Header = map[string]string{"X": "a\r\nY: b"} },
		"header name":       func(c *httpsender.Config) { c.Header = map[string]string{"X Y": "a"} },
		"header Host":       func(c *httpsender.Config) { c.Header = map[string]string{"host": "a"} },
		"method":            func(c *httpsender.Config) { c.Method = "DELETE" },
		"form with GET":     func(c *httpsender.Config) { c.Method, c.Form = "GET", map[string]string{"a": "b"} },
		"form and json":     func(c *httpsender.Config) { c.JSON, c.Form = "{}", map[string]string{"a": "b"} },
		"json":              func(c *httpsender.Config) { c.JSON = "{" },
		"two jsons":         func(c *httpsender.Config) { c.JSON = "{} {}" },
		"no text":           func(c *httpsender.Config) { delete(c.Query, "text") },
		"no number":         func(c *httpsender.Config) { delete(c.Query, "to") },
		"number twice":      func(c *httpsender.Config) { c.URL += "?to=1" },
		"user alone":        func(c *httpsender.Config) { c.Basic, c.User = true, "u" },
		"user with colon":   func(c *httpsender.Config) { c.Basic, c.User, c.Password = true, "u:v", "p" },
		"success 404":       func(c *httpsender.Config) { c.Success = []int{404} },
		"pattern":           func(c *httpsender.Config) { c.SuccessBody = "(" },
		"busy is no fault":  func(c *httpsender.Config) { c.Undeliverable = []httpsender.Rule{{Status: 429}} },
		"broken is none":    func(c *httpsender.Config) { c.Undeliverable = []httpsender.Rule{{Status: 503}} },
		"timeout":           func(c *httpsender.Config) { c.Timeout = time.Hour },
		"preset":            func(c *httpsender.Config) { c.Preset = "carrier-pigeon" },
		"preset by path":    func(c *httpsender.Config) { c.Preset = "../httpsender" },
		"kannel, no user":   func(c *httpsender.Config) { c.Preset = "kannel" },
		"twilio, no from":   func(c *httpsender.Config) { c.Preset, c.User, c.Password = "twilio", "u", "p" },
		"account dots":      func(c *httpsender.Config) { c.URL, c.User = "https://x.example.com/{user}/y", ".." },
		"password in lines": func(c *httpsender.Config) { c.Password = "a\r\nb" },
	} {
		c := good()
		change(&c)
		if _, err := httpsender.New(c, none); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: err = %v; want one, in one line", name, err)
		}
	}
}

// Each preset works once what it needs is given, and names all that it lacks.
func TestPresets(t *testing.T) {
	for _, name := range httpsender.Presets() {
		c := httpsender.Config{Preset: name, URL: "https://sms.example.com/", User: "u", Password: "p", From: "f"}
		if _, err := httpsender.New(c, none); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		c.Password = ""
		if _, err := httpsender.New(c, none); err == nil || !strings.Contains(err.Error(), "password is missing") {
			t.Errorf("%s: err = %v; want one that names the password", name, err)
		}
	}
}
