package loginform

import "strings"

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
	return strings.ToLower(phpName(strings.TrimSpace(name)))
}

// within tells whether a folded name is another one, or an element of it: user[]
// is an element of user.
func within(folded, of string) bool {
	rest, ok := strings.CutPrefix(folded, of)
	return ok && (rest == "" || rest[0] == '[')
}
