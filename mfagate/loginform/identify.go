package loginform

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/andybalholm/cascadia"
	xhtml "golang.org/x/net/html"
)

// maxUser is the length in bytes of the longest name.
const maxUser = 256

// An identify is a compiled Identify.
type identify struct {
	probe     string // path and query
	redirects bool   // the name is where the answer leads
	find      func(*trial) []string
	take      *regexp.Regexp // nil takes all that was found
	decodings []func(string) (string, error)
}

func compileIdentify(c *Identify) (*identify, error) {
	id := new(identify)
	var errs []error
	var err error
	if c.Probe != "" {
		if id.probe, err = probeURI(c.Probe); err != nil {
			errs = append(errs, err)
		}
	}
	if c.Regexp != "" {
		if id.take, err = regexp.Compile(c.Regexp); err != nil || id.take.NumSubexp() != 1 {
			errs = append(errs, fmt.Errorf("regexp: %q must be a regular expression with one group, which is the name, as ^([^|]+)", c.Regexp))
		}
	}
	for text := range strings.SplitSeq(c.Decode, ",") {
		decode, ok := decodings[strings.TrimSpace(text)]
		if !ok {
			errs = append(errs, fmt.Errorf("decode: %q; url, base64, and html, with commas between, would do", text))
		}
		id.decodings = append(id.decodings, decode)
	}
	if id.find, err = finder(c); err != nil {
		errs = append(errs, err)
	}
	if id.redirects = http.CanonicalHeaderKey(c.Header) == "Location"; id.redirects && c.Regexp == "" {
		errs = append(errs, errors.New("header Location: an address is no name; a regexp after it must take that out, as ^/users/([^/?]+)$"))
	}
	return id, errors.Join(errs...)
}

var decodings = map[string]func(string) (string, error){
	"":       func(s string) (string, error) { return s, nil },
	"url":    url.QueryUnescape,
	"html":   func(s string) (string, error) { return html.UnescapeString(s), nil },
	"base64": decodeBase64,
}

func decodeBase64(s string) (string, error) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	text, err := base64.RawStdEncoding.Strict().DecodeString(s)
	return string(text), err
}

// finder returns what finds all places in an answer where the name may be.
func finder(c *Identify) (find func(*trial) []string, err error) {
	var set int
	for _, option := range []string{c.Cookie, c.Header, c.JSON, c.Selector} {
		if option != "" {
			set++
		}
	}
	switch {
	case set > 1 || set == 0 && c.Regexp == "":
		return nil, errors.New("one of cookie, header, json, selector, and regexp must say where the name is")
	case c.Cookie != "":
		return findCookie(c.Cookie)
	case c.Header != "":
		return findHeader(c.Header)
	case c.JSON != "":
		return findJSON(c.JSON)
	case c.Selector != "":
		return findSelector(c.Selector)
	}
	return func(t *trial) []string { return []string{string(t.Body)} }, nil
}

func findCookie(name string) (func(*trial) []string, error) {
	wanted := parseGlob(name)
	if strings.Join(wanted, "") == "" {
		return nil, errors.New("cookie: must be the name of a cookie, with * for any characters")
	}
	return func(t *trial) []string {
		var found []string
		for _, value := range t.cookies(wanted) {
			found = append(found, value)
		}
		return found
	}, nil
}

func findHeader(name string) (func(*trial) []string, error) {
	if strings.ContainsAny(name, ": \t") || http.CanonicalHeaderKey(name) == "Set-Cookie" {
		return nil, fmt.Errorf("header: %q is no name of a header; for cookies there is cookie", name)
	}
	return func(t *trial) []string { return t.Header.Values(name) }, nil
}

func findJSON(text string) (func(*trial) []string, error) {
	at, err := parsePointer(text)
	if err != nil {
		return nil, fmt.Errorf("json: %w", err)
	}
	return func(t *trial) []string {
		n := inToken(t.value(), at)
		if n == nil || n.kind != '"' && n.kind != '0' {
			return nil
		}
		return []string{n.text}
	}, nil
}

// inToken is at, which goes on into the claims of a token that the app has signed (RFC 7519).
func inToken(n *node, p pointer) *node {
	for i := 1; i < len(p); i++ {
		text := n.at(p[:i])
		if text == nil || text.kind != '"' {
			continue
		}
		parts := strings.Split(text.text, ".")
		if len(parts) != 3 {
			return nil
		}
		claims, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			return nil
		}
		inside, err := parseJSON(claims, len(claims))
		if err != nil {
			return nil
		}
		return inside.at(p[i:])
	}
	return n.at(p)
}

// findSelector finds the text of an element, or an attribute of it: "a.user @title".
func findSelector(text string) (func(*trial) []string, error) {
	text, attribute, _ := strings.Cut(text, " @")
	selector, err := cascadia.Parse(text)
	if err != nil {
		return nil, fmt.Errorf(`selector: %q: %w; "#loggedas a", or "a.user @title" for an attribute, would do`, text, err)
	}
	if strings.ContainsAny(attribute, " =\"'<>/") {
		return nil, fmt.Errorf("selector: %q is no name of an attribute", attribute)
	}
	return func(t *trial) []string {
		page := t.document()
		if page == nil {
			return nil
		}
		var found []string
		for _, element := range cascadia.QueryAll(page, selector) {
			found = append(found, elementValue(element, strings.ToLower(attribute)))
		}
		return found
	}, nil
}

func elementValue(element *xhtml.Node, attribute string) string {
	if attribute == "" {
		var out strings.Builder
		for n := range element.Descendants() {
			if n.Type == xhtml.TextNode {
				out.WriteString(n.Data)
			}
		}
		return strings.TrimSpace(out.String())
	}
	for _, a := range element.Attr {
		if a.Key == attribute && a.Namespace == "" {
			return a.Val
		}
	}
	return ""
}

// Who tells the name of the user by whom the app takes the person who has just
// signed in, by the answer to the login or by a probe, as the form's Identify says. The
// error is ErrNobody if the answer does not tell it once and clearly, or if there is no
// Identify, and otherwise the prober's, or one that says that the app has not come to look who
// is asking: it has failed, or does not answer for now. Without an answer to the login, nil, only a probe tells.
//
// The name is as the app has it, in UTF-8 without control characters. Regexp is applied to what
// was found as it stands, and only what it takes is decoded: so a separator that
// somebody has in a name is still escaped and separates nothing.
func (f *Form) Who(ctx context.Context, a *Answer, probe Prober) (string, error) {
	id := f.identify
	if id == nil {
		return "", nobody("there is no identify")
	}
	if id.probe != "" {
		var err error
		if a, err = ask(ctx, probe, id.probe); err != nil {
			return "", err
		}
		if saysNothing(a.Status) {
			return "", fmt.Errorf("%s: the answer %d says nothing of who is asking", id.probe, a.Status)
		}
		if !id.answered(a.Status) {
			return "", nobody("GET %s was answered with %d", id.probe, a.Status)
		}
	}
	if a == nil || a.Truncated || a.encoded() {
		return "", nobody("it is too long, or encoded")
	}
	found := id.find(&trial{Answer: a})
	if len(found) != 1 {
		return "", nobody("what identify names is in it %d times", len(found))
	}
	return id.name(found[0])
}

// answered tells whether the answer to a probe may hold a name: a redirection, only where that is in
// the address to which it leads, as /users/alice.
func (id *identify) answered(status int) bool {
	return statusIn([]string{"2xx"}, status) || id.redirects && statusIn([]string{"3xx"}, status)
}

// nobody is ErrNobody with what is wrong, for the operator. It must not tell what was found.
func nobody(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNobody, fmt.Sprintf(format, args...))
}

// saysNothing tells whether an answer has the status of an app, or a proxy before it, that has
// not looked who is asking (RFC 9110 section 15, RFC 6585 section 4, RFC 8470 section 5.2).
func saysNothing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, 499: // the last where a proxy's client has left
		return true
	}
	return status >= 500
}

// name takes the name out of what was found.
func (id *identify) name(text string) (string, error) {
	if id.take != nil {
		matches := id.take.FindAllStringSubmatch(text, 2)
		if len(matches) != 1 {
			return "", nobody("the regexp does not match once")
		}
		text = matches[0][1]
	}
	for _, decode := range id.decodings {
		var err error
		if text, err = decode(text); err != nil {
			return "", nobody("it cannot be decoded")
		}
	}
	if text == "" || len(text) > maxUser || !printable(text) {
		return "", nobody("what was found is empty, too long, or has control characters")
	}
	return text, nil
}

// SetsUser tells whether an answer sets the cookie in which Identify, without a probe,
// finds the user, and who that is now: "" if it is not clear.
func (f *Form) SetsUser(h http.Header) (name string, sets bool) {
	id := f.config.Identify
	if id == nil || id.Probe != "" || id.Cookie == "" {
		return "", false
	}
	a := &Answer{Header: http.Header{"Set-Cookie": h["Set-Cookie"]}} // whether its body is encoded is no matter
	if len(a.cookies(parseGlob(id.Cookie))) == 0 {
		return "", false
	}
	name, _ = f.Who(context.Background(), a, nil) // ErrNobody goes with ""
	return name, true
}

// NamesUser tells whether a request brings the cookie in which Identify, without a probe,
// finds the user, and who that is: "" if it is not clear.
func (f *Form) NamesUser(cookies Cookies) (name string, told bool) {
	id := f.config.Identify
	if id == nil || id.Probe != "" || id.Cookie == "" {
		return "", false
	}
	wanted := parseGlob(id.Cookie)
	for _, c := range cookies {
		if c.Deleted || !wanted.match(c.Name) {
			continue
		}
		one, err := f.identify.name(unquote(c.Value))
		if err != nil || told && one != name {
			return "", true
		}
		name, told = one, true
	}
	return name, told
}
