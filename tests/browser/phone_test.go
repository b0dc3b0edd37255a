package browser_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// A phone makes codes with oathtool, which knows nothing of the gate's code.
type phone struct {
	secret string
	clock  *gatetest.Authenticator // tells which code was not shown yet
}

func newPhone(secret string) *phone {
	return &phone{secret, &gatetest.Authenticator{Secret: secret}}
}

// code returns a code that this phone has not shown.
func (p *phone) code(t *testing.T) string {
	t.Helper()
	tool := gatetest.Require(t, "oathtool")
	at := p.clock.Next().UTC().Format("2006-01-02 15:04:05 UTC")
	out, err := exec.Command(tool, "--totp", "--base32", "--now", at, p.secret).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// wrong returns six digits that are no code now.
func (p *phone) wrong(t *testing.T) string {
	t.Helper()
	return p.clock.Wrong(t)
}

// scan reads the QR code on the page from its picture, as a camera would.
func (b *tab) scan(selector string) *phone {
	b.Helper()
	tool := gatetest.Require(b.T, "zbarimg")
	picture, err := chromedp.Run(b.ctx, chromedp.ScreenshotScale(chromedp.CSS(selector), 2))
	b.check(err)
	file := filepath.Join(b.TempDir(), "qr.png")
	b.check(os.WriteFile(file, picture, 0o600))
	out, err := exec.Command(tool, "--raw", "--quiet", file).Output()
	if err != nil {
		b.Fatalf("zbarimg reads no QR code: %v", err)
	}
	u, err := url.Parse(strings.TrimSpace(string(out)))
	b.check(err)
	q := u.Query()
	if u.Scheme != "otpauth" || u.Host != "totp" || q.Get("issuer") != "Example Works" || len(q["secret"]) != 1 || len(q.Get("secret")) != 32 {
		b.Fatalf("the QR code says %s; want an otpauth URL of Example Works with a secret of 160 bits", u.Redacted())
	}
	if label := strings.TrimPrefix(u.Path, "/"); !strings.HasPrefix(label, "Example Works:") || !strings.HasSuffix(label, b.user) {
		b.Errorf("the QR code is labelled %q; want Example Works:%s", label, b.user)
	}
	return newPhone(q.Get("secret"))
}

// enrolled lets a user enrol elsewhere, and returns the phone.
func enrolled(t *testing.T, s *gatetest.Server, user string) *phone {
	t.Helper()
	p := s.Person(user)
	p.Enrol(t, "/")
	return &phone{p.Phone.Secret, p.Phone}
}

// signInTo proves the phone, after which a page of the gate's comes first.
func (b *tab) signInTo(p *phone, path string) {
	b.Helper()
	b.visit(want)
	b.wantAt(gatetest.PathChallenge)
	b.fill("#code", p.code(b.T))
	b.press("form:has(#code) button.primary")
	b.wantAt(path)
}

// saveCodes takes the box that the codes are saved.
func (b *tab) saveCodes() {
	b.Helper()
	b.wantAt(gatetest.PathCodes)
	b.click("input[name=saved]")
	b.press("form:has(input[name=saved]) button.primary")
}
