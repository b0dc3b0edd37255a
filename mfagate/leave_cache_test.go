package mfagate_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// Whoever has just enrolled passes no more without a proof, though the gate has read a
// moment ago that they had none.
func TestLeaveEndsWithTheEnrolment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, optional)
		thief := w.person("alice").program()
		for range 3 {
			thief.get("/").want(200)
		}
		w.person("alice").enrolAt("/.mfa/enroll")
		thief.get("/").want(401)
		w.person("bob").program().get("/").want(200)
	})
}

// What another node has changed holds within a second.
func TestLeaveEndsOnTheOtherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memory.Store)
		here, there := newWorld(t, store, optional), newWorld(t, immortal{store}, optional)
		thief := here.person("alice").program()
		thief.get("/").want(200)
		there.person("alice").enrolAt("/.mfa/enroll")
		time.Sleep(time.Second)
		thief.get("/").want(401)
	})
}

// A pausingStore holds the reading of accounts up, after the reading.
type pausingStore struct {
	storage.Store
	on    atomic.Bool
	read  chan struct{}
	goOn  chan struct{}
	match string
}

func (s *pausingStore) Get(ctx context.Context, key string) (storage.Record, error) {
	r, err := s.Store.Get(ctx, key)
	if key == s.match && s.on.CompareAndSwap(true, false) {
		close(s.read)
		<-s.goOn
	}
	return r, err
}

// A reading that an enrolment overtakes is not kept.
func TestLeaveReadWhileEnrolling(t *testing.T) {
	store := &pausingStore{Store: new(memory.Store), read: make(chan struct{}), goOn: make(chan struct{}), match: "user/default/alice"}
	w := newWorld(t, store, optional)
	thief := w.person("alice").program()
	thief.get("/").want(200)
	time.Sleep(1100 * time.Millisecond) // until the account is read again
	store.on.Store(true)
	done := make(chan int)
	go func() { done <- w.person("alice").program().get("/").last.Code }()
	<-store.read
	w.person("alice").enrolAt("/.mfa/enroll")
	close(store.goOn)
	if got := <-done; got != http.StatusOK {
		t.Errorf("got %d for the request from before; want 200", got)
	}
	thief.get("/").want(401)
}

// enrolAt is enrol where nothing leads to it.
func (p *person) enrolAt(path string) *person {
	p.w.t.Helper()
	p.get(path).want(200)
	p.post("/.mfa/enroll/totp").want(303).follow().want(200)
	p.scan()
	p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303).follow().want(200).note()
	return p.post("/.mfa/recovery-codes", "saved", "yes", "set", p.set()).want(303)
}
