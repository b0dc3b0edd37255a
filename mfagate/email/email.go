// Package email is the factor "e-mail": codes sent to a mailbox. NIST SP 800-63B-4
// section 3.1.3.1 does not accept them as an authenticator: a mailbox is often open
// to whoever has the same password.
package email

import (
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/outofband"
)

// Name is the name of the factor.
const Name = "email"

// Addresses are the addresses that codes may be sent to; it implements
// [outofband.Channel]. The zero value allows all.
type Addresses struct {
	// Domains are those allowed, such as "example.com", in lower case; without
	// their subdomains. nil means all.
	Domains []string
}

var _ outofband.Channel = Addresses{}

// New returns the factor.
func New(a Addresses, by mfagate.Sender) outofband.Factor {
	return outofband.Factor{Channel: a, By: by}
}

// Name returns "email".
func (Addresses) Name() string { return Name }

// Field returns "email".
func (Addresses) Field() string { return "email" }

// Known returns the user's e-mail address.
func (Addresses) Known(u mfagate.User) string { return u.Email }

const maxAddress = 254 // bytes, RFC 5321 section 4.5.3.1.3

// Clean returns one plain address: no name, no comment, no quotes, nothing that two
// programs could take for two, and nothing but ASCII, in which letters cannot look
// alike. The domain is in lower case.
func (a Addresses) Clean(to string) (string, error) {
	to = strings.Trim(to, " ")
	if len(to) > maxAddress || strings.Count(to, "@") != 1 {
		return "", fmt.Errorf("email: not an address: %w", mfagate.ErrAddress)
	}
	for _, r := range to {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`"'<>()[]\,;:%`, r) {
			return "", fmt.Errorf("email: not a plain address: %w", mfagate.ErrAddress)
		}
	}
	local, domain, _ := strings.Cut(to, "@")
	domain = strings.ToLower(domain)
	to = local + "@" + domain
	parsed, err := mail.ParseAddress(to)
	if err != nil || parsed.Address != to || !strings.Contains(domain, ".") || strings.HasPrefix(local, "-") {
		return "", fmt.Errorf("email: not an address: %w", mfagate.ErrAddress)
	}
	if a.Domains != nil && !slices.Contains(a.Domains, domain) {
		return "", fmt.Errorf("email: domain is not allowed: %w", mfagate.ErrBarred)
	}
	return to, nil
}

// Mask shows the first letter and the domain.
func (Addresses) Mask(to string) string {
	_, domain, _ := strings.Cut(to, "@")
	return to[:1] + "•••@" + domain
}
