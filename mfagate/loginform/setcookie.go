package loginform

import (
	"net/http"
	"strings"
	"time"
)

// cookies returns the values of the cookies that an answer leaves, by name, as
// far as the names match. Of several with a name the last one counts.
func (a *Answer) cookies(name glob) map[string]string {
	found := make(map[string]string)
	for _, c := range ReadSetCookies(a.Header, time.Now()) {
		switch {
		case !name.match(c.Name):
		case c.Deleted:
			delete(found, c.Name)
		default:
			found[c.Name] = unquote(c.Value)
		}
	}
	return found
}

func unquote(value string) string {
	if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		return value[1 : len(value)-1]
	}
	return value
}

// ReadSetCookies returns the cookies that an answer sets or deletes, in order. Those whose
// name could be read as another, or would not be kept, are left out: they reach no browser.
func ReadSetCookies(h http.Header, now time.Time) Cookies {
	var all Cookies
	for _, line := range h["Set-Cookie"] {
		if c, _, ok := readSetCookie(line, now); ok {
			all = append(all, c)
		}
	}
	return all
}

// readSetCookie reads a header Set-Cookie as browsers do (RFC 6265 section 5.2), with the
// attributes as they stand. Of an attribute that is there twice the last one counts that
// can be read.
func readSetCookie(line string, now time.Time) (c Cookie, attributes []string, ok bool) {
	pair, rest, _ := strings.Cut(line, ";")
	name, value, ok := strings.Cut(pair, "=")
	c.Name, c.Value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
	if !ok || !cookieName(c.Name) || !plain(c.Value) {
		return c, nil, false
	}
	var life lifetime
	for a := range strings.SplitSeq(rest, ";") {
		a = strings.Trim(a, " \t")
		key, val := cookieAttribute(a)
		switch key {
		case "path":
			c.Path = cookiePath(val, c.Path)
		case "httponly":
			c.HTTPOnly = true
		}
		life.read(key, val)
		if a != "" && plain(a) {
			attributes = append(attributes, a)
		}
	}
	c.Deleted = life.over(now) || deletion(c.Value)
	return c, attributes, true
}

// cookieAttribute reads one of a Set-Cookie as browsers do (RFC 6265 section 5.2): there may be
// blanks on either side of the sign.
func cookieAttribute(text string) (key, value string) {
	key, value, _ = strings.Cut(text, "=")
	return strings.ToLower(strings.Trim(key, " \t")), strings.Trim(value, " \t")
}

// A lifetime is how long a browser keeps a cookie. The zero value does not end.
type lifetime struct {
	maxAge  string // a decimal number of seconds; empty if there is none
	expires time.Time
}

// read takes in an attribute. One that browsers cannot read is nothing to them.
func (l *lifetime) read(key, value string) {
	switch key {
	case "max-age":
		if digits := strings.TrimPrefix(value, "-"); digits != "" && strings.Trim(digits, "0123456789") == "" {
			l.maxAge = value
		}
	case "expires":
		if at, ok := cookieTime(value); ok {
			l.expires = at
		}
	}
}

// over tells whether a browser drops the cookie at once. Max-Age counts before Expires
// (RFC 6265 section 5.3).
func (l *lifetime) over(now time.Time) bool {
	if l.maxAge != "" {
		return l.maxAge[0] == '-' || strings.Trim(l.maxAge, "0") == ""
	}
	return !l.expires.IsZero() && !l.expires.After(now)
}

// deletion tells whether a value is one with which apps take a cookie back.
func deletion(value string) bool {
	switch strings.Trim(value, `"`) {
	case "", "deleted", "-del-":
		return true
	}
	return false
}
