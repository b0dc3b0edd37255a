package loginform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// An Answer is one of the app, as far as it was held.
type Answer struct {
	Status    int
	Header    http.Header
	Body      []byte
	Truncated bool     // there was more than MaxAnswer, or the answer broke off
	URL       *url.URL // what was asked, with the host that the app saw
}

// A Prober makes a request to the app with the cookies that the answer to be judged
// leaves a browser with. It follows no redirections, and returns an error
// if there is no answer.
type Prober func(ctx context.Context, method, uri string) (*Answer, error)

// An Outcome is what an answer to a login says.
type Outcome int

// The outcomes of a login.
const (
	Unclear   Outcome = iota // not clearly a success, which is a failure
	Failed                   // a sign says so, and the answer may be shown
	Succeeded                // the password was right
)

// Judge tells what the answer to a login says. A sign of failure wins over those of
// success. An answer that is not whole, or that is encoded, is never a success,
// and neither is one of 400 or higher unless a status of success says so. The error is that
// of the prober; the outcome is Unclear then.
func (f *Form) Judge(ctx context.Context, a *Answer, probe Prober) (Outcome, error) {
	t := &trial{Answer: a, probe: probe, probed: make(map[string]*Answer)}
	for i := range f.failure {
		if held, err := t.holds(ctx, &f.failure[i]); held || err != nil {
			return outcome(Failed, err)
		}
	}
	if a.Truncated || a.encoded() {
		return Unclear, nil
	}
	for i := range f.success {
		s := &f.success[i]
		if s.Status == nil && (a.Status < 200 || a.Status > 399) {
			continue
		}
		if held, err := t.holds(ctx, s); held || err != nil {
			return outcome(Succeeded, err)
		}
	}
	return Unclear, nil
}

func outcome(o Outcome, err error) (Outcome, error) {
	if err != nil {
		return Unclear, err
	}
	return o, nil
}

// A trial is an answer while it is judged.
type trial struct {
	*Answer
	probe  Prober
	probed map[string]*Answer
	read   bool
	page   *html.Node // nil if it is none
	json   *node      // nil if it is none
}

// holds tells whether all signs of a line are there.
func (t *trial) holds(ctx context.Context, s *signs) (bool, error) {
	for _, sign := range s.all {
		if !sign(t) {
			return false, nil
		}
	}
	if s.request == "" {
		return true, nil
	}
	a, err := t.ask(ctx, s.request)
	if err != nil {
		return false, err
	}
	return s.passed(a), nil
}

// ask makes a probe, once for all lines.
func (t *trial) ask(ctx context.Context, uri string) (*Answer, error) {
	if a := t.probed[uri]; a != nil {
		return a, nil
	}
	a, err := ask(ctx, t.probe, uri)
	t.probed[uri] = a
	return a, err
}

func ask(ctx context.Context, probe Prober, uri string) (*Answer, error) {
	if probe == nil {
		return nil, errors.New("asking the app who signed in: no way to ask")
	}
	a, err := probe(ctx, http.MethodGet, uri)
	if err == nil && a == nil {
		err = errors.New("no answer")
	}
	if err != nil {
		return nil, fmt.Errorf("asking the app who signed in: %w", err)
	}
	return a, nil
}

// passed tells whether the answer to a probe is as it must be.
func (s *signs) passed(a *Answer) bool {
	wanted := s.Probe.Status
	if len(wanted) == 0 {
		wanted = []string{"2xx"}
	}
	if a.encoded() || a.Truncated || !statusIn(wanted, a.Status) {
		return false
	}
	return containsAll(a.Body, s.Probe.Contains) && lacksAll(a.Body, s.Probe.Lacks)
}

func containsAll(body []byte, texts []string) bool {
	for _, text := range texts {
		if !bytes.Contains(body, []byte(text)) {
			return false
		}
	}
	return true
}

func lacksAll(body []byte, texts []string) bool {
	for _, text := range texts {
		if bytes.Contains(body, []byte(text)) {
			return false
		}
	}
	return true
}

func statusIn(wanted []string, status int) bool {
	text := strconv.Itoa(status)
	for _, w := range wanted {
		if w == text || len(w) == 3 && w[1:] == "xx" && len(text) == 3 && w[0] == text[0] {
			return true
		}
	}
	return false
}

// encoded tells whether the body is not what it says.
func (a *Answer) encoded() bool {
	for _, coding := range a.Header.Values("Content-Encoding") {
		if c := strings.TrimSpace(coding); c != "" && !strings.EqualFold(c, "identity") {
			return true
		}
	}
	return false
}

// document returns the body as a page, or nil.
func (t *trial) document() *html.Node {
	t.parse()
	return t.page
}

// value returns the body as JSON, or nil.
func (t *trial) value() *node {
	t.parse()
	return t.json
}

// parse reads the body once. What is not whole is neither.
func (t *trial) parse() {
	if t.read || t.encoded() || t.Truncated {
		return
	}
	t.read = true
	if page, err := html.Parse(bytes.NewReader(t.Body)); err == nil {
		t.page = page
	}
	if n, err := parseJSON(t.Body, len(t.Body)); err == nil {
		t.json = n
	}
}

// location returns the decoded path and query that the answer leads to on the
// app's own host, and "" if there is no such or several.
func (a *Answer) location() string {
	given := a.Header.Values("Location")
	if len(given) != 1 || a.URL == nil || strings.Contains(given[0], "\\") || !printable(given[0]) {
		return ""
	}
	to, err := a.URL.Parse(given[0])
	if err != nil || !sameHost(to, a.URL) || to.Opaque != "" {
		return ""
	}
	clean := path.Clean("/" + to.Path)
	if clean != "/" && strings.HasSuffix(to.Path, "/") {
		clean += "/"
	}
	if to.RawQuery != "" {
		clean += "?" + to.RawQuery
	}
	return clean
}

// sameHost compares hosts without schemes, and without the ports of these.
func sameHost(a, b *url.URL) bool {
	name := func(u *url.URL) string {
		return strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(u.Host, ":80"), ":443"))
	}
	return a.Host != "" && a.User == nil && (a.Scheme == "http" || a.Scheme == "https") && name(a) == name(b)
}
