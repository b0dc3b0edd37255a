package legacy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// Marker stands in what an app shows only to people who signed in, wherever the
// app lets us put text.
const Marker = "TOP-SECRET-MARKER"

// How long an app may take to its first answer, and to its end. Redmine, the
// slowest, takes 15 seconds on two idle cores.
const (
	startWithin = 4 * time.Minute
	endWithin   = 40 * time.Second
)

// An App is a running legacy app.
type App struct {
	Name  string
	URL   string // of the app, without a slash at the end
	Front string // path of the page to begin with
	Users []User // who may sign in; one without a name where the app asks for a password only
	Dir   string // of all that it writes; mails of the PHP apps are files in Dir/mail

	t      testing.TB
	cmd    *exec.Cmd
	stdin  io.Closer
	errs   bytes.Buffer
	groups []int         // process groups that the app consists of
	done   chan struct{} // closed when cmd has ended
	end    sync.Once
}

// A User is an account of an app.
type User struct{ Name, Password string }

// Password returns the password of a user. The empty name is for the apps that
// know no names.
func (a *App) Password(name string) string {
	for _, u := range a.Users {
		if u.Name == name {
			return u.Password
		}
	}
	a.t.Fatalf("%s has no user %q", a.Name, name)
	return ""
}

// Names are all apps, those first that are cheap to install and to start.
var Names = []string{"dokuwiki", "qbittorrent", "deluge", "transmission", "node-red", "jupyter", "roundcube", "wordpress", "redmine"}

// Chosen returns the apps that a test of all of them should try: the first
// three of [Names], or what MFAGATE_LEGACY says, which is "all" or names with
// commas between them.
func Chosen(t testing.TB) []string {
	t.Helper()
	switch names := os.Getenv("MFAGATE_LEGACY"); names {
	case "":
		return Names[:3]
	case "all":
		return Names
	default:
		return strings.Split(names, ",")
	}
}

// Start runs an app that ends with the test. If it is not installed the test is
// skipped, or with MFAGATE_REQUIRE=all fails.
func Start(t testing.TB, name string) *App {
	t.Helper()
	folder := scripts(t)
	bash := gatetest.Require(t, "bash")
	if out, err := exec.Command(bash, filepath.Join(folder, "install"), "-n", name).CombinedOutput(); err != nil {
		gatetest.Missing(t, fmt.Sprintf("%s needs %s (tests/legacy/install %s)", name, bytes.TrimSpace(out), name))
	}
	a := &App{Name: name, Dir: openFolder(t), t: t, done: make(chan struct{})}
	a.run(exec.Command(bash, filepath.Join(folder, "start"), name))
	return a
}

func scripts(t testing.TB) string {
	t.Helper()
	root, err := gatetest.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "tests", "legacy")
}

// openFolder makes a folder that the users of the apps may enter, which those
// of [testing.T.TempDir] are not, with a path that is short enough for sockets.
func openFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "legacy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 100 { // what has been killed may still write, until its turn comes to end
			if os.RemoveAll(dir) == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Errorf("%s cannot be removed", dir)
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (a *App) run(cmd *exec.Cmd) {
	a.t.Helper()
	cmd.Env = append(os.Environ(), "DIR="+a.Dir, fmt.Sprintf("PORT=%d", gatetest.FreePort(a.t)), fmt.Sprintf("PORT2=%d", gatetest.FreePort(a.t)))
	cmd.Stderr = &a.errs
	// Not the group of the test: a signal from the keyboard is for the test, which then ends the app.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		a.t.Fatalf("starting %s: %v", a.Name, err)
	}
	a.cmd, a.stdin = cmd, stdin
	a.t.Cleanup(a.Stop)
	a.await(stdout)
}

// await reads what the script tells until the app is ready.
func (a *App) await(stdout io.Reader) {
	a.t.Helper()
	ready := make(chan bool, 1)
	told := make(chan struct{})
	go func() {
		defer close(told)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if a.told(lines.Text()) {
				ready <- true
			}
		}
	}()
	go func() {
		<-told // Wait closes the pipe under the reader
		a.cmd.Wait()
		close(a.done)
	}()
	select {
	case <-ready:
	case <-a.done:
		a.t.Fatalf("%s ended at its start:\n%s", a.Name, a.errs.String())
	case <-time.After(startWithin):
		a.t.Fatalf("%s is not ready after %v", a.Name, startWithin)
	}
}

// told takes one line of the script, and returns whether the app is ready.
func (a *App) told(line string) (ready bool) {
	key, value, _ := strings.Cut(line, "=")
	switch key {
	case "group":
		if group, err := strconv.Atoi(value); err == nil && group > 1 {
			a.groups = append(a.groups, group)
		}
	case "url":
		scheme, rest, _ := strings.Cut(value, "://")
		host, path, _ := strings.Cut(rest, "/")
		a.URL, a.Front = scheme+"://"+host, "/"+path
	case "user":
		name, password, _ := strings.Cut(value, " ")
		a.Users = append(a.Users, User{strings.TrimPrefix(name, "-"), password})
	}
	return line == "ready"
}

// Stop ends the app, in order if it can. It may be called more than once.
func (a *App) Stop() {
	a.end.Do(func() {
		a.stdin.Close()
		select {
		case <-a.done:
			return
		case <-time.After(endWithin):
		}
		a.t.Errorf("%s does not end", a.Name)
		// The script first: it cannot start anything after that, and a.groups is complete.
		a.cmd.Process.Kill()
		<-a.done
		for _, group := range a.groups {
			syscall.Kill(-group, syscall.SIGKILL)
		}
	})
}
