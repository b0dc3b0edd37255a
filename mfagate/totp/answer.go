package totp

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// People type codes as their app shows them, in groups. Nothing else is
// forgiven: what looks like a code to a Unicode library is not one here.
var (
	typed      = regexp.MustCompile(`^[0-9]+(?:[ -]+[0-9]+)*$`)
	separators = strings.NewReplacer(" ", "", "-", "")
)

const maxTyped = 64 // bytes, far more than any person's way to write eight digits

// parse returns the six or eight digits of an answer.
func parse(answer url.Values) (string, error) {
	given := answer["code"]
	if len(given) != 1 {
		return "", fmt.Errorf("totp: %d codes instead of one: %w", len(given), mfagate.ErrShape)
	}
	answered := strings.Trim(given[0], " ") // which phones like to paste along
	if len(given[0]) > maxTyped || !typed.MatchString(answered) {
		return "", fmt.Errorf("totp: not a code: %w", mfagate.ErrShape)
	}
	code := separators.Replace(answered)
	if len(code) != 6 && len(code) != 8 {
		return "", fmt.Errorf("totp: %d digits: %w", len(code), mfagate.ErrShape)
	}
	return code, nil
}

const maxLabel = 64 // bytes

// label is the name that the person gave. Without one the pages call it by the
// factor's name, each in its language.
func label(answer url.Values) string {
	if given := answer["label"]; len(given) == 1 {
		return printable(given[0], maxLabel)
	}
	return ""
}

// printable returns s on one line, without control characters and such as turn
// the direction of writing, in at most limit bytes.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.TrimSpace(s)
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return strings.TrimSpace(s[:limit])
}
