package gatetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// built is the folder of the binaries, removed by [Main].
var built = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "mfagate-test-") })

var (
	checked = sync.OnceValues(func() (string, error) { return build("gateway", raceFlag) })
	plain   = sync.OnceValues(func() (string, error) { return build("gateway-plain", "") })
)

// Main runs the tests of a package and removes what was built for them. Call it
// from TestMain.
func Main(m *testing.M) int {
	defer func() {
		if dir, err := built(); err == nil {
			os.RemoveAll(dir)
		}
	}()
	return m.Run()
}

// Binary returns the gateway, built with the race detector if the test was.
func Binary(t testing.TB) string {
	t.Helper()
	return must(t, checked)
}

// PlainBinary returns the gateway as it is shipped, for tests that start it
// hundreds of times or measure it.
func PlainBinary(t testing.TB) string {
	t.Helper()
	if raceFlag == "" {
		return must(t, checked)
	}
	return must(t, plain)
}

func must(t testing.TB, f func() (string, error)) string {
	t.Helper()
	path, err := f()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func build(name, flag string) (string, error) {
	dir, err := built()
	if err != nil {
		return "", err
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	args := []string{"build", "-o", path}
	if flag != "" {
		args = append(args, flag)
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the gateway: %w\n%s", err, out)
	}
	return path, nil
}

// Root returns the folder of the module.
func Root() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("finding the module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}
