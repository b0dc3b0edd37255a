// Package fault_test breaks what the gateway stands on, and looks whether it
// kept its word.
package fault_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

func TestMain(m *testing.M) { os.Exit(gatetest.Main(m)) }

// kills is how often the server is killed, in all.
const kills = 200

// TestKill kills the server at random moments while people enrol and while they
// use recovery codes, and starts it again. I2 and I3: what was acknowledged is
// there, what was used is used, and nothing is half there.
func TestKill(t *testing.T) {
	const servers = 2
	var all outcomes
	t.Run("servers", func(t *testing.T) {
		for n := range servers {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				k := &killing{Server: gatetest.Start(t, gatetest.Config{Plain: true, Site: gatetest.ByHeader}), prefix: fmt.Sprintf("p%d-", n), all: &all}
				for range 4 {
					p := k.Server.Named(k.name())
					start := time.Now()
					p.Enrol(t, "/")
					k.pace = time.Since(start)
					k.enrolled = append(k.enrolled, p)
				}
				for range kills / servers {
					k.round(t)
				}
			})
		}
	})
	t.Logf("%d kills: %+v", kills, all.counts)
	for _, what := range []string{"enrolment acknowledged", "enrolment cut off", "code acknowledged", "code cut off"} {
		if all.counts[what] < kills/20 {
			t.Errorf("only %d times %s; the kills come at the wrong moments", all.counts[what], what)
		}
	}
}

// outcomes counts what the kills hit.
type outcomes struct {
	mu     sync.Mutex
	counts map[string]int
}

func (o *outcomes) add(what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.counts == nil {
		o.counts = make(map[string]int)
	}
	o.counts[what]++
}

type killing struct {
	*gatetest.Server
	prefix   string
	people   int
	enrolled []*gatetest.Person // with their recovery codes
	pace     time.Duration      // of an enrolment on this machine, as busy as it is, so that kills come in the midst of one
	all      *outcomes
}

func (k *killing) name() string {
	k.people++
	return fmt.Sprint(k.prefix, k.people)
}

// round lets two people enrol and one use a recovery code, kills the server
// meanwhile, starts it again and looks what is left.
func (k *killing) round(t *testing.T) {
	var wg sync.WaitGroup
	newcomers := []*enrolling{{Person: k.Server.Named(k.name())}, {Person: k.Server.Named(k.name())}}
	for _, e := range newcomers {
		wg.Go(func() { e.UntilGone(func() { e.run(t) }) })
	}
	one := k.recovering(t)
	wg.Go(func() { one.UntilGone(func() { one.run(t) }) })
	time.Sleep(time.Duration(rand.Int64N(int64(3 * k.pace)))) // three people are at it at once
	k.Kill()
	wg.Wait()
	if err := k.Run(); err != nil {
		t.Fatal(err)
	}
	for _, e := range newcomers {
		e.check(t, k)
	}
	one.check(t, k)
}

// An enrolling is somebody in the wizard, with what they were told.
type enrolling struct {
	*gatetest.Person
	secret, confirmed, saved bool
}

func (e *enrolling) run(t *testing.T) {
	page := e.StartEnrol(t, "/")
	e.secret = true
	page = e.Post(t, page, gatetest.PathTOTP, url.Values{"code": {e.Phone.Code(t)}})
	e.confirmed = page.Status == http.StatusSeeOther
	page = e.Follow(t, page)
	e.Codes = page.RecoveryCodes()
	page = e.Post(t, page, gatetest.PathCodes, url.Values{"saved": {"yes"}})
	e.saved = page.Status == http.StatusSeeOther
}

// check comes back with a new browser.
func (e *enrolling) check(t *testing.T, k *killing) {
	t.Helper()
	p := e.Elsewhere()
	page := p.Navigate(t, "/")
	switch {
	case page.URL.Path == gatetest.PathEnrol && !e.confirmed:
		k.all.add("enrolment cut off")
		k.pace = k.pace * 11 / 10
		return
	case page.URL.Path != gatetest.PathChallenge:
		t.Errorf("%s, told that the factor is on: %v, codes saved: %v: led to %s", e.Header.Get("Remote-User"), e.confirmed, e.saved, page.URL)
		return
	case !e.secret:
		t.Errorf("%s has a factor and never saw its secret", e.Header.Get("Remote-User"))
		return
	case e.confirmed:
		k.all.add("enrolment acknowledged")
		k.pace = max(k.pace*10/11, time.Millisecond)
	default:
		k.all.add("enrolment done, not acknowledged")
	}
	page = p.Submit(t, page, gatetest.PathChallenge, url.Values{"method": {"totp"}, "code": {p.Phone.Code(t)}})
	switch {
	case page.URL.Path == gatetest.PathCodes && !e.saved:
		p.Codes = page.RecoveryCodes()
		page = p.Submit(t, page, gatetest.PathCodes, url.Values{"saved": {"yes"}})
		fallthrough
	default:
		if !strings.Contains(page.Body, "Welcome to the app") {
			t.Errorf("%s (confirmed %v, saved %v): the factor leads to %d at %s:\n%s", e.Header.Get("Remote-User"), e.confirmed, e.saved, page.Status, page.URL, page.Text())
			return
		}
	}
	k.enrolled = append(k.enrolled, p)
}

// A recovering is somebody who uses a recovery code.
type recovering struct {
	*gatetest.Person
	code string
	done bool
}

func (k *killing) recovering(t *testing.T) *recovering {
	t.Helper()
	for len(k.enrolled) > 0 && len(k.enrolled[0].Codes) == 0 {
		k.enrolled = k.enrolled[1:]
	}
	if len(k.enrolled) == 0 {
		t.Fatal("nobody has recovery codes left")
	}
	owner := k.enrolled[0]
	k.enrolled = append(k.enrolled[1:], owner)
	return &recovering{Person: owner.Elsewhere(), code: owner.UseCode(t)}
}

func (r *recovering) run(t *testing.T) {
	page := r.Answer(t, "recovery", r.code)
	r.done = page.Status == http.StatusSeeOther
	r.Follow(t, page)
}

// check types the code again: it may work if the answer never came, and must
// not if it did; and never a second time.
func (r *recovering) check(t *testing.T, k *killing) {
	t.Helper()
	accepted := 0
	if r.done {
		accepted++
		k.all.add("code acknowledged")
	} else {
		k.all.add("code cut off")
	}
	for range 2 {
		p := r.Elsewhere()
		if page := p.Answer(t, "recovery", r.code); page.Status == http.StatusSeeOther {
			accepted++
		}
	}
	if accepted > 1 {
		t.Errorf("%s: a recovery code was accepted %d times (acknowledged before the kill: %v)", r.Header.Get("Remote-User"), accepted, r.done)
	}
}
