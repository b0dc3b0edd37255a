package loginform

import (
	"bytes"
	"encoding/json"
	"strings"
)

// A jsonScan reads keys and texts of anything like JSON, at any depth, as it
// passes: also keys without quotes, or with single ones, and with comments where some
// readers take them for such.
type jsonScan struct {
	watch    watcher
	comments bool // there may be some
	started  bool // a bracket was seen, or is not needed
	binary   bool // it may be anything
	off      bool // it is no JSON
	quote    byte // the quotation mark of the text that passes, or 0
	escaped  bool
	comment  byte // how the comment that passes began: * or /; or 0
	last     byte // the sign before
	bare     bool // a word without quotation marks passes
	done     bool // text is whole
	long     bool
	text     []byte
	named    string // the last key
}

func (s *jsonScan) write(p []byte) {
	p = s.start(p)
	for len(p) > 0 && !s.off {
		switch {
		case s.quote != 0:
			p = s.quoted(p)
		case s.comment != 0:
			p = s.commented(p)
		default:
			p = s.plain(p)
		}
	}
}

const jsonSigns = "\"':=,{}[]/*# \t\r\n\x00"

// plain takes what is outside of quotation marks and comments: a sign, or all up
// to the next.
func (s *jsonScan) plain(p []byte) []byte {
	i := bytes.IndexAny(p, jsonSigns)
	if i == 0 {
		s.sign(p[0])
		s.last = p[0]
		return p[1:]
	}
	if i < 0 {
		i = len(p)
	}
	if !s.bare {
		s.begin()
		s.bare = true
	}
	s.keep(p[:i])
	s.last = 0
	return p[i:]
}

// commented takes the part of p that belongs to a comment.
func (s *jsonScan) commented(p []byte) []byte {
	for i, c := range p {
		if c == '/' && s.last == '*' && s.comment == '*' || c == '\n' && s.comment == '/' {
			s.comment, s.last = 0, 0
			return p[i+1:]
		}
		s.last = c
	}
	return nil
}

// start skips what is before the first bracket, and turns the scan off where
// something else begins.
func (s *jsonScan) start(p []byte) []byte {
	if s.started || s.off {
		return p
	}
	for len(p) > 0 && strings.IndexByte(" \t\r\n\v\f\xef\xbb\xbf", p[0]) >= 0 { // the mark may come in pieces
		p = p[1:]
	}
	if len(p) > 0 {
		s.started = p[0] == '{' || p[0] == '['
		s.off = !s.started
	}
	return p
}

// quoted takes the part of p that belongs to a text in quotation marks.
func (s *jsonScan) quoted(p []byte) []byte {
	if s.escaped {
		s.escaped = false
		s.keep(p[:1])
		return p[1:]
	}
	i := bytes.IndexFunc(p, func(c rune) bool { return c == '\\' || c == rune(s.quote) })
	if i < 0 {
		s.keep(p)
		return nil
	}
	s.keep(p[:i])
	if p[i] == '\\' {
		s.escaped = true
		s.keep(p[i : i+1])
	} else {
		s.quote, s.done = 0, true
	}
	return p[i+1:]
}

// sign takes a sign outside of quotation marks.
func (s *jsonScan) sign(c byte) {
	switch c {
	case 0: // letters of UTF-16 or UTF-32
		if s.off = s.binary; !s.off {
			s.watch.hidden()
		}
	case '"', '\'':
		s.begin()
		s.quote = c
	case ':', '=':
		s.key()
	case ',', '{', '}', '[', ']':
		s.value()
	default:
		s.done, s.bare = s.done || s.bare, false
		if s.comments && (c == '#' || s.last == '/' && (c == '/' || c == '*')) {
			s.comment = map[byte]byte{'#': '/', '/': '/', '*': '*'}[c]
		}
	}
}

func (s *jsonScan) begin() {
	s.text, s.done, s.bare, s.long = s.text[:0], false, false, false
}

func (s *jsonScan) keep(p []byte) {
	if room := maxName - len(s.text); len(p) > room {
		s.long, p = true, p[:room]
	}
	s.text = append(s.text, p...)
}

func (s *jsonScan) key() {
	if s.done || s.bare {
		s.named = s.decoded()
		s.watch.name(s.named)
	}
	s.begin()
}

func (s *jsonScan) value() {
	if (s.done || s.bare) && s.watch.pairs() {
		s.watch.pair(s.named, s.decoded())
	}
	s.begin()
}

func (s *jsonScan) end() {
	s.value()
}

// decoded undoes the escapes of a text.
func (s *jsonScan) decoded() string {
	raw := string(s.text)
	if s.long {
		return ""
	}
	var text string
	if strings.Contains(raw, `\`) && json.Unmarshal([]byte(`"`+raw+`"`), &text) == nil {
		return text
	}
	return raw
}
