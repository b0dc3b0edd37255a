package recovery

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// alphabet is Douglas Crockford's base32: no I, L, O and U.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// length is that of a code in symbols of five bits each: 80 bits.
const length = 16

// maxTyped bounds in bytes what is looked at.
const maxTyped = 128

// newCode returns a code without its hyphens. 256 is a multiple of 32, so that
// the low bits of a random byte are an even choice.
func newCode() string {
	var b [length]byte
	_, _ = rand.Read(b[:]) // never fails: the program ends instead
	for i := range b {
		b[i] = alphabet[b[i]%32]
	}
	return string(b[:])
}

// shown returns a code in groups of four.
func shown(code string) string {
	return code[:4] + "-" + code[4:8] + "-" + code[8:12] + "-" + code[12:]
}

func shownAll(codes []string) []string {
	all := make([]string, len(codes))
	for i, c := range codes {
		all[i] = shown(c)
	}
	return all
}

// parse returns the code of an answer without its hyphens. As Crockford has it,
// case does not matter, O is a zero, I and L are ones.
func parse(answer url.Values) (string, error) {
	given := answer["code"]
	if len(given) != 1 {
		return "", fmt.Errorf("recovery: %d codes instead of one: %w", len(given), mfagate.ErrShape)
	}
	if len(given[0]) > maxTyped {
		return "", fmt.Errorf("recovery: too long: %w", mfagate.ErrShape)
	}
	var code strings.Builder
	for _, typed := range []byte(given[0]) {
		if typed == ' ' || typed == '-' {
			continue
		}
		symbol := symbolOf(typed)
		if symbol == 0 {
			return "", fmt.Errorf("recovery: not a symbol of a code: %w", mfagate.ErrShape)
		}
		code.WriteByte(symbol)
	}
	if code.Len() != length {
		return "", fmt.Errorf("recovery: %d symbols instead of %d: %w", code.Len(), length, mfagate.ErrShape)
	}
	return code.String(), nil
}

// symbolOf returns the symbol that a typed byte means, or zero.
func symbolOf(b byte) byte {
	if 'a' <= b && b <= 'z' {
		b -= 'a' - 'A'
	}
	switch b {
	case 'O':
		return '0'
	case 'I', 'L':
		return '1'
	}
	if strings.IndexByte(alphabet, b) < 0 {
		return 0
	}
	return b
}
