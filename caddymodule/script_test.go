package caddymodule

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// TestScripts runs the scripts in testdata/script. Each has a folder of its own
// with a free port in $PORT and a name for the admin socket in $SOCKET; "gateway"
// is the binary, "answers" waits until a URL is answered, and "enrolled" enrols
// alice there; "asked" asks for a reset in her name.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: setupScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"answers":  answers,
			"asked":    asked,
			"enrolled": enrolled,
			"expand":   expand,
			"port":     port,
			"mode":     mode,
		},
	})
}

func setupScript(env *testscript.Env) error {
	free, release, err := gatetest.ClaimPort()
	if err != nil {
		return err
	}
	env.Defer(release)
	short, err := os.MkdirTemp("", "gate") // the work folder's path is too long for a socket
	if err != nil {
		return err
	}
	env.Defer(func() { os.RemoveAll(short) })
	root, err := filepath.Abs("..")
	if err != nil {
		return err
	}
	env.Setenv("PORT", fmt.Sprint(free))
	env.Setenv("SOCKET", filepath.Join(short, "admin.sock"))
	env.Setenv("SHORT", short)
	env.Setenv("ROOT", root)
	for _, name := range []string{"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		env.Setenv(name, filepath.Join(env.WorkDir, "home"))
	}
	env.Setenv("MFAGATE_SCRIPT", "1")
	return nil
}

// expand replaces $PORT, $SOCKET and so on in files.
func expand(ts *testscript.TestScript, neg bool, files []string) {
	for _, file := range files {
		text := strings.NewReplacer("$PORT", ts.Getenv("PORT"), "$SOCKET", ts.Getenv("SOCKET"), "$ROOT", ts.Getenv("ROOT")).Replace(ts.ReadFile(file))
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}

// port makes a copy of the example listen on $PORT.
func port(ts *testscript.TestScript, neg bool, files []string) {
	text := ts.ReadFile(files[0])
	if strings.Count(text, "http://localhost:8080 {") != 1 {
		ts.Fatalf("%s does not listen on http://localhost:8080", files[0])
	}
	text = strings.Replace(text, "localhost:8080 {", "localhost:"+ts.Getenv("PORT")+" {", 1)
	ts.Check(os.WriteFile(ts.MkAbs(files[0]), []byte(text), 0o600))
}

// mode checks the permissions of files.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	for _, file := range args[1:] {
		info, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s; want %s", file, got, args[0])
		}
	}
}

// answers waits until a server answers at a URL, and has started completely: a
// site can answer while other apps are still starting.
func answers(ts *testscript.TestScript, neg bool, args []string) {
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get(args[0])
		if err == nil {
			resp.Body.Close()
			started(ts)
			return
		}
	}
	ts.Fatalf("nobody answers at %s", args[0])
}

// started waits for the configuration, which Caddy hands out only when it runs.
func started(ts *testscript.TestScript) {
	socket := ts.Getenv("SOCKET")
	if _, err := os.Stat(socket); err != nil {
		socket = ts.MkAbs("data/admin.sock")
	}
	g := &gateway{t: scriptReporter{ts}, socket: socket}
	if got := g.admin(http.MethodGet, "/config/", ""); got.status != http.StatusOK {
		ts.Fatalf("GET /config/ = %d %s", got.status, got.body)
	}
}

// enrolled enrols alice at the server on a port.
func enrolled(ts *testscript.TestScript, neg bool, args []string) {
	g := &gateway{t: scriptReporter{ts}}
	_, err := fmt.Sscan(args[0], &g.port)
	ts.Check(err)
	enrol(g)
}

type scriptReporter struct{ ts *testscript.TestScript }

func (scriptReporter) Helper()                             {}
func (r scriptReporter) Error(args ...any)                 { r.ts.Fatalf("%s", fmt.Sprint(args...)) }
func (r scriptReporter) Errorf(format string, args ...any) { r.ts.Fatalf(format, args...) }
func (r scriptReporter) Fatal(args ...any)                 { r.ts.Fatalf("%s", fmt.Sprint(args...)) }
func (r scriptReporter) Fatalf(format string, args ...any) { r.ts.Fatalf(format, args...) }
