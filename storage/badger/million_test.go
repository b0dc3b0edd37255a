package badger_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/badger"
)

const (
	users      = 1_000_000
	millionDir = "MFAGATE_MILLION_DIR"
)

func userKey(i int) string { return fmt.Sprintf("user/default/user%07d", i) }

// BenchmarkMillionUsers makes a database of a million records of 600 bytes, and
// has a process of its own open it and read 100,000 of them at random. Goals: it
// opens in less than a second, and has less than 400 MiB resident then. The values
// are random, as sealed ones are: they do not compress, and what of the resident
// size is not anonymous are pages of the mapped tables, which the kernel takes back
// when it needs them.
func BenchmarkMillionUsers(b *testing.B) {
	if dir := os.Getenv(millionDir); dir != "" {
		readMillion(b, dir)
		return
	}
	dir := filepath.Join(b.TempDir(), "db")
	for range b.N {
		makeMillion(b, dir)
		child := exec.Command(os.Args[0], "-test.run", "^$", "-test.bench", "^BenchmarkMillionUsers$", "-test.benchtime", "1x")
		child.Env = append(os.Environ(), millionDir+"="+dir)
		out, err := child.CombinedOutput()
		if err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			var value float64
			var unit string
			if n, _ := fmt.Sscanf(line, "million %f %s", &value, &unit); n == 2 {
				b.ReportMetric(value, unit)
			}
		}
	}
}

func makeMillion(b *testing.B, dir string) {
	b.Helper()
	s, err := badger.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 600)
	random := rand.NewChaCha8([32]byte{})
	for i := 0; i < users; {
		changes := make([]storage.Change, 0, 1000)
		for range 1000 {
			random.Read(value)
			changes = append(changes, storage.Change{Key: userKey(i), Value: append([]byte(nil), value...)})
			i++
		}
		if err := s.Apply(b.Context(), changes...); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

func readMillion(b *testing.B, dir string) {
	b.Helper()
	begin := time.Now()
	s, err := badger.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	fmt.Printf("\nmillion %f open-ms\n", float64(time.Since(begin).Microseconds())/1000)
	begin = time.Now()
	const reads = 100_000
	for range reads {
		if _, err := s.Get(b.Context(), userKey(rand.IntN(users))); err != nil {
			b.Fatal(err)
		}
	}
	fmt.Printf("million %f us/get\n", float64(time.Since(begin).Microseconds())/reads)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("the resident size is read from Linux's /proc")
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		for field, unit := range map[string]string{"VmRSS": "RSS-MiB", "RssAnon": "anon-MiB"} {
			if n, _ := fmt.Sscanf(line, field+": %f kB", &kib); n == 1 {
				fmt.Printf("million %f %s\n", kib/1024, unit)
			}
		}
	}
}
