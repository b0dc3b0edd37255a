package mfagate_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/storage/badger"
	"github.com/mfagate/caddy-mfagate/storage/sealed"
)

// counter is a factor whose codes are numbers that must grow: what the gate does
// for a code is what it does for TOTP, and codes can be made at any speed.
type counter struct{ mfagate.Factor }

func (counter) Name() string { return "counter" }

func (counter) BeginEnrol(context.Context, mfagate.Call, mfagate.User, []byte, url.Values) (mfagate.Step, error) {
	return mfagate.Step{State: []byte("0")}, nil
}

func (counter) View(context.Context, mfagate.Call, mfagate.User, []byte) (any, error) {
	return nil, nil
}

func (counter) FinishEnrol(context.Context, mfagate.Call, mfagate.User, []byte, url.Values) (mfagate.Credential, error) {
	return mfagate.Credential{Data: []byte("0")}, nil
}

func (counter) FinishVerify(_ context.Context, _ mfagate.Call, u mfagate.User, _ []byte, answer url.Values) (mfagate.Credential, error) {
	var last, now int
	fmt.Sscan(string(u.Credentials[0].Data), &last)
	fmt.Sscan(answer.Get("code"), &now)
	if now <= last {
		return mfagate.Credential{}, mfagate.ErrRejected
	}
	c := u.Credentials[0]
	c.Data = fmt.Append(nil, now)
	return c, nil
}

// BenchmarkProof measures proofs that are durable before they are answered, from
// 64 clients, on a sealed Badger store: the charge and the judgement are two
// synced commits. Goal: >= 2,000 a second on two cores.
func BenchmarkProof(b *testing.B) {
	dir := b.TempDir()
	engine, err := badger.Open(filepath.Join(dir, "db"))
	if err != nil {
		b.Fatal(err)
	}
	keyset, err := sealed.OpenKeyset(b.Context(), filepath.Join(dir, "keyset.json"), engine)
	if err != nil {
		b.Fatal(err)
	}
	records, err := mfagate.OpenRecords(b.Context(), sealed.New(engine, keyset))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { records.Close() })
	w := &world{t: b, records: records}
	w.gate, err = mfagate.New(mfagate.Config{Records: records, Pages: builtIn(), Factors: []mfagate.Factor{counter{}}})
	if err != nil {
		b.Fatal(err)
	}
	w.handler = w.block().Handler(http.HandlerFunc(w.app))
	people := make(chan *person, 64)
	for i := range cap(people) {
		p := w.person(fmt.Sprintf("user%d", i))
		id := p.api("POST", "enroll/counter", map[string]any{})["enrollment"]
		p.api("POST", "enroll/counter/confirm", map[string]any{"enrollment": id, "code": "0"})
		p.want(200)
		people <- p
	}
	var code atomic.Int64
	b.SetParallelism(32) // times GOMAXPROCS
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		p := <-people
		defer func() { people <- p }()
		for pb.Next() {
			p.api("POST", "challenge", map[string]any{"method": "counter", "code": fmt.Sprint(code.Add(1))})
			if p.last.Code != http.StatusOK {
				b.Errorf("status = %d: %s", p.last.Code, p.body)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "proofs/s")
}
