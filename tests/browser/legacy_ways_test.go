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
		More: "https://localhost:PORT2 {\nbind 127.0.0.1\ntls " + cert + " " + key + "\nmfa {\nlogin_form dokuwiki\n}\n" + legacy.Proxy(app.URL) + "\n}",
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

// chosen tells whether MFAGATE_LEGACY names an app: what tests do with one only then takes
// longer than tests should that run for every change.
func chosen(t *testing.T, name string) bool {
	t.Helper()
	return os.Getenv("MFAGATE_LEGACY") != "" && slices.Contains(legacy.Chosen(t), name)
}

// TestLegacyLooks leads through DokuWiki, which works without scripts, without any, and through
// the gate's pages before it on a phone in the dark, in German.
func TestLegacyLooks(t *testing.T) {
	if !chosen(t, "dokuwiki") {
		return
	}
	for _, l := range []look{{name: "no-script", noScript: true}, {name: "phone-dark-german", phone: true, dark: true, language: "de"}} {
		t.Run(l.name, func(t *testing.T) {
			u := newAppUse(t, "dokuwiki")
			b := u.open(l.of("dokuwiki"))
			u.mistakes(b)
			p := u.enrol(b)
			if !l.phone { // for which the app has another menu
				u.use(b)
			}
			b.visit(gatetest.PathSecurity)
			b.shoot("security")
			u.again(b, p)
		})
	}
}

// TestLegacyIdle has alice leave qBittorrent open, which goes on asking for news, until her
// session is locked. She comes back, clicks, proves her phone, and goes on.
func TestLegacyIdle(t *testing.T) {
	if !chosen(t, "qbittorrent") {
		return
	}
	u := newAppUse(t, "qbittorrent", "idle 1m")
	b := u.open(look{name: "qbittorrent-idle"})
	u.ask(b)
	p := u.enrol(b)
	time.Sleep(time.Minute + 2*time.Second) // nobody is there
	b.shoot("left alone")
	b.visit(u.deep)
	b.waitAt(gatetest.PathChallenge)
	b.shoot("locked")
	if words := b.text("body"); strings.Contains(words, "Torrents") {
		t.Errorf("the page of a locked session shows the app:\n%.300s", words)
	}
	b.fill("#code", p.code(t))
	b.press(`form:has(#code) button.primary`)
	u.wantDeep(b)
	b.shoot("back")
	u.use(b)
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
