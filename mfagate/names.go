package mfagate

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/secure/precis"
)

// MaxName is the length in bytes of the longest user name.
const MaxName = 256

// ErrName reports that a user name has no canonical form.
var ErrName = errors.New("mfagate: user name cannot be used")

// Canonical returns name in the form in which it is compared and stored: each
// part between single spaces prepared and enforced by RFC 8265 section 3.3
// (UsernameCaseMapped) or, if n is case-sensitive, 3.4 (UsernameCasePreserved),
// after aliases were followed once. An error wraps [ErrName]; what two profiles
// could read as two people is refused rather than guessed.
func (n Names) Canonical(name string) (string, error) {
	if target, ok := n.Aliases[name]; ok {
		return n.enforce(target)
	}
	c, err := n.enforce(name)
	if err != nil {
		return "", err
	}
	if target, ok := n.Aliases[c]; ok {
		return n.enforce(target)
	}
	return c, nil
}

func (n Names) enforce(name string) (string, error) {
	if plain(name) {
		return name, nil
	}
	if name == "" || len(name) > MaxName {
		return "", fmt.Errorf("%w: its length is %d bytes", ErrName, len(name))
	}
	profile := precis.UsernameCaseMapped
	if n.CaseSensitive {
		profile = precis.UsernameCasePreserved
	}
	parts := strings.Split(name, " ")
	for i, part := range parts {
		p, err := profile.String(part)
		if err != nil {
			return "", fmt.Errorf("%w: %.80q: %w", ErrName, name, err)
		}
		if p == "" {
			return "", fmt.Errorf("%w: %.80q has a space at an end, or two together", ErrName, name)
		}
		parts[i] = p
	}
	c := strings.Join(parts, " ")
	if len(c) > MaxName {
		return "", fmt.Errorf("%w: its canonical form has %d bytes", ErrName, len(c))
	}
	return c, nil
}

// plain tells that a name is its own canonical form under either profile: most
// names are, and every request pays for this.
func plain(name string) bool {
	if name == "" || len(name) > MaxName {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '-', c == '_', c == '@':
		default:
			return false
		}
	}
	return true
}

// withCanonicalAliases returns n with the aliases also under the canonical form
// of their names.
func (n Names) withCanonicalAliases() (Names, error) {
	aliases := make(map[string]string, len(n.Aliases))
	for from, to := range n.Aliases {
		target, err := n.enforce(to)
		if err != nil {
			return n, fmt.Errorf("alias %q: %w", from, err)
		}
		forms := []string{from}
		if c, err := n.enforce(from); err == nil {
			forms = append(forms, c)
		}
		for _, form := range forms {
			if other, ok := aliases[form]; ok && other != target {
				return n, fmt.Errorf("mfagate: alias %q stands for both %q and %q", form, other, target)
			}
			aliases[form] = target
		}
	}
	n.Aliases = aliases
	return n, nil
}
