package httpsender

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// A request is what is sent, but for the message.
type request struct {
	url            url.URL // without a query
	method         string
	header         http.Header
	basic          bool
	user, password string
	query, form    map[string]template
	json           any // strings in it are templates; nil: none
}

// newRequest resolves all that does not depend on a message.
func newRequest(c Config, lookup func(string) (string, error)) (r request, err error) {
	own, err := c.own(lookup)
	if err != nil {
		return r, err
	}
	resolve := func(name string) (string, error) {
		if value, ok := own[name]; ok {
			return value, nil
		}
		return lookup(name)
	}
	r.basic, r.user, r.password = c.Basic, own["user"], own["password"]
	if r.basic && (r.user == "" || r.password == "" || strings.Contains(r.user, ":")) {
		return r, errors.New("want both a user, without a colon, and a password")
	}
	if err := r.setMethod(c); err != nil {
		return r, err
	}
	if err := r.setURL(&c, resolve); err != nil {
		return r, err
	}
	if err := r.setHeader(c.Header, resolve); err != nil {
		return r, err
	}
	if err := r.setBody(c, resolve); err != nil {
		return r, err
	}
	if r.query, err = fields("query", c.Query, own, resolve); err != nil {
		return r, err
	}
	return r, r.tells()
}

// own are the fields of c that templates can name.
func (c *Config) own(lookup func(string) (string, error)) (map[string]string, error) {
	own := make(map[string]string)
	for name, value := range map[string]string{"user": c.User, "password": c.Password, "from": c.From} {
		text, err := fixed(value, lookup)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if strings.ContainsAny(text, "\r\n\x00") {
			return nil, fmt.Errorf("%s: it has more than one line", name)
		}
		own[name] = text
	}
	return own, nil
}

func (r *request) setMethod(c Config) error {
	r.method = c.Method
	if r.method == "" {
		r.method = http.MethodGet
		if len(c.Form) > 0 || c.JSON != "" {
			r.method = http.MethodPost
		}
	}
	switch {
	case !slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodPut}, r.method):
		return fmt.Errorf("method %q: want GET, POST or PUT", r.method)
	case len(c.Form) > 0 && c.JSON != "":
		return errors.New("want a form or json, not both")
	case r.method == http.MethodGet && (len(c.Form) > 0 || c.JSON != ""):
		return errors.New("method GET: a form or json needs POST or PUT")
	}
	return nil
}

// setURL takes the address, and adds its query to that of c.
func (r *request) setURL(c *Config, resolve func(string) (string, error)) error {
	address, query, _ := strings.Cut(c.URL, "?")
	scheme, rest, _ := strings.Cut(address, "://")
	host, path, _ := strings.Cut(rest, "/")
	if (scheme != "https" && scheme != "http") || host == "" || strings.ContainsAny(host, "{}@") || strings.Contains(address, "#") {
		return errors.New("want a URL of https, or http, with a host, and without a password in front of it, such as https://sms.example.com/send")
	}
	escaped, err := fixedPath(path, resolve)
	if err != nil {
		return fmt.Errorf("URL: %w", err)
	}
	u, err := url.Parse(scheme + "://" + host + "/" + escaped)
	if err != nil {
		return errors.New("the URL is malformed")
	}
	if scheme == "http" && !near(u.Hostname()) {
		return fmt.Errorf("URL: %s would be told the message in clear; want https, or http with an address of this machine or of a private network", u.Hostname())
	}
	pairs, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the query of the URL is malformed")
	}
	c.Query = merged(nil, c.Query)
	for name, all := range pairs {
		if _, twice := c.Query[name]; twice || len(all) > 1 {
			return fmt.Errorf("query %s is given twice", name)
		}
		c.Query[name] = all[0]
	}
	r.url = *u
	return nil
}

// fixedPath escapes what stands for a name in a path, so that it stays one part
// of it.
func fixedPath(path string, resolve func(string) (string, error)) (string, error) {
	return fixed(path, func(name string) (string, error) {
		text, err := resolve(name)
		if err == nil && strings.Trim(text, ".") == "" {
			err = errors.New("it is no part of a path")
		}
		return url.PathEscape(text), err
	})
}

// near tells whether an address is of this machine or of a private network. The
// name of a host, localhost aside, could be anybody's.
func near(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.Unmap().IsLoopback() || addr.Unmap().IsPrivate())
}

// reserved are the headers that the client makes.
var reserved = []string{"Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Trailer", "Upgrade", "Te"}

func (r *request) setHeader(header map[string]string, resolve func(string) (string, error)) error {
	r.header = make(http.Header)
	for name, value := range header {
		canonical := http.CanonicalHeaderKey(name)
		if name == "" || strings.ContainsFunc(name, notToken) || slices.Contains(reserved, canonical) {
			return fmt.Errorf("header %q: it cannot be set here", name)
		}
		text, err := fixed(value, resolve)
		if err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
		if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			return fmt.Errorf("header %s: it has more than one line", name)
		}
		r.header.Set(canonical, text)
	}
	return nil
}

// notToken tells what cannot stand in the name of a header (RFC 9110 section 5.6.2).
func notToken(c rune) bool {
	return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
}

func (r *request) setBody(c Config, resolve func(string) (string, error)) (err error) {
	if r.form, err = fields("form", c.Form, map[string]string{"user": c.User, "password": c.Password, "from": c.From}, resolve); err != nil {
		return err
	}
	if c.JSON == "" {
		return nil
	}
	var document any
	d := json.NewDecoder(strings.NewReader(c.JSON))
	d.UseNumber()
	if err := d.Decode(&document); err != nil {
		return errors.New("json: want a JSON document, such as {\"to\": \"{to}\", \"text\": \"{text}\"}")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("json: want one JSON document")
	}
	r.json, err = parsed(document, resolve)
	return err
}

// fields reads templates by name. One that is an empty field of the configuration
// and nothing else is left out.
func fields(what string, all, own map[string]string, resolve func(string) (string, error)) (map[string]template, error) {
	out := make(map[string]template)
	for name, value := range all {
		if inner, ok := strings.CutPrefix(value, "{"); ok {
			if known, ok := own[strings.TrimSuffix(inner, "}")]; ok && known == "" {
				continue
			}
		}
		t, err := parse(value, resolve)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", what, name, err)
		}
		out[name] = t
	}
	return out, nil
}

// parsed replaces the strings of a document by templates.
func parsed(v any, resolve func(string) (string, error)) (any, error) {
	var err error
	switch v := v.(type) {
	case string:
		t, err := parse(v, resolve)
		if err != nil {
			return nil, fmt.Errorf("json: %w", err)
		}
		return t, nil
	case []any:
		for i := range v {
			if v[i], err = parsed(v[i], resolve); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = parsed(v[k], resolve); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// filled returns a document with the strings of a message.
func filled(v any, message map[string]string) any {
	switch v := v.(type) {
	case template:
		return v.fill(message)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = filled(v[i], message)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = filled(v[k], message)
		}
		return out
	}
	return v
}

// tells tells whether the address and the text are in the request at all.
func (r *request) tells() error {
	probe := map[string]string{"to": "\x00to", "to_digits": "\x00to", "text": "\x00text"}
	var all strings.Builder
	for _, t := range []map[string]template{r.query, r.form} {
		for _, value := range t {
			all.WriteString(value.fill(probe))
		}
	}
	fmt.Fprint(&all, filled(r.json, probe))
	for _, name := range []string{"to", "text"} {
		if !strings.Contains(all.String(), "\x00"+name) {
			return fmt.Errorf("{%s} is nowhere in query, form or json", name)
		}
	}
	return nil
}

func (r *request) build(ctx context.Context, message map[string]string) (*http.Request, error) {
	u := r.url
	u.RawQuery = encoded(r.query, message)
	var body, contentType string
	switch {
	case r.json != nil:
		b, err := json.Marshal(filled(r.json, message))
		if err != nil {
			return nil, fmt.Errorf("writing the message: %w", err)
		}
		body, contentType = string(b), "application/json"
	case len(r.form) > 0:
		body, contentType = encoded(r.form, message), "application/x-www-form-urlencoded"
	}
	out, err := http.NewRequestWithContext(ctx, r.method, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, errors.New("making the request failed") // the error would tell the URL
	}
	out.Header = r.header.Clone()
	if contentType != "" {
		out.Header.Set("Content-Type", contentType)
	}
	if r.basic {
		out.SetBasicAuth(r.user, r.password)
	}
	return out, nil
}

func encoded(fields map[string]template, message map[string]string) string {
	v := make(url.Values)
	for name, t := range fields {
		v.Set(name, t.fill(message))
	}
	return v.Encode()
}
