package sealed_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
	"github.com/mfagate/caddy-mfagate/storage/sealed"
)

// TestReseal checks that after a rotation nothing is sealed by the old key but its
// fingerprint, though others write at the same time, and that no value or time of
// expiry changes.
func TestReseal(t *testing.T) {
	inner, path := new(memory.Store), t.TempDir()+"/keyset.json"
	old := openKeyset(t, path, inner)
	s := sealed.New(inner, old)
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	for i := range 500 {
		err := s.Apply(t.Context(), storage.Change{Key: fmt.Sprintf("k/%03d", i), Value: []byte(fmt.Sprint("v", i)), Expires: expires})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := rotate(t, old).Save(path); err != nil {
		t.Fatal(err)
	}
	s.Use(openKeyset(t, path, inner))
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := range 50 {
			r, err := s.Get(t.Context(), fmt.Sprintf("k/%03d", i*10))
			if err == nil {
				_ = s.Apply(t.Context(), storage.Change(r)) // may be too late
			}
		}
	})
	looked := 0
	if err := s.Reseal(t.Context(), func(n int) { looked = n }); err != nil || looked != 502 {
		t.Errorf("Reseal looked at %d records, %v; want 502", looked, err)
	}
	wait.Wait()
	if err := s.Reseal(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	records, err := inner.List(t.Context(), "k/", "", 0)
	if err != nil || len(records) != 500 {
		t.Fatalf("%d records, %v; want 500", len(records), err)
	}
	for i, r := range records {
		if _, err := old.Open(r); err == nil {
			t.Errorf("the old key opens %s", r.Key)
		}
		if got, err := s.Get(t.Context(), r.Key); err != nil || string(got.Value) != fmt.Sprint("v", i) || !got.Expires.Equal(expires) {
			t.Errorf("Get = %+v, %v; want v%d", got, err, i)
		}
	}
	openKeyset(t, path, inner) // the fingerprints still fit
	other := t.TempDir() + "/keyset.json"
	if err := old.Save(other); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, other, inner, "lacks a key")
}
