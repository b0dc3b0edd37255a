package legacygate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// TestOverTLS leads alice through each app as browsers do it: over HTTP/2, with cookies that
// are for HTTPS only, and with an app that knows of it.
func TestOverTLS(t *testing.T) {
	t.Parallel() // to TestFormLeftOpen, which waits
	for _, name := range legacy.Chosen(t) {
		t.Run(name, func(t *testing.T) {
			w := startTLS(t, name)
			alice := w.person(w.app.Users[0].Name)
			enrolment(alice)
			use(alice)
			if talk := channelsOf[name].talk; talk != nil {
				talk(alice)
			}
			logOut(alice)
			nextVisit(alice)
			for _, s := range w.wire.since(0) {
				if s.proto != "https" || s.host == "" {
					t.Errorf("%s %s: the app is told of %q and host %q", s.method, s.uri, s.proto, s.host)
				}
			}
			if len(w.app.Users) > 1 {
				w.wantLinks(alice)
			}
		})
	}
}

// wantLinks wants the app to write no address that is not over TLS.
func (w *world) wantLinks(alice *person) {
	w.Helper()
	q := alice.elsewhere(w)
	q.signIn(gatetest.PathChallenge)
	q.recover()
	plain := strings.Replace(w.gate.URL, "https:", "http:", 1)
	for _, use := range w.uses.pages {
		if a := q.open(use); strings.Contains(strings.ReplaceAll(a.Body, `\/`, "/"), plain) {
			w.Errorf("%s has links to %s", use.path, plain)
		}
	}
}

// startTLS is start behind a certificate that the browsers trust.
func startTLS(t *testing.T, name string) *world {
	t.Helper()
	w := &world{T: t, app: legacy.Start(t, name), uses: usesOf[name], secure: true}
	w.wire = newWire(t, w.app)
	dir := t.TempDir()
	w.roots = certificate(t, dir)
	site := fmt.Sprintf("https://localhost:PORT2 {\n\tbind 127.0.0.1\n\ttls %s/cert.pem %s/key.pem\n\tmfa {\n\t\tlogin_form %s\n\t}\n\t%s\n}", dir, dir, name, w.proxy())
	w.gate = gatetest.Start(t, gatetest.Config{Plain: true, Site: "respond nothing", More: site})
	w.gate.URL = strings.Replace(w.gate.URL2, "http:", "https:", 1)
	return w
}

// certificate makes one for localhost.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

// trust makes a browser take the certificate, and speak HTTP/2.
func (w *world) trust(client *http.Client) {
	if tr, ok := client.Transport.(*http.Transport); ok && w.secure {
		tr.TLSClientConfig = &tls.Config{RootCAs: w.roots, MinVersion: tls.VersionTLS12}
		tr.ForceAttemptHTTP2 = true
	}
}

// wantSecure wants what browsers get over TLS to be for there only.
func (s *spy) wantSecure(resp *http.Response) {
	if !s.w.secure {
		return
	}
	if resp.ProtoMajor != 2 && resp.StatusCode != http.StatusSwitchingProtocols { // browsers open WebSockets over HTTP/1.1
		s.w.Errorf("%s %s is answered over %s; want HTTP/2", resp.Request.Method, resp.Request.URL.Path, resp.Proto)
	}
	for _, c := range resp.Cookies() {
		if !c.Secure && c.Value != "" {
			s.w.Errorf("%s %s sets %s without Secure", resp.Request.Method, resp.Request.URL.Path, c.Name)
		}
	}
	if at := resp.Header.Get("Location"); strings.HasPrefix(at, "http://") {
		s.w.Errorf("%s %s leads away from TLS, to %s", resp.Request.Method, resp.Request.URL.Path, at)
	}
}

// below is an app in a folder of the site, which the proxy takes off.
const below = `mfa {
		login_form {
			page GET /films/
			submit POST /films/api/v2/auth/login
			user username
			password password
			success status 200 set_cookie SID body Ok.
			failure status 200 body Fails.
			identify probe GET /films/api/v2/app/preferences json /web_ui_username
			public /films/css/**?v?=* /films/images/**?v?=* /films/scripts/**?locale?=*&v?=*
			logout POST /films/api/v2/auth/logout
			answer 200 text/plain Ok.
		}
	}
	handle_path /films/* {
		%s
	}`

// TestBelowAFolder leads alice into an app that is not at the root of its site.
func TestBelowAFolder(t *testing.T) {
	t.Parallel() // to TestFormLeftOpen, which waits
	w := &world{T: t, app: legacy.Start(t, "qbittorrent"), uses: usesOf["qbittorrent"]}
	w.wire = newWire(t, w.app)
	w.gate = gatetest.Start(t, gatetest.Config{Plain: true, Site: fmt.Sprintf(below, w.proxy())})
	alice := w.person("alice")
	alice.app.Base += "/films"
	if a := alice.app.Get("/api/v2/app/preferences"); strings.Contains(a.Body, legacy.Marker) || a.Status == http.StatusOK {
		t.Errorf("a stranger gets %d: %.100s", a.Status, a.Body)
	}
	if a := alice.app.SignIn("alice", "wrong"); a.Body != "Fails." {
		t.Errorf("a wrong password is answered with %d %.100q", a.Status, a.Body)
	}
	alice.signIn(gatetest.PathEnrol)
	alice.wantWithheld(alice.app.Get("/"))
	alice.enrol()
	if !alice.app.SignedIn() || alice.app.Who() != "alice" {
		t.Fatal("alice is not in the app after the enrolment")
	}
	addCategory(alice)
	logOut(alice)
}
