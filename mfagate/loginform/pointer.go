package loginform

import (
	"fmt"
	"strings"
)

// A pointer is a JSON pointer (RFC 6901) with at least one token, as decoded.
type pointer []string

var pointerEscapes = strings.NewReplacer("~1", "/", "~0", "~")

func parsePointer(text string) (pointer, error) {
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		return nil, fmt.Errorf("JSON pointer %q must begin with a slash, as /user/name", text)
	}
	tokens := strings.Split(rest, "/")
	for i, token := range tokens {
		if bare := strings.NewReplacer("~0", "", "~1", "").Replace(token); strings.Contains(bare, "~") || !printable(token) {
			return nil, fmt.Errorf("JSON pointer %q: write ~0 for ~ and ~1 for a slash", text)
		}
		tokens[i] = pointerEscapes.Replace(token)
	}
	return tokens, nil
}

// number tells whether a token is an index of an array.
func number(token string) bool {
	if token == "" || len(token) > 1 && token[0] == '0' || len(token) > 6 {
		return false
	}
	return strings.Trim(token, "0123456789") == ""
}
