package mfagate_test

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

func kindsOf(events []mfagate.Event) (kinds []string) {
	for _, e := range events {
		kinds = append(kinds, e.Name+" "+e.Kind)
	}
	return kinds
}

func TestAudit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		handler := w.handler
		w.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Millisecond) // so that no two commits are of the same instant
			handler.ServeHTTP(rw, r)
		})
		w.person("alice").enrol("/")
		time.Sleep(time.Hour)
		later := mfagate.CursorAt(time.Now())
		w.person("bob").enrol("/")
		bobs := []string{"bob enrolled", "bob codes_made", "bob codes_saved"}
		want := append([]string{"alice enrolled", "alice codes_made", "alice codes_saved"}, bobs...)

		for _, limit := range []int{0, 1, 4, 6, 100} {
			var all []mfagate.Event
			for after := ""; ; {
				part, err := w.gate.Audit(t.Context(), after, limit)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, part...)
				if limit == 0 || len(part) < limit {
					break
				}
				after = part[len(part)-1].ID
			}
			if got := kindsOf(all); !slices.Equal(got, want) {
				t.Errorf("by %d: events = %q; want %q", limit, got, want)
			}
		}
		got, err := w.gate.Audit(t.Context(), later, 100)
		if err != nil || !slices.Equal(kindsOf(got), bobs) {
			t.Errorf("after an hour: events = %q, %v; want %q", kindsOf(got), err, bobs)
		}
		bob := mfagate.Subject{Realm: "default", Name: "bob"}
		got, err = w.gate.AuditUser(t.Context(), bob, "", 2)
		if err != nil || !slices.Equal(kindsOf(got), bobs[:2]) {
			t.Fatalf("bob's first events = %q, %v; want %q", kindsOf(got), err, bobs[:2])
		}
		got, err = w.gate.AuditUser(t.Context(), bob, got[1].ID, 2)
		if err != nil || !slices.Equal(kindsOf(got), bobs[2:]) {
			t.Errorf("bob's further events = %q, %v; want %q", kindsOf(got), err, bobs[2:])
		}
		got, err = w.gate.AuditUser(t.Context(), mfagate.Subject{Realm: "default", Name: "bo"}, "", 2)
		if err != nil || len(got) != 0 {
			t.Errorf("events of a user with the beginning of another's name = %q, %v; want none", kindsOf(got), err)
		}
	})
}

// Events are kept for as long as the configuration says, whoever made them.
func TestRetention(t *testing.T) {
	for _, test := range []struct{ set, want time.Duration }{{0, 365 * 24 * time.Hour}, {48 * time.Hour, 48 * time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil)
			gate, err := mfagate.New(mfagate.Config{
				Records: w.records, Pages: builtIn(), Factors: []mfagate.Factor{&totp.Factor{}}, Retention: test.set,
			})
			if err != nil {
				t.Fatal(err)
			}
			w.gate = gate
			w.handler = w.block().Handler(nil)
			alice := w.person("alice")
			alice.get("/").want(303, "/.mfa/enroll").follow().want(200)
			alice.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
			alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303)
			if err := gate.Unlock(t.Context(), "root", aliceSubject); err != nil {
				t.Fatal(err)
			}
			if _, err := gate.SignOut(t.Context(), "root", aliceSubject); err != nil {
				t.Fatal(err)
			}
			for prefix, n := range map[string]int{"event/": 3, "userevent/": 3} {
				records, err := w.store.List(t.Context(), prefix, "", 0)
				if err != nil || len(records) != n {
					t.Fatalf("%s has %d records, %v; want %d", prefix, len(records), err, n)
				}
				for _, rec := range records {
					if got := time.Until(rec.Expires); got != test.want {
						t.Errorf("retention %s: %s is kept for %s; want %s", test.set, rec.Key, got, test.want)
					}
				}
			}
			if test.set == 0 {
				return // a year of the gate's background work takes long even here
			}
			time.Sleep(test.want - time.Second)
			wantEvents(t, gate, 3, "a second before the end")
			time.Sleep(time.Second)
			wantEvents(t, gate, 0, "at the end")
		})
	}
}

func wantEvents(t *testing.T, gate *mfagate.Gate, want int, when string) {
	t.Helper()
	all, err := gate.Audit(t.Context(), "", 2)
	if err != nil {
		t.Fatal(err)
	}
	users, err := gate.AuditUser(t.Context(), aliceSubject, "", 2)
	if err != nil {
		t.Fatal(err)
	}
	if want := min(want, 2); len(all) != want || len(users) != want {
		t.Errorf("%s there are %d events, of the user %d; want %d", when, len(all), len(users), want)
	}
}

func TestRetentionHasALeast(t *testing.T) {
	w := newWorld(t, nil)
	for _, d := range []time.Duration{-1, time.Second, 24*time.Hour - 1} {
		_, err := mfagate.New(mfagate.Config{Records: w.records, Pages: builtIn(), Factors: []mfagate.Factor{&totp.Factor{}}, Retention: d})
		if err == nil {
			t.Errorf("retention %s was taken; want at least a day", d)
		}
	}
}

func TestSessionsInUse(t *testing.T) {
	w := newWorld(t, nil)
	if got := w.records.Sessions(); got != 0 {
		t.Errorf("sessions = %d; want 0", got)
	}
	w.person("alice").enrol("/").get("/").want(200)
	bob := w.person("bob").enrol("/").get("/").want(200)
	if got := w.records.Sessions(); got != 2 {
		t.Errorf("sessions = %d; want 2", got)
	}
	if _, err := w.gate.SignOut(t.Context(), "root", mfagate.Subject{Realm: "default", Name: "bob"}); err != nil {
		t.Fatal(err)
	}
	bob.get("/").want(303)
	if got := w.records.Sessions(); got > 2 {
		t.Errorf("after a sign-out sessions = %d; want at most alice's and bob's new one", got)
	}
}
