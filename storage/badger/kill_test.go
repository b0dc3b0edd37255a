package badger_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/badger"
)

// The child process of TestKill finds its folder and the number of its run here.
const (
	childDir = "MFAGATE_TEST_KILL_DIR"
	childRun = "MFAGATE_TEST_KILL_RUN"
)

const killWriters = 4

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, writeForever(dir, os.Getenv(childRun)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeForever tells of each change on standard output, after it was made.
func writeForever(dir, run string) error {
	s, err := badger.Open(dir)
	if err != nil {
		return err
	}
	failed := make(chan error)
	for writer := range killWriters {
		go func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("%s/%d/%d", run, writer, n)
				if err := s.Apply(background, pair(key)...); err != nil {
					failed <- err
					return
				}
				// One write of one line, so that a kill leaves no half of it.
				if _, err := os.Stdout.WriteString(key + "\n"); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

// pair is two records that must be there both or not at all.
func pair(key string) []storage.Change {
	value := []byte(strings.Repeat(key, 30))
	return []storage.Change{{Key: "a/" + key, Value: value}, {Key: "b/" + key, Value: value}}
}

// TestKill kills a writing process at random moments: what it told of must be
// there afterwards, and nothing may be there by halves.
func TestKill(t *testing.T) {
	const kills = 30
	dir := t.TempDir()
	acknowledged := 0
	for run := range kills {
		lines := killOne(t, dir, run)
		acknowledged += len(lines)
		checkAfterKill(t, dir, run, lines)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills, %d acknowledged commits, none missing", kills, acknowledged)
	if acknowledged < kills {
		t.Errorf("%d commits were acknowledged; want %d at least, else the test shows nothing", acknowledged, kills)
	}
}

func killOne(t *testing.T, dir string, run int) (lines []string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir, childRun+"="+strconv.Itoa(run))
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint strings.Builder
	child.Stderr = &complaint
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var kill sync.Once
	end := func() { _ = child.Process.Kill() }
	limit := time.AfterFunc(20*time.Second, func() { kill.Do(end) })
	defer limit.Stop()
	wait := rand.N(150 * time.Millisecond)
	for scan := bufio.NewScanner(out); scan.Scan(); {
		if len(lines) == 0 {
			time.AfterFunc(wait, func() { kill.Do(end) })
		}
		lines = append(lines, scan.Text())
	}
	if err := child.Wait(); err == nil || complaint.Len() > 0 {
		t.Fatalf("child ended by itself: %v %s", err, complaint.String())
	}
	return lines
}

func checkAfterKill(t *testing.T, dir string, run int, lines []string) {
	t.Helper()
	s, err := badger.Open(dir)
	if err != nil {
		t.Fatalf("Open after kill %d = %v; want nil", run, err)
	}
	defer s.Close()
	found := make(map[string]string)
	for _, half := range []string{"a/", "b/"} {
		prefix := fmt.Sprint(half, run, "/")
		rs, err := s.List(t.Context(), prefix, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			key := r.Key[len(half):]
			if want := strings.Repeat(key, 30); string(r.Value) != want {
				t.Errorf("%s = %q; want %q", r.Key, r.Value, want)
			}
			found[key] += half
		}
	}
	for _, key := range lines {
		if found[key] != "a/b/" {
			t.Errorf("acknowledged commit %s: found %q; want both records", key, found[key])
		}
	}
	for key, halves := range found {
		if halves != "a/b/" {
			t.Errorf("commit %s: found only %q", key, halves)
		}
	}
}
