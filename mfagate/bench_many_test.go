package mfagate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// anyFactor is there because a gate must have one.
type anyFactor struct{ Factor }

func (anyFactor) Name() string { return "any" }

// BenchmarkGateManySessions is the path of a live session among 100,000 of them,
// chosen at random, all in the cache.
func BenchmarkGateManySessions(b *testing.B) {
	records, err := OpenRecords(context.Background(), new(memory.Store))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { records.Close() })
	g, err := New(Config{Records: records, Factors: []Factor{anyFactor{}}})
	if err != nil {
		b.Fatal(err)
	}
	block, err := g.Block(BlockConfig{Source: SourceFunc(func(r *http.Request) (Identity, error) {
		return Identity{Name: r.Header.Get("First-Factor")}, nil
	})})
	if err != nil {
		b.Fatal(err)
	}
	const n = 100_000
	names, cookies := make([]string, n), make([]string, n)
	for i := range n {
		names[i] = fmt.Sprintf("user%d", i)
		now := time.Now()
		_, err := records.commit(context.Background(), func(t *txn) error {
			s, err := t.putSession(&session{
				Subject: Subject{defaultRealm, names[i]}, Created: now, Deadline: now.Add(time.Hour), Proved: now, Factor: "any",
			}, "", false)
			cookies[i] = sessionCookie + "=" + s.token
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	r := httptest.NewRequest("GET", "http://localhost/page", nil)
	r.RemoteAddr = "127.0.0.1:4711"
	passed := 0
	next := func(http.ResponseWriter, *http.Request, Decision) error { passed++; return nil }
	serve := func(i int) {
		r.Header["First-Factor"], r.Header["Cookie"] = names[i:i+1], []string{cookies[i]}
		if err := block.Serve(httptest.NewRecorder(), r, next); err != nil {
			b.Fatal(err)
		}
	}
	for i := range n {
		serve(i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := passed
	for range b.N {
		i := rand.IntN(n)
		r.Header["First-Factor"], r.Header["Cookie"] = names[i:i+1], []string{cookies[i]}
		if err := block.Serve(nil, r, next); err != nil {
			b.Fatal(err)
		}
	}
	if passed-before != b.N {
		b.Fatalf("%d of %d requests passed", passed-before, b.N)
	}
}
