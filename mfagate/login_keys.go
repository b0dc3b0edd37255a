package mfagate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/storage"
)

// Life of the keys with which the app's cookies are sealed. An old key opens for
// longer than any session lasts.
const (
	cookieKeyNew   = 30 * 24 * time.Hour
	cookieKeyOld   = cookieKeyNew + 2*maxLifetime
	cookieKeyFresh = time.Hour // after which the record is looked at again
)

// cookieKeysKey is the key of their record. No backup holds it: with the keys the
// visitors of login pages would come back to life, and without the records of who has
// tried to sign in since they would be taken for anonymous.
var cookieKeysKey = key(kindMeta, "cookie_keys")

// cookieKeys are the master keys of all apps, newest first. They are a record
// like any other, sealed at rest, so all nodes have the same.
type cookieKeys struct {
	versioned
	Keys []cookieKey `json:"keys"`
}

type cookieKey struct {
	ID     byte      `json:"id"`
	Secret []byte    `json:"secret"`
	Made   time.Time `json:"made"`
}

// sealers hold the sealer made of the record.
type sealers struct {
	mu   sync.Mutex // of who reads the record
	last atomic.Pointer[readSealer]
}

type readSealer struct {
	*loginform.Sealer
	read time.Time
}

// fresh returns the sealer if the record need not be looked at; nil otherwise.
func (s *sealers) fresh(now time.Time) *loginform.Sealer {
	if l := s.last.Load(); l != nil && now.Sub(l.read) < cookieKeyFresh {
		return l.Sealer
	}
	return nil
}

// sealer returns what seals cookies, making its key if there is none.
func (r *Records) sealer(ctx context.Context, now time.Time) (*loginform.Sealer, error) {
	s := &r.sealers
	if f := s.fresh(now); f != nil {
		return f, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.fresh(now); f != nil {
		return f, nil
	}
	keys, err := r.cookieKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the keys of cookies: %w", err)
	}
	all := make([]loginform.Key, len(keys.Keys))
	for i, k := range keys.Keys {
		all[i] = loginform.Key{ID: k.ID, Secret: k.Secret}
	}
	sealer, err := loginform.NewSealer(all...)
	if err == nil {
		s.last.Store(&readSealer{sealer, now})
	}
	return sealer, err
}

// cookieKeys reads the record, with a new key in front if the newest is too old.
func (r *Records) cookieKeys(ctx context.Context) (*cookieKeys, error) {
	keys := new(cookieKeys)
	_, err := r.commit(ctx, func(t *txn) error {
		*keys = cookieKeys{}
		if err := t.getRecord(cookieKeysKey, keys); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		if keys.renew(t.now) {
			t.put(cookieKeysKey, encode(keys), time.Time{})
		}
		return nil
	})
	return keys, err
}

// renew adds a key if there is none that is young enough, and drops what nobody
// needs any more. It tells whether it did anything.
func (k *cookieKeys) renew(now time.Time) bool {
	if len(k.Keys) > 0 && now.Sub(k.Keys[0].Made) < cookieKeyNew {
		return false
	}
	fresh := cookieKey{Secret: make([]byte, loginform.KeySize), Made: now.UTC()}
	_, _ = rand.Read(fresh.Secret) // never fails
	kept := []cookieKey{fresh}
	for _, old := range k.Keys {
		if now.Sub(old.Made) < cookieKeyOld {
			kept = append(kept, old)
		}
	}
	if len(k.Keys) > 0 {
		kept[0].ID = k.Keys[0].ID + 1
	}
	k.Keys = kept
	return true
}

// box returns that of a binding or lineage of the visit's app.
func (v *visit) box(p loginform.Purpose, id string) (*loginform.Box, error) {
	s, err := v.gate.records.sealer(v.r.Context(), v.now)
	if err != nil {
		return nil, err
	}
	return s.Box(p, v.site.Name, id), nil
}
