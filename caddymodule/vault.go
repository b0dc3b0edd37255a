package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/sealed"
)

// A vault is an open store with what seals it: what backup, restore and the rotation
// of keys work on, beneath the gate.
type vault struct {
	path  string        // of the keyset
	inner storage.Store // the engine: values are sealed
	clear *sealed.Store // over inner
	door  *door         // over clear: what the gate has

	life context.Context // done when the vault is to be closed
	end  context.CancelFunc
	work sync.WaitGroup

	mu     sync.Mutex // held while keys change and while the store is filled
	keyset *sealed.Keyset

	resealing sync.Mutex // guards what follows
	runs      int        // of sealing anew; the last one is what progress is about
	progress  keyProgress
}

// A keyProgress tells how far sealing anew has come.
type keyProgress struct {
	Keyset  string    `json:"keyset"` // the file
	Keys    int       `json:"keys"`
	Running bool      `json:"running"` // records are being sealed anew
	Done    int       `json:"done"`    // records that were looked at
	Ended   time.Time `json:"ended,omitzero"`
	Error   string    `json:"error,omitempty"`
}

func openVault(ctx context.Context, store storage.Store, path string) (*vault, error) {
	keyset, err := sealed.OpenKeyset(ctx, path, store)
	if err != nil {
		return nil, err
	}
	v := &vault{path: path, inner: store, clear: sealed.New(store, keyset), keyset: keyset}
	v.door = &door{Store: v.clear}
	v.life, v.end = context.WithCancel(context.Background())
	return v, nil
}

// stop ends what the vault does in the background, before its store is closed.
func (v *vault) stop() {
	v.end()
	v.mu.Lock() // nothing begins any more
	defer v.mu.Unlock()
	v.work.Wait()
}

var (
	errRestoring = errors.New("the store is being filled from a backup")
	errSharedKey = errors.New("other servers share the store, and must have the new key before it is used: " +
		"add it to the file by Tink's tinkey, copy the file to every server, restart them, and then make it the primary one")
)

// rotate makes a new primary key, saves the keyset, and begins to seal all records anew.
func (v *vault) rotate(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.life.Err() != nil {
		return v.life.Err()
	}
	if v.clear.Shared() {
		return errSharedKey
	}
	current, err := sealed.OpenKeyset(ctx, v.path, v.inner) // the operator may have put another in its place
	if err != nil {
		return err
	}
	next, err := current.Rotate()
	if err != nil {
		return err
	}
	if err := next.Save(v.path); err != nil {
		return err
	}
	if next, err = sealed.OpenKeyset(ctx, v.path, v.inner); err != nil { // adds its fingerprint
		return err
	}
	v.keyset = next
	v.clear.Use(next)
	v.reseal()
	return nil
}

// resume seals anew what an earlier rotation has left.
func (v *vault) resume() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.life.Err() == nil {
		v.reseal()
	}
	return v.life.Err()
}

// reseal begins to seal all records anew. Another run does no harm.
func (v *vault) reseal() {
	v.resealing.Lock()
	defer v.resealing.Unlock()
	v.runs++
	run := v.runs
	v.progress = keyProgress{Running: true}
	v.work.Go(func() {
		err := v.clear.Reseal(v.life, func(done int) { v.report(run, keyProgress{Running: true, Done: done}) })
		end := keyProgress{Ended: time.Now().UTC()}
		if err != nil {
			end.Error = err.Error()
		}
		v.report(run, end)
	})
}

func (v *vault) report(run int, p keyProgress) {
	v.resealing.Lock()
	defer v.resealing.Unlock()
	if run != v.runs {
		return
	}
	p.Done = max(p.Done, v.progress.Done)
	v.progress = p
}

// keys tells how many keys there are, and how far sealing anew has come.
func (v *vault) keys() keyProgress {
	v.mu.Lock()
	keys := v.keyset.Keys()
	v.mu.Unlock()
	v.resealing.Lock()
	defer v.resealing.Unlock()
	p := v.progress
	p.Keyset, p.Keys = v.path, keys
	return p
}

// A door is a store that can be shut.
type door struct {
	storage.Store
	mu   sync.RWMutex // held for reading while somebody is in
	shut bool
}

// close waits until nobody is in, and lets nobody in until open is called. It tells
// whether the door was open before.
func (d *door) close() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := !d.shut
	d.shut = true
	return was
}

func (d *door) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = false
}

func (d *door) enter() error {
	d.mu.RLock()
	if d.shut {
		d.mu.RUnlock()
		return errRestoring
	}
	return nil
}

// Get implements [storage.Store].
func (d *door) Get(ctx context.Context, key string) (storage.Record, error) {
	if err := d.enter(); err != nil {
		return storage.Record{}, err
	}
	defer d.mu.RUnlock()
	return d.Store.Get(ctx, key)
}

// List implements [storage.Store].
func (d *door) List(ctx context.Context, prefix, after string, limit int) ([]storage.Record, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.mu.RUnlock()
	return d.Store.List(ctx, prefix, after, limit)
}

// Apply implements [storage.Store].
func (d *door) Apply(ctx context.Context, changes ...storage.Change) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.mu.RUnlock()
	return d.Store.Apply(ctx, changes...)
}

// Shared implements [storage.Shared].
func (d *door) Shared() bool {
	s, ok := d.Store.(storage.Shared)
	return ok && s.Shared()
}

// A backupError is why a backup cannot be restored here; nothing was changed.
type backupError struct{ error }

func (w backupError) Unwrap() error { return w.error }

func wrongf(format string, args ...any) error { return backupError{fmt.Errorf(format, args...)} }
