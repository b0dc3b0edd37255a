package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/caddyserver/caddy/v2"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/storage"
)

// A StoreOpener is a module in the namespace mfa.stores.
type StoreOpener interface {
	// Resource identifies what Open opens, such as a folder, and not its
	// settings: two openers with the same resource share one store, also
	// across reloads. Changed settings then hold from the next start.
	Resource() string

	// Keyset returns where the file of the keys is if the configuration does
	// not say, or an empty string if it must. An error says why path, which is
	// empty if the configuration does not say, will not do.
	Keyset(path string) (string, error)

	// Open opens the store.
	Open(ctx context.Context) (storage.Store, error)
}

// resources are the stores that configurations of this process use. At a reload
// the new configuration is provisioned before the old one is cleaned up, and
// both must see one store and one cache of sessions.
var resources = caddy.NewUsagePool()

// A resource is a store that is opened at its first use, with what is built upon
// it: the sealing, and the records with their cache of sessions.
type resource struct {
	key    string
	keyset string
	opener StoreOpener

	mu      sync.Mutex
	records *mfagate.Records // nil until opened
	vault   *vault           // too

	learnt learners
}

// acquire takes a share in the store of o, which release gives back. It opens
// nothing.
func acquire(o StoreOpener, keyset string) (*resource, error) {
	key := o.Resource()
	v, _, err := resources.LoadOrNew(key, func() (caddy.Destructor, error) {
		return &resource{key: key, keyset: keyset, opener: o}, nil
	})
	if err != nil {
		return nil, err
	}
	r := v.(*resource)
	if r.keyset == keyset {
		return r, nil
	}
	err = fmt.Errorf("keyset %s: the running server uses %s for the same store; restart it to change that", keyset, r.keyset)
	return nil, errors.Join(err, r.release())
}

func (r *resource) release() error {
	_, err := resources.Delete(r.key)
	return err
}

// open returns the records. They are opened once; what failed is tried again
// when another configuration asks, for the operator may have mended it.
func (r *resource) open(ctx context.Context) (*mfagate.Records, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.records != nil {
		return r.records, nil
	}
	store, err := r.opener.Open(ctx)
	if err != nil {
		return nil, err
	}
	vault, err := openVault(ctx, store, r.keyset)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	records, err := mfagate.OpenRecords(ctx, vault.door)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	r.records, r.vault = records, vault
	return records, nil
}

// Destruct implements caddy.Destructor: the last configuration is gone.
func (r *resource) Destruct() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.records == nil {
		return nil
	}
	r.vault.stop()
	return r.records.Close()
}

// keysetPath returns the file of the keys of a store.
func keysetPath(path string, o StoreOpener) (string, error) {
	if path != "" {
		var err error
		if path, err = realPath(path); err != nil {
			return "", fmt.Errorf("keyset: %w", err)
		}
	}
	file, err := o.Keyset(path)
	if err != nil {
		return "", fmt.Errorf("keyset: %w", err)
	}
	if file == "" {
		return "", errors.New("keyset: this kind of store needs the path of a file")
	}
	return file, nil
}
