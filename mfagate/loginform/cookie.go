package loginform

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// ErrCookies reports cookies that two readers could understand differently.
var ErrCookies = errors.New("loginform: ambiguous cookies")

// A Cookie is one that the app gets, or that it sets.
type Cookie struct {
	Name, Value string
	Path        string // as the app gave it; empty if it gave none
	Deleted     bool   // the app takes it back
	HTTPOnly    bool   // scripts cannot read it, as the app gave it
}

// Cookies are those of an app that a request may bring it, opened.
type Cookies []Cookie

// Header returns what stands in the header Cookie of a request for a path, as [Cookies.For]
// has it.
func (c Cookies) Header(uri string) string {
	c = c.For(uri)
	var all strings.Builder
	for _, k := range c {
		if k.Deleted {
			continue
		}
		if all.Len() == 0 {
			all.Grow(c.size())
		} else {
			all.WriteString("; ")
		}
		all.WriteString(k.Name)
		all.WriteByte('=')
		all.WriteString(k.Value)
	}
	return all.String()
}

// size is the length in bytes of the longest header.
func (c Cookies) size() (n int) {
	for _, k := range c {
		n += len(k.Name) + len(k.Value) + len("=; ")
	}
	return n
}

// Value returns the value of the cookie with a name.
func (c Cookies) Value(name string) (string, bool) {
	for _, k := range c {
		if k.Name == name && !k.Deleted {
			return k.Value, true
		}
	}
	return "", false
}

// With returns c with what an answer has set or deleted.
func (c Cookies) With(set Cookies) Cookies {
	all := append(Cookies(nil), c...)
	for _, s := range set {
		kept := all[:0]
		for _, k := range all {
			if !k.same(s) {
				kept = append(kept, k)
			}
		}
		all = append(kept, s)
	}
	return all
}

// A Jar says which cookies of a request count, and how those of an answer go
// out. The zero value lets none pass in either direction.
type Jar struct {
	Open   []*Box   // in which cookies of requests may have been sealed
	Seal   *Box     // in which those of answers are; nil means that none is set
	Pass   []string // globs of names that go in clear in both directions
	Bound  []string // globs of names that go in clear, yet count only beside their seal
	Asks   []string // paths of what the gate itself asks the app for, with what a browser would send there
	Secure bool     // the browser is reached by HTTPS

	// Reserved tells which names are the gate's own: the app neither gets nor sets
	// a cookie that has one. nil reserves none.
	Reserved func(name string) bool
}

// Read returns the cookies of a request that count. What does not open is left
// out; two that open differently under one name are an error. Of those in clear, which
// anybody on a sibling domain may add to, two that differ are left out.
func (j *Jar) Read(h http.Header) (Cookies, error) {
	var few [8]pair
	given, err := pairs(few[:0], h)
	if err != nil {
		return nil, err
	}
	in := openings.Get().(*opening)
	defer in.done()
	var unclear []string
	all := make(Cookies, 0, len(given))
	for _, p := range given {
		if base, _ := pathNamed(p.name); j.reserves(base) || !brackets(base) {
			continue
		}
		c, ok := j.open(in, p.name, p.value, given)
		if !ok {
			continue
		}
		switch at := all.index(c); {
		case at < 0:
			all = append(all, c)
		case all[at].Value == c.Value:
		case j.passes(c.Name):
			unclear = append(unclear, c.Name)
		default:
			return nil, ErrCookies
		}
	}
	if len(unclear) > 0 {
		all = slices.DeleteFunc(all, func(c Cookie) bool { return slices.Contains(unclear, c.Name) })
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// clear tells whether a cookie goes in clear.
func (j *Jar) clear(name string) bool { return j.passes(name) || j.binds(name) }

// passes and binds tell it of either kind. A name that a sealed cookie might have by its path is
// clear only if the app's name for that is, too.
func (j *Jar) passes(name string) bool { return listed(j.Pass, name) }
func (j *Jar) binds(name string) bool  { return listed(j.Bound, name) }

func listed(globs []string, name string) bool {
	if !matchesAny(globs, name) {
		return false
	}
	base, odd := pathNamed(name)
	return !odd || matchesAny(globs, base)
}

func (j *Jar) reserves(name string) bool { return j.Reserved != nil && j.Reserved(name) }

// open returns a cookie as the app has it. The path of one in clear is not known.
func (j *Jar) open(in *opening, name, raw string, all given) (c Cookie, ok bool) {
	c = Cookie{Name: name, Value: raw}
	switch base, seal := strings.CutSuffix(name, boundSuffix); {
	case j.passes(name):
		return c, token(name) && octets(raw) && !strings.Contains(name, "%") // PHP before 7.4.11 decodes names
	case seal && j.binds(base):
		return c, false // ours, and none of the app's
	case j.binds(name):
		seal, once := all.only(name + boundSuffix)
		if !once || !token(name) {
			return c, false
		}
		sum, ok := j.unseal(in, name+boundSuffix, seal, all)
		return c, ok && sum == digest(raw)
	}
	if c.Value, ok = j.unseal(in, name, raw, all); !ok {
		return c, false
	}
	if _, ofPath := pathNamed(name); ofPath {
		return j.unpath(name, c.Value)
	}
	c.Path = "/"
	return c, true
}

func (j *Jar) unseal(in *opening, name, raw string, all given) (string, bool) {
	joined, ok := unchunk(name, raw, all)
	if !ok {
		return "", false
	}
	for _, b := range j.Open {
		if v, ok := b.open(in, name, joined); ok {
			return v, true
		}
	}
	return "", false
}

// boundSuffix ends the name of the seal beside a cookie that goes in clear.
const boundSuffix = "~b"

func digest(value string) string {
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// maxCookies is how many cookies of one request are looked at. Browsers keep
// some 180 for a site.
const maxCookies = 400

// A pair is one cookie of a request, as it stands.
type pair struct{ name, value string }

// A given is what a request brings, in order.
type given []pair

// only returns the value of a cookie that is there once.
func (g given) only(name string) (value string, ok bool) {
	for _, p := range g {
		if p.name == name && ok {
			return "", false
		}
		if p.name == name {
			value, ok = p.value, true
		}
	}
	return value, ok
}

// pairs reads the header Cookie as RFC 6265 section 5.4 has browsers write it:
// pairs with a semicolon between them, with nothing quoted or escaped. It appends
// them to all.
func pairs(all given, h http.Header) (given, error) {
	n := 0
	for _, line := range h["Cookie"] {
		for line != "" {
			var one string
			one, line, _ = strings.Cut(line, ";")
			if n++; n > maxCookies {
				return nil, ErrCookies
			}
			name, value, ok := strings.Cut(strings.Trim(one, " \t"), "=")
			if ok && ends(name) && plain(value) {
				all = append(all, pair{name, value})
			}
		}
	}
	return all, nil
}

func matchesAny(globs []string, name string) bool {
	for _, g := range globs {
		if ok, err := path.Match(g, name); err == nil && ok {
			return true
		}
	}
	return false
}

// Rotates tells whether the app changes a cookie by itself.
func (f *Form) Rotates(name string) bool { return matchesAny(f.config.RotatingCookies, name) }

// Passes tells whether a cookie goes to browsers as it is, since it proves nothing.
func (f *Form) Passes(name string) bool { return matchesAny(f.config.PassCookies, name) }

// Write puts sealed cookies in place of those that the app has set in h. What is
// deleted is deleted in the browser too.
func (j *Jar) Write(h http.Header, now time.Time) error {
	lines := h["Set-Cookie"]
	h.Del("Set-Cookie")
	for _, line := range lines {
		c, attributes, ok := readSetCookie(line, now)
		if !ok || j.reserves(c.Name) || j.clear(c.Name) && !token(c.Name) || misplaced(c) {
			continue
		}
		if err := j.write(h, c, attributes); err != nil {
			return err
		}
	}
	return nil
}

// misplaced tells whether browsers drop a cookie for its path (RFC 6265bis section 4.1.3.2): under
// another name they would keep it.
func misplaced(c Cookie) bool {
	const prefix = "__Host-"
	return narrow(c.Path) && len(c.Name) >= len(prefix) && strings.EqualFold(c.Name[:len(prefix)], prefix)
}

func (j *Jar) write(h http.Header, c Cookie, given []string) error {
	attributes := j.attributes(c, given)
	add := func(name, value string) { h.Add("Set-Cookie", name+"="+value+attributes) }
	sealed := c
	if !j.clear(c.Name) {
		sealed.Name, sealed.Path = j.kept(c.Name, c.Path)
	}
	switch {
	case j.passes(c.Name):
		add(c.Name, c.Value)
		return nil
	case c.Deleted:
		if add(c.Name, c.Value); sealed.Name != c.Name { // the one in clear, or of a gate that did not look at paths
			attributes = j.attributes(sealed, given)
			add(sealed.Name, c.Value)
		}
		return nil
	case j.Seal == nil:
		return nil
	case j.binds(c.Name):
		add(c.Name, c.Value)
		return j.seal(c.Name+boundSuffix, digest(c.Value), add)
	}
	attributes = j.attributes(sealed, given)
	if sealed.Name != c.Name {
		sealed.Value = withPath(c.Path, c.Value)
	}
	return j.seal(sealed.Name, sealed.Value, add)
}

func (j *Jar) seal(name, value string, add func(name, value string)) error {
	parts, err := chunks(j.Seal.Seal(name, value))
	if err != nil {
		return err
	}
	for i, part := range parts {
		add(chunkName(name, i), part)
	}
	return nil
}

// attributes returns those of the app but for Domain, with c's path, HttpOnly and Secure. A
// deletion says so in a way that all browsers understand. On plain HTTP those are left out
// with which browsers keep a cookie only if it is Secure.
func (j *Jar) attributes(c Cookie, given []string) string {
	var out strings.Builder
	secure, httpOnly := false, false
	if c.Path != "" {
		out.WriteString("; Path=" + c.Path)
	}
	for _, a := range given {
		key, value := cookieAttribute(a)
		if key == "domain" || key == "path" || !j.Secure && wantsSecure(key, value) || c.Deleted && (key == "max-age" || key == "expires") {
			continue
		}
		secure, httpOnly = secure || key == "secure", httpOnly || key == "httponly"
		out.WriteString("; " + a)
	}
	if j.Secure && !secure {
		out.WriteString("; Secure")
	}
	if !httpOnly && !j.clear(c.Name) {
		out.WriteString("; HttpOnly")
	}
	if c.Deleted {
		out.WriteString("; Max-Age=0")
	}
	return out.String()
}

// wantsSecure tells whether an attribute is Secure, or one that browsers take only with it
// (RFC 6265bis section 5.7).
func wantsSecure(key, value string) bool {
	return key == "secure" || key == "partitioned" || key == "samesite" && strings.EqualFold(value, "none")
}
