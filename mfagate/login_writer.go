package mfagate

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// seal returns the visit's response writer with one difference: cookies of the app go
// out sealed.
func (v *visit) seal(jar *loginform.Jar) *sealingWriter {
	w := &sealingWriter{ResponseWriter: v.w, visit: v, jar: jar, own: v.w.Header()}
	if v.login.Form.Config().RewriteLocation {
		w.local = v.r.Host
	}
	return w
}

// sealPage is seal for the pages of the login form, to which a script may be added.
func (v *visit) sealPage(kind loginform.Kind, jar *loginform.Jar) *sealingWriter {
	w := v.seal(jar)
	w.again = true
	if kind == loginform.Page && v.r.Method == http.MethodGet && v.login.Form.Config().Inject {
		w.script, w.signedIn = v.gate.pages.StaticPath("login.js"), v.sess != nil
	}
	return w
}

// A sealingWriter has a header of its own, so that the gate's cookies are never
// taken for the app's, until the app's is complete.
type sealingWriter struct {
	http.ResponseWriter
	visit    *visit
	jar      *loginform.Jar
	within   *checked    // of the session in which the app answers; nil if there is none
	switches bool        // the request may have made the app's session another user's
	header   http.Header // of the app; nil until something asks for it
	own      http.Header // of the gate, and of what stands in front
	done     bool
	tag      string // HTML that ends the answer
	broken   bool   // nothing of the app's answer is sent

	script   string                             // path of what is added to an HTML page; empty adds none
	signedIn bool                               // to one that is shown to a signed-in person
	again    bool                               // pages are to be asked for each time that they are shown
	taken    func(net.Conn, io.Reader) net.Conn // makes what a WebSocket is to the app of the connection and what is read from it; nil leaves it
	local    string                             // host whose absolute redirections are made local; empty leaves them
}

// Header implements http.ResponseWriter.
func (w *sealingWriter) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

// WriteHeader seals the cookies. Those of informational answers are dropped: a browser
// would take them as they are.
func (w *sealingWriter) WriteHeader(status int) {
	if w.done {
		return
	}
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		w.informational(status)
		return
	}
	w.done = true
	loginform.SetPaths(w.header, w.visit.sentPath())
	if w.within != nil && w.visit.login.Form.Leaves(w.visit.opened.Cookies, w.header, w.visit.now) && w.leave(status) {
		return
	}
	w.tag = w.tagFor(status)
	w.askAgain()
	if err := w.flushHeader(); err != nil {
		w.broken = true
		clear(w.own)
		w.withhold(err)
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

// askAgain has a browser not show a page of its own store without asking: somebody whose
// session is over or locked would see the app, which then cannot reach its server. What is
// no page stays as the app has it.
func (w *sealingWriter) askAgain() {
	if w.again && strings.HasPrefix(w.header.Get("Content-Type"), "text/html") && !strings.Contains(w.header.Get("Cache-Control"), "no-store") {
		w.header.Set("Cache-Control", "private, no-cache")
	}
}

// withhold answers in place of the app.
func (w *sealingWriter) withhold(err error) {
	if errors.Is(err, loginform.ErrCookieSize) {
		w.visit.gate.log.Error("sealing a cookie of the app", "site", w.visit.site.Name, "error", err)
		err = errCookieSize
	}
	w.visit.refuse(err)
}

// tagFor prepares an HTML page for the script at its end, and returns the tag for it.
func (w *sealingWriter) tagFor(status int) string {
	if w.script == "" || status != http.StatusOK || w.header.Get("Content-Encoding") != "" {
		return ""
	}
	if media, _, err := mime.ParseMediaType(w.header.Get("Content-Type")); err != nil || media != "text/html" {
		return ""
	}
	for _, name := range []string{"Content-Length", "Etag", "Last-Modified", "Accept-Ranges", "Content-Md5", "Digest"} {
		w.header.Del(name)
	}
	tag := `<script src="` + w.script + `"`
	if w.signedIn {
		tag += " data-signed-in"
	}
	if nonce := scriptNonce(w.header.Values("Content-Security-Policy")); nonce != "" {
		tag += ` nonce="` + nonce + `"`
	}
	return tag + "></script>"
}

// scriptNonce returns the nonce by which policies of an answer admit scripts (CSP Level 3,
// section 2.3.1), or nothing. It is good for this answer only.
func scriptNonce(policies []string) string {
	nonces := make(map[string]string) // by directive
	for directive := range strings.FieldsFuncSeq(strings.Join(policies, ";"), func(r rune) bool { return r == ';' || r == ',' }) {
		words := strings.Fields(directive)
		for i, word := range words {
			nonce, ok := strings.CutPrefix(strings.Trim(word, "'"), "nonce-")
			if i > 0 && ok && !strings.ContainsFunc(nonce, notBase64) {
				nonces[strings.ToLower(words[0])] = nonce
			}
		}
	}
	return cmp.Or(nonces["script-src-elem"], nonces["script-src"], nonces["default-src"])
}

func notBase64(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("+/-_=", r)
}

// finish ends an answer: of an app that has written nothing, with its header; of a login
// page, with the script after its last byte, where parsers still take it.
func (w *sealingWriter) finish(err error) error {
	if err == nil && !w.done {
		w.WriteHeader(http.StatusOK)
	}
	if err == nil && w.done && !w.broken && w.tag != "" {
		_, _ = io.WriteString(w.ResponseWriter, w.tag) // the person may have left
	}
	delete(w.own, http.TrailerPrefix+"Set-Cookie")
	return err
}

// localize makes an absolute redirection to the app's own idea of its address a local
// one: to this host by another port or scheme, or to an address that is nobody's outside.
func localize(h http.Header, host string) {
	u, err := url.Parse(h.Get("Location"))
	if err != nil || u.Host == "" {
		return
	}
	name := hostname(u.Host)
	addr, err := netip.ParseAddr(name)
	if name != hostname(host) && !loopbackHost(u.Host) && (err != nil || !addr.IsPrivate()) {
		return
	}
	path := u.RequestURI()
	if u.Fragment != "" {
		path += "#" + u.EscapedFragment()
	}
	if localPath(u.RequestURI()) != "" {
		h.Set("Location", path)
	}
}

func (w *sealingWriter) informational(status int) {
	before := w.own.Clone()
	for name, values := range w.header {
		if name != "Set-Cookie" {
			w.own[name] = values
		}
	}
	w.ResponseWriter.WriteHeader(status)
	clear(w.own)
	maps.Copy(w.own, before)
}

// flushHeader moves the app's header into that of the answer.
func (w *sealingWriter) flushHeader() error {
	if w.local != "" {
		localize(w.header, w.local)
	}
	if w.within != nil {
		if err := w.visit.noteChange(w.within, w.header, w.switches); err != nil {
			return err
		}
	}
	if len(w.header["Set-Cookie"]) > 0 {
		if err := w.jar.Write(w.header, w.visit.now); err != nil {
			return err
		}
	}
	for name, values := range w.header {
		switch name {
		case "Set-Cookie":
			values = append(w.own[name], values...)
		case "Trailer":
			values = withoutCookies(values)
		}
		w.own[name] = values
	}
	w.header = w.own // trailers go where they belong
	return nil
}

// withoutCookies takes Set-Cookie out of the names of announced trailers: there nobody would
// seal them.
func withoutCookies(announced []string) (kept []string) {
	for name := range strings.SplitSeq(strings.Join(announced, ","), ",") {
		if name = strings.TrimSpace(name); name != "" && !strings.EqualFold(name, "Set-Cookie") {
			kept = append(kept, name)
		}
	}
	return kept
}

func (w *sealingWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.broken {
		return 0, loginform.ErrCookieSize
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom, so that files still go the fast way.
func (w *sealingWriter) ReadFrom(r io.Reader) (int64, error) {
	w.WriteHeader(http.StatusOK)
	if w.broken {
		return 0, loginform.ErrCookieSize
	}
	return io.Copy(w.ResponseWriter, r)
}

// FlushError is what http.ResponseController calls.
func (w *sealingWriter) FlushError() error {
	w.WriteHeader(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements http.Flusher.
func (w *sealingWriter) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker for the upgrade that was announced.
func (w *sealingWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil || w.taken == nil {
		return conn, rw, err
	}
	conn = w.taken(conn, rw.Reader) // which may hold what came already
	return conn, bufio.NewReadWriter(bufio.NewReader(conn), rw.Writer), nil
}

// Unwrap gives http.ResponseController the deadlines and the rest.
func (w *sealingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
