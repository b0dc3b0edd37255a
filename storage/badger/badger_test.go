package badger_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/badger"
	"github.com/mfagate/caddy-mfagate/storage/storagetest"
)

func open(t testing.TB, dir string) *badger.Store {
	t.Helper()
	s, err := badger.Open(dir)
	if err != nil {
		t.Fatalf("Open = %v; want nil", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v; want nil", err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) storage.Store { return open(t, t.TempDir()) })
}

func TestOpenLocked(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	_, err := badger.Open(dir)
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("second Open = %v; want an error that names %s and says that another process has it open", err, dir)
	}
	if err := s.Apply(t.Context(), storage.Change{Key: "k", Value: []byte("v")}); err != nil {
		t.Errorf("Apply in the first after that = %v; want nil", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir).Get(t.Context(), "k"); err != nil {
		t.Errorf("Get after Close and Open = %v; want the record", err)
	}
}

// A process that is killed while it begins a memory table leaves a file without
// length.
func TestOpenAfterKillAtANewTable(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, storage.Change{Key: "k", Value: []byte("v")})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"00090.mem", "00091.mem"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, dir)
	if r, err := s.Get(t.Context(), "k"); err != nil || string(r.Value) != "v" {
		t.Errorf("Get = %q, %v; want v", r.Value, err)
	}
	put(t, s, storage.Change{Key: "l", Value: []byte("w")})
}

func TestFolderMode(t *testing.T) {
	parent := t.TempDir()
	made := filepath.Join(parent, "new", "db")
	empty := filepath.Join(parent, "empty")
	full := filepath.Join(parent, "full")
	for _, dir := range []string{empty, full} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(full, "other"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]os.FileMode{made: 0o700, empty: 0o700, full: 0o755} {
		if err := open(t, dir).Close(); err != nil {
			t.Fatal(err)
		}
		if got := mode(t, dir); got != want {
			t.Errorf("mode of %s = %04o; want %04o", dir, got, want)
		}
	}
	if err := os.Chmod(made, 0o755); err != nil {
		t.Fatal(err)
	}
	open(t, made)
	if got := mode(t, made); got != 0o700 {
		t.Errorf("mode of a database opened to others = %04o; want 0700 again", got)
	}
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", file} {
		if s, err := badger.Open(dir); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("Open(%q) = %v, %v; want an error with the name", dir, s, err)
		}
	}
}

// TestVersionReuse deletes the newest record, lets compaction forget it, and opens
// the database anew.
func TestVersionReuse(t *testing.T) {
	dir := t.TempDir()
	used := make(map[uint64]bool)
	for range 3 {
		s := open(t, dir)
		for range 3 {
			put(t, s, storage.Change{Key: "k", Value: []byte("v")})
			r, err := s.Get(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			if used[r.Version] {
				t.Errorf("version %d was used for two records", r.Version)
			}
			used[r.Version] = true
			put(t, s, storage.Change{Key: "k", Version: r.Version})
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := badger.Compact(dir); err != nil {
			t.Fatal(err)
		}
	}
}

func put(t *testing.T, s *badger.Store, changes ...storage.Change) {
	t.Helper()
	if err := s.Apply(t.Context(), changes...); err != nil {
		t.Fatalf("Apply = %v; want nil", err)
	}
}

// TestExpired waits until records are gone, to the second at which Badger drops them.
func TestExpired(t *testing.T) {
	s := open(t, t.TempDir())
	at := time.Now().Add(time.Second)
	put(t, s, storage.Change{Key: "k", Value: []byte("v"), Expires: at})
	deadline := at.Add(5 * time.Second)
	for {
		_, err := s.Get(t.Context(), "k")
		if errors.Is(err, storage.ErrNotFound) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("Get = %v, 5 s after it expired; want ErrNotFound", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if early := time.Until(at); early > 0 {
		t.Errorf("record was gone %v before it expired", early)
	}
	put(t, s, storage.Change{Key: "k", Value: []byte("again")})
}

func TestTooLarge(t *testing.T) {
	s := open(t, t.TempDir())
	var many, large []storage.Change
	for i := range 40_000 {
		many = append(many, storage.Change{Key: "many/" + string(rune('a'+i%26)) + time.Duration(i).String(), Value: []byte("v")})
	}
	for i := range 20 {
		large = append(large, storage.Change{Key: "large/" + string(rune('a'+i)), Value: make([]byte, storage.MaxValue)})
	}
	for name, changes := range map[string][]storage.Change{
		"many":  many,
		"large": large,
		"value": {{Key: "value", Value: make([]byte, storage.MaxValue+4096)}},
		"key":   {{Key: strings.Repeat("k", storage.MaxKey+1), Value: []byte("v")}},
		"empty": {{Value: []byte("v")}},
	} {
		err := s.Apply(t.Context(), changes...)
		if err == nil || errors.Is(err, storage.ErrUnknown) || errors.Is(err, storage.ErrConflict) {
			t.Errorf("%s: Apply = %v; want an error of its own", name, err)
		}
	}
	if rs, err := s.List(t.Context(), "", "", 0); len(rs) != 0 || err != nil {
		t.Errorf("List = %d records, %v; want none", len(rs), err)
	}
	put(t, s, large[:6]...)
}

// TestLargeTogether has commits that fit alone but not in one transaction.
func TestLargeTogether(t *testing.T) {
	s := open(t, t.TempDir())
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			key := "k" + string(rune('a'+i))
			if err := s.Apply(t.Context(), storage.Change{Key: key, Value: make([]byte, storage.MaxValue)}); err != nil {
				t.Errorf("Apply(%s) = %v; want nil", key, err)
			}
		})
	}
	wg.Wait()
	if rs, err := s.List(t.Context(), "", "", 0); len(rs) != 24 || err != nil {
		t.Errorf("List = %d records, %v; want 24", len(rs), err)
	}
}

func TestClosed(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(),
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
	s, err := badger.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 1000 {
				if err := s.Apply(t.Context(), storage.Change{Key: string(rune('a'+i)) + time.Duration(j).String(), Value: []byte("v")}); err != nil {
					return
				}
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	if err := s.Close(); err != nil {
		t.Errorf("Close under writers = %v; want nil", err)
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Errorf("second Close = %v; want what the first returned", err)
	}
	if err := s.Apply(t.Context(), storage.Change{Key: "k", Value: []byte("v")}); err == nil {
		t.Error("Apply after Close = nil; want an error")
	}
	if _, err := s.Get(t.Context(), "k"); err == nil || errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Get after Close = %v; want an error other than ErrNotFound", err)
	}
}

func TestLogger(t *testing.T) {
	var log bytes.Buffer
	o := badger.Options{
		Dir:    t.TempDir(),
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	s, err := o.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); !strings.Contains(got, "level=DEBUG") || strings.Contains(got, "level=INFO") {
		t.Errorf("log = %q; want the engine's messages, on debug level", got)
	}
}
