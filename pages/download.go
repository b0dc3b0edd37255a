package pages

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Download sends the codes of a page as a text file, named by site, user and
// day. The lines end in CR LF, which every editor on every system shows as
// lines.
func (s *Set) Download(w http.ResponseWriter, f Frame, p RecoveryCodes) error {
	v := s.view(f, p)
	var body bytes.Buffer
	line := func(words ...string) { body.WriteString(oneLine(strings.Join(words, " ")) + "\r\n") }
	line(v.T("recovery.sheet_title", f.Site))
	if f.User != "" {
		line(v.T("recovery.sheet_user")+":", f.User)
	}
	line(v.T("recovery.sheet_made")+":", v.Day(v.Made()))
	line()
	for _, code := range p.Codes {
		line(code)
	}
	line()
	line(v.T("recovery.sheet_advice"))
	h := w.Header()
	SetHeaders(h)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Language", v.Tag())
	h.Set("Content-Disposition", `attachment; filename="`+v.fileName()+`"`)
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	if _, err := w.Write(body.Bytes()); err != nil {
		return fmt.Errorf("sending the file of codes: %w", err)
	}
	return nil
}

// oneLine removes what would let a name begin a line of its own in the file,
// and the marks that only a page needs.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r == 0x7f, r == 0x85, r == 0xad, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
}

// fileName consists of letters, digits, dots and dashes of ASCII, which need
// no quoting in the header and are allowed in names by every file system.
func (v *view) fileName() string {
	parts := []string{v.T("recovery.file")}
	for _, part := range []string{v.Site, v.User, v.Made().UTC().Format("2006-01-02")} {
		if part = plainName(part); part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "-") + ".txt"
}

func plainName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-':
			return r
		case r > 0x7f:
			return -1
		}
		return '-'
	}, s)
	return strings.Trim(s[:min(len(s), 40)], "-.")
}
