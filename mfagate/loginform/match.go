package loginform

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// A Kind says what a request is to the login form.
type Kind int

// The kinds of requests.
const (
	Other  Kind = iota // nothing special: it takes a session
	Page               // shows the login form
	Submit             // carries name and password, and must be read by ReadSubmission
	Public             // anybody may make it, as a visitor
	Reset              // part of a way to a new password
	Logout             // ends the session
	Refuse             // a side door
	Renew              // asks whether somebody is signed in, or for a new token
)

// Classify tells what a request is, by its method and URL, and by its body where
// a pattern has conditions on that: then up to MaxForm bytes of the body are read and
// put back.
//
// What admits a request is compared strictly: Page, Submit, Public, Reset, and Renew are
// never returned for a path or query that two readers could understand
// differently. What stops one is compared loosely, in any spelling that some app might
// accept: Refuse, which goes before all others, and Logout, since one missed is worse
// than one too many. A request whose body could be a login but cannot be
// understood is Submit, so that ReadSubmission refuses it.
func (f *Form) Classify(r *http.Request) Kind {
	if f.loosely(&f.refuse, r, true) {
		return Refuse
	}
	path, ok := strictPath(r.URL)
	renews := ok && f.renew.strict(r, path)
	empty := noBody(r) && f.config.Credentials == InFields
	if ok && f.submit.strict(r, path) && (!renews || !empty) && f.shows(r) && f.body(r, &f.submit, path) != no {
		return Submit
	}
	if f.loosely(&f.logout, r, false) {
		return Logout
	}
	switch {
	case !ok:
	case renews && f.body(r, &f.renew, path) == yes:
		return Renew
	case f.reset.strict(r, path) && f.body(r, &f.reset, path) == yes:
		return Reset
	case f.page.strict(r, path):
		return Page
	case f.public.strict(r, path):
		return Public
	}
	return Other
}

// Poll tells whether a request is one that the app's scripts make by themselves.
func (f *Form) Poll(r *http.Request) bool {
	path, ok := strictPath(r.URL)
	return ok && f.poll.strict(r, path)
}

// Renews tells whether method and URL of a request are those of Renew.
func (f *Form) Renews(r *http.Request) bool {
	path, ok := strictPath(r.URL)
	return ok && f.renew.strict(r, path)
}

// Accounts tells whether a request may carry a name and a password although it is no sign-in.
func (f *Form) Accounts(r *http.Request) bool {
	path, ok := strictPath(r.URL)
	return ok && f.accounts.strict(r, path)
}

// SignsOut tells whether a request that is Logout is one in every reading, so that
// no app takes it for anything else.
func (f *Form) SignsOut(r *http.Request) bool {
	path, ok := strictPath(r.URL)
	if !ok {
		return false
	}
	for _, p := range f.logout.all {
		if p.path.match(path, false) && p.admits(r) && f.where(r, p.conditions) == yes {
			return true
		}
	}
	return false
}

// ShowsForm tells whether a request is one for a login page, whatever else it is.
func (f *Form) ShowsForm(r *http.Request) bool {
	path, ok := strictPath(r.URL)
	return ok && f.page.strict(r, path)
}

// ShowsAnybody tells whether a request is public, whatever else it is.
func (f *Form) ShowsAnybody(r *http.Request) bool {
	path, ok := strictPath(r.URL)
	return ok && f.public.strict(r, path)
}

// WebSocket tells whether a request is an upgrade that may be made in a session
// whose user cannot be looked up. It looks at method and URL only.
func (f *Form) WebSocket(r *http.Request) bool {
	path, ok := strictPath(r.URL)
	return ok && f.socket.strict(r, path)
}

// admits tells whether method and query match, strictly.
func (p *pattern) admits(r *http.Request) bool {
	if p.methods != nil && !slices.Contains(p.methods, r.Method) && (r.Method != http.MethodHead || !slices.Contains(p.methods, http.MethodGet)) {
		return false
	}
	if r.URL.RawQuery == "" {
		return !r.URL.ForceQuery && !slices.ContainsFunc(p.query, func(k queryKey) bool { return !k.optional })
	}
	if len(p.query) == 0 && !p.anyQuery {
		return false
	}
	fields, err := parseForm(r.URL.RawQuery)
	return err == nil && p.admitsQuery(fields)
}

// admitsQuery wants each key once, and none that could be taken for it.
func (p *pattern) admitsQuery(fields []field) bool {
	var found int
	for i, f := range fields {
		at := slices.IndexFunc(p.query, func(k queryKey) bool {
			return spell(f.name).like(foldName(k.name)) || within(foldName(k.name), foldName(f.name))
		})
		if at < 0 && !p.anyQuery || !printable(f.name) || !printable(f.value) {
			return false
		}
		if at < 0 {
			continue
		}
		k := p.query[at]
		if f.name != k.name || !k.value.match(f.value) || slices.ContainsFunc(fields[:i], func(g field) bool { return g.name == f.name }) {
			return false
		}
		if !k.optional {
			found++
		}
	}
	for _, k := range p.query {
		if !k.optional {
			found--
		}
	}
	return found == 0
}

// strictPath returns the decoded path if there is one way to read it. No
// allocation is made for a usual one.
func strictPath(u *url.URL) (string, bool) {
	p := u.Path
	if u.Opaque != "" || p == "" || p[0] != '/' || strings.ContainsAny(p, "\\;%") || !printable(p) {
		return "", false
	}
	if clean := path.Clean(p); clean != p && (p[:len(p)-1] != clean || p[len(p)-1] != '/') {
		return "", false
	}
	if u.RawPath == "" {
		return p, true
	}
	for rest := u.EscapedPath(); ; {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			return p, true
		}
		c, err := url.PathUnescape("%" + after[:min(2, len(after))])
		if err != nil || c == "/" || isUnreserved(c[0]) {
			return "", false
		}
		rest = after
	}
}

// isUnreserved tells whether nobody has a reason to escape c (RFC 3986 section
// 2.3); the tilde was escaped by older software.
func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'
}

// loosely tells whether a request matches a loose table in any reading. What is
// too long to be looked at counts as long is set.
func (f *Form) loosely(t *table, r *http.Request, long bool) bool {
	if len(t.all) == 0 {
		return false
	}
	use := func(p *pattern) bool { return f.stops(p, r) && f.bodyStops(r, p, long) }
	path := r.URL.Path
	if !strings.ContainsAny(path, "\\%;\x00") && !strings.Contains(path, "//") && !strings.Contains(path, "/.") && strings.HasPrefix(path, "/") {
		return t.each(strings.ToLower(trimSlash(path)), use) // there is one way to read it
	}
	return slices.ContainsFunc(readings(path), func(folded string) bool { return t.each(folded, use) })
}

// readings returns the paths, in lower case and without dots and a slash at the
// end, for which servers might take a decoded path: some decode it again.
func readings(p string) []string {
	var all []string
	for range 4 {
		for how := range 1 << 4 {
			if folded := foldPath(p, how); !slices.Contains(all, folded) {
				all = append(all, folded)
			}
		}
		if !strings.Contains(p, "%") {
			break
		}
		p = unescape(strings.ReplaceAll(p, "+", "%2B"))
	}
	return all
}

// foldPath returns one reading. The bits of how tell whether a backslash is a slash,
// whether a NUL ends the path, whether there are path parameters, and whether two
// slashes are one before dots are looked at.
func foldPath(p string, how int) string {
	if how&1 != 0 {
		p = strings.ReplaceAll(p, "\\", "/")
	}
	if how&2 != 0 {
		p, _, _ = strings.Cut(p, "\x00")
	}
	var kept []string
	for s := range strings.SplitSeq(p, "/") {
		if how&4 != 0 {
			s, _, _ = strings.Cut(s, ";")
		}
		switch {
		case s == "." || s == "" && how&8 != 0:
		case s == "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, s)
		}
	}
	return strings.ToLower(path.Clean("/" + strings.Join(kept, "/")))
}

func trimSlash(p string) string {
	if len(p) > 1 {
		return strings.TrimSuffix(p, "/")
	}
	return p
}

// stops tells whether method and query match in some reading. Keys that the
// pattern does not have are no matter.
func (f *Form) stops(p *pattern, r *http.Request) bool {
	if p.methods != nil && !f.stopsMethod(p, r) {
		return false
	}
	for _, k := range p.query {
		if !k.optional && !k.inAny(r.URL.RawQuery) {
			return false
		}
	}
	return true
}

// stopsMethod tells whether a request has one of the methods, or asks the app by a header to
// take it for one that has.
func (f *Form) stopsMethod(p *pattern, r *http.Request) bool {
	method := strings.ToUpper(r.Method)
	if method == http.MethodHead && !slices.Contains(p.methods, method) {
		method = http.MethodGet
	}
	return slices.Contains(p.methods, method) || overridden(r.Header) || method == http.MethodPost && f.asksMethod(r)
}

// anyMethod is the field by which forms of Rails, Laravel and others ask to be taken for another
// method, since browsers send no others.
var anyMethod = condition{form: "_method", value: parseGlobs([]string{"*"})}

// asksMethod tells whether a form has that field, in its query or in its body.
func (f *Form) asksMethod(r *http.Request) bool {
	inQuery := (&queryKey{name: foldName(anyMethod.form), value: anyMethod.value}).inAny(r.URL.RawQuery)
	return inQuery || f.where(r, []condition{anyMethod}) != no
}

// inAny tells whether a key, whose name is folded, is in a query with the value wanted, perhaps among
// others.
func (k *queryKey) inAny(query string) bool {
	w := pairWatch{want: func(name, value string) bool {
		return spell(name).like(k.name) && k.value.match(strings.ToLower(value))
	}}
	s := formScan{watch: &w}
	s.write([]byte(query))
	s.end()
	return w.met
}
