package mfagate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

func (w *world) imports(dry bool, users ...mfagate.ImportedUser) string {
	w.t.Helper()
	out, err := w.gate.Import(w.t.Context(), "root", "default", users, dry)
	if err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprint(out)
}

// S84: who has never come is in the list and the report, once a list was imported.
func TestImportedUsersAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed)
		w.person("alice").enrolByTicket()
		otto := w.person("otto").enrolByTicket()
		list := []mfagate.ImportedUser{{Name: "alice", Email: "alice@example.com"}, {Name: "zoe", Groups: []string{"sales"}}, {Name: "otto"}}
		if got := w.imports(true, list...); got != "[completed new known]" {
			t.Errorf("a dry import = %s; want completed, new, known", got)
		}
		if _, err := w.gate.User(t.Context(), mfagate.Subject{Realm: "default", Name: "zoe"}); !errors.Is(err, mfagate.ErrUnknownUser) {
			t.Errorf("after a dry import zoe = %v; want unknown", err)
		}
		if got := w.imports(false, list...); got != "[completed new known]" {
			t.Errorf("the import = %s; want completed, new, known", got)
		}
		if got := w.imports(false, list...); got != "[known known known]" {
			t.Errorf("the second import = %s; want nothing new", got)
		}
		otto.get("/.mfa/admin/report").want(200)
		if !strings.Contains(otto.body, "never been here") || !strings.Contains(otto.body, "<dt>Of these, never been here</dt><dd>1</dd>") {
			t.Errorf("the report does not tell who was never here: %s", otto.body)
		}
		if u := w.user("zoe"); !u.NeverSeen || u.Enrolled || u.TicketNeeded || fmt.Sprint(u.Groups) != "[sales]" {
			t.Errorf("zoe = %+v; want never seen", u)
		}
		if w.user("alice").NeverSeen {
			t.Error("alice was never seen; want that her proof counts")
		}
		w.person("zoe").enrolByTicket()
		if u := w.user("zoe"); u.NeverSeen || !u.Enrolled {
			t.Errorf("zoe = %+v; want seen and enrolled", u)
		}
		events, err := w.gate.Audit(t.Context(), "", 0)
		n := 0
		for _, e := range events {
			if e.Kind == mfagate.EventImported {
				n++
				if e.Actor != "root" || e.Detail != "2 users" {
					t.Errorf("event = %+v; want root's, of two users", e)
				}
			}
		}
		if err != nil || n != 1 {
			t.Errorf("%d events of imports, %v; want one: what changed nothing has none", n, err)
		}
	})
}

// To be on a list is no ticket, no group and no factor.
func TestImportOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, site := range map[string]func(*mfagate.BlockConfig){
			"required": func(*mfagate.BlockConfig) {},
			"ticket":   func(c *mfagate.BlockConfig) { c.Site.Enrolment.Ticket = true },
			"optional": func(c *mfagate.BlockConfig) { c.Site.Mode = mfagate.Optional },
		} {
			tell := func(p *person) (said string) {
				p.get("/")
				said = fmt.Sprint(p.last.Code, p.last.Header().Get("Location"))
				p.get("/.mfa/enroll")
				p.post("/.mfa/enroll/totp")
				return said + fmt.Sprint(" ", p.last.Code, " ", p.last.Header().Get("Location"))
			}
			w := newWorld(t, nil, site, staffed)
			never := tell(w.person("mallory").in("staff"))
			w.imports(false, mfagate.ImportedUser{Name: "eve", Groups: []string{"helpdesk", "audit"}})
			if got := tell(w.person("eve").in("staff")); got != never {
				t.Errorf("%s: an imported user gets %s; want %s, as one who is not", name, got, never)
			}
			w.person("eve").in("staff").get("/.mfa/admin/").want(404)
		}
	})
}

// An import over an account that has a factor takes nothing away, replaces no
// address, and does not lift the need of a ticket.
func TestImportKeepsAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		w.imports(false, mfagate.ImportedUser{Name: "alice", Email: "first@example.com"})
		if got := w.imports(false, mfagate.ImportedUser{Name: "alice", Email: "thief@example.com"}); got != "[known]" {
			t.Errorf("an import with another address = %s; want that nothing changes", got)
		}
		alice.get("/").want(200)
		if _, err := w.gate.Reset(t.Context(), "root", aliceSubject, "", 0); err != nil {
			t.Fatal(err)
		}
		w.imports(false, mfagate.ImportedUser{Name: "alice", Groups: []string{"x"}})
		if u := w.user("alice"); !u.TicketNeeded || u.NeverSeen {
			t.Errorf("alice = %+v; want that a ticket is still needed", u)
		}
	})
}

func TestImportRefusesWhatIsMalformed(t *testing.T) {
	w := newWorld(t, nil)
	for _, u := range []mfagate.ImportedUser{
		{Name: "x", Email: "a@b\r\nBcc: c@d"}, {Name: "x", Email: "nobody"}, {Name: "x", Email: `"a b"@example.com`},
		{Name: "x", Groups: []string{""}}, {Name: "x", Groups: []string{"a\nb"}}, {Name: "x", Groups: []string{strings.Repeat("g", 2000)}},
		{Name: "x", Groups: []string{"\xff"}}, {Name: "x", Groups: []string{"\u202eg"}},
	} {
		if _, err := w.gate.Import(t.Context(), "root", "default", []mfagate.ImportedUser{{Name: "ok"}, u}, false); err == nil {
			t.Errorf("import of %+q = nil; want an error", u)
		}
	}
	if users, err := w.gate.Users(t.Context(), "default", "", 0); len(users) != 0 || err != nil {
		t.Errorf("users = %v, %v; want none", users, err)
	}
}

// measured notes how much is changed at once.
type measured struct {
	storage.Store
	mu   sync.Mutex
	most int
}

func (m *measured) Apply(ctx context.Context, changes ...storage.Change) error {
	m.mu.Lock()
	m.most = max(m.most, len(changes))
	m.mu.Unlock()
	return m.Store.Apply(ctx, changes...)
}

func TestImportOf100000Users(t *testing.T) {
	store := &measured{Store: new(memory.Store)}
	w := newWorld(t, store)
	users := make([]mfagate.ImportedUser, 100_000)
	for i := range users {
		users[i].Name = fmt.Sprintf("user%06d", i)
	}
	w.imports(false, users...)
	list, err := w.gate.Users(t.Context(), "default", "user099998", 10)
	if err != nil || len(list) != 1 || !list[0].NeverSeen {
		t.Errorf("the last user = %+v, %v; want one who was never seen", list, err)
	}
	if store.most > 200 {
		t.Errorf("a commit made %d changes; want at most 200", store.most)
	}
}

// Two imports of one list at once, beside people who enrol.
func TestImportsAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	users := make([]mfagate.ImportedUser, 300)
	for i := range users {
		users[i].Name = fmt.Sprintf("user%03d", i)
	}
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for range 3 { // an import can be repeated
				if _, err := w.gate.Import(context.Background(), "root", "default", users, false); err == nil {
					return
				} else if !errors.Is(err, storage.ErrConflict) {
					t.Error(err)
				}
			}
		})
	}
	wait.Go(func() {
		for i := range 5 {
			w.person(fmt.Sprintf("user%03d", i*50)).enrol("/")
		}
	})
	wait.Wait()
	for i := range 5 {
		if u := w.user(fmt.Sprintf("user%03d", i*50)); !u.Enrolled {
			t.Errorf("%s lost a factor to an import", u.Name)
		}
	}
	if list, err := w.gate.Users(t.Context(), "default", "", 0); err != nil || len(list) != 300 {
		t.Errorf("%d users, %v; want 300", len(list), err)
	}
}
