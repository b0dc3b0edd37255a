package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/net/http/httpguts"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

const (
	headerPrefix = "http.request.header."
	answerPrefix = "http.reverse_proxy.header."
	clientPrefix = "http.request.tls.client."
)

// A placeholder is one of Caddy's placeholders that may name a person.
type placeholder struct {
	key    string // without braces
	header string // of the request; empty if it is none
}

// parsePlaceholder refuses whatever the person's browser could say by itself.
func parsePlaceholder(s string) (placeholder, error) {
	key, open := strings.CutPrefix(s, "{")
	key, closed := strings.CutSuffix(key, "}")
	if !open || !closed || key == "" || strings.ContainsAny(key, "{}") {
		return placeholder{}, fmt.Errorf("%q: want one placeholder, such as {http.auth.user.id}", s)
	}
	if name, ok := strings.CutPrefix(key, "header."); ok {
		key = headerPrefix + name // the Caddyfile's short form, should it stand in JSON
	}
	p := placeholder{key: key}
	if name, ok := strings.CutPrefix(key, headerPrefix); ok {
		if !httpguts.ValidHeaderFieldName(name) {
			return p, fmt.Errorf("%q: %q is no name of a header", s, name)
		}
		p.header = http.CanonicalHeaderKey(name)
		return p, nil
	}
	return p, p.check()
}

// said are the beginnings of placeholders whose values the browser chooses.
var said = []string{
	"http.request.", "http.regexp.", "http.matchers.", "http.error.",
	"query.", "path", "cookie.", "uri", "host", "re.", "form.",
}

func (p placeholder) check() error {
	if strings.HasPrefix(p.key, "http.auth.candidate.") {
		return fmt.Errorf("{%s} also names people whose password was wrong; use {http.auth.user.id}", p.key)
	}
	if strings.HasPrefix(p.key, "http.mfa.") {
		return fmt.Errorf("{%s} is what the gate itself tells; it cannot be what the gate asks for", p.key)
	}
	if strings.HasPrefix(p.key, clientPrefix) {
		return nil
	}
	for _, prefix := range said {
		if strings.HasPrefix(p.key, prefix) {
			return fmt.Errorf("{%s} is chosen by the browser and proves nobody; use what a first factor sets, such as {http.auth.user.id}", p.key)
		}
	}
	return nil
}

// value returns the placeholder's value for r, or an empty string if it has
// none. A value that could hide a second one is an error.
func (p placeholder) value(r *http.Request) (string, error) {
	if p.header != "" {
		return onlyValue(p.header, r.Header[p.header])
	}
	if strings.HasPrefix(p.key, clientPrefix) && (r.TLS == nil || len(r.TLS.VerifiedChains) == 0) {
		return "", nil // a certificate that nobody verified
	}
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return "", errors.New("request has no replacer")
	}
	v, _ := repl.GetString(p.key)
	if strings.HasPrefix(p.key, answerPrefix) {
		return onlyValue(p.key, []string{v})
	}
	return v, nil
}

// list returns the names in the placeholder's value for r, in a slice that is not
// nil. A header that comes twice is an error: one of the two may be the browser's.
func (p placeholder) list(r *http.Request) ([]string, error) {
	text, err := p.raw(r)
	if err != nil {
		return nil, err
	}
	names := []string{}
	split := strings.FieldsSeq(text)
	if strings.Contains(text, ",") {
		split = strings.SplitSeq(text, ",")
	}
	for name := range split {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

// raw returns the placeholder's value for r, which may be a list.
func (p placeholder) raw(r *http.Request) (string, error) {
	switch {
	case p.header != "" && len(r.Header[p.header]) > 1:
		return "", fmt.Errorf("%w: the header %s came twice", mfagate.ErrName, p.header)
	case p.header != "":
		return r.Header.Get(p.header), nil
	case !strings.HasPrefix(p.key, answerPrefix):
		return p.value(r)
	}
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return "", errors.New("request has no replacer")
	}
	text, _ := repl.GetString(p.key)
	return text, nil
}

// onlyValue refuses lists, for one reader's first value is another's last.
func onlyValue(name string, values []string) (string, error) {
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1 || strings.Contains(values[0], ","):
		return "", fmt.Errorf("%w: %s has several values", mfagate.ErrName, name)
	}
	return strings.TrimSpace(values[0]), nil
}
