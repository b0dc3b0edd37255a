package loginform

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

var phpSigns = strings.NewReplacer(" ", "_", ".", "_")

// phpName is the variable that PHP makes of a field's name: blanks in front are
// dropped, a NUL ends it, dots and blanks become underscores, and so does a
// bracket that is never closed. What follows the brackets is dropped.
func phpName(name string) string {
	name, _, _ = strings.Cut(name, "\x00")
	name = strings.TrimLeft(name, " \t\r\n\v\f")
	base, rest, found := strings.Cut(name, "[")
	if !found {
		return phpSigns.Replace(name)
	}
	if !strings.Contains(rest, "]") {
		return phpSigns.Replace(base) + "_" + phpSigns.Replace(rest)
	}
	var folded strings.Builder
	folded.WriteString(phpSigns.Replace(base))
	for found {
		key, after, closed := strings.Cut(rest, "]")
		if !closed {
			break
		}
		folded.WriteString("[" + strings.TrimSpace(key) + "]")
		rest, found = strings.CutPrefix(after, "[")
	}
	return folded.String()
}

// foldName is the same for all names that some app could take for each other.
func foldName(name string) string {
	name = phpName(strings.TrimFunc(name, unseen))
	if !strings.ContainsFunc(name, func(c rune) bool { return c >= utf8.RuneSelf }) {
		return strings.ToLower(name)
	}
	return strings.ToLower(foldCase(strings.ToUpper(name)))
}

// unseen tells whether some reader drops a sign at either end of a text: blanks, what
// Python takes for some, and the mark that says in which order the bytes come.
func unseen(c rune) bool { return c <= ' ' || unicode.IsSpace(c) || c == '\ufeff' }

// foldCase is the same for all texts that strings.EqualFold takes for equal.
func foldCase(s string) string {
	return strings.Map(func(c rune) rune {
		least := c
		for next := unicode.SimpleFold(c); next != c; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, s)
}

// A spelling is what readers could take a field's name for, folded: PHP, and those that drop
// brackets in front of a name, behind it, or never closed, as Rack and the qs of Express do.
type spelling struct {
	folded string
	base   string // before the first bracket; empty if that is folded
	joined string // with an element's brackets behind it; likewise
}

func spell(name string) spelling {
	s := spelling{folded: foldName(name)}
	if !strings.ContainsAny(name, "[]") {
		return s
	}
	s.base = strings.TrimLeftFunc(name, func(c rune) bool { return c == '[' || c == ']' || unseen(c) })
	if at := strings.IndexAny(s.base, "[]"); at >= 0 {
		s.joined = foldName(s.base[:at] + strings.TrimLeft(s.base[at:], "]"))
		s.base = s.base[:at]
	}
	s.base = foldName(s.base)
	return s
}

// like tells whether some reader could take the name for the one that folds to of, or for an
// element of that.
func (s spelling) like(of string) bool {
	return within(s.folded, of) || s.base == of && of != "" || within(s.joined, of)
}

// within tells whether a folded name is another one, or an element of it: user[]
// is an element of user.
func within(folded, of string) bool {
	rest, ok := strings.CutPrefix(folded, of)
	return ok && (rest == "" || rest[0] == '[')
}

// keysOf are the folded parts of a name in brackets, such as user and email of user[email], and none of
// any other name.
func keysOf(name string) (keys []string) {
	if !strings.ContainsAny(name, "[]") {
		return nil
	}
	for part := range strings.FieldsFuncSeq(name, func(c rune) bool { return c == '[' || c == ']' }) {
		keys = append(keys, foldName(part))
	}
	return keys
}
