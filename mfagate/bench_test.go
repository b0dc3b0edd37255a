package mfagate_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// nowhere is a ResponseWriter that costs nothing.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header       { return n.header }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}

func passing(b *testing.B) (*mfagate.Block, *http.Request, string) {
	b.Helper()
	w := newWorld(b, nil)
	p := w.person("alice").enrol("/")
	r := httptest.NewRequest("GET", "http://localhost/page", nil)
	r.RemoteAddr = "127.0.0.1:4711"
	r.Header.Set("First-Factor", "alice")
	return w.block(), r, "theme=dark; mfagate=" + p.cookies["mfagate"] + "; lang=de"
}

// BenchmarkGateLive is the gate's own work on a request with a live session, the
// store warm: goal <= 3 us and <= 8 allocations.
func BenchmarkGateLive(b *testing.B) {
	block, r, cookie := passing(b)
	rw := nowhere{http.Header{}}
	next := func(http.ResponseWriter, *http.Request, mfagate.Decision) error { return nil }
	line := make([]string, 1)
	b.ReportAllocs()
	for b.Loop() {
		line[0] = cookie
		r.Header["Cookie"] = line
		if err := block.Serve(rw, r, next); err != nil {
			b.Fatal(err)
		}
	}
	if len(rw.header) > 0 {
		b.Fatalf("the request was stopped: %v", rw.header)
	}
}

// BenchmarkGateLiveParallel is the same on all cores.
func BenchmarkGateLiveParallel(b *testing.B) {
	block, first, cookie := passing(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := first.Clone(first.Context())
		rw := nowhere{http.Header{}}
		line := make([]string, 1)
		for pb.Next() {
			line[0] = cookie
			r.Header["Cookie"] = line
			if err := block.Serve(rw, r, func(http.ResponseWriter, *http.Request, mfagate.Decision) error { return nil }); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkCanonicalName is paid by every request.
func BenchmarkCanonicalName(b *testing.B) {
	for _, name := range []string{"alice", "Alice", "Jürgen Müller"} {
		b.Run(fmt.Sprint(name), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (mfagate.Names{}).Canonical(name); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
