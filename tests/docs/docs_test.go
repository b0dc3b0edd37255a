// Package docs_test holds what is written in the documents to what is so: the
// Caddyfiles in them are valid, their links lead somewhere, and the tests that they
// name exist.
package docs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"golang.org/x/crypto/bcrypt"

	_ "github.com/mfagate/caddy-mfagate/caddymodule"
)

const root = "../.."

// documents are all that people read.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no documents at %s: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			texts[name] = string(text)
		}
	}
	return texts
}

// block is a whole Caddyfile in a document. After "caddyfile" may stand the names
// of directives of other people's modules, for which the test stands in: of
// those it says nothing.
var block = regexp.MustCompile("(?ms)^```caddyfile([^\n]*)\n(.*?)^```$")

func TestCaddyfiles(t *testing.T) {
	n := 0
	for name, text := range documents(t) {
		for i, m := range block.FindAllStringSubmatch(text, -1) {
			n++
			t.Run(fmt.Sprintf("%s/%d", name, i+1), func(t *testing.T) {
				t.Chdir(t.TempDir())
				writeCA(t, "ca.pem")
				for directive := range strings.FieldsSeq(m[1]) {
					registerForeign(directive)
				}
				validate(t, m[2])
			})
		}
	}
	if n < 4 {
		t.Errorf("%d Caddyfiles in the documents; want at least those for basic_auth, forward_auth, JWT and mTLS", n)
	}
}

func validate(t *testing.T, caddyfile string) {
	t.Helper()
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatalf("adapting: %v\n%s", err, caddyfile)
	}
	for _, w := range warnings {
		t.Errorf("warning: %v", w)
	}
	if !strings.Contains(string(adapted), `"handler":"mfa"`) {
		t.Errorf("there is no second factor in it:\n%s", caddyfile)
	}
	var config caddy.Config
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&config); err != nil {
		t.Errorf("validating: %v\n%s", err, caddyfile)
	}
}

// foreign stands for a handler of somebody else's module.
type foreign struct{}

func init() { caddy.RegisterModule(foreign{}) }

func (foreign) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.foreign", New: func() caddy.Module { return new(foreign) }}
}

func (foreign) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(w, r)
}

var registered = make(map[string]bool)

func registerForeign(directive string) {
	if registered[directive] {
		return
	}
	registered[directive] = true
	httpcaddyfile.RegisterHandlerDirective(directive, func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		for h.Next() {
			for h.NextBlock(0) {
				h.RemainingArgs()
			}
		}
		return new(foreign), nil
	})
}

// writeCA writes the certificate of an authority, for client certificates.
func writeCA(t *testing.T, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks follows the links to files of the repository.
func TestLinks(t *testing.T) {
	for name, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: link %q: %v", name, m[1], err)
				continue
			}
			if u.Scheme != "" || u.Path == "" {
				continue
			}
			target := filepath.Join(root, filepath.Dir(name), u.Path)
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: link %q leads nowhere: %v", name, m[1], err)
			}
		}
	}
}

// TestPictures keeps the repository small.
func TestPictures(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "docs/images/*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no pictures: %v", err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > 150_000 {
			t.Errorf("%s has %d bytes; want at most 150000", file, info.Size())
		}
	}
}

// named are tests as the documents name them: with the folder of their package,
// such as `tests/attack.TestRaceForOneCode`.
var named = regexp.MustCompile("`([a-z]+(?:/[a-z]+)*)\\.((?:Test|Fuzz|Benchmark)[A-Za-z0-9_]+)`")

// TestNamedTestsExist keeps the documents from calling on tests that are not there.
func TestNamedTestsExist(t *testing.T) {
	sources := make(map[string]string)
	n := 0
	for name, text := range documents(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			n++
			if sources[m[1]] == "" {
				sources[m[1]] = testsOf(t, m[1])
			}
			if !strings.Contains(sources[m[1]], "\nfunc "+m[2]+"(") {
				t.Errorf("%s names %s.%s, which is not there", name, m[1], m[2])
			}
		}
	}
	if n == 0 {
		t.Error("the documents name no test")
	}
}

func testsOf(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString("\n")
		all.Write(text)
	}
	return all.String() + "\n"
}

// TestPasswordOfTheExample signs in with what the README says.
func TestPasswordOfTheExample(t *testing.T) {
	readme := documents(t)["README.md"]
	example, err := os.ReadFile(filepath.Join(root, "Caddyfile.example"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^\s*([a-z]+) (\$2a\$\S+)$`).FindSubmatch(example)
	if m == nil {
		t.Fatal("Caddyfile.example has no user")
	}
	said := regexp.MustCompile("as `([^`]+)` with the password\\s+`([^`]+)`").FindStringSubmatch(readme)
	if said == nil {
		t.Fatal("README.md tells no user and password")
	}
	if said[1] != string(m[1]) {
		t.Errorf("README.md says that the user is %s; the example has %s", said[1], m[1])
	}
	if err := bcrypt.CompareHashAndPassword(m[2], []byte(said[2])); err != nil {
		t.Errorf("README.md says that the password is %q: %v", said[2], err)
	}
	address := regexp.MustCompile(`(?m)^(http://localhost:\d+) \{$`).FindSubmatch(example)
	if address == nil || !strings.Contains(readme, string(address[1])) {
		t.Errorf("README.md does not tell the address %s", address)
	}
}
