package loginattack

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mfagate/caddy-mfagate/storage"
)

// told is the test for what rapid has to be told of.
type told struct {
	testing.TB
	rt *rapid.T
}

func (t told) Context() context.Context     { return t.rt.Context() }
func (t told) Helper()                      {}
func (t told) Errorf(f string, args ...any) { t.rt.Errorf(f, args...) }
func (t told) Error(args ...any)            { t.rt.Error(args...) }
func (t told) Fatalf(f string, args ...any) { t.rt.Fatalf(f, args...) }
func (t told) Fatal(args ...any)            { t.rt.Fatal(args...) }

// faults is a store of which the next calls fail.
type faults struct {
	storage.Store
	calls   atomic.Int32
	unknown bool // the change is made, and nobody is told
}

var errDisk = errors.New("the disk is full")

func (f *faults) failing() bool {
	for n := f.calls.Load(); n > 0; n = f.calls.Load() {
		if f.calls.CompareAndSwap(n, n-1) {
			return true
		}
	}
	return false
}

func (f *faults) Get(ctx context.Context, key string) (storage.Record, error) {
	if f.failing() {
		return storage.Record{}, errDisk
	}
	return f.Store.Get(ctx, key)
}

func (f *faults) Apply(ctx context.Context, changes ...storage.Change) error {
	if !f.failing() {
		return f.Store.Apply(ctx, changes...)
	}
	if f.unknown {
		if err := f.Store.Apply(ctx, changes...); err != nil {
			return err
		}
		return storage.ErrUnknown
	}
	return errDisk
}

// A trouble is what the next answers of the app suffer from, behind a proxy that tells of it as
// proxies do.
type trouble struct {
	mu   sync.Mutex
	kind string
	skip int // answers before it
	left int
}

// troubles are known by what becomes of the answer. In all but the first two the app has
// acted by then.
var troubles = []string{"down", "hangs", "fails", "torn", "endless", "late"}

func (tr *trouble) set(kind string, skip, left int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.kind, tr.skip, tr.left = kind, skip, left
}

func (tr *trouble) pending() bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.left > 0
}

func (tr *trouble) next() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	switch {
	case tr.left == 0:
		return ""
	case tr.skip > 0:
		tr.skip--
		return ""
	}
	tr.left--
	return tr.kind
}

// around is an app that is slow where a browser says so, and has its troubles.
func (tr *trouble) around(app http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind := tr.next()
		if r.Header.Get(slow) == "there" {
			time.Sleep(2 * time.Second)
		}
		if kind == "hangs" {
			time.Sleep(3 * time.Minute)
		}
		if kind == "down" || r.Context().Err() != nil {
			http.Error(w, "the app cannot be reached", http.StatusBadGateway)
			return
		}
		if kind == "" {
			app.ServeHTTP(w, r)
		} else {
			suffer(kind, w, r, app)
		}
		if r.Header.Get(slow) == "back" {
			time.Sleep(2 * time.Second)
		}
	})
}

// suffer hands on an answer of the app as the trouble leaves it.
func suffer(kind string, w http.ResponseWriter, r *http.Request, app http.Handler) {
	answer := httptest.NewRecorder()
	app.ServeHTTP(answer, r)
	maps.Copy(w.Header(), answer.Header())
	body := answer.Body.Bytes()
	switch kind {
	case "late":
		time.Sleep(70 * time.Second)
	case "fails":
		answer.Code = http.StatusInternalServerError
	}
	w.WriteHeader(answer.Code)
	switch kind {
	case "torn":
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	case "endless":
		pour(w, body)
	default:
		_, _ = w.Write(body)
	}
}

// pour writes until nobody listens, or for longer than any gate may listen.
func pour(w http.ResponseWriter, body []byte) {
	blank := make([]byte, 64<<10)
	_, err := w.Write(body)
	for range 8 {
		if err != nil {
			return
		}
		_, err = w.Write(blank)
	}
}

// fail lets the next calls of the store fail.
func (m *model) fail(rt *rapid.T) {
	m.faults.calls.Store(0)
	m.faults.unknown = rapid.Bool().Draw(rt, "unknown")
	m.faults.calls.Store(rapid.Int32Range(0, 4).Draw(rt, "calls"))
	for _, b := range m.browsers {
		b.plain = b.plain && m.faults.calls.Load() == 0
	}
}

// appTrouble lets the next answers of the app be none.
func (m *model) appTrouble(rt *rapid.T) {
	m.trouble.set(rapid.SampledFrom(troubles).Draw(rt, "trouble"), rapid.IntRange(0, 2).Draw(rt, "after"), rapid.IntRange(0, 3).Draw(rt, "answers"))
}

// appForgets ends the app's sessions of a user, perhaps for a new password.
func (m *model) appForgets(rt *rapid.T) {
	user := people.Draw(rt, "user")
	if n := rapid.IntRange(0, 3).Draw(rt, "new password"); n > 0 {
		m.former[user] = m.w.app.Password(user)
		m.w.app.SetPassword(user, "password "+string(rune('0'+n))+" of "+user)
	}
	m.w.app.EndSessions(user)
	for _, b := range m.browsers {
		b.plain = b.plain && b.who != user
	}
}

func (m *model) restart(*rapid.T) {
	m.faults.calls.Store(0)
	m.trouble.set("", 0, 0)
	m.w.restart()
	for _, b := range m.browsers {
		if !b.due && time.Since(b.used) > 10*time.Minute {
			b.plain = false // when it was used last is written down now and then only
		}
	}
}

func (m *model) wait(rt *rapid.T) { time.Sleep(waits.Draw(rt, "time")) }
