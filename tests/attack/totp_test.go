package attack_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// wantRejected checks that a code is not accepted.
func wantRejected(t *testing.T, what string, page *gatetest.Page) {
	t.Helper()
	if page.Status < 400 || page.Status > 499 {
		t.Errorf("%s: got %d to %q; want 4xx", what, page.Status, page.Header.Get("Location"))
	}
}

// T-01, T-04, T-12: a code is good once, in any browser, and with it all that
// came before it; the one that confirmed the enrolment, too.
func TestReplayedCode(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := s.Person("alice")
	page := p.StartEnrol(t, "/")
	previous := p.Phone.Code(t)
	confirm := p.Phone.Code(t)
	page = p.Submit(t, page, gatetest.PathTOTP, url.Values{"code": {confirm}, "label": {"Phone"}})
	p.Codes = page.RecoveryCodes()
	p.Submit(t, page, gatetest.PathCodes, url.Values{"saved": {"yes"}})

	s.App.Quiet(t, func() {
		q := p.Elsewhere()
		wantRejected(t, "the code of the enrolment", q.Answer(t, "totp", confirm))
		wantRejected(t, "the code before it", q.Answer(t, "totp", previous))
	})
	next := p.Phone.Code(t)
	q := p.Elsewhere()
	if page := q.Answer(t, "totp", next); page.Status != http.StatusSeeOther {
		t.Fatalf("a fresh code: got %d; want 303:\n%s", page.Status, page.Text())
	}
	wantReaches(t, q)
	s.App.Quiet(t, func() {
		for _, browser := range []*gatetest.Person{q.Elsewhere(), p.Elsewhere()} {
			wantRejected(t, "the same code again", browser.Answer(t, "totp", next))
		}
	})
}

// T-02: only six digits are six digits. What is refused for its shape does not
// use up the code.
func TestDecoratedCodes(t *testing.T) {
	t.Parallel()
	shapes := map[string]func(string) string{
		"no-break space": func(c string) string { return c + "\u00a0" },
		"full width": func(c string) string {
			return strings.Map(func(r rune) rune { return r - '0' + '\uff10' }, c)
		},
		"plus":         func(c string) string { return "+" + c },
		"minus":        func(c string) string { return "-" + c },
		"zero before":  func(c string) string { return "0" + c },
		"NUL":          func(c string) string { return c + "\x00" },
		"exponent":     func(c string) string { return c + "e0" },
		"five digits":  func(c string) string { return c[:5] },
		"empty":        func(string) string { return "" },
		"arabic-indic": func(c string) string { return strings.Map(func(r rune) rune { return r - '0' + '\u0660' }, c) },
		"1 kB":         func(c string) string { return c + strings.Repeat("0", 1000) },
	}
	users := names(len(shapes))
	s := gatetest.Start(t, gatetest.Config{Users: users})
	i := 0
	for what, decorate := range shapes {
		p := enrolled(t, s, users[i])
		i++
		q := p.Elsewhere()
		right := q.Phone.Code(t)
		s.App.Quiet(t, func() {
			wantRejected(t, what, q.Answer(t, "totp", decorate(right)))
		})
		if page := q.Answer(t, "totp", right); page.Status != http.StatusSeeOther {
			t.Errorf("%s: afterwards the right code gets %d; want 303", what, page.Status)
		}
	}
}

// T-03: of 64 that post one code at once, one gets in.
func TestRaceForOneCode(t *testing.T) {
	t.Parallel()
	const rounds, racers = 5, 64
	users := names(rounds)
	s := gatetest.Start(t, gatetest.Config{Users: users})
	for _, name := range users {
		p := enrolled(t, s, name)
		var browsers []*gatetest.Person
		var requests []*http.Request
		right := p.Phone.Code(t)
		for range racers {
			q := p.Elsewhere()
			form := q.Challenge(t).Form(t, gatetest.PathChallenge)
			form.Values.Set("method", "totp")
			form.Values.Set("code", right)
			browsers = append(browsers, q)
			requests = append(requests, q.PostRequest(t, gatetest.PathChallenge, form.Values))
		}
		if won := race(t, browsers, requests); won != 1 {
			t.Errorf("%s: %d of %d got in with one code; want 1", name, won, racers)
		}
		in := 0
		for _, q := range browsers {
			if reaches(t, q, "/") {
				in++
			}
		}
		if in != 1 {
			t.Errorf("%s: %d browsers reach the app; want 1", name, in)
		}
	}
}

// race sends requests at once and counts the answers that are 303.
func race(t *testing.T, browsers []*gatetest.Person, requests []*http.Request) int {
	t.Helper()
	var won atomic.Int32
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range requests {
		wg.Go(func() {
			<-start
			page, err := browsers[i].Try(requests[i])
			switch {
			case err != nil:
				t.Error(err)
			case page.Status == http.StatusSeeOther:
				won.Add(1)
			case page.Status < 400 || page.Status > 499 && page.Status != 503:
				t.Errorf("got %d; want 303, 4xx or 503", page.Status)
			}
		})
	}
	close(start)
	wg.Wait()
	return int(won.Load())
}

// T-06, T-07, T-17: guesses lock the authenticator, from any number of
// browsers, over a restart, and tell when to come back; recovery codes still work.
func TestGuessing(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	s.App.Quiet(t, func() {
		var locked *gatetest.Page
		for range 12 {
			q := p.Elsewhere()
			page := q.Answer(t, "totp", p.Phone.Wrong(t))
			wantRejected(t, "a wrong code", page)
			if page.Status == http.StatusTooManyRequests {
				locked = page
				break
			}
		}
		if locked == nil {
			t.Fatal("12 wrong codes, and no delay")
		}
		if after, err := strconv.Atoi(locked.Header.Get("Retry-After")); err != nil || after < 1 || after > 3600 {
			t.Errorf("Retry-After %q; want seconds", locked.Header.Get("Retry-After"))
		}
		q := p.Elsewhere()
		if page := q.Answer(t, "totp", p.Phone.At(t, time.Now())); page.Status != http.StatusTooManyRequests {
			t.Errorf("the right code while locked: got %d; want 429", page.Status)
		}
		s.Restart()
		if page := q.Answer(t, "totp", p.Phone.At(t, time.Now())); page.Status != http.StatusTooManyRequests {
			t.Errorf("the right code while locked, after a restart: got %d; want 429", page.Status)
		}
	})
	q := p.Elsewhere()
	if page := q.Answer(t, "recovery", p.UseCode(t)); page.Status != http.StatusSeeOther {
		t.Errorf("a recovery code while the authenticator is locked: got %d; want 303:\n%s", page.Status, page.Text())
	}
	wantReaches(t, q)
}

// T-06: many at once are not more than one after the other.
func TestGuessingInParallel(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	var browsers []*gatetest.Person
	var requests []*http.Request
	for range 64 {
		q := p.Elsewhere()
		form := q.Challenge(t).Form(t, gatetest.PathChallenge)
		form.Values.Set("method", "totp")
		form.Values.Set("code", p.Phone.Wrong(t))
		browsers = append(browsers, q)
		requests = append(requests, q.PostRequest(t, gatetest.PathChallenge, form.Values))
	}
	var judged atomic.Int32
	s.App.Quiet(t, func() {
		var wg sync.WaitGroup
		for i := range requests {
			wg.Go(func() {
				page, err := browsers[i].Try(requests[i])
				if err != nil {
					t.Error(err)
				} else if page.Status != http.StatusTooManyRequests && page.Status != http.StatusServiceUnavailable {
					judged.Add(1)
				}
			})
		}
		wg.Wait()
	})
	if n := judged.Load(); n > 6 {
		t.Errorf("%d of 64 guesses were judged; want at most 5 before the delay", n)
	}
}

// T-11: a code is good for its owner only.
func TestCodeOfAnotherUser(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	alice, bob := enrolled(t, s, "alice"), enrolled(t, s, "bob")
	s.App.Quiet(t, func() {
		thief := s.Person("bob")
		wantRejected(t, "alice's code", thief.Answer(t, "totp", alice.Phone.Code(t)))
		wantRejected(t, "alice's recovery code", thief.Answer(t, "recovery", alice.Codes[0]))
	})
	q := bob.Elsewhere()
	q.SignIn(t, "/")
	r := alice.Elsewhere()
	if page := r.Answer(t, "recovery", alice.Codes[0]); page.Status != http.StatusSeeOther {
		t.Errorf("alice's recovery code after bob tried it: got %d; want 303", page.Status)
	}
}

// T-16: a code counts as one field of the body, and nowhere else.
func TestCodeInOddPlaces(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{Users: names(8)})
	cases := map[string]func(p *gatetest.Person, form gatetest.Form, right string) *gatetest.Page{
		"in the query of a GET": func(p *gatetest.Person, _ gatetest.Form, right string) *gatetest.Page {
			return p.Open(t, gatetest.PathChallenge+"?method=totp&code="+right)
		},
		"in the query of a POST": func(p *gatetest.Person, f gatetest.Form, right string) *gatetest.Page {
			f.Values.Del("code")
			return p.PostValues(t, gatetest.PathChallenge+"?code="+right, f.Values)
		},
		"twice, wrong first": func(p *gatetest.Person, f gatetest.Form, right string) *gatetest.Page {
			f.Values["code"] = []string{p.Phone.Wrong(t), right}
			return p.PostValues(t, gatetest.PathChallenge, f.Values)
		},
		"twice, right first": func(p *gatetest.Person, f gatetest.Form, right string) *gatetest.Page {
			f.Values["code"] = []string{right, p.Phone.Wrong(t)}
			return p.PostValues(t, gatetest.PathChallenge, f.Values)
		},
		"as a PUT": func(p *gatetest.Person, f gatetest.Form, right string) *gatetest.Page {
			f.Values.Set("code", right)
			r := p.PostRequest(t, gatetest.PathChallenge, f.Values)
			r.Method = http.MethodPut
			return p.Do(t, r)
		},
		"as text": func(p *gatetest.Person, f gatetest.Form, right string) *gatetest.Page {
			f.Values.Set("code", right)
			r := p.PostRequest(t, gatetest.PathChallenge, f.Values)
			r.Header.Set("Content-Type", "text/plain")
			return p.Do(t, r)
		},
	}
	i := 0
	for what, send := range cases {
		p := enrolled(t, s, names(8)[i])
		i++
		q := p.Elsewhere()
		form := q.Challenge(t).Form(t, gatetest.PathChallenge)
		form.Values.Set("method", "totp")
		s.App.Quiet(t, func() {
			page := send(q, form, q.Phone.Code(t))
			if page.Status == http.StatusSeeOther {
				t.Errorf("a code %s: got 303 to %s; want 4xx or the same page", what, page.Header.Get("Location"))
			}
			wantStopped(t, "after a code "+what, q.Open(t, "/"))
		})
	}
}

// T-18: without the password nobody can lock anybody.
func TestStrangersCannotLock(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	s.App.Quiet(t, func() {
		stranger := s.Person("alice")
		stranger.Password = "guess"
		for range 50 {
			page := stranger.PostValues(t, gatetest.PathChallenge, code("totp", "123456"))
			if page.Status != http.StatusUnauthorized {
				t.Fatalf("without the password: got %d; want 401", page.Status)
			}
		}
	})
	p.Elsewhere().SignIn(t, "/")
}
