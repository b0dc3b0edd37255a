package badger_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mfagate/caddy-mfagate/storage"
)

var background = context.Background()

func BenchmarkGet(b *testing.B) {
	s := open(b, b.TempDir())
	const records = 1000
	for i := range records {
		if err := s.Apply(background, storage.Change{Key: "session/" + strconv.Itoa(i), Value: make([]byte, 600)}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := s.Get(background, "session/"+strconv.Itoa(i%records)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkApply writes one new record of 600 bytes per commit, synced to the disk.
func BenchmarkApply(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(strconv.Itoa(writers), func(b *testing.B) {
			s := open(b, b.TempDir())
			var next atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						key := "session/" + strconv.FormatInt(n, 10)
						if err := s.Apply(background, storage.Change{Key: key, Value: make([]byte, 600)}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}
