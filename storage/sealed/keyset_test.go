package sealed_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
	"github.com/mfagate/caddy-mfagate/storage/sealed"
	"github.com/mfagate/caddy-mfagate/storage/storagetest"
)

func openKeyset(t *testing.T, path string, store storage.Store) *sealed.Keyset {
	t.Helper()
	k, err := sealed.OpenKeyset(t.Context(), path, store)
	if err != nil {
		t.Fatalf("OpenKeyset = %v; want nil", err)
	}
	return k
}

// wantRefused checks that the error names the file and says what to do, and
// that neither file nor store were changed.
func wantRefused(t *testing.T, path string, store storage.Store, says string) {
	t.Helper()
	content, _ := os.ReadFile(path)
	records, _ := store.List(t.Context(), "", "", 0)
	k, err := sealed.OpenKeyset(t.Context(), path, store)
	if err == nil || k != nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), says) {
		t.Errorf("OpenKeyset = %v, %v; want an error that names %s and says %q", k, err, path, says)
	}
	if now, _ := os.ReadFile(path); string(now) != string(content) {
		t.Error("OpenKeyset changed the file that it refused")
	}
	if now, _ := store.List(t.Context(), "", "", 0); len(now) != len(records) {
		t.Errorf("OpenKeyset left %d records; want %d as before", len(now), len(records))
	}
}

func perm(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestOpenKeyset(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	path := filepath.Join(dir, "keyset.json")
	inner := new(memory.Store)
	s := sealed.New(inner, openKeyset(t, path, inner))
	if perm(t, path) != 0o600 || perm(t, dir) != 0o700 {
		t.Errorf("modes = %04o, folder %04o; want 0600 and 0700", perm(t, path), perm(t, dir))
	}
	if entries, err := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("folder holds %v, %v; want only the keyset", entries, err)
	}
	put(t, s, "k", "value")
	again := sealed.New(inner, openKeyset(t, path, inner))
	if got := get(t, again, "k"); got != "value" {
		t.Errorf("Get after opening the keyset again = %q; want %q", got, "value")
	}
	// The fingerprint is an ordinary record: a backup that lists all finds it.
	rs, err := again.List(t.Context(), "", "", 0)
	if err != nil || len(rs) != 2 || !strings.HasPrefix(rs[1].Key, sealed.Fingerprints) {
		t.Errorf("List = %+v, %v; want the record and one fingerprint", rs, err)
	}
}

func TestOpenKeysetAbsent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	inner := new(memory.Store)
	put(t, sealed.New(inner, openKeyset(t, path, inner)), "k", "value")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, path, inner, "restore it from your backup")
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Stat = %v; want that no file was made", err)
	}
}

func TestOpenKeysetWrong(t *testing.T) {
	dir := t.TempDir()
	inner := new(memory.Store)
	openKeyset(t, filepath.Join(dir, "right"), inner)
	wrong := filepath.Join(dir, "wrong")
	if err := newKeyset(t).Save(wrong); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, wrong, inner, "restore the right one from your backup")
	for _, content := range []string{"", "{}", "no JSON", `{"primaryKeyId":1,"key":[]}`} {
		if err := os.WriteFile(wrong, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, wrong, inner, "no Tink keyset")
		wantRefused(t, wrong, new(memory.Store), "no Tink keyset")
	}
}

func TestOpenKeysetMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	inner := new(memory.Store)
	openKeyset(t, path, inner)
	for _, mode := range []os.FileMode{0o644, 0o640, 0o602, 0o610} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, path, inner, "chmod 600 "+path)
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	openKeyset(t, path, inner)
}

// TestOpenKeysetForeignStore has a store with records that nobody sealed.
func TestOpenKeysetForeignStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	inner := new(memory.Store)
	put(t, inner, "k", "in clear")
	wantRefused(t, path, inner, "restore it from your backup")
	if err := newKeyset(t).Save(path); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, path, inner, "no fingerprint")
}

// TestOpenKeysetFaults fails each call of the store in turn, and each time
// opens again: that is also a crash between the file and the fingerprint.
func TestOpenKeysetFaults(t *testing.T) {
	broken := errors.New("disk is on fire")
	count := &storagetest.Faulty{Store: new(memory.Store)}
	openKeyset(t, filepath.Join(t.TempDir(), "k"), count)
	if count.Calls() < 3 {
		t.Fatalf("OpenKeyset made %d calls; want 3 at least, else the test shows nothing", count.Calls())
	}
	for n := 1; n <= count.Calls(); n++ {
		path := filepath.Join(t.TempDir(), "keyset.json")
		inner := new(memory.Store)
		faulty := &storagetest.Faulty{Store: inner, Call: n, Err: broken}
		if k, err := sealed.OpenKeyset(t.Context(), path, faulty); !errors.Is(err, broken) || k != nil {
			t.Errorf("call %d: OpenKeyset = %v, %v; want %v", n, k, err, broken)
		}
		put(t, sealed.New(inner, openKeyset(t, path, inner)), "k", "value")
		if got := get(t, sealed.New(inner, openKeyset(t, path, inner)), "k"); got != "value" {
			t.Errorf("call %d: Get = %q; want %q", n, got, "value")
		}
	}
}

func TestOpenKeysetUnknownOutcome(t *testing.T) {
	for _, applied := range []bool{false, true} {
		inner := new(memory.Store)
		faulty := &storagetest.Faulty{
			Store: inner, Method: storagetest.Apply, Call: 1, Err: storage.ErrUnknown, Applied: applied,
		}
		openKeyset(t, filepath.Join(t.TempDir(), "k"), faulty)
		if rs, err := inner.List(t.Context(), "", "", 0); len(rs) != 1 {
			t.Errorf("applied %v: %d records, %v; want one fingerprint", applied, len(rs), err)
		}
	}
}

func TestOpenKeysetTogether(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "keys", "keyset.json")
		inner := new(memory.Store)
		var wg sync.WaitGroup
		stores := make([]*sealed.Store, 8)
		for i := range stores {
			wg.Go(func() {
				k, err := sealed.OpenKeyset(t.Context(), path, inner)
				if err != nil {
					t.Errorf("OpenKeyset = %v; want nil", err)
					return
				}
				stores[i] = sealed.New(inner, k)
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		put(t, stores[0], "k", "value")
		for _, s := range stores {
			if got := get(t, s, "k"); got != "value" {
				t.Errorf("Get = %q; want that all opened one keyset", got)
			}
		}
	}
}

// TestOpenKeysetTwoFiles has two servers that were given different keysets for
// one empty store.
func TestOpenKeysetTwoFiles(t *testing.T) {
	inner := new(memory.Store)
	errs := make(chan error, 2)
	for range 2 {
		path := filepath.Join(t.TempDir(), "keyset.json")
		go func() {
			_, err := sealed.OpenKeyset(t.Context(), path, inner)
			errs <- err
		}()
	}
	if a, b := <-errs, <-errs; (a == nil) == (b == nil) {
		t.Errorf("OpenKeyset = %v and %v; want one of them refused", a, b)
	}
}

func TestOpenKeysetShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	store := sharedStore{new(memory.Store)}
	wantRefused(t, path, store, "copy it to every server")
	if err := newKeyset(t).Save(path); err != nil {
		t.Fatal(err)
	}
	openKeyset(t, path, store)
}

func TestOpenKeysetRotated(t *testing.T) {
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "keyset.json"), filepath.Join(dir, "backup.json")
	inner := new(memory.Store)
	k := openKeyset(t, path, inner)
	put(t, sealed.New(inner, k), "k", "one")
	for range 2 {
		if err := k.Save(backup); err != nil {
			t.Fatal(err)
		}
		if err := rotate(t, k).Save(path); err != nil {
			t.Fatal(err)
		}
		// A crash here: the old keyset still is all that was used.
		openKeyset(t, backup, inner)
		k = openKeyset(t, path, inner)
		if got := get(t, sealed.New(inner, k), "k"); got != "one" {
			t.Errorf("Get = %q; want %q, sealed by the old key", got, "one")
		}
		put(t, sealed.New(inner, k), "new", "two")
		wantRefused(t, backup, inner, "too old")
	}
	if perm(t, path) != 0o600 {
		t.Errorf("mode = %04o; want 0600", perm(t, path))
	}
	if entries, err := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("folder holds %v, %v; want the two keysets", entries, err)
	}
}
