package legacy_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// TestAppsSignIn shows that each app is what the tests of the gate take it for:
// it lets in whoever knows the password, and nobody else.
func TestAppsSignIn(t *testing.T) {
	for _, name := range legacy.Chosen(t) {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			app := legacy.Start(t, name)
			t.Logf("ready after %v", time.Since(began).Round(100*time.Millisecond))
			if len(app.Users) == 0 {
				t.Fatal("it tells of no user")
			}
			for _, u := range app.Users {
				t.Run("user "+u.Name, func(t *testing.T) { signIn(t, app, u) })
			}
			t.Run("several at once", func(t *testing.T) { signInTogether(t, app) })
		})
	}
}

func signIn(t *testing.T, app *legacy.App, u legacy.User) {
	v := app.Visit(t, "")
	if v.SignedIn() || v.Who() != "" {
		t.Errorf("before the sign-in the app shows what is secret, to %q", v.Who())
	}
	if a := v.SignIn(u.Name, "not "+u.Password); v.SignedIn() {
		t.Errorf("a wrong password is taken (status %d)", a.Status)
	}
	if a := v.SignIn(u.Name, u.Password); !v.SignedIn() {
		t.Fatalf("the right password is refused: status %d, %.300s", a.Status, a.Body)
	}
	if got := v.Who(); got != u.Name {
		t.Errorf("signed in as %q; want %q", got, u.Name)
	}
	if stranger := app.Visit(t, ""); stranger.SignedIn() {
		t.Error("a stranger is shown what is secret")
	}
	if a := v.SignOut(); v.SignedIn() {
		t.Errorf("still signed in after the sign-out (status %d)", a.Status)
	}
}

func signInTogether(t *testing.T, app *legacy.App) {
	var visitors []*legacy.Visitor
	for _, u := range app.Users {
		v := app.Visit(t, "")
		v.SignIn(u.Name, u.Password)
		visitors = append(visitors, v)
	}
	for i, u := range app.Users {
		if got := visitors[i].Who(); got != u.Name || !visitors[i].SignedIn() {
			t.Errorf("%q is signed in as %q while others are", u.Name, got)
		}
	}
	for i, u := range app.Users {
		for _, other := range app.Users[:i] {
			v := app.Visit(t, "")
			if v.SignIn(u.Name, other.Password); v.SignedIn() {
				t.Errorf("%q signs in with the password of %q", u.Name, other.Name)
			}
		}
	}
}

// TestStopLeavesNothing: no process, and no file.
func TestStopLeavesNothing(t *testing.T) {
	for _, name := range legacy.Chosen(t) {
		t.Run(name, func(t *testing.T) {
			var dir string
			t.Run("use", func(t *testing.T) {
				dir = legacy.Start(t, name).Dir
				if len(processes(t, dir)) == 0 {
					t.Error("no process of a running app found: this test sees nothing")
				}
			})
			left := processes(t, dir)
			for deadline := time.Now().Add(30 * time.Second); len(left) > 0 && time.Now().Before(deadline); left = processes(t, dir) {
				time.Sleep(50 * time.Millisecond) // what has been killed ends when its turn comes
			}
			if len(left) > 0 {
				t.Errorf("still running:\n%s", strings.Join(left, "\n"))
			}
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("%s is still there: %v", dir, err)
			}
		})
	}
}

// processes lists what runs with the folder in its arguments or environment.
func processes(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil || len(files) == 0 {
		t.Fatalf("no processes found: %v", err)
	}
	for _, environ := range files {
		folder := filepath.Dir(environ)
		env, _ := os.ReadFile(environ) // it may have ended meanwhile, or be somebody else's
		args, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
		if bytes.Contains(env, []byte("DIR="+dir)) || bytes.Contains(args, []byte(dir)) {
			found = append(found, filepath.Base(folder)+" "+string(bytes.ReplaceAll(args, []byte{0}, []byte(" "))))
		}
	}
	return found
}
