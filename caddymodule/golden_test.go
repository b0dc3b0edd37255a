package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

var update = flag.Bool("update", false, "write what is got into the golden files")

const goldenLine = "\n----------\n"

// TestCaddyfiles adapts each Caddyfile in testdata, and compares the JSON, or
// the error of the adapter or of provisioning, with what stands below it.
func TestCaddyfiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("finding golden files: %v, %v", files, err)
	}
	t.Setenv("MFA_WEBHOOK_SECRET", "0123456789abcdef")
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			testGolden(t, file)
		})
	}
}

func testGolden(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	input, want, _ := strings.Cut(string(data), goldenLine)
	got := outcome(t, strings.TrimRight(input, "\n")+"\n")
	if *update {
		if err := os.WriteFile(file, []byte(strings.TrimRight(input, "\n")+goldenLine+got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// outcome tells what becomes of a Caddyfile.
func outcome(t *testing.T, input string) string {
	adapted, err := adapt(input)
	if err != nil {
		return "adapting: " + err.Error() + "\n"
	}
	var config caddy.Config
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&config); err != nil {
		return "provisioning: " + ownPart(err.Error()) + "\n"
	}
	var b bytes.Buffer
	if err := json.Indent(&b, adapted, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

// ownPart leaves out on which way Caddy came to our module, since it provisions
// apps in any order.
func ownPart(message string) string {
	for _, module := range []string{"http.handlers.mfa: ", "mfa.stores.badger: ", "mfa: "} {
		if i := strings.LastIndex(message, module); i >= 0 {
			message = message[i+len(module):]
		}
	}
	return message
}

func adapt(input string) ([]byte, error) {
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), map[string]any{"filename": "Caddyfile"})
	return adapted, err
}
