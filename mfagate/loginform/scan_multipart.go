package loginform

import (
	"bytes"
	"regexp"
	"strings"
)

const (
	disposition = "content-disposition"
	maxHeader   = 8 << 10 // bytes
	maxRows     = 64      // lines after a header that may be its value
	maxNames    = 16      // parameters of a header, and lines
)

// A multipartScan finds the names of the fields of a multipart body, whatever its
// boundary: every line that says Content-Disposition tells one. So it does not
// matter where another reader sees a part begin. Files pass unread but for the
// beginnings of their lines.
type multipartScan struct {
	watch    watcher
	line     []byte
	indented bool // there were blanks in front
	long     bool // there was more
	header   string
	lines    int      // of the header
	names    []string // in the header
	rows     int      // lines since then
	empty    int      // and since the last one that was not empty
}

func (s *multipartScan) write(p []byte) {
	for len(p) > 0 {
		i := bytes.IndexAny(p, "\r\n")
		if i < 0 {
			s.keep(p)
			return
		}
		s.keep(p[:i])
		s.end()
		p = p[i+1:]
	}
}

func (s *multipartScan) keep(p []byte) {
	if len(s.line) == 0 {
		text := bytes.TrimLeft(p, " \t\v\f")
		s.indented = s.indented || len(text) < len(p)
		p = text
	}
	for len(p) > 0 && !s.long {
		room := maxName - len(s.line)
		if s.disposition() {
			room = maxHeader - len(s.line)
		}
		n := min(len(p), room)
		s.line, p = append(s.line, p[:n]...), p[n:]
		s.long = n == 0
	}
}

func (s *multipartScan) disposition() bool {
	return len(s.line) >= len(disposition) && strings.EqualFold(string(s.line[:len(disposition)]), disposition)
}

// end ends a line.
func (s *multipartScan) end() {
	switch {
	case len(s.line) == 0:
		s.empty++
	case s.disposition():
		s.header, s.rows, s.lines = "", 0, 0
		s.extend()
	case s.indented && s.rows == 0 && s.empty < 2 && s.header != "":
		s.extend() // RFC 5322 section 2.2.3: a header may go on
	default:
		s.row()
	}
	if len(s.line) > 0 {
		s.empty = 0
	}
	s.line, s.indented, s.long = s.line[:0], false, false
}

// extend adds the line to the header, and tells the names in it. What has far more
// than a header of a form needs is there to hide something, or to keep the gate busy.
func (s *multipartScan) extend() {
	s.header += string(s.line)
	s.lines++
	found := nameParameter.FindAllStringIndex(s.header, maxNames+1)
	if s.long || len(s.header) > maxHeader || s.lines > maxNames || len(found) > maxNames {
		s.header = ""
		s.watch.hidden()
		return
	}
	s.names = dispositionNames(s.header, found)
	for _, n := range s.names {
		s.watch.name(n)
	}
}

// row is a line that may be the value of the last field.
func (s *multipartScan) row() {
	s.rows++
	if s.rows > maxRows || s.long || !s.watch.pairs() {
		return
	}
	for _, n := range s.names {
		s.watch.pair(n, string(s.line))
	}
}

// nameParameter finds the parameter with the name. Between it and the sign there may be all
// that some reader takes for blanks.
var nameParameter = regexp.MustCompile(`(?i)(?:^|[^a-z0-9_-])name[*0-9\x00-\x20\x{85}\p{Z}\x{feff}\x{fffd}]*=[\x00-\x20\x{85}\p{Z}\x{feff}\x{fffd}]*`)

// dispositionNames returns the names that readers could find in a header: there
// are several ways to read quotation marks and backslashes, and parameters in
// pieces (RFC 2231).
func dispositionNames(header string, parameters [][]int) []string {
	var names []string
	var joined strings.Builder
	for _, at := range parameters {
		found := parameterValues(header[at[1]:])
		if strings.Contains(header[at[0]:at[1]], "*") {
			joined.WriteString(found[0])
		}
		names = append(names, found...)
	}
	if len(names) == 0 {
		return nil
	}
	return append(names, joined.String())
}

var backslashes = regexp.MustCompile(`\\(.?)`)

func parameterValues(text string) []string {
	var found []string
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		quote := text[:1]
		plain, _, _ := strings.Cut(text[1:], quote)
		found = append(found, quoted(text[1:], text[0]), plain)
	} else {
		word, _, _ := strings.Cut(text, ";")
		first, _, _ := strings.Cut(word, " ")
		found = append(found, strings.TrimSpace(word), first)
	}
	for _, f := range found {
		found = append(found, backslashes.ReplaceAllString(f, "$1"))
		if at := strings.LastIndex(f, "'"); at >= 0 {
			found = append(found, f[at+1:])
		}
	}
	for _, f := range found {
		found = append(found, unescape(f))
	}
	for _, f := range found {
		found = append(found, strings.Trim(f, `*\"'`)) // what is left over
	}
	return found
}

// quoted is the text up to a quotation mark that no backslash precedes.
func quoted(text string, quote byte) string {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case quote:
			return backslashes.ReplaceAllString(text[:i], "$1")
		}
	}
	return backslashes.ReplaceAllString(text, "$1")
}
