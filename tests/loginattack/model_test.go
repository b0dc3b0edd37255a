package loginattack

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
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
// nothing odd must find what a small model of the sign-in says. The package's comment says how to
// run more sequences, and one of them again.
func TestModel(t *testing.T) {
	first := newWorldOfModels(t)
	usual := debug.SetGCPercent(400) // little lives long
	t.Cleanup(func() { debug.SetGCPercent(usual) })
	for n := range shards(t) {
		t.Run(strconv.Itoa(n+1), func(t *testing.T) {
			t.Parallel()
			check(t, n, func(rt *rapid.T) {
				m := newModel(t, rt, first)
				defer func() { m.w.records.Close() }()
				rt.Repeat(m.steps())
			})
		})
	}
}

// newWorldOfModels is what each sequence begins with: three people have a factor.
func newWorldOfModels(t *testing.T) (first *world) {
	synctest.Test(t, func(t *testing.T) {
		first = newWorld(t, oracle.Options{})
		first.enrol(enrolled...)
	})
	return first
}

var enrolled = []string{"alice", "vic", "eve"}

// shards divides the sequences among the processors, and returns the number of parts. A seed
// is the same in each.
func shards(t *testing.T) int {
	t.Helper()
	n := runtime.GOMAXPROCS(0)
	checks := flag.Lookup("rapid.checks").Value.String()
	all, err := strconv.Atoi(checks)
	if err != nil {
		t.Fatal(err)
	}
	set(t, "rapid.checks", strconv.Itoa((all+n-1)/n))
	t.Cleanup(func() { set(t, "rapid.checks", checks) })
	return n
}

func set(t *testing.T, name, value string) {
	t.Helper()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
}

// firstSeed lets a run be repeated as a whole. The parts begin so far from one another that they
// never try the same sequence.
var firstSeed = flag.Uint64("model.seed", 0, "the seed with which the first part of TestModel begins, if not 0")

const betweenParts = 1 << 40

// seeding guards the flag with rapid's seed, which each part has for itself.
var seeding sync.Mutex

// check is rapid.Check in bubbles, with a seed that is told whether or not it fails.
func check(t *testing.T, part int, sequence func(*rapid.T)) {
	t.Helper()
	seeding.Lock()
	given := flag.Lookup("rapid.seed").Value.String()
	seed := given
	switch {
	case given != "0":
	case *firstSeed != 0:
		seed = strconv.FormatUint(*firstSeed+uint64(part)*betweenParts, 10)
	default:
		seed = strconv.FormatUint(rand.Uint64(), 10)
	}
	set(t, "rapid.seed", seed)
	began := sync.OnceFunc(func() {
		set(t, "rapid.seed", given)
		seeding.Unlock()
	})
	defer began()
	t.Logf("the first sequence has seed %s", seed)
	rapid.Check(t, func(rt *rapid.T) {
		began() // rapid has read it
		rapid.SyncTest(rt, func(rt *rapid.T) {
			time.Sleep(time.Hour) // the enrolments were made in another bubble
			sequence(rt)
		})
	})
}

// A model is a world with what ought to be known of its browsers.
type model struct {
	w        *world
	o        oracle.Options
	faults   *faults
	trouble  *trouble
	browsers [4]*browser
	guessed  map[string]bool   // somebody gave a wrong code for this user
	shared   bool              // some browser has had the cookies of another
	former   map[string]string // password of this user
	unlisted bool              // the operator knows of no side doors
}

// steps are what may happen, with the likely ones more than once.
func (m *model) steps() map[string]func(*rapid.T) {
	all := make(map[string]func(*rapid.T))
	for _, step := range []struct {
		name   string
		weight int
		do     func(*rapid.T)
	}{
		{"open", 3, m.open}, {"sign in", 3, m.signIn}, {"prove", 3, m.prove}, {"log out", 1, m.logOut}, {"tab", 2, m.tab},
		{"wait", 2, m.wait}, {"click twice", 1, m.clickTwice}, {"one code twice", 1, m.codeTwice}, {"leave", 1, m.leave},
		{"copy", 1, m.copyAll}, {"mix", 1, m.mix}, {"go back", 1, m.goBack}, {"rivals", 2, m.rivals}, {"overtake", 1, m.overtake},
		{"side door", 1, m.sideDoor}, {"plant", 2, m.plant}, {"cross-site", 2, m.crossSite}, {"forge", 1, m.forge}, {"guess", 1, m.guess}, {"poll", 1, m.poll}, {"overstay", 1, m.overstay},
		{"turn", 1, m.turn},
		{"fail", 1, m.fail}, {"trouble", 1, m.appTrouble}, {"app forgets", 1, m.appForgets}, {"restart", 1, m.restart},
	} {
		for i := range step.weight {
			all[fmt.Sprint(step.name, " ", i)] = step.do
		}
	}
	return all
}

func newModel(t *testing.T, rt *rapid.T, first *world) *model {
	o := drawApp(rt)
	m := &model{o: o, faults: &faults{Store: copyStore(rt, first.store)}, trouble: new(trouble), guessed: map[string]bool{}, former: map[string]string{}}
	w := &world{t: told{t, rt}, app: oracle.New(o), store: m.faults, config: formOf(o), phones: map[string]*phone{}, proofs: map[string]*proof{}, strict: true}
	if o.Answers != oracle.RedirectSame && o.Names == 0 && rapid.Bool().Draw(rt, "typed names count") {
		w.config.Identify = nil
	}
	w.config.Poll = patterns("GET " + polled)
	if m.unlisted = o.Switch && o.Reset; m.unlisted {
		w.config.Refuse = nil
	}
	w.secure, w.modern = rapid.Bool().Draw(rt, "https"), rapid.Bool().Draw(rt, "modern")
	for user, p := range first.phones {
		own := *p
		w.phones[user] = &own
	}
	w.ledger = oracle.NewLedger(w.app)
	w.behind = m.trouble.around(w.app)
	w.start(w.behind)
	m.w = w
	for i := range m.browsers {
		m.browsers[i] = &browser{client: w.client(), plain: true}
	}
	return m
}

// drawApp is an app of random habits.
func drawApp(rt *rapid.T) oracle.Options {
	o := oracle.Options{
		Rotation: rapid.SampledFrom([]oracle.Rotation{oracle.RotateAtLogin, oracle.RotateNever, oracle.RotateAlways}).Draw(rt, "rotation"),
		Answers:  rapid.SampledFrom([]oracle.Answers{oracle.Redirect, oracle.RedirectBoth, oracle.RedirectSame, oracle.Page, oracle.Status, oracle.JSONOK}).Draw(rt, "answers"),
		Names:    rapid.SampledFrom([]oracle.Name{0, oracle.NameEMail | oracle.NameCase}).Draw(rt, "names"),
	}
	habits := rapid.Uint16().Draw(rt, "habits")
	for i, habit := range []*bool{
		&o.FormToken, &o.LiveLooksRight, &o.Remember, &o.LogoutKeeps, &o.AnySession, &o.FailureCookie,
		&o.Basic, &o.APIKeys, &o.LoginAnywhere, &o.GETLogin, &o.ActAs, &o.SessionInURL, &o.Switch, &o.Reset,
		&o.Folders,
	} {
		*habit = habits>>i&1 == 1
	}
	return o
}

func copyStore(rt *rapid.T, from storage.Store) storage.Store {
	to := new(memory.Store)
	records, err := from.List(rt.Context(), "", "", 0)
	if err != nil {
		rt.Fatal(err)
	}
	for _, r := range records {
		if err := to.Apply(rt.Context(), storage.Change{Key: r.Key, Value: r.Value, Expires: r.Expires}); err != nil {
			rt.Fatal(err)
		}
	}
	return to
}
