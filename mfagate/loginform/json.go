package loginform

import (
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const maxDepth = 32

// A node is a value of JSON. Its kind is the first byte of its form: one of {, [,
// ", 0 for a number, t, f, and n.
type node struct {
	kind  byte
	text  string   // of a string, decoded; otherwise as it was written
	keys  []string // of an object
	items []*node  // of an object or array
}

// at returns what a pointer points to, or nil.
func (n *node) at(p pointer) *node {
	for _, token := range p {
		if n == nil {
			return nil
		}
		i := -1
		switch n.kind {
		case '{':
			i = slices.Index(n.keys, token)
		case '[':
			if at, err := strconv.Atoi(token); err == nil && number(token) && at < len(n.items) {
				i = at
			}
		}
		if i < 0 {
			return nil
		}
		n = n.items[i]
	}
	return n
}

// count tells how often a key that folds to the name is in n, at any depth.
func (n *node) count(folded string) int {
	var sum int
	for _, k := range n.keys {
		if foldName(k) == folded {
			sum++
		}
	}
	for _, item := range n.items {
		sum += item.count(folded)
	}
	return sum
}

// append writes the value.
func (n *node) append(out []byte) []byte {
	switch n.kind {
	case '"':
		return appendText(out, n.text)
	case '[', '{':
	default:
		return append(out, n.text...)
	}
	out = append(out, n.kind)
	for i, item := range n.items {
		if i > 0 {
			out = append(out, ',')
		}
		if n.kind == '{' {
			out = append(appendText(out, n.keys[i]), ':')
		}
		out = item.append(out)
	}
	return append(out, n.kind+2) // the closing brackets are two further in ASCII
}

func appendText(out []byte, text string) []byte {
	out = append(out, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', byte(c))
		case c < ' ' || c == 0x7f || c == '\u2028' || c == '\u2029':
			out = append(out, `\u`...)
			out = append(out, hex.EncodeToString([]byte{byte(c >> 8), byte(c)})...)
		default:
			out = utf8.AppendRune(out, c)
		}
	}
	return append(out, '"')
}

// A jsonReader reads JSON (RFC 8259) that there is one way to read: UTF-8
// without a mark, without keys that are the same or differ in case only,
// without halves of surrogate pairs and NULs. Its errors tell no values.
type jsonReader struct {
	rest   string
	values int // that there may still be
}

var errJSON = errors.New("not JSON that there is one way to read")

// parseJSON reads one value of at most max values within.
func parseJSON(data []byte, limit int) (*node, error) {
	if !utf8.Valid(data) {
		return nil, ambiguous("JSON that is not UTF-8")
	}
	r := jsonReader{rest: string(data), values: limit}
	n, err := r.value(maxDepth)
	if r.next(); err == nil && r.rest != "" { // which may begin with a NUL
		err = errJSON
	}
	if err != nil {
		return nil, ambiguous(err.Error())
	}
	return n, nil
}

// next returns the next byte that is not blank, without taking it; 0 at the end.
func (r *jsonReader) next() byte {
	r.rest = strings.TrimLeft(r.rest, " \t\r\n")
	if r.rest == "" {
		return 0
	}
	return r.rest[0]
}

// take takes the next byte if it is c.
func (r *jsonReader) take(c byte) bool {
	if r.next() != c || c == 0 {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

var literal = regexp.MustCompile(`^(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)`)

func (r *jsonReader) value(depth int) (*node, error) {
	if r.values--; r.values < 0 || depth == 0 {
		return nil, errJSON
	}
	switch r.next() {
	case '{', '[':
		return r.composite(depth)
	case '"':
		text, err := r.text()
		return &node{kind: '"', text: text}, err
	}
	n := &node{text: literal.FindString(r.rest)}
	if n.text == "" {
		return nil, errJSON
	}
	r.rest = r.rest[len(n.text):]
	if n.kind = n.text[0]; n.kind < 'a' {
		n.kind = '0'
	}
	return n, nil
}

// composite reads an object or array.
func (r *jsonReader) composite(depth int) (*node, error) {
	n := &node{kind: r.next()}
	seen := make(map[string]bool)
	r.take(n.kind)
	if r.take(n.kind + 2) {
		return n, nil
	}
	for {
		if n.kind == '{' {
			if err := r.key(n, seen); err != nil {
				return nil, err
			}
		}
		item, err := r.value(depth - 1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
		if r.take(n.kind + 2) {
			return n, nil
		}
		if !r.take(',') {
			return nil, errJSON
		}
	}
}

// key reads a key of n that was not seen before.
func (r *jsonReader) key(n *node, seen map[string]bool) error {
	if r.next() != '"' {
		return errJSON
	}
	key, err := r.text()
	if err != nil || !r.take(':') {
		return errJSON
	}
	folded := foldCase(key)
	if seen[folded] {
		return errJSON
	}
	seen[folded] = true
	n.keys = append(n.keys, key)
	return nil
}

// text reads a string.
func (r *jsonReader) text() (string, error) {
	var out []byte
	for s := r.rest[1:]; ; {
		i := strings.IndexFunc(s, func(c rune) bool { return c == '"' || c == '\\' || c < ' ' })
		if i < 0 || s[i] < ' ' {
			return "", errJSON
		}
		out = append(out, s[:i]...)
		if s[i] == '"' {
			r.rest = s[i+1:]
			return string(out), nil
		}
		c, size := escape(s[i:])
		if size == 0 {
			return "", errJSON
		}
		out, s = utf8.AppendRune(out, c), s[i+size:]
	}
}

const (
	escapes   = `"\/bfnrt`
	unescaped = "\"\\/\b\f\n\r\t"
)

// escape reads an escape, and returns how long it is; 0 if it is none.
func escape(s string) (c rune, size int) {
	if len(s) < 2 {
		return 0, 0
	}
	if at := strings.IndexByte(escapes, s[1]); at >= 0 {
		return rune(unescaped[at]), 2
	}
	c = hexRune(s)
	switch {
	case c <= 0:
		return 0, 0
	case !utf16.IsSurrogate(c):
		return c, 6
	}
	if c = utf16.DecodeRune(c, hexRune(s[6:])); c == utf8.RuneError {
		return 0, 0
	}
	return c, 12
}

// hexRune reads \uXXXX at the beginning of s; -1 if there is none.
func hexRune(s string) rune {
	if len(s) < 6 || s[:2] != `\u` {
		return -1
	}
	c, err := strconv.ParseUint(s[2:6], 16, 32)
	if err != nil {
		return -1
	}
	return rune(c)
}
