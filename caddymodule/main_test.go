package caddymodule

import (
	"fmt"
	"os"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/rogpeppe/go-internal/testscript"
)

// environ is the environment as it was before TestMain.
var environ = os.Environ()

// TestMain keeps what Caddy writes out of the home of the person who tests, and
// lets scripts run the gateway as the command "gateway".
func TestMain(m *testing.M) {
	home, err := os.MkdirTemp("", "mfagate")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, name := range []string{"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		if os.Getenv("MFAGATE_SCRIPT") == "" {
			os.Setenv(name, home)
		}
	}
	testscript.Main(cleaner{m, home}, map[string]func(){"gateway": caddycmd.Main})
}

// A cleaner removes a folder when the tests have run.
type cleaner struct {
	*testing.M
	dir string
}

func (c cleaner) Run() int {
	defer os.RemoveAll(c.dir)
	return c.M.Run()
}
