package loginform

import "strings"

// A glob is the literal texts between the stars of a pattern. A star stands for any
// characters, none included. The zero value matches nothing.
type glob []string

func parseGlob(text string) glob {
	return strings.Split(text, "*")
}

// literal tells whether there is no star in the pattern.
func (g glob) literal() bool {
	return len(g) == 1
}

func (g glob) match(s string) bool {
	if len(g) < 2 {
		return len(g) == 1 && s == g[0]
	}
	rest, ok := strings.CutPrefix(s, g[0])
	if !ok {
		return false
	}
	for _, piece := range g[1 : len(g)-1] {
		if _, rest, ok = strings.Cut(rest, piece); !ok {
			return false
		}
	}
	return strings.HasSuffix(rest, g[len(g)-1])
}

// globs are alternatives.
type globs []glob

func parseGlobs(texts []string) globs {
	all := make(globs, 0, len(texts))
	for _, text := range texts {
		all = append(all, parseGlob(text))
	}
	return all
}

// alternatives reads a value of a pattern, as "login|resend*".
func alternatives(text string) globs {
	return parseGlobs(strings.Split(text, "|"))
}

func (all globs) match(s string) bool {
	for _, g := range all {
		if g.match(s) {
			return true
		}
	}
	return false
}
