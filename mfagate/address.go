package mfagate

import (
	"fmt"
	"net/mail"
	"strings"
	"unicode/utf8"
)

// addresses are those of the owner of an account: the one that holds, and the one that
// was replaced just now.
func (g *Gate) addresses(a *account, former string) (to []string) {
	if !g.mails() {
		return nil
	}
	email, _ := g.addressOf(a)
	if email != "" {
		to = append(to, email)
	}
	if former != "" && former != email {
		to = append(to, former)
	}
	return to
}

// addressOf returns the address of an account, empty if there is none, and whether it
// is given: by the source, or else by the operator's table. Then the person cannot
// choose another: a thief would.
func (g *Gate) addressOf(a *account) (email string, given bool) {
	for _, told := range []string{a.Email, g.table[a.Name]} {
		if email, ok := address(told); ok {
			return email, true
		}
	}
	if email, ok := address(a.Confirmed); ok {
		return email, false
	}
	if g.template == "" {
		return "", false
	}
	if email, ok := address(strings.Replace(g.template, userInAddress, a.Name, 1)); ok {
		return email, false
	}
	return "", false
}

// PlainAddress tells whether s is one plain e-mail address: no name, no comment, no
// quotes. Notices go to no other.
func PlainAddress(s string) bool {
	clean, ok := address(s)
	return ok && clean == s
}

// masked tells as much of an address as its owner needs to know which it is.
func masked(email string) string {
	local, domain, ok := strings.Cut(email, "@")
	if !ok {
		return ""
	}
	_, n := utf8.DecodeRuneInString(local)
	return local[:n] + "•••@" + domain
}

// maxAddress is the length in bytes of the longest e-mail address (RFC 5321
// section 4.5.3.1.3).
const maxAddress = 254

// address returns s without spaces around it if it is one plain e-mail address:
// no name, no comment, no quotes, nothing that two readers could take for two.
func address(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if len(s) > maxAddress || strings.Count(s, "@") != 1 || strings.ContainsAny(s, "\r\n\x00") {
		return "", false
	}
	a, err := mail.ParseAddress(s)
	return s, err == nil && a.Address == s
}

// userInAddress stands for the name of the user in the template of an address.
const userInAddress = "{user}"

// ValidateAddress says what is wrong with a template of addresses, as in
// [Config.NotifyAddress].
func ValidateAddress(template string) error {
	local, domain, _ := strings.Cut(template, "@")
	if _, ok := address(strings.Replace(template, userInAddress, "user", 1)); !ok ||
		!strings.Contains(local, userInAddress) || strings.ContainsAny(domain, "{}") {
		return fmt.Errorf("mfagate: address %q: want one such as {user}@example.com", template)
	}
	return nil
}
