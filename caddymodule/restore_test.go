package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
	"github.com/mfagate/caddy-mfagate/storage/sealed"
)

// newVault opens a vault over an empty store, as the server does.
func newVault(t *testing.T, path string, store storage.Store) (*vault, *mfagate.Records) {
	t.Helper()
	v, err := openVault(t.Context(), store, path)
	if err != nil {
		t.Fatal(err)
	}
	records, err := mfagate.OpenRecords(t.Context(), v.door)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		v.stop()
		records.Close()
	})
	return v, records
}

func put(t *testing.T, s storage.Store, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := s.Apply(t.Context(), storage.Change{Key: key, Value: []byte("value of " + key)}); err != nil {
			t.Fatal(err)
		}
	}
}

func backupOf(t *testing.T, v *vault) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := v.backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func keysOf(t *testing.T, s storage.Store) (keys []string) {
	t.Helper()
	records, err := s.List(t.Context(), "", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		keys = append(keys, r.Key)
	}
	return keys
}

// What has ended since must not come back to life: sessions that were signed out and
// tickets that were used, requests for a reset that the owner refused, and the visitors of
// login pages, of whom nobody would know any more who has tried to sign in.
func TestBackupHoldsNothingPassing(t *testing.T) {
	v, _ := newVault(t, t.TempDir()+"/keyset", new(memory.Store))
	put(t, v.clear, "user/default/alice", "attempt/default/alice", "event/1", "session/x", "seen/x", "step/x/enrol", "ticket/x", "request/default/alice", "outbox/1", "lineage/x", "awaited/default/alice", "meta/cookie_keys")
	b := backupOf(t, v)
	for _, kind := range []string{"session/", "seen/", "step/", "ticket/", "request/", "lineage/", "awaited/", "cookie_keys", "value of"} {
		if bytes.Contains(b, []byte(kind)) {
			t.Errorf("the backup holds %q", kind)
		}
	}
	for _, kept := range []string{"user/default/alice", "attempt/default/alice", "event/1", "outbox/1", "meta/format", "keyset/0001"} {
		if !bytes.Contains(b, []byte(kept)) {
			t.Errorf("the backup lacks %s", kept)
		}
	}
}

// A restore works in a store whose keyset was rotated since, and in one where people
// have knocked already.
func TestRestore(t *testing.T) {
	path := t.TempDir() + "/keyset"
	v, _ := newVault(t, path, new(memory.Store))
	put(t, v.clear, "user/default/alice", "user/default/bob")
	b := backupOf(t, v)
	if err := v.rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	inner := new(memory.Store)
	w, _ := newVault(t, path, inner)
	put(t, w.door, "session/visitor", "seen/visitor", "step/visitor/x", "ask/4711", "lineage/visitor", "meta/cookie_keys")
	n, err := w.restore(t.Context(), bytes.NewReader(b))
	if err != nil || n != 4 {
		t.Fatalf("restore = %d, %v; want 4 records", n, err)
	}
	if r, err := w.door.Get(t.Context(), "user/default/bob"); err != nil || string(r.Value) != "value of user/default/bob" {
		t.Errorf("bob = %q, %v; want what he had", r.Value, err)
	}
	if got := fmt.Sprint(keysOf(t, inner)); !strings.Contains(got, "keyset/0001 keyset/0002") || !strings.Contains(got, "meta/format") || strings.Contains(got, "restore") {
		t.Errorf("records = %s; want both fingerprints and no mark", got)
	}
	if _, err := openVault(t.Context(), inner, path); err != nil {
		t.Errorf("opening it again = %v; want nil", err)
	}
}

// Whatever is wrong with a backup, nothing is changed and the gate goes on.
func TestRestoreRefused(t *testing.T) {
	v, _ := newVault(t, t.TempDir()+"/keyset", new(memory.Store))
	put(t, v.clear, "user/default/alice")
	whole := backupOf(t, v)
	newer := new(memory.Store)
	if err := sealed.New(newer, v.keyset).Apply(t.Context(), storage.Change{Key: "meta/format", Value: []byte("2")}); err != nil {
		t.Fatal(err)
	}
	empty := new(memory.Store)
	moved := new(memory.Store) // alice's record in bob's place
	r, err := v.inner.Get(t.Context(), "user/default/alice")
	if err != nil {
		t.Fatal(err)
	}
	if err := moved.Apply(t.Context(), storage.Change{Key: "user/default/bob", Value: r.Value}); err != nil {
		t.Fatal(err)
	}
	of := func(s storage.Store) []byte { return backupOf(t, &vault{inner: s}) }
	other, _ := newVault(t, t.TempDir()+"/other", new(memory.Store))
	tests := map[string]struct {
		vault *vault
		file  []byte
		says  string
	}{
		"cut off":        {fresh(t, v), whole[:len(whole)-1], "damaged"},
		"empty file":     {fresh(t, v), nil, "damaged"},
		"other keyset":   {other, whole, "sealed by keys that are not in"},
		"moved record":   {fresh(t, v), of(moved), "sealed by keys"},
		"newer records":  {fresh(t, v), of(newer), "format 2"},
		"no format":      {fresh(t, v), of(empty), "does not tell the format"},
		"store in use":   {v, whole, "not empty"},
		"no backup":      {fresh(t, v), []byte("{\"users\": []}\n and so on"), "does not begin like"},
		"something more": {fresh(t, v), append(bytes.Clone(whole), 'x'), "damaged"},
	}
	for name, test := range tests {
		before := fmt.Sprint(keysOf(t, test.vault.inner))
		_, err := test.vault.restore(t.Context(), bytes.NewReader(test.file))
		if _, ok := errors.AsType[backupError](err); !ok || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: restore = %v; want one that says %q", name, err, test.says)
		}
		if after := fmt.Sprint(keysOf(t, test.vault.inner)); after != before {
			t.Errorf("%s: records = %s; want %s", name, after, before)
		}
		if _, err := test.vault.door.List(t.Context(), "", "", 1); err != nil {
			t.Errorf("%s: the gate is shut: %v", name, err)
		}
	}
}

// fresh is a vault over an empty store with the keys of v.
func fresh(t *testing.T, v *vault) *vault {
	t.Helper()
	w, _ := newVault(t, v.path, new(memory.Store))
	return w
}

// failing fails from one of its changes on.
type failing struct {
	storage.Store
	mu    sync.Mutex
	after int
}

var errDisk = errors.New("disk is on fire")

func (f *failing) Apply(ctx context.Context, changes ...storage.Change) error {
	f.mu.Lock()
	f.after--
	broken := f.after < 0
	f.mu.Unlock()
	if broken {
		return errDisk
	}
	return f.Store.Apply(ctx, changes...)
}

// Half a store would take people who are enrolled for people who are not. So after a
// restore that broke off nobody passes, not by another try, and not after a restart.
func TestHalfRestoreLetsNobodyIn(t *testing.T) {
	v, _ := newVault(t, t.TempDir()+"/keyset", new(memory.Store))
	for i := range 500 {
		put(t, v.clear, fmt.Sprintf("user/default/%03d", i))
	}
	b := backupOf(t, v)
	for broken := 1; broken <= 4; broken++ { // the first change is the mark
		inner := &failing{Store: new(memory.Store), after: 1000}
		w, _ := newVault(t, v.path, inner)
		inner.after = broken
		if _, err := w.restore(t.Context(), bytes.NewReader(b)); !errors.Is(err, errDisk) {
			t.Fatalf("restore = %v; want the disk's error", err)
		}
		if _, err := w.door.Get(t.Context(), "user/default/000"); !errors.Is(err, errRestoring) {
			t.Errorf("Get after half a restore = %v; want that the door is shut", err)
		}
		inner.after = 1000
		if _, err := w.restore(t.Context(), bytes.NewReader(b)); !errors.Is(err, mfagate.ErrHalfRestored) {
			t.Errorf("a second restore = %v; want that it is refused", err)
		}
		again, err := openVault(t.Context(), inner, v.path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mfagate.OpenRecords(t.Context(), again.door); !errors.Is(err, mfagate.ErrHalfRestored) {
			t.Errorf("broken at change %d: OpenRecords = %v; want ErrHalfRestored", broken, err)
		}
	}
}

// Rotations and writers at once lose nothing, and the file always opens the store.
func TestRotateUnderWriters(t *testing.T) {
	path, inner := t.TempDir()+"/keyset", new(memory.Store)
	v, _ := newVault(t, path, inner)
	for i := range 300 {
		put(t, v.clear, fmt.Sprintf("user/default/%03d", i))
	}
	var wait sync.WaitGroup
	for n := range 3 {
		wait.Go(func() {
			for i := range 5 {
				put(t, v.door, fmt.Sprintf("event/%d-%d", n, i))
				if err := v.rotate(t.Context()); err != nil {
					t.Error(err)
				}
				if _, err := sealed.OpenKeyset(t.Context(), path, inner); err != nil {
					t.Errorf("the file does not open the store: %v", err)
				}
			}
		})
	}
	wait.Wait()
	waitFor(t, func() bool { return !v.keys().Running })
	v.work.Wait()
	if err := v.resume(); err != nil {
		t.Fatal(err)
	}
	v.work.Wait()
	if k := v.keys(); k.Keys != 16 || k.Error != "" {
		t.Errorf("keys = %+v; want 16 and no error", k)
	}
	records, err := v.door.List(t.Context(), "", "", 0)
	if err != nil || len(records) != 300+15+16+1 {
		t.Errorf("%d records, %v; want 332", len(records), err)
	}
}

func waitFor(t *testing.T, f func() bool) {
	t.Helper()
	for range 6000 {
		if f() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it did not happen")
}

// A keyset file that cannot be written leaves everything as it was.
func TestRotateWithoutRoom(t *testing.T) {
	dir := t.TempDir() + "/keys"
	v, _ := newVault(t, filepath.Join(dir, "keyset"), new(memory.Store))
	put(t, v.clear, "user/default/alice")
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := v.rotate(t.Context()); err == nil {
		t.Error("rotate = nil; want an error")
	}
	if k := v.keys(); k.Keys != 1 {
		t.Errorf("keys = %+v; want one", k)
	}
	if _, err := v.door.Get(t.Context(), "user/default/alice"); err != nil {
		t.Errorf("Get = %v; want alice", err)
	}
}

type sharedMemory struct{ *memory.Store }

func (sharedMemory) Shared() bool { return true }

// Other servers would not open what is sealed by a key that they have not got.
func TestRotateOfASharedStore(t *testing.T) {
	path := t.TempDir() + "/keyset"
	newVault(t, path, new(memory.Store))
	v, _ := newVault(t, path, sharedMemory{new(memory.Store)})
	if err := v.rotate(t.Context()); !errors.Is(err, errSharedKey) {
		t.Errorf("rotate = %v; want that it is refused", err)
	}
}

// After a restore the same phone works, and a code that was used up before the backup
// stays used up; the session of before is over.
func TestSignInAfterRestore(t *testing.T) {
	g := serveAdmin(t, "PASSWORD\nmfa")
	p := enrol(g)
	burnt := p.recovery[0]
	q := &person{g: g}
	q.keep(g.get("/"))
	if got := q.try("recovery", burnt); got != 200 {
		t.Fatalf("a recovery code = %d; want 200", got)
	}
	b := g.admin("GET", "/mfa/backup", "")
	if b.status != 200 {
		t.Fatalf("backup = %d %s", b.status, b.body)
	}
	if got := q.get("/"); !got.reachedApp() {
		t.Fatalf("the recovery code did not open: %d %s", got.status, got.body)
	}

	keys, err := os.ReadFile(filepath.Join(g.dir, "db.keyset.json"))
	if err != nil {
		t.Fatal(err)
	}
	third := newGateway(t)
	third.socket = filepath.Join(third.dir, "admin.sock")
	if err := os.WriteFile(filepath.Join(third.dir, "db.keyset.json"), keys, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := third.load("", "PASSWORD\nmfa"); err != nil {
		t.Fatal(err)
	}
	if got := third.admin("POST", "/mfa/restore", b.body); got.status != 415 {
		t.Errorf("a restore as JSON = %d %s; want 415", got.status, got.body)
	}
	a, err := running()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.vault().restore(t.Context(), strings.NewReader(b.body)); err != nil {
		t.Fatal(err)
	}
	p.g, q.g = third, third
	for _, old := range []*person{p, q} {
		if got := old.get("/"); got.reachedApp() {
			t.Error("a session of before the restore goes on")
		}
	}
	fresh := &person{g: third}
	fresh.keep(third.get("/"))
	if got := fresh.try("recovery", burnt); got != 401 {
		t.Errorf("the code that was used before the backup = %d; want 401", got)
	}
	if got := fresh.try("recovery", p.recovery[1]); got != 200 {
		t.Errorf("the next code = %d; want 200", got)
	}
	if got := fresh.get("/"); !got.reachedApp() {
		t.Errorf("after the restore: %d %s; want the app", got.status, got.body)
	}
}

// try answers a challenge and tells the status.
func (p *person) try(method, code string) int {
	p.g.t.Helper()
	return p.request("POST", "challenge", map[string]string{"method": method, "code": code}).status
}
