package learn

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// An Answer is a kind of answers to a login.
type Answer struct {
	Status   int      `json:"status"`
	Type     string   `json:"type,omitempty"`     // html, json or text
	Location string   `json:"location,omitempty"` // the path
	Cookies  []string `json:"set_cookie,omitempty"`
	Deleted  []string `json:"deleted_cookies,omitempty"`
	JSON     []string `json:"json,omitempty"`  // pointers, with the value where that is true, false or null
	Text     string   `json:"text,omitempty"`  // all of it, if that is a word such as Ok.
	Words    []string `json:"words,omitempty"` // of a page, such as incorrect
	Form     bool     `json:"form,omitempty"`  // it asks for a password again
	Token    *Token   `json:"token,omitempty"` // that came back with later requests
	Size     int      `json:"size,omitempty"`  // of the last one, in bytes

	Count int `json:"count"`
	Went  int `json:"went"`  // people who got a page without a form after it
	Again int `json:"again"` // people who had to try again
}

// maxHeld is how much of an answer is looked at, in bytes.
const maxHeld = 64 << 10

// A watchedWriter notes what an answer looks like, and hands it on at once.
type watchedWriter struct {
	http.ResponseWriter
	status int
	size   int
	keep   func(http.Header) bool // whether the body is of interest
	keeps  bool
	body   []byte // its beginning
}

func (w *watchedWriter) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
		w.keeps = w.keep(w.Header())
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watchedWriter) begin() {
	if w.status == 0 {
		w.status = http.StatusOK
		w.keeps = w.keep(w.Header())
	}
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	w.begin()
	if w.keeps {
		w.body = append(w.body, p[:min(len(p), maxHeld-len(w.body))]...)
	}
	n, err := w.ResponseWriter.Write(p)
	w.size += n
	return n, err
}

// ReadFrom implements io.ReaderFrom, so that files still go the fast way.
func (w *watchedWriter) ReadFrom(r io.Reader) (int64, error) {
	w.begin()
	if w.keeps {
		return io.Copy(struct{ io.Writer }{w}, r)
	}
	n, err := io.Copy(w.ResponseWriter, r)
	w.size += int(n)
	return n, err
}

// FlushError is what http.ResponseController calls.
func (w *watchedWriter) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements http.Flusher.
func (w *watchedWriter) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker.
func (w *watchedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap gives http.ResponseController the rest.
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// kind tells html, json and plain text from all else.
func kind(h http.Header) string {
	media := strings.ToLower(h.Get("Content-Type"))
	switch {
	case strings.Contains(media, "html"):
		return "html"
	case strings.Contains(media, "json"):
		return "json"
	case strings.HasPrefix(media, "text/plain"):
		return "text"
	}
	return ""
}

// plain returns the beginning of an answer without its compression; nil if it cannot be read.
func (w *watchedWriter) plain() []byte {
	switch w.Header().Get("Content-Encoding") {
	case "", "identity":
		return w.body
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(w.body))
		if err != nil {
			return nil
		}
		text, _ := io.ReadAll(io.LimitReader(z, maxHeld)) // cut off where the beginning ends
		return text
	}
	return nil
}

var passwordInput = regexp.MustCompile(`(?i)<input\b[^>]{0,400}\btype\s*=\s*["']?password\b`)

// asks tells whether an answer has a form with a password.
func (w *watchedWriter) asks() bool {
	return w.keeps && kind(w.Header()) == "html" && passwordInput.Match(w.plain())
}

// answer tells what an answer to a login looks like.
func (w *watchedWriter) answer(s *sent, r *http.Request) Answer {
	h := w.Header()
	a := Answer{Status: w.status, Type: kind(h), Size: w.size, Form: w.asks()}
	if u, err := r.URL.Parse(h.Get("Location")); err == nil && h.Get("Location") != "" {
		if u.Host != "" && u.Host != r.Host && u.Host != r.URL.Host {
			a.Location = "elsewhere"
		} else {
			at := placeOf(u)
			at.Path = shape(s.hide(at.Path))
			at.Query = slices.DeleteFunc(at.Query, func(pair string) bool { return strings.HasSuffix(pair, "=*") })
			a.Location = at.URI()
		}
	}
	for _, c := range cookies(h) {
		n := name(s.hide(c.Name))
		switch {
		case n == "":
		case c.Deleted:
			a.Deleted = append(a.Deleted, n)
		default:
			a.Cookies = append(a.Cookies, n)
		}
	}
	switch a.Type {
	case "json":
		a.JSON = s.keys(w.plain())
	case "text":
		a.Text = phrase(w.plain())
	case "html":
		a.Words = words(w.plain())
	}
	return a
}

// maxKeys is how many keys of a JSON answer are kept.
const maxKeys = 16

// keys tells which keys a JSON answer has, on two levels.
func (s *sent) keys(body []byte) []string {
	var v map[string]any
	if json.Unmarshal(body, &v) != nil {
		return nil
	}
	var all []string
	var walk func(at string, v map[string]any)
	walk = func(at string, v map[string]any) {
		for key, value := range v {
			if name(key) == "" || s.hide(key) != key {
				continue
			}
			switch value := value.(type) {
			case map[string]any:
				if at == "" {
					walk("/"+key, value)
				}
			case bool:
				all = append(all, at+"/"+key+"="+map[bool]string{true: "true", false: "false"}[value])
			case nil:
				all = append(all, at+"/"+key+"=null")
			default:
				all = append(all, at+"/"+key)
			}
		}
	}
	walk("", v)
	slices.Sort(all)
	return all[:min(len(all), maxKeys)]
}

// cookies reads the Set-Cookie lines of an answer as the gate does; of several with a name the last
// one counts.
func cookies(h http.Header) loginform.Cookies {
	var all loginform.Cookies
	for _, c := range loginform.ReadSetCookies(h, time.Now()) {
		if i := slices.IndexFunc(all, func(o loginform.Cookie) bool { return o.Name == c.Name }); i >= 0 {
			all[i] = c
		} else if len(all) < maxKeys {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b loginform.Cookie) int { return strings.Compare(a.Name, b.Name) })
	return all
}
