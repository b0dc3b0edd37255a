// Package sms is the factor "text message": codes sent to a mobile phone. Such
// codes are restricted (NIST SP 800-63B-4 sections 3.1.3.3 and 3.2.9): messages can be
// intercepted, and numbers be taken over.
package sms

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/outofband"
)

// Name is the name of the factor.
const Name = "sms"

// All in place of countries allows every country.
const All = "all"

// Numbers are the phone numbers that codes may be sent to; it implements
// [outofband.Channel]. The zero value allows none.
type Numbers struct {
	// Countries are those whose numbers are allowed, as ISO 3166-1 alpha-2 codes
	// such as "DE", or one entry [All], satellite phones excepted. A number without a country code is one of
	// the first.
	Countries []string
}

var _ outofband.Channel = Numbers{}

// New returns the factor. The sender takes numbers in E.164 form, such as
// +4915112345678.
func New(n Numbers, by mfagate.Sender) outofband.Factor {
	return outofband.Factor{Channel: n, By: by}
}

// Validate says what is wrong with n.
func (n Numbers) Validate() error {
	if len(n.Countries) == 0 {
		return fmt.Errorf("sms: want the countries whose numbers are allowed, such as DE AT CH, or %s", All)
	}
	for _, country := range n.Countries {
		if country == All && len(n.Countries) == 1 {
			continue
		}
		if !phonenumbers.GetSupportedRegions()[country] {
			return fmt.Errorf("sms: country %q: want ISO codes such as DE AT CH, or %s alone", country, All)
		}
	}
	return nil
}

// Name returns "sms".
func (Numbers) Name() string { return Name }

// Field returns "tel".
func (Numbers) Field() string { return "tel" }

// Known returns the user's phone number.
func (Numbers) Known(u mfagate.User) string { return u.Phone }

// world is the region of numbers that belong to no country, such as those of
// satellite phones, which cost a lot.
const world = "001"

// plain is how people write numbers. The library would also take letters for the
// digits they share a key with, and extensions.
var plain = regexp.MustCompile(`^\+?[0-9 ()./-]{4,40}$`)

// Clean returns a number in E.164 form. Only numbers of mobile phones are taken,
// so none that cost extra, and only those of the countries.
func (n Numbers) Clean(to string) (string, error) {
	to = strings.Trim(to, " ")
	if !plain.MatchString(to) || n.Validate() != nil {
		return "", fmt.Errorf("sms: not a phone number: %w", mfagate.ErrAddress)
	}
	home := n.Countries[0]
	if home == All {
		home = "ZZ"
	}
	number, err := phonenumbers.Parse(to, home)
	if err != nil || !phonenumbers.IsValidNumber(number) {
		return "", fmt.Errorf("sms: no phone has this number: %w", mfagate.ErrAddress)
	}
	switch phonenumbers.GetNumberType(number) {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
	default:
		return "", fmt.Errorf("sms: not the number of a mobile phone: %w", mfagate.ErrBarred)
	}
	country := phonenumbers.GetRegionCodeForNumber(number)
	if n.Countries[0] != All && !slices.Contains(n.Countries, country) || country == world {
		return "", fmt.Errorf("sms: number of a country that is not allowed: %w", mfagate.ErrBarred)
	}
	return phonenumbers.Format(number, phonenumbers.E164), nil
}

// Mask returns the last two digits.
func (Numbers) Mask(to string) string { return "•• " + to[max(0, len(to)-2):] }
