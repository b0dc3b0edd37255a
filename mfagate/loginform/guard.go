package loginform

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// MaxJudged is the length in bytes up to which Guard reads a body before anything of it
// goes on.
const MaxJudged = 1 << 20

// A credentialWatch looks for credentials among fields.
type credentialWatch struct {
	form           *Form
	user, password bool
	account        bool          // it sets somebody's name and password, and signs nobody in
	id             bool          // a session id, which some apps take from any field
	nameless       [][]condition // of which all must be met by one request
	met            map[*condition]bool
	unreadable     bool
	parts          map[string]bool // names that are parts of those in brackets
}

func (f *Form) watch() *credentialWatch {
	w := &credentialWatch{form: f}
	if f.nameless {
		w.met = make(map[*condition]bool)
		for _, p := range f.submit.all {
			w.nameless = append(w.nameless, p.conditions)
		}
	}
	return w
}

func (w *credentialWatch) name(name string) {
	s := spell(name)
	w.user = w.user || slices.ContainsFunc(w.form.userNames, s.like)
	w.password = w.password || slices.ContainsFunc(w.form.passwordNames, s.like)
	w.id = w.id || slices.ContainsFunc(w.form.sessionIDs, s.like)
	w.user = w.user || w.nested(w.form.userParts, s)
	w.password = w.password || w.nested(w.form.passwordParts, s)
}

// nested tells whether all parts of a name in brackets have passed. Rails and others read
// {"user":{"email":...}} as user[email]; where in the JSON a part stands does not matter here.
func (w *credentialWatch) nested(parts []string, s spelling) bool {
	if len(parts) == 0 {
		return false
	}
	if slices.Contains(parts, s.folded) {
		if w.parts == nil {
			w.parts = make(map[string]bool)
		}
		w.parts[s.folded] = true
	}
	return !slices.ContainsFunc(parts, func(part string) bool { return !w.parts[part] })
}

func (w *credentialWatch) pair(name, value string) {
	if w.nameless == nil {
		return
	}
	s := spell(name)
	for _, all := range w.nameless {
		for i := range all {
			if s.like(foldName(all[i].name())) && all[i].value.match(strings.TrimSpace(value)) {
				w.met[&all[i]] = true
			}
		}
	}
}

func (w *credentialWatch) pairs() bool {
	return w.nameless != nil
}

func (w *credentialWatch) hidden() {
	w.unreadable = true
}

// query looks at a query.
func (w *credentialWatch) query(text string) {
	if text == "" {
		return
	}
	s := formScan{watch: w}
	s.write([]byte(text))
	s.end()
}

// err tells whether what was seen is refused.
func (w *credentialWatch) err() error {
	if w.id {
		return ErrElsewhere
	}
	refused := w.password && (w.user || len(w.form.userNames) == 0)
	switch w.form.config.Elsewhere {
	case ElsewhereOff:
		return nil
	case ElsewhereUser:
		refused = w.user
	case ElsewherePassword:
		refused = w.password
	case ElsewhereBoth:
	}
	refused = refused && !w.account
	for _, all := range w.nameless {
		refused = refused || w.all(all)
	}
	if refused || w.unreadable {
		return ErrElsewhere
	}
	return nil
}

func (w *credentialWatch) all(conditions []condition) bool {
	for i := range conditions {
		if !w.met[&conditions[i]] {
			return false
		}
	}
	return true
}

// Guard looks for credentials in a request that is not Submit: in its query, its
// path parameters, and its body, whether that is a form, JSON, or multipart. The error is
// ErrElsewhere if there are any. A body of Accounts may hold name and password.
//
// A body of a known length up to MaxJudged is read whole and put back. Any other is
// looked at while it passes: then reading r.Body fails with ErrElsewhere before
// the sign that makes it a credential has passed. Of files in multipart bodies only
// the beginnings of lines are looked at, and bodies of other media types pass unseen
// unless they begin as JSON does.
func (f *Form) Guard(r *http.Request) error {
	return f.guard(r, true)
}

// GuardVisitor is Guard for a request of somebody who is not signed in, who has no user to add and no
// password to change: Accounts give no leave there.
func (f *Form) GuardVisitor(r *http.Request) error {
	return f.guard(r, false)
}

func (f *Form) guard(r *http.Request, signedIn bool) error {
	if r.URL.RawQuery == "" && noBody(r) {
		return f.guardKeys(r)
	}
	w := f.watch()
	w.query(r.URL.RawQuery)
	if err := w.err(); err != nil {
		return err
	}
	if err := f.guardKeys(r); err != nil {
		return err
	}
	if noBody(r) || f.config.Elsewhere == ElsewhereOff {
		return nil
	}
	w.account = signedIn && f.Accounts(r) // its query, which was looked at, has no such leave
	if !readable(r.Header) {
		return fmt.Errorf("%w, perhaps: its body is encoded", ErrElsewhere)
	}
	return w.body(r)
}

func noBody(r *http.Request) bool {
	return r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0
}

// body looks at a body, now or as it passes.
func (w *credentialWatch) body(r *http.Request) error {
	scan := &guardedBody{watch: w, scan: newScan(r.Header, w), from: r.Body}
	r.GetBody = nil
	if r.ContentLength < 0 || r.ContentLength > MaxJudged {
		r.Body = scan
		return nil
	}
	data, err := io.ReadAll(scan)
	if err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	r.Body, r.ContentLength = readCloser{bytes.NewReader(data), scan}, int64(len(data))
	return nil
}

// A guardedBody is a body that fails as soon as it has credentials.
type guardedBody struct {
	watch *credentialWatch
	scan  scanners
	from  io.ReadCloser
	err   error
}

// Read reads what has been looked at.
func (g *guardedBody) Read(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	n, err := g.from.Read(p)
	g.scan.write(p[:n])
	if errors.Is(err, io.EOF) {
		g.scan.end()
	}
	if g.err = g.watch.err(); g.err != nil {
		clear(p[:n])
		return 0, g.err
	}
	return n, err
}

// Close closes the body.
func (g *guardedBody) Close() error {
	return g.from.Close()
}

// guardKeys looks for keys with credentials, in the query and in path parameters such as
// ;jsessionid=.
func (f *Form) guardKeys(r *http.Request) error {
	if f.inPath(r) {
		return fmt.Errorf("%w: a session id in its path", ErrElsewhere)
	}
	if r.URL.RawQuery == "" && !strings.Contains(r.URL.Path, ";") {
		return nil
	}
	w := keyWatch{keys: f.queryKeys}
	s := formScan{watch: &w}
	s.write([]byte(r.URL.RawQuery))
	s.end()
	for segment := range strings.SplitSeq(r.URL.Path, "/") {
		if _, parameters, ok := strings.Cut(segment, ";"); ok {
			s.write([]byte(parameters))
			s.end()
		}
	}
	if w.found {
		return fmt.Errorf("%w: a key in its URL", ErrElsewhere)
	}
	return nil
}

// A keyWatch looks for names.
type keyWatch struct {
	keys  []string
	found bool
}

func (w *keyWatch) name(name string) {
	w.found = w.found || slices.ContainsFunc(w.keys, spell(name).like)
}

func (w *keyWatch) pair(string, string) {}

func (w *keyWatch) pairs() bool {
	return false
}

func (w *keyWatch) hidden() {}

// readable tells whether bytes of the body are letters: encoded ones, or those of
// UTF-16 and UTF-7, could hide names.
func readable(h http.Header) bool {
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	looked := err != nil || strings.HasPrefix(media, "text/") || strings.HasPrefix(media, "multipart/") ||
		strings.Contains(media, "form") || strings.Contains(media, "json")
	if !looked {
		return true
	}
	for _, coding := range h.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(coding), "identity") {
			return false
		}
	}
	charset := strings.ToLower(params["charset"])
	return charset == "" || slices.ContainsFunc(likeASCII, func(c string) bool { return strings.HasPrefix(charset, c) })
}

// likeASCII are the beginnings of names of character sets in which letters are what
// they are in ASCII.
var likeASCII = []string{
	"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-", "latin", "windows-125", "cp125", "koi8-", "gb", "big5", "euc-", "shift_jis",
}

// Strip takes off what could be a credential: Authorization, Proxy-Authorization
// and those of Config.Headers, and what could stand for another path than the one that
// was judged: X-Original-URL and X-Rewrite-URL. It does so also where a dash is written as
// an underscore or a dot, which some servers take for one. A caller that lets one of them through keeps it aside
// first.
func (f *Form) Strip(h http.Header) {
	for name := range h {
		if f.stripped[name] || strings.ContainsAny(name, "_.") && f.stripped[dashed(name)] {
			delete(h, name)
		}
	}
}

var dashes = strings.NewReplacer("_", "-", ".", "-")

// dashed returns the canonical name of a header with its aliases undone.
func dashed(name string) string {
	return http.CanonicalHeaderKey(dashes.Replace(name))
}
