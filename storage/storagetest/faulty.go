package storagetest

import (
	"context"
	"sync"

	"github.com/mfagate/caddy-mfagate/storage"
)

// A Method is one of those of [storage.Store] that a Faulty store can fail.
type Method string

// The methods. The zero value stands for all three.
const (
	Any   Method = ""
	Get   Method = "Get"
	List  Method = "List"
	Apply Method = "Apply"
)

// A Faulty store fails one call and otherwise does what the store inside does.
// It is safe for concurrent use; its fields must not change once it is used.
//
// With Call zero it only counts. So a test can let every call fail in turn:
//
//	count := &storagetest.Faulty{Store: new(memory.Store)}
//	enrol(count)
//	for n := 1; n <= count.Calls(); n++ {
//		enrol(&storagetest.Faulty{Store: new(memory.Store), Call: n, Err: errDisk})
//	}
//
// Applied with Err set to [storage.ErrUnknown] is a connection that is lost
// after the changes were made.
type Faulty struct {
	storage.Store

	Method  Method // whose calls are counted
	Call    int    // which of them fails, the first being 1; zero means none
	Forever bool   // the later ones fail too
	Err     error  // what a failing call returns
	Applied bool   // a failing Apply makes its changes first

	mu    sync.Mutex
	calls int
}

var (
	_ storage.Store  = (*Faulty)(nil)
	_ storage.Shared = (*Faulty)(nil)
)

// Calls returns how many calls of the method there were.
func (f *Faulty) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// Get implements [storage.Store].
func (f *Faulty) Get(ctx context.Context, key string) (storage.Record, error) {
	if f.fails(Get) {
		return storage.Record{}, f.Err
	}
	return f.Store.Get(ctx, key)
}

// List implements [storage.Store].
func (f *Faulty) List(ctx context.Context, prefix, after string, limit int) ([]storage.Record, error) {
	if f.fails(List) {
		return nil, f.Err
	}
	return f.Store.List(ctx, prefix, after, limit)
}

// Apply implements [storage.Store].
func (f *Faulty) Apply(ctx context.Context, changes ...storage.Change) error {
	if !f.fails(Apply) {
		return f.Store.Apply(ctx, changes...)
	}
	if f.Applied {
		if err := f.Store.Apply(ctx, changes...); err != nil {
			return err
		}
	}
	return f.Err
}

// Shared implements [storage.Shared]: it reports what the store inside does.
func (f *Faulty) Shared() bool {
	s, ok := f.Store.(storage.Shared)
	return ok && s.Shared()
}

func (f *Faulty) fails(m Method) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Method != Any && f.Method != m {
		return false
	}
	f.calls++
	return f.Call > 0 && (f.calls == f.Call || f.Forever && f.calls > f.Call)
}
