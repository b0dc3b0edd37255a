package mfagate

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The gate's cookies. On HTTPS their names begin with __Host-, so that no
// sibling domain can plant them (NIST SP 800-63B-4 section 5.1.1); on loopback,
// where that prefix is not to be had, they go without.
const (
	sessionCookie = "mfagate"
	browserCookie = "mfagate_browser"
	askCookie     = "mfagate_ask" // of sessions on blocks that ask
	loginCookie   = "mfagate_login"
	hostPrefix    = "__Host-"
)

// errCookies reports that a request carries one of the gate's cookies twice, or
// hides one from a stricter reader.
var errCookies = errors.New("mfagate: ambiguous cookies")

func (v *visit) cookieName(name string) string {
	if v.client.Secure {
		return hostPrefix + name
	}
	return name
}

// cookie returns the value of one of the gate's cookies, empty if there is none.
func (v *visit) cookie(name string) (value string, err error) {
	name = v.cookieName(name)
	found := false
	for _, line := range v.r.Header["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			n, val, _ := strings.Cut(pair, "=")
			// Only what RFC 6265 calls white space: browsers let a sibling domain
			// set U+2000 before __Host-, which they take for another name.
			if strings.Trim(n, " \t") != name {
				continue
			}
			if found {
				return "", errCookies
			}
			found, value = true, strings.Trim(val, " \t")
		}
	}
	return value, nil
}

// setCookie sets one of the gate's cookies. The session's has no expiry: the
// server ends sessions, the browser at most forgets them.
func (v *visit) setCookie(name, value string, expires time.Time) {
	c := &http.Cookie{
		Name: v.cookieName(name), Value: value, Path: "/", Expires: expires,
		Secure: v.client.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	h := v.w.Header()
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(old string) bool { return strings.HasPrefix(old, c.Name+"=") })
	http.SetCookie(v.w, c)
}

func (v *visit) clearCookie(name string) {
	v.setCookie(name, "", time.Unix(1, 0))
}

// remember marks the browser as one that has proved a factor.
func (v *visit) remember() {
	v.setCookie(browserCookie, v.browser, v.now.Add(browserLife))
}

// hideCookies takes the gate's own cookies out of what the app will see. The
// rest of the header stays byte for byte as it was, since legacy apps have
// cookies of their own grammar.
func hideCookies(h http.Header) error {
	lines := h["Cookie"]
	for i, line := range lines {
		if strings.Contains(line, sessionCookie) {
			lines[i] = withoutOwn(line)
		}
		if strings.Contains(lines[i], hostPrefix+sessionCookie) { // in quotes, say
			return errCookies
		}
	}
	h["Cookie"] = slices.DeleteFunc(lines, func(line string) bool { return line == "" })
	if len(h["Cookie"]) == 0 {
		delete(h, "Cookie")
	}
	return nil
}

func withoutOwn(line string) string {
	kept := make([]string, 0, 8)
	for pair := range strings.SplitSeq(line, ";") {
		name, _, _ := strings.Cut(pair, "=")
		if !ownCookie(strings.TrimSpace(name)) {
			kept = append(kept, pair)
		}
	}
	return strings.TrimSpace(strings.Join(kept, ";"))
}

func ownCookie(name string) bool {
	switch strings.TrimPrefix(name, hostPrefix) {
	case sessionCookie, browserCookie, askCookie, loginCookie:
		return true
	}
	return false
}
