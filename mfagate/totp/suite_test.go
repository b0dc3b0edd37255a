package totp_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/pquerna/otp"
	libtotp "github.com/pquerna/otp/totp"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/factortest"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

func TestSuite(t *testing.T) {
	for name, f := range map[string]totp.Factor{
		"default": {},
		"strict":  {Strict: true},
		"sha256":  {Algorithm: totp.SHA256, Digits: 8, Period: time.Minute},
		"sha512":  {Algorithm: totp.SHA512, Period: 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			factortest.Run(t, f, func(testing.TB) factortest.Device { return &phone{} })
		})
	}
}

// A phone is an authenticator app: it knows nothing but what the QR code says.
type phone struct {
	key   *otp.Key
	ahead time.Duration // of its clock
}

func (p *phone) Enrol(t testing.TB, c mfagate.Call, view any) url.Values {
	t.Helper()
	key, err := otp.NewKeyFromURL(string(view.(totp.View).URL))
	if err != nil {
		t.Fatalf("reading the otpauth URL: %v", err)
	}
	p.key = key
	return p.Prove(t, c, nil)
}

func (p *phone) Prove(t testing.TB, c mfagate.Call, _ any) url.Values {
	t.Helper()
	return url.Values{"code": {p.code(t, c.Now)}}
}

func (p *phone) code(t testing.TB, now time.Time) string {
	t.Helper()
	code, err := libtotp.GenerateCodeCustom(p.key.Secret(), now.Add(p.ahead), libtotp.ValidateOpts{
		Period: uint(p.key.Period()), Digits: p.key.Digits(), Algorithm: p.key.Algorithm(),
	})
	if err != nil {
		t.Fatalf("making a code: %v", err)
	}
	return code
}

func (*phone) Wrong(_ testing.TB, answer url.Values) url.Values {
	code := []byte(answer.Get("code"))
	last := &code[len(code)-1]
	*last = '0' + (*last-'0'+1)%10
	return url.Values{"code": {string(code)}}
}
