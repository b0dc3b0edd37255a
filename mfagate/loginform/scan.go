package loginform

import (
	"bytes"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// maxName is the length in bytes up to which names and values are looked at while they
// pass. Longer ones are not what is looked for.
const maxName = 512

// A watcher is told of the fields of a body in the order in which they pass, in every
// reading that some app might have. A pair is told after its name; hidden is a
// field whose name is too long to be read.
type watcher interface {
	name(name string)
	pair(name, value string)
	pairs() bool // are of interest
	hidden()
}

// A pairWatch looks for one pair.
type pairWatch struct {
	want func(name, value string) bool
	met  bool
}

func (w *pairWatch) name(string) {}

func (w *pairWatch) pairs() bool {
	return true
}

func (w *pairWatch) hidden() {
	w.met = true
}

func (w *pairWatch) pair(name, value string) {
	w.met = w.met || w.want(name, value)
}

// A scanner finds fields in a body that passes in pieces. It never fails: what
// cannot be understood is skipped, and what could be understood in several ways is told
// in all of them.
type scanner interface {
	write(p []byte)
	end()
}

type scanners []scanner

func (all scanners) write(p []byte) {
	for _, s := range all {
		s.write(p)
	}
}

func (all scanners) end() {
	for _, s := range all {
		s.end()
	}
}

// newScan returns the scanners for the body of a request with these headers. JSON
// is looked for everywhere but in multipart, since many apps take what is sent for
// JSON whatever it claims to be. Forms are looked for in anything but media types that
// are known to be something else.
func newScan(h http.Header, w watcher) scanners {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	json := func(started bool) scanners {
		return scanners{&jsonScan{watch: w, started: started}, &jsonScan{watch: w, started: started, comments: true}}
	}
	switch unknown := err != nil || len(h["Content-Type"]) != 1 || !strings.Contains(media, "/"); {
	case unknown:
		return append(json(false), &formScan{watch: w, lines: true}, &multipartScan{watch: w})
	case strings.HasPrefix(media, "multipart/"):
		return scanners{&multipartScan{watch: w}}
	case strings.Contains(media, "json"):
		return append(json(true), &formScan{watch: w, lines: true})
	case strings.Contains(media, "form") || strings.HasPrefix(media, "text/"):
		return append(json(false), &formScan{watch: w, lines: true})
	}
	return scanners{&jsonScan{watch: w, binary: true}}
}

// A formScan reads name=value pairs between any of & and ;. If lines is set, pairs
// may stand on lines of their own, as in text/plain forms.
type formScan struct {
	watch watcher
	lines bool
	named string // the decoded name while a value passes
	in    bool   // a value passes
	text  []byte
	long  bool
}

func (s *formScan) write(p []byte) {
	for len(p) > 0 {
		i := bytes.IndexAny(p, s.stops())
		if i < 0 {
			s.keep(p)
			return
		}
		s.keep(p[:i])
		if p[i] == '=' {
			s.named, s.in = s.take(), true
			s.watch.name(s.named)
		} else {
			s.end()
		}
		p = p[i+1:]
	}
}

// stops are the signs that end what passes.
func (s *formScan) stops() string {
	switch {
	case s.in && s.lines:
		return "&;\r\n"
	case s.in:
		return "&;"
	case s.lines:
		return "=&;\r\n"
	}
	return "=&;"
}

// keep adds to a name or value. Blanks in front of a name are dropped, lest they
// push it out of sight.
func (s *formScan) keep(p []byte) {
	if s.in && !s.watch.pairs() {
		return
	}
	for len(p) > 0 && !s.long {
		n := min(len(p), maxName-len(s.text))
		s.text, p = append(s.text, p[:n]...), p[n:]
		for !s.in && blank.Match(s.text) {
			s.text = blank.ReplaceAll(s.text, nil)
		}
		s.long = len(s.text) == maxName
	}
}

var blank = regexp.MustCompile(`^(?:[+ \t\v\f]|%20|%0[9abcdABCD])+`)

// take returns what was kept, decoded, and begins anew. Of a long name that
// goes on in brackets, the part before them counts.
func (s *formScan) take() string {
	text := unescape(string(s.text))
	if s.long {
		text, _, _ = strings.Cut(text, "[")
	}
	s.text, s.long = s.text[:0], false
	return text
}

// end ends a pair.
func (s *formScan) end() {
	text := s.take()
	switch {
	case s.in:
		s.watch.pair(s.named, text)
	case text != "":
		s.watch.name(text)
		s.watch.pair(text, "")
	}
	s.in = false
}

// unescape undoes what is an escape in a form, and leaves everything else as it is.
func unescape(s string) string {
	s = strings.ReplaceAll(s, "+", " ")
	if !strings.Contains(s, "%") {
		return s
	}
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out = append(out, byte(c))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}
