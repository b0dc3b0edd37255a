package browser_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// TestLegacyAppByHTTPS looks at what the browser keeps: nothing that would go over a
// line in clear, or that a sibling of the site could have set.
func TestLegacyAppByHTTPS(t *testing.T) {
	app := legacy.Start(t, "dokuwiki")
	cert, key := selfMade(t)
	s := gatetest.Start(t, gatetest.Config{
		Plain: true, Site: "respond /ready 200",
		More: "https://localhost:PORT2 {\nbind 127.0.0.1\ntls " + cert + " " + key + "\nmfa {\nlogin_form dokuwiki\n}\nreverse_proxy " + strings.TrimPrefix(app.URL, "http://") + "\n}",
	})
	u := &appUse{T: t, legacyLogin: legacyLogins["dokuwiki"], app: app, gate: s}
	b := u.open(look{name: "dokuwiki-https"})
	b.base = "https" + strings.TrimPrefix(s.URL2, "http")
	w := b.watch()
	u.ask(b)
	u.wantSecure(b)
	u.enrol(b)
	u.wantSecure(b)
	for _, fault := range w.seen() { // such as content that came over HTTP
		if !slices.Contains(u.kept, fault) {
			t.Errorf("behind the person's back: %s", fault)
		}
	}
}

// wantSecure looks at all cookies of the browser.
func (u *appUse) wantSecure(b *tab) {
	u.Helper()
	got, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{})
	b.check(err)
	own := 0
	for _, c := range got.Cookies {
		if !c.Secure || c.Path != "/" && strings.Contains(c.Name, "mfagate") || strings.HasPrefix(c.Domain, ".") {
			u.Errorf("the cookie %s is Secure: %v, of path %q and domain %q", c.Name, c.Secure, c.Path, c.Domain)
		}
		if strings.HasPrefix(c.Name, "__Host-mfagate") {
			own++
		} else if strings.Contains(c.Name, "mfagate") {
			u.Errorf("the gate's cookie %s has no __Host- before it", c.Name)
		}
	}
	if own == 0 {
		u.Errorf("the browser keeps no cookie of the gate among %d", len(got.Cookies))
	}
}

// selfMade writes a certificate for localhost that nobody vouches for, and its key.
func selfMade(t *testing.T) (cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	public, err := x509.CreateCertificate(rand.Reader, about, about, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", public), write("key.pem", "PRIVATE KEY", private)
}
