package totp

import (
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"

	"github.com/pquerna/otp"
)

// A View is what the enrolment page shows. Its JSON is part of the answer of the
// API.
type View struct {
	Secret  string       `json:"secret"` // base32, RFC 4648 section 6, without padding
	Groups  []string     `json:"-"`      // Secret in groups of four
	Account string       `json:"-"`
	Issuer  string       `json:"-"` // as the app will show it
	URL     template.URL `json:"otpauth_url"`
	QR      QR           `json:"-"`      // of URL
	SVG     string       `json:"qr_svg"` // QR as a picture of its own
	Apps    []App        `json:"-"`
}

func (f Factor) view(k key, issuer, account string) (View, error) {
	// A colon ends the issuer within the label, and apps take the first.
	issuer = strings.ReplaceAll(printable(issuer, maxName), ":", "-")
	account = printable(account, maxName)
	link, err := k.uri(issuer, account)
	if err != nil {
		return View{}, err
	}
	q, err := newQR(link)
	if err != nil {
		return View{}, fmt.Errorf("totp: drawing the QR code: %w", err)
	}
	return View{
		Secret: k.secret(), Groups: groups(k.secret()), Account: account, Issuer: issuer,
		URL: template.URL(link), //nolint:gosec // an otpauth URL, made above of encoded parts
		QR:  q, SVG: q.svg(), Apps: f.apps(),
	}, nil
}

func (f Factor) apps() []App {
	if f.Apps == nil {
		return DefaultApps()
	}
	return slices.Clone(f.Apps)
}

func groups(s string) []string {
	var g []string
	for c := range slices.Chunk([]byte(s), 4) {
		g = append(g, string(c))
	}
	return g
}

// maxName bounds issuer and account in bytes, so that the QR code stays coarse
// enough for a phone's camera even if each byte takes three.
const maxName = 64

// uri returns the otpauth URL of the key. The library's own would leave some
// characters as they are, with which a name could add parameters.
func (k key) uri(issuer, account string) (string, error) {
	if issuer == "" || account == "" {
		return "", errors.New("totp: an issuer and a user name are needed to enrol")
	}
	link := fmt.Sprintf("otpauth://totp/%s:%s?secret=%s&issuer=%s&algorithm=%s&digits=%d&period=%d",
		escape(issuer), escape(account), k.secret(), escape(issuer), k.Alg, k.Digits, k.Period)
	got, err := otp.NewKeyFromURL(link)
	if err != nil {
		return "", fmt.Errorf("totp: making the otpauth URL: %w", err)
	}
	if got.Secret() != k.secret() || got.Issuer() != issuer || got.AccountName() != account {
		return "", errors.New("totp: the otpauth URL does not read back")
	}
	return link, nil
}

// escape leaves only letters, digits and "-_.~". A space becomes %20: not all
// apps take a plus for one.
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}
