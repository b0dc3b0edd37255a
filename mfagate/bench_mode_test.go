package mfagate

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/badger"
	"github.com/mfagate/caddy-mfagate/storage/sealed"
)

// BenchmarkEvents is what the security page asks for, of users with ever longer
// histories on a sealed Badger store.
func BenchmarkEvents(b *testing.B) {
	for _, n := range []int{100, 10_000, 170_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := sealedBadger(b)
			r, err := OpenRecords(context.Background(), s)
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			g, _ := New(Config{Records: r, Factors: []Factor{anyFactor{}}})
			var changes []storage.Change
			for i := range n {
				e := Event{Kind: EventHelp, Subject: Subject{"default", "alice"}, Time: time.Now()}
				e.ID = fmt.Sprintf("%s-0%012d", CursorAt(e.Time.Add(-time.Duration(n-i)*3*time.Minute)), i)
				changes = append(changes, storage.Change{Key: key(kindUserEvent, "default", "alice", e.ID), Value: []byte{}})
				if i > n-600 {
					changes = append(changes, storage.Change{Key: e.key(), Value: encode(&eventRecord{Event: e})})
				}
				if len(changes) >= 1000 || i == n-1 {
					if err := s.Apply(context.Background(), changes...); err != nil {
						b.Fatal(err)
					}
					changes = nil
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if e, err := g.Events(context.Background(), Subject{"default", "alice"}, 8); err != nil || len(e) != 8 {
					b.Fatal(err, len(e))
				}
			}
		})
	}
}

// BenchmarkGateMode is the path of a request that passes because the mode lets it,
// on a sealed Badger store: each reads the user's account.
func BenchmarkGateMode(b *testing.B) {
	for name, mode := range map[string]Mode{"optional": Optional, "observe": Observe} {
		b.Run(name, func(b *testing.B) {
			r, err := OpenRecords(context.Background(), sealedBadger(b))
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			g, err := New(Config{Records: r, Factors: []Factor{anyFactor{}}})
			if err != nil {
				b.Fatal(err)
			}
			block, err := g.Block(BlockConfig{Site: Site{Mode: mode}, Source: SourceFunc(func(*http.Request) (Identity, error) { return Identity{Name: "alice"}, nil })})
			if err != nil {
				b.Fatal(err)
			}
			req := httptest.NewRequest("GET", "http://localhost/page", nil)
			req.RemoteAddr = "127.0.0.1:4711"
			passed := 0
			next := func(http.ResponseWriter, *http.Request, Decision) error { passed++; return nil }
			b.ReportAllocs()
			for b.Loop() {
				if err := block.Serve(nil, req, next); err != nil {
					b.Fatal(err)
				}
			}
			if passed < b.N {
				b.Fatalf("%d of %d requests passed", passed, b.N)
			}
		})
	}
}

var _ = badger.Open
var _ = sealed.New

func sealedBadger(b *testing.B) storage.Store {
	s, err := badger.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	k, err := sealed.NewKeyset()
	if err != nil {
		b.Fatal(err)
	}
	return sealed.New(s, k)
}
