package mfagate

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// slowStore lets nobody list users for as long as it is told to.
type slowStore struct {
	memory.Store
	slow atomic.Int64 // a duration
}

func (s *slowStore) List(ctx context.Context, prefix, after string, limit int) ([]storage.Record, error) {
	if strings.HasPrefix(prefix, kindUser) {
		time.Sleep(time.Duration(s.slow.Load()))
	}
	return s.Store.List(ctx, prefix, after, limit)
}

func countingGate(t *testing.T, store storage.Store) *Gate {
	t.Helper()
	records, err := OpenRecords(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { records.Close() })
	g, err := New(Config{Records: records, Factors: []Factor{anyFactor{}}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A count reads less of each user than a list of them does, and comes to the same.
func TestCountIsThatOfTheList(t *testing.T) {
	store := new(memory.Store)
	g := countingGate(t, store)
	now := time.Now()
	var changes []storage.Change
	for i := range 3 * 1024 { // several parts, and all ways in which a user can be
		bit := func(n int) bool { return i>>n&1 == 1 }
		a := &account{Subject: Subject{defaultRealm, fmt.Sprintf("user%04d", i)}, Email: `a"b\@example.com`, Language: "de"}
		for n, factor := range []string{"any", "any", "other", g.recoveryName()} {
			if bit(n) {
				a.Credentials = append(a.Credentials, Credential{ID: fmt.Sprint(n), Factor: factor, Label: `"factor":"any"`, Data: []byte(`{"factor":1}`), Created: now})
			}
		}
		for n, at := range []*time.Time{&a.LastProof, &a.Imported, &a.Seen} {
			if bit(4 + n) {
				*at = now
			}
		}
		changes = append(changes, storage.Change{Key: accountKey(a.Subject), Value: encode(a)})
		if bit(7) {
			att := &attempts{Factors: map[string]*tally{"any": {Strangers: count{Until: now.Add(time.Duration(i-1500) * time.Hour)}}}}
			changes = append(changes, storage.Change{Key: attemptsKey(a.Subject), Value: encode(att)})
		}
	}
	if err := store.Apply(t.Context(), changes...); err != nil {
		t.Fatal(err)
	}
	users, err := g.Users(t.Context(), defaultRealm, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	want := summary{factors: make(map[string]int)}
	for _, u := range users {
		want.users++
		if u.Enrolled {
			want.enrolled++
		}
		if u.NeverSeen {
			want.neverSeen++
		}
		if !u.LockedUntil.IsZero() {
			want.locked++
		}
		kinds := make(map[string]bool)
		for _, c := range u.Factors {
			kinds[c.Factor] = true
		}
		for kind := range kinds {
			want.factors[kind]++
		}
	}
	got, err := g.countUsers(t.Context(), defaultRealm)
	if err != nil {
		t.Fatal(err)
	}
	if got.users != want.users || got.enrolled != want.enrolled || got.neverSeen != want.neverSeen || got.locked != want.locked || !maps.Equal(got.factors, want.factors) {
		t.Errorf("counted %+v; want %+v", got, want)
	}
	if want.users != 3*1024 || want.enrolled == 0 || want.neverSeen == 0 || want.locked == 0 {
		t.Errorf("the list has %+v; want some of each", want)
	}
}

// Nobody waits for a count of many users for longer than a moment if there is an
// older one to show, and what is shown is never taken for a new one.
func TestCountOfManyUsersDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(slowStore)
		g := countingGate(t, store)
		ask := func(wait time.Duration, users int, counting bool) {
			t.Helper()
			begun := time.Now()
			s, still := g.summary(t.Context(), defaultRealm)
			if got := time.Since(begun); got != wait || s.users != users || still != counting {
				t.Errorf("after %v: %d users, counting %v; want %d, %v after %v", got, s.users, still, users, counting, wait)
			}
		}
		add := func(name string) {
			a := &account{Subject: Subject{defaultRealm, name}}
			if err := store.Apply(t.Context(), storage.Change{Key: accountKey(a.Subject), Value: encode(a)}); err != nil {
				t.Fatal(err)
			}
		}
		add("alice")
		store.slow.Store(int64(8 * time.Second))
		ask(2*time.Second, 0, true) // there is nothing to show
		ask(2*time.Second, 0, true)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		add("bob")
		ask(0, 1, false)
		time.Sleep(20*8*time.Second - time.Nanosecond)
		ask(0, 1, false) // it took long, so it is not done again soon
		time.Sleep(time.Nanosecond)
		ask(300*time.Millisecond, 1, true)
		time.Sleep(8 * time.Second)
		ask(0, 2, false)
	})
}
