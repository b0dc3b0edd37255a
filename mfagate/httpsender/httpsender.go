// Package httpsender sends the gate's messages over the HTTP interface of somebody
// else: a gateway for text messages (SMS), most often.
package httpsender

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// Limits of a conversation.
const (
	DefaultTimeout = 15 * time.Second
	MaxTimeout     = time.Minute // the gate gives a message no longer
	maxAnswer      = 64 << 10    // bytes of the body and of the headers
	maxTo          = 254
)

// A Config says what is sent for a message, and what the answers mean. Values are
// templates: {to}, {to_digits} (without the +), {text}, {subject}, {language} and
// {sms_coding} ("0" if the GSM 03.38 alphabet holds the text, else "2") stand for the message,
// {user}, {password} and {from} for the fields of that name, any other name for
// what the lookup of [New] says. A field whose template is one of the last three, and empty,
// is left out. What stands for the message can stand in Query, Form and JSON
// only, and is a value there, whatever characters it has.
type Config struct {
	Preset string // fills in what is empty here; one of [Presets]

	// URL is https, or http with an address of this machine or of a private network
	// (RFC 1918, RFC 4193) in it. Its query is added to Query.
	URL    string
	Method string // GET, POST or PUT; empty means GET, with Form or JSON POST

	User, Password, From string
	Basic                bool // User and Password are sent as RFC 7617 says

	Header map[string]string
	Query  map[string]string
	Form   map[string]string
	JSON   string // a document whose strings are templates

	Timeout time.Duration // for the whole conversation; zero means 15 seconds, at most 1 minute

	Success       []int  // statuses of a message that was taken; nil means 200 to 299
	SuccessBody   string // a regular expression that the answer must match, too
	Undeliverable []Rule // answers that say that the address is bad: those are final
	ErrorCode     string // a regular expression whose first group finds the number of an error
}

// A Rule matches an answer.
type Rule struct {
	Status int    `json:"status"`
	Body   string `json:"body,omitempty"` // a regular expression; empty matches any
}

// A Sender sends messages over HTTP, each by one request over a connection of its
// own. It follows no redirect. It is safe for concurrent use.
type Sender struct {
	request
	judge
	client *http.Client
}

var _ mfagate.Sender = (*Sender)(nil)

// New returns a sender. lookup tells, once, what a name in braces stands for that
// is none of those of [Config]. An error says what is wrong with c, without telling what
// lookup said, nor a password.
func New(c Config, lookup func(name string) (string, error)) (*Sender, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	if c.Timeout < 0 || c.Timeout > MaxTimeout {
		return nil, fmt.Errorf("timeout %v: want at most %v", c.Timeout, MaxTimeout)
	}
	s := new(Sender)
	var err error
	if s.request, err = newRequest(c, lookup); err != nil {
		return nil, err
	}
	if s.judge, err = newJudge(c); err != nil {
		return nil, err
	}
	s.client = newClient(c.Timeout)
	return s, nil
}

func newClient(timeout time.Duration) *http.Client {
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy: func(r *http.Request) (*url.URL, error) {
				if r.URL.Scheme != "https" {
					return nil, nil //nolint:nilnil // none: what goes in clear goes straight to where it was said
				}
				return http.ProxyFromEnvironment(r)
			},
			DisableKeepAlives: true, MaxResponseHeaderBytes: maxAnswer, TLSHandshakeTimeout: timeout,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Send implements [mfagate.Sender]. Its errors tell statuses and what is wrong with
// the connection, and nothing that was sent or answered.
func (s *Sender) Send(ctx context.Context, to string, m mfagate.Message) error {
	if to == "" || len(to) > maxTo || !utf8.ValidString(to) || strings.ContainsFunc(to, unprintable) {
		return fmt.Errorf("%w: the address is malformed", mfagate.ErrUndeliverable)
	}
	r, err := s.build(ctx, values(to, m))
	if err != nil {
		return err
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return fmt.Errorf("sending over %s: %w", r.URL.Host, safe(err))
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", r.URL.Host, safe(err))
	}
	if err := s.judge.of(answer.StatusCode, body); err != nil {
		return fmt.Errorf("sending over %s: %w", r.URL.Host, err)
	}
	return nil
}

func unprintable(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }

// A judge tells what answers mean.
type judge struct {
	success       []int
	body, code    *regexp.Regexp // nil: none
	undeliverable []rule
}

type rule struct {
	status int
	body   *regexp.Regexp
}

func newJudge(c Config) (j judge, err error) {
	for _, status := range c.Success {
		if status < 200 || status > 299 {
			return j, fmt.Errorf("success %d: want statuses from 200 to 299", status)
		}
	}
	j.success = c.Success
	if j.body, err = compile("success_body", c.SuccessBody); err != nil {
		return j, err
	}
	if j.code, err = compile("error_code", c.ErrorCode); err != nil {
		return j, err
	}
	for _, r := range c.Undeliverable {
		if r.Status < 200 || r.Status == http.StatusTooManyRequests || r.Status > 499 {
			return j, fmt.Errorf("undeliverable %d: want a status from 200 to 499, and not 429", r.Status)
		}
		pattern, err := compile("undeliverable", r.Body)
		if err != nil {
			return j, err
		}
		j.undeliverable = append(j.undeliverable, rule{r.Status, pattern})
	}
	return j, nil
}

func compile(what, pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, nil //nolint:nilnil // nil matches everything
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("%s %q: want a regular expression: %w", what, pattern, err)
	}
	return compiled, nil
}

var errRefused = errors.New("the answer says that it was not taken")

// of returns nil if an answer says that the message was taken, an error wrapping
// [mfagate.ErrUndeliverable] if it never will be, and any other error if it may
// be later.
func (j judge) of(status int, body []byte) error {
	for _, r := range j.undeliverable {
		if r.status == status && (r.body == nil || r.body.Match(body)) {
			return fmt.Errorf("%w: %s", mfagate.ErrUndeliverable, j.told(status, body))
		}
	}
	if !j.took(status) {
		return errors.New(j.told(status, body))
	}
	if j.body != nil && !j.body.Match(body) {
		return fmt.Errorf("%w: %s", errRefused, j.told(status, body))
	}
	return nil
}

func (j judge) took(status int) bool {
	if j.success == nil {
		return status >= 200 && status <= 299
	}
	return slices.Contains(j.success, status)
}

// told puts an answer into words. Its body may repeat what was sent, so only
// the number of an error is taken from it.
func (j judge) told(status int, body []byte) string {
	text := fmt.Sprintf("status %d", status)
	if status >= 300 && status <= 399 {
		text += ", a redirect, which is not followed"
	}
	if j.code == nil {
		return text
	}
	if m := j.code.FindSubmatch(body); len(m) > 1 && isNumber(m[1]) {
		text += ", error " + string(m[1])
	}
	return text
}

func isNumber(b []byte) bool {
	return len(b) > 0 && len(b) <= 5 && !strings.ContainsFunc(string(b), func(r rune) bool { return r < '0' || r > '9' })
}
