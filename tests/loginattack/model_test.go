package loginattack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// TestModel lets people and attackers do what they like in four browsers, in front of an
// app of random habits, while the store and the app fail at times. After each
// request the ledger holds the gate to its invariants; and a person who did
// nothing odd must find what a small model of the sign-in says. rapid prints how a failure
// can be repeated, with the fewest steps that it has found.
func TestModel(t *testing.T) {
	var first *world
	synctest.Test(t, func(t *testing.T) {
		first = newWorld(t, oracle.Options{})
		first.enrol("alice", "vic", "eve")
	})
	rapid.Check(t, func(rt *rapid.T) {
		bubble(t, func(t *testing.T) {
			time.Sleep(time.Hour) // the enrolments were made in another bubble
			m := newModel(t, rt, first)
			defer func() { m.w.records.Close() }()
			rt.Repeat(map[string]func(*rapid.T){
				"open": m.open, "open again": m.open, "sign in": m.signIn, "sign in too": m.signIn, "prove": m.prove, "prove too": m.prove, "log out": m.logOut,
				"copy": m.copyAll, "mix": m.mix, "go back": m.goBack, "wait": m.wait, "restart": m.restart,
				"rivals": m.rivals, "more rivals": m.rivals, "fail": m.fail, "app forgets": m.appForgets, "overtake": m.overtake,
			})
		})
	})
}

// bubble runs f in a bubble, and lets rapid know how it ended: rapid ends a sequence by
// a panic, which must not leave the bubble as one.
func bubble(t *testing.T, f func(*testing.T)) {
	var ended any
	synctest.Test(t, func(t *testing.T) {
		defer func() { ended = recover() }()
		f(t)
	})
	if ended != nil {
		if text := fmt.Sprint(ended); !strings.HasPrefix(text, "overrun") {
			t.Logf("a sequence ends with: %s", text) // rapid loses it if the sequence cannot be repeated
		}
		panic(ended)
	}
}

var (
	people = rapid.SampledFrom([]string{"alice", "vic", "eve"})
	paths  = rapid.SampledFrom([]string{"/", "/login", "/notes", "/whoami", "/static/app.css", "/nowhere", "/.mfa/", "/.mfa/challenge", "/.mfa/enroll"})
	waits  = rapid.SampledFrom([]time.Duration{time.Second, 11 * time.Second, 61 * time.Second, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, 13 * time.Hour})
	which  = rapid.IntRange(0, 3)
)

// A model is a world with what ought to be known of its browsers.
type model struct {
	w        *world
	o        oracle.Options
	faults   *faults
	browsers [4]*browser
	guessed  map[string]bool // somebody gave a wrong code for this user
}

// A browser is a client with what it ought to be, as long as that is plain.
type browser struct {
	*client
	plain  bool   // nothing odd was done with its cookies since the last sign-in
	who    string // whose password was accepted last; empty after a sign-out
	since  time.Time
	proved time.Time // first proof since then; zero while it is due
	due    bool      // a proof is due
	used   time.Time
	old    map[string]string // cookies of an earlier time
}

func newModel(t testing.TB, rt *rapid.T, first *world) *model {
	o := oracle.Options{
		Rotation: rapid.SampledFrom([]oracle.Rotation{oracle.RotateAtLogin, oracle.RotateNever, oracle.RotateAlways}).Draw(rt, "rotation"),
		Answers:  rapid.SampledFrom([]oracle.Answers{oracle.Redirect, oracle.RedirectBoth, oracle.RedirectSame, oracle.Page, oracle.Status, oracle.JSONOK}).Draw(rt, "answers"),
	}
	for _, habit := range []*bool{&o.FormToken, &o.LiveLooksRight, &o.Remember, &o.LogoutKeeps, &o.AnySession, &o.FailureCookie} {
		*habit = rapid.Bool().Draw(rt, "habit")
	}
	store := new(memory.Store)
	records, err := first.store.List(t.Context(), "", "", 0)
	if err != nil {
		rt.Fatal(err)
	}
	for _, r := range records {
		if err := store.Apply(t.Context(), storage.Change{Key: r.Key, Value: r.Value, Expires: r.Expires}); err != nil {
			rt.Fatal(err)
		}
	}
	f := &faults{Store: store}
	w := &world{t: told{t, rt}, app: oracle.New(o), store: f, config: formOf(o), phones: map[string]*phone{}, proofs: map[string]*proof{}}
	for user, p := range first.phones {
		own := *p
		w.phones[user] = &own
	}
	w.ledger = oracle.NewLedger(w.app)
	w.behind = slowly(w.app, 2*time.Second)
	w.start(w.behind)
	m := &model{w: w, o: o, faults: f, guessed: map[string]bool{}}
	for i := range m.browsers {
		m.browsers[i] = &browser{client: w.client(), plain: true}
	}
	return m
}

// told is the test for what rapid has to be told of.
type told struct {
	testing.TB
	rt *rapid.T
}

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

// pick draws a browser, and a failure of the store while it is used now and then.
func (m *model) pick(rt *rapid.T) *browser { return m.browsers[which.Draw(rt, "browser")] }

// settled tells whether the model knows what a request of the browser leads to, and notes that
// there is one.
func (m *model) settled(b *browser) bool {
	if m.faults.calls.Load() > 0 {
		b.plain = false
	}
	now := time.Now()
	switch idle := now.Sub(b.used); {
	case b.who == "":
	case b.due && b.proved.IsZero() && now.Sub(b.since) > 14*time.Minute,
		!b.proved.IsZero() && now.Sub(b.proved) > 11*time.Hour:
		b.plain = false // about to end
	case !b.due && idle > 25*time.Minute && idle < 35*time.Minute:
		b.plain = false // about to be locked
	case !b.due && idle >= 35*time.Minute:
		b.due = true
	}
	m.expire(b)
	b.used = now
	return b.plain
}

// expire tells the ledger which proofs have ended by time.
func (m *model) expire(b *browser) {
	token := b.cookies[gateCookie]
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	p := m.w.proofs[token]
	if p == nil {
		return
	}
	if now := time.Now(); !p.used.IsZero() && now.Sub(p.used) > 31*time.Minute || !p.first.IsZero() && now.Sub(p.first) > 12*time.Hour+time.Minute {
		p.ended()
		delete(m.w.proofs, token)
		time.Sleep(time.Millisecond)
		return
	}
	if p.used = time.Now(); p.first.IsZero() {
		p.first = p.used
	}
}

func (m *model) open(rt *rapid.T) {
	b, path := m.pick(rt), paths.Draw(rt, "page")
	plain := m.settled(b)
	b.get(path)
	if plain && path == "/notes" {
		m.expect(rt, b)
	}
}

// expect fails the test unless the answer for /notes is what the model says.
func (m *model) expect(rt *rapid.T, b *browser) {
	to := b.last.Header().Get("Location")
	switch {
	case b.who == "" && (b.last.Code != 303 || to != "/login"):
		rt.Fatalf("a visitor gets %d to %q; want the login page", b.last.Code, to)
	case b.who != "" && b.due && (b.last.Code != 303 || !strings.HasPrefix(to, "/.mfa/challenge")):
		rt.Fatalf("%s, after the password, gets %d to %q; want the challenge", b.who, b.last.Code, to)
	case b.who != "" && !b.due && (b.last.Code != 200 || !strings.Contains(b.body, `<p id="user">`+b.who+`</p>`)):
		rt.Fatalf("%s, after both factors, gets %d to %q, %.200q; want her page", b.who, b.last.Code, to, b.body)
	}
}

func (m *model) signIn(rt *rapid.T) {
	b, user := m.pick(rt), people.Draw(rt, "user")
	password := rapid.SampledFrom([]string{"password of " + user, "password of " + user, "wrong"}).Draw(rt, "password")
	sound := m.faults.calls.Load() == 0 // else the session may be there, and only the answer be lost
	plain := m.settled(b) && sound
	if rapid.Bool().Draw(rt, "open the page first") {
		b.get("/login")
	}
	b.submit(user, password)
	accepted := b.last.Code == 303 && strings.HasPrefix(b.last.Header().Get("Location"), "/.mfa/") ||
		b.last.Code == 401 && strings.HasPrefix(b.last.Header().Get("Mfa-Location"), "/.mfa/")
	right := password != "wrong"
	switch {
	case accepted && !right:
		rt.Fatalf("a wrong password of %s leads to %d %v", user, b.last.Code, b.last.Header())
	case right && plain && !m.o.FormToken && !accepted && b.last.Code != 429:
		rt.Fatalf("the right password of %s leads to %d, %.300q", user, b.last.Code, b.body)
	}
	b.since, b.proved, b.due = time.Now(), time.Time{}, true
	b.plain, b.who = sound && b.last.Code != 429, ""
	if accepted {
		b.who = user
	}
}

func (m *model) prove(rt *rapid.T) {
	b, user := m.pick(rt), people.Draw(rt, "user")
	if b.who != "" && rapid.Bool().Draw(rt, "by right") {
		user = b.who
	}
	plain := m.settled(b)
	due := b.due && b.who != ""
	locked := !b.proved.IsZero()
	ok := b.client.prove(user)
	switch {
	case ok && b.plain && b.who != user && b.who != "":
		rt.Fatalf("the code of %s counts for %s", user, b.who)
	case !ok && plain && due && !locked && b.who == user && !m.guessed[user] && b.last.Code != 429:
		rt.Fatalf("the right code of %s is refused: %d, %.400q", user, b.last.Code, b.body)
	}
	if b.who != "" && b.who != user || !b.plain {
		for _, name := range []string{"alice", "vic", "eve"} {
			m.guessed[name] = true
		}
	}
	b.used = time.Now()
	if ok && due {
		b.due = false
		if b.proved.IsZero() {
			b.proved = time.Now()
		}
	}
	if ok && !due || locked && !ok {
		b.plain = false
	}
	if ok && b.plain {
		b.get("/notes")
		m.expect(rt, b)
	}
}

func (m *model) logOut(rt *rapid.T) {
	b := m.pick(rt)
	m.settled(b)
	if rapid.Bool().Draw(rt, "at the gate") {
		b.get("/.mfa/sign-out").post("/.mfa/sign-out")
	} else {
		b.get("/logout")
	}
	if m.faults.calls.Load() > 0 || b.last.Code >= 400 {
		b.plain = false
	}
	b.who, b.due = "", false
	if b.cookies[gateCookie] != "" {
		b.plain = false
	}
}

// copyAll gives a browser all cookies and the page of another.
func (m *model) copyAll(rt *rapid.T) {
	to, from := m.pick(rt), m.pick(rt)
	to.client = from.copied()
	to.plain, from.plain = false, false
}

// mix gives a browser one cookie of another, and perhaps its session at the gate.
func (m *model) mix(rt *rapid.T) {
	to, from := m.pick(rt), m.pick(rt)
	for _, name := range slices.Sorted(maps.Keys(from.cookies)) {
		if rapid.Bool().Draw(rt, name) {
			to.cookies[name] = from.cookies[name]
		}
	}
	to.plain, from.plain = false, false
}

// goBack takes up the cookies of an earlier time, and keeps those of now.
func (m *model) goBack(rt *rapid.T) {
	b := m.pick(rt)
	now := maps.Clone(b.cookies)
	if b.old != nil {
		b.cookies, b.plain = b.old, false
	}
	b.old = now
}

func (m *model) wait(rt *rapid.T) { time.Sleep(waits.Draw(rt, "time")) }

func (m *model) restart(*rapid.T) {
	m.faults.calls.Store(0)
	m.w.restart()
	for _, b := range m.browsers {
		if !b.due && time.Since(b.used) > 10*time.Minute {
			b.plain = false // when it was used last is written down now and then only
		}
	}
}

func (m *model) fail(rt *rapid.T) {
	m.faults.calls.Store(0)
	m.faults.unknown = rapid.Bool().Draw(rt, "unknown")
	m.faults.calls.Store(rapid.Int32Range(0, 4).Draw(rt, "calls"))
	for _, b := range m.browsers {
		b.plain = b.plain && m.faults.calls.Load() == 0
	}
}

func (m *model) appForgets(rt *rapid.T) {
	user := people.Draw(rt, "user")
	m.w.app.EndSessions(user)
	for _, b := range m.browsers {
		b.plain = b.plain && b.who != user
	}
}

// rivals are two browsers with the same login page and cookies, in which two people do what
// they can for a while.
func (m *model) rivals(rt *rapid.T) {
	first, second := m.pick(rt), m.pick(rt)
	if rapid.Bool().Draw(rt, "signed out") {
		first.client = m.w.client()
	}
	m.settled(first)
	first.get("/login")
	second.client = first.copied()
	first.who, second.who, first.plain, second.plain = "", "", false, false
	for range rapid.IntRange(2, 6).Draw(rt, "steps") {
		b := []*browser{first, second}[rapid.IntRange(0, 1).Draw(rt, "rival")]
		user := rapid.SampledFrom([]string{"vic", "eve"}).Draw(rt, "user")
		m.settled(b)
		switch rapid.IntRange(0, 3).Draw(rt, "step") {
		case 0, 1:
			b.submit(user, m.w.app.Password(user))
		case 2:
			m.guessed[user] = true
			b.client.prove(user)
		case 3:
			b.get(paths.Draw(rt, "page"))
		}
	}
	for _, b := range []*browser{first, second} {
		b.get("/notes")
		b.get("/login")
	}
}

// overtake sends a password and, at the same time, a request with the same cookies. The latter
// reaches the app only after the former, or while that is being answered.
func (m *model) overtake(rt *rapid.T) {
	b, user, path := m.pick(rt), people.Draw(rt, "user"), paths.Draw(rt, "page")
	m.faults.calls.Store(0) // else it would be anybody's guess which of the two it hits
	m.settled(b)
	thief := b.copied()
	m.w.ledger.Surface = func(a oracle.Act) bool {
		return oracle.LoginSurface(a) || a.Action == oracle.View && a.URI == "/login" // held, and delivered to nobody
	}
	slowest := rapid.SampledFrom([]string{"the password", "the other"}).Draw(rt, "slow")
	if slowest == "the password" {
		b.header.Set(slow, "back")
	} else {
		thief.header.Set(slow, "there")
	}
	defer func() { b.header = http.Header{} }()
	var all sync.WaitGroup
	all.Go(func() { b.submit(user, m.w.app.Password(user)) })
	all.Go(func() { thief.get(path) })
	all.Wait()
	m.w.ledger.Check(m.w.t)
	m.w.ledger.Surface = nil
	b.plain = false
}
