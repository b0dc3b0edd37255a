package loginform

import (
	"errors"
	"fmt"
	"slices"
)

// TokensIn returns the tokens of an answer to the login, or to a request of Renew, by their JSON
// pointers. That of Bearer comes first; one that is not there has no place.
func (f *Form) TokensIn(a *Answer) []TokenAt {
	var all []TokenAt
	if f.config.Bearer == nil || a.Truncated {
		return nil
	}
	for _, at := range append([]string{f.config.Bearer.JSON}, f.config.Tokens...) {
		if text, ok := TextAt(a.Body, at); ok && text != "" {
			all = append(all, TokenAt{at, text})
		}
	}
	return all
}

// A TokenAt is a token, and the JSON pointer at which it is.
type TokenAt struct {
	JSON, Token string
}

// checkTokens wants pointers beside that of Bearer.
func checkTokens(c Config) error {
	if len(c.Tokens) > 0 && c.Bearer == nil {
		return errors.New("tokens: only scripts with a token of their own get further ones; write session bearer, too")
	}
	for i, at := range c.Tokens {
		if _, err := parsePointer(at); err != nil {
			return fmt.Errorf("tokens: %w", err)
		}
		if at == c.Bearer.JSON || slices.Contains(c.Tokens[:i], at) {
			return fmt.Errorf("tokens: %q is there twice", at)
		}
	}
	return nil
}
