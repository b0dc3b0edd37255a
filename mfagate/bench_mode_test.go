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

func BenchmarkEvents(b *testing.B) {
	for _, n := range []int{100, 10_000, 170_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := reviewStore(b)
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

func BenchmarkGateOptional(b *testing.B) {
	for _, mode := range []Mode{Required, Optional, Observe} {
		b.Run(fmt.Sprint(mode), func(b *testing.B) {
			r, err := OpenRecords(context.Background(), reviewStore(b))
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			g, _ := New(Config{Records: r, Factors: []Factor{anyFactor{}}})
			block, err := g.Block(BlockConfig{Site: Site{Mode: mode}, Source: SourceFunc(func(*http.Request) (Identity, error) { return Identity{Name: "alice"}, nil })})
			if err != nil {
				b.Fatal(err)
			}
			req := httptest.NewRequest("GET", "http://localhost/page", nil)
			req.RemoteAddr = "127.0.0.1:4711"
			if mode == Required {
				now := time.Now()
				r.commit(context.Background(), func(t *txn) error {
					s, err := t.putSession(&session{Subject: Subject{defaultRealm, "alice"}, Created: now, Deadline: now.Add(time.Hour), Proved: now, Factor: "any"}, "", false)
					req.Header.Set("Cookie", sessionCookie+"="+s.token)
					return err
				})
			} else { // has visited and has an account without credentials
				r.commit(context.Background(), func(t *txn) error {
					a, err := t.account(Subject{defaultRealm, "alice"})
					t.putAccount(a)
					return err
				})
			}
			cookie := req.Header["Cookie"]
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				if cookie != nil {
					req.Header["Cookie"] = cookie
				}
				block.Serve(httptest.NewRecorder(), req, func(http.ResponseWriter, *http.Request, Decision) error { n++; return nil })
			}
			if n < b.N {
				b.Fatal(n, b.N)
			}
		})
	}
}

var _ = badger.Open
var _ = sealed.New

func reviewStore(b *testing.B) storage.Store {
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
