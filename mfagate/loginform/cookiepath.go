package loginform

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxAttribute is the length in bytes of the longest attribute that browsers look at
// (RFC 6265bis section 5.6).
const maxAttribute = 1024

// cookiePath reads the attribute Path of a cookie. before is what was read of one that stood
// before it; empty stands for the path that browsers take where there is none (RFC 6265 section 5.2.4).
func cookiePath(value, before string) string {
	switch {
	case len(value) > maxAttribute || !plain(value):
		return before
	case value == "" || value[0] != '/':
		return ""
	}
	return value
}

// covers tells whether a cookie's path matches that of a request, as it stands in the address
// (RFC 6265 section 5.1.4). The empty one, which is not known, does.
func covers(cookie, request string) bool {
	if cookie == "" || cookie[0] != '/' {
		return true
	}
	return request == cookie || strings.HasPrefix(request, cookie) &&
		(strings.HasSuffix(cookie, "/") || request[len(cookie)] == '/')
}

// narrow tells whether a cookie with a path is kept back from some requests.
func narrow(path string) bool { return len(path) > 1 && path[0] == '/' }

// defaultPath is that of a cookie for which the app gives none (RFC 6265 section 5.1.4). No
// attribute can have a semicolon in it, so what has one is cut before its segment: such a path
// covers no less.
func defaultPath(uri string) string {
	uri, _, _ = strings.Cut(uri, ";")
	end := strings.LastIndexByte(uri, '/')
	if end <= 0 || uri[0] != '/' {
		return "/"
	}
	return uri[:end]
}

// SetPaths gives the cookies of an answer for which the app names no path the one that browsers
// take then. uri is the path of the request as it stands in the address: a browser may get
// them with the answer to another.
func SetPaths(h http.Header, uri string) {
	lines, own := h["Set-Cookie"], false
	for i, line := range lines {
		if c, _, ok := readSetCookie(line, time.Time{}); !ok || c.Path != "" {
			continue
		}
		if !own {
			lines, own = slices.Clone(lines), true
		}
		lines[i] = line + "; Path=" + defaultPath(uri)
	}
	if own {
		h["Set-Cookie"] = lines
	}
}

// For returns what a browser sends with a request for a path, as it stands in the address:
// the cookies that match it, those with longer paths first (RFC 6265 section 5.4). Of several with one
// name the app gets the first: some readers take the first and some the last, and nobody
// could tell for whom the app takes a person who shows it two. The empty path takes all.
func (c Cookies) For(uri string) Cookies {
	if !c.anyNarrow() {
		return c
	}
	some := make(Cookies, 0, len(c))
	for _, k := range c {
		if !k.Deleted && (uri == "" || covers(k.Path, uri)) {
			some = append(some, k)
		}
	}
	slices.SortStableFunc(some, func(a, b Cookie) int { return len(b.Path) - len(a.Path) })
	kept := some[:0]
	for _, k := range some {
		if !kept.named(k.Name) {
			kept = append(kept, k)
		}
	}
	return kept
}

// Beside returns what the app is asked with who sends a request for a path: what it gets with
// that request itself, whatever the address of the question, and beside it what a browser would
// send there. So nothing goes to the app of which it has not been asked whose it is.
func (c Cookies) Beside(uri, asked string) Cookies {
	if !c.anyNarrow() {
		return c
	}
	all := slices.Clone(c.For(uri))
	for _, k := range c.For(asked) {
		if !all.named(k.Name) {
			all = append(all, k)
		}
	}
	for i := range all {
		all[i].Path = ""
	}
	return all
}

// OfPaths tells whether what a request brings depends on its path.
func (c Cookies) OfPaths() bool { return c.anyNarrow() }

func (c Cookies) anyNarrow() bool {
	return slices.ContainsFunc(c, func(k Cookie) bool { return narrow(k.Path) })
}

func (c Cookies) named(name string) bool {
	_, found := c.Value(name)
	return found
}

// Has tells whether a cookie is among c, with its path and value.
func (c Cookies) Has(s Cookie) bool {
	at := c.index(s)
	return at >= 0 && !c[at].Deleted && c[at].Value == s.Value
}

// index is where a browser would keep s in place of what is there; -1 if nowhere.
func (c Cookies) index(s Cookie) int {
	for i := range c {
		if c[i].same(s) {
			return i
		}
	}
	return -1
}

// same tells whether a browser keeps either cookie in the place of the other.
func (c *Cookie) same(other Cookie) bool {
	return c.Name == other.Name && (c.Path == other.Path || c.Path == "" || other.Path == "")
}

// A browser has one name for cookies that an app sets at two paths, and says of none where it
// belongs. So a sealed cookie with a path has a name that ends in pathMark and pathSum
// characters, of a sum of the path. The path itself is sealed with the value.
const (
	pathMark = "~p"
	pathSum  = 11
)

// pathNamed returns the app's name for a cookie that is called so since it has a path.
func pathNamed(name string) (base string, ok bool) {
	if at := len(name) - pathSum - len(pathMark); at > 0 && name[at:at+len(pathMark)] == pathMark {
		return name[:at], true
	}
	return name, false
}

// kept is under which name and path browsers keep a sealed cookie. One that the app must
// show where the gate asks it something goes with all requests: somebody would else be a
// stranger to the app on every page that the path does not cover. Any other stays at its
// path, however many there are: a header has room for a few.
func (j *Jar) kept(name, path string) (keptName, keptPath string) {
	if _, odd := pathNamed(name); !odd && !narrow(path) {
		return name, "/"
	}
	if !narrow(path) {
		path = "/"
	}
	keptPath = path
	if slices.ContainsFunc(j.Asks, func(uri string) bool { return covers(path, uri) }) {
		keptPath = "/"
	}
	sum := sha256.Sum256([]byte(path + ";" + keptPath))
	return name + pathMark + encoding.EncodeToString(sum[:])[:pathSum], keptPath
}

// withPath is what is sealed of a cookie that has a path; neither it nor a value holds a
// semicolon.
func withPath(path, value string) string {
	if !narrow(path) {
		path = "/"
	}
	return path + ";" + value
}

// unpath returns a cookie that was sealed with its path under the name that browsers keep. One
// that they would be given at another place today does not count.
func (j *Jar) unpath(keptName, opened string) (c Cookie, ok bool) {
	base, _ := pathNamed(keptName)
	path, value, ok := strings.Cut(opened, ";")
	if !ok {
		return c, false
	}
	name, _ := j.kept(base, path)
	return Cookie{Name: base, Value: value, Path: path}, name == keptName
}

// Drop deletes cookies in the browser that were read from it, as far as their path is known. Their
// names may be such as [http.SetCookie] leaves out.
func (j *Jar) Drop(h http.Header, cookies Cookies) {
	for _, c := range cookies {
		name, path := c.Name, "/"
		if !j.clear(c.Name) {
			name, path = j.kept(c.Name, c.Path)
		}
		h.Add("Set-Cookie", name+"="+j.attributes(Cookie{Name: name, Path: path, Deleted: true}, nil))
	}
}
