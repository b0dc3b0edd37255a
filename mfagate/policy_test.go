package mfagate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// chosen is a site whose administrators choose the mode.
func chosen(c *mfagate.BlockConfig) {
	staffed(c)
	c.Site.ModeStored, c.Site.RemindEvery = true, -1
}

// require stores whether a second factor is needed, as root would.
func (w *world) require(required bool) {
	w.t.Helper()
	if err := w.gate.Require(w.t.Context(), "cli", "default", required, ""); err != nil {
		w.t.Fatal(err)
	}
}

func (p *person) sendMode(mandatory, reason string) *person {
	p.w.t.Helper()
	seen := ""
	if m := seenField.FindStringSubmatch(p.body); m != nil {
		seen = m[1]
	}
	return p.post("/.mfa/admin/mode", "mandatory", mandatory, "reason", reason, "seen", seen)
}

// S3, S70: the tick box makes the second factor mandatory or optional at once, says
// what that means before, and keeps who did it and why.
func TestTickBox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, chosen)
		w.person("alice").get("/").want(303, "/.mfa/enroll") // nobody has chosen: required
		dora := w.person("dora").enrolByTicket()
		dora.get("/.mfa/admin/").want(200)
		if !strings.Contains(dora.body, `href="/.mfa/admin/settings"`) {
			t.Error("the list of users does not lead to the settings")
		}
		dora.get("/.mfa/admin/settings").want(200)
		if !strings.Contains(dora.body, `value="yes" checked>`) {
			t.Errorf("the box is not ticked: %s", dora.body)
		}
		dora.get("/.mfa/admin/mode").want(303, "/.mfa/challenge?purpose=settings&return=%2F.mfa%2Fadmin%2Fmode")
		dora.confirm()
		dora.get("/.mfa/admin/mode").want(200)
		dora.sendMode("", " ").want(422)
		dora.sendMode("", "trial\r\nweek").want(303, "/.mfa/admin/settings?notice=made_optional").follow().want(200)
		for _, said := range []string{"trialweek", "by dora", "is now optional"} {
			if !strings.Contains(dora.body, said) {
				t.Errorf("the page does not say %q: %s", said, dora.body)
			}
		}
		w.person("alice").get("/").want(200)
		w.person("bob").get("/").want(200)
		time.Sleep(2 * time.Minute) // for the next count
		dora.get(adminPath("mode", "mandatory", "yes")).want(200)
		if !strings.Contains(dora.body, "2 of 3 known users have not set up") {
			t.Errorf("the page does not say how many are not enrolled: %s", dora.body)
		}
		dora.sendMode("yes", "trial is over").want(303, "/.mfa/admin/settings?notice=made_required")
		w.person("alice").get("/").want(303, "/.mfa/enroll")
		dora.get(adminPath("mode", "mandatory", "yes")).want(303, "/.mfa/admin/settings?notice=same_mode").follow().want(200) // it is so already
		if got := w.kinds(); !slices.Contains(got, mfagate.EventMadeOptional) || got[len(got)-1] != mfagate.EventMadeRequired {
			t.Errorf("events = %q; want both changes", got)
		}
		events, err := w.gate.Audit(t.Context(), "", 0)
		last := events[len(events)-1]
		if err != nil || last.Kind != mfagate.EventMadeRequired || last.Actor != "dora" || last.Detail != "trial is over" || last.Realm != "default" || last.Name != "" {
			t.Errorf("the last event = %+v, %v; want who made it required, and why", last, err)
		}
	})
}

// unchanged fails the test if the stored mode is another one after f.
func (w *world) unchanged(what string, f func()) {
	w.t.Helper()
	before, err := w.gate.StoredMode(w.t.Context(), "default")
	if err != nil {
		w.t.Fatal(err)
	}
	f()
	if after, err := w.gate.StoredMode(w.t.Context(), "default"); err != nil || after != before {
		w.t.Errorf("%s: stored = %+v, %v; want %+v", what, after, err, before)
	}
}

// ST-16, M-02: nobody but an administrator with a fresh proof and a form of the
// gate's own changes what holds for all.
func TestTickBoxAttacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, chosen)
		bob := w.person("bob").enrol("/")
		bob.confirm()
		otto := w.person("otto").enrolByTicket()
		otto.confirm()
		dora := w.person("dora").enrolByTicket()
		w.unchanged("a user", func() {
			bob.get("/.mfa/admin/settings").want(404)
			bob.get("/.mfa/admin/mode").want(404)
			bob.sendMode("", "x").want(404)
			w.person("").get("/.mfa/admin/settings").want(404)
		})
		w.unchanged("an auditor", func() {
			otto.get("/.mfa/admin/settings").want(200)
			if strings.Contains(otto.body, `<button class="primary"`) || !strings.Contains(otto.body, "disabled") {
				t.Errorf("the page offers an auditor a change: %s", otto.body)
			}
			otto.get("/.mfa/admin/mode").want(403)
			otto.sendMode("", "x").want(403)
		})
		w.unchanged("without a fresh proof", func() {
			dora.get("/.mfa/admin/mode").want(303, "/.mfa/challenge")
			dora.get("/.mfa/").want(200)
			dora.sendMode("", "x").want(303, "/.mfa/challenge")
		})
		dora.confirm()
		dora.get("/.mfa/admin/mode").want(200)
		page := dora.body
		w.unchanged("from elsewhere", func() {
			for _, header := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example", "Sec-Fetch-Mode: cors", "Early-Data: 1"} {
				name, value, _ := strings.Cut(header, ": ")
				dora.header.Set(name, value)
				if dora.sendMode("", "x"); dora.last.Code != 403 && dora.last.Code != 425 {
					t.Errorf("%s: status = %d; want 403 or 425", header, dora.last.Code)
				}
				dora.header.Del(name)
				dora.body = page
			}
			dora.body = strings.ReplaceAll(page, `name="form_token" value="`, `name="form_token" value="A`)
			dora.sendMode("", "x").want(403)
			dora.body = page
			dora.post("/.mfa/admin/mode", "mandatory", "no", "reason", "x").want(400)
			dora.body = page
			dora.post("/.mfa/admin/mode", "mandatory", "", "reason", "x", "seen", "").want(409) // nothing that was shown
			dora.get("/.mfa/admin/mode?reason=x&mandatory=").want(200)
		})
		dora.get("/.mfa/admin/mode").want(200)
		time.Sleep(6 * time.Minute)
		w.unchanged("with a stale proof", func() { dora.sendMode("", "x").want(303, "/.mfa/challenge") })
	})
}

// Of two administrators who change it at once one is told that the other was
// faster.
func TestTwoAdministratorsAtTheTickBox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, chosen)
		people := []*person{w.person("dora").enrolByTicket(), w.person("hugo").in("helpdesk").enrolByTicket()}
		for _, p := range people {
			p.confirm()
			p.get("/.mfa/admin/mode").want(200)
		}
		var wait sync.WaitGroup
		for _, p := range people {
			wait.Go(func() { p.sendMode("", "by "+p.name) })
		}
		wait.Wait()
		codes := []int{people[0].last.Code, people[1].last.Code}
		slices.Sort(codes)
		if fmt.Sprint(codes) != "[303 409]" {
			t.Errorf("answers = %v; want one done and one told", codes)
		}
		n := 0
		for _, kind := range w.kinds() {
			if kind == mfagate.EventMadeOptional {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d events; want one", n)
		}
	})
}

// What the Caddyfile says wins, and the tick box cannot be moved.
func TestWrittenModeWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, mode := range []mfagate.Mode{mfagate.Required, mfagate.Optional} {
			w := newWorld(t, nil, staffed, func(c *mfagate.BlockConfig) { c.Site.Mode, c.Site.RemindEvery = mode, -1 })
			w.require(mode == mfagate.Optional) // the other way round
			want := 303
			if mode == mfagate.Optional {
				want = 200
			}
			w.person("alice").get("/").want(want)
			dora := w.person("dora").enrolByTicket()
			dora.confirm()
			dora.get("/.mfa/admin/settings").want(200)
			if ticked := strings.Contains(dora.body, `value="yes" checked disabled`); ticked != (mode == mfagate.Required) || strings.Contains(dora.body, `<button class="primary"`) {
				t.Errorf("%v: the box is not shown as it is, or can be moved: %s", mode, dora.body)
			}
			dora.get("/.mfa/admin/mode").want(409)
			w.unchanged("written", func() { dora.sendMode("", "x").want(409) })
		}
	})
}

// A stored mode that cannot be read is required; root can store another one.
func TestUnreadableModeIsRequired(t *testing.T) {
	for name, value := range map[string]string{
		"not JSON": "optional", "empty": "", "neither": `{"v":1}`, "both": `{"v":1,"required":true,"optional":true}`,
		"no version": `{"optional":true}`, "another case": `{"v":1,"optional":"true"}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			store := new(memory.Store)
			w := newWorld(t, store, chosen)
			w.require(false)
			w.person("alice").get("/").want(200)
			old, err := store.Get(t.Context(), "mode/default")
			if err != nil {
				t.Fatal(err)
			}
			if err := store.Apply(t.Context(), storage.Change{Key: "mode/default", Value: []byte(value), Version: old.Version}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second) // as on another node
			w.person("alice").get("/").want(303, "/.mfa/enroll")
			w.require(false)
			w.person("alice").get("/").want(200)
			_ = name
		})
	}
}

// A store that does not answer lets nobody through on the strength of a mode.
func TestModeOfAStoreThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &failingReads{Store: new(memory.Store)}
		w := newWorld(t, store, chosen)
		w.require(false)
		w.person("alice").get("/").want(200)
		store.fail("mode/")
		time.Sleep(time.Second)
		w.person("alice").get("/").want(303, "/.mfa/enroll")
		store.fail("")
		time.Sleep(time.Second)
		w.person("alice").get("/").want(200)
	})
}

type failingReads struct {
	storage.Store
	mu     sync.Mutex
	prefix string
}

func (s *failingReads) fail(prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prefix = prefix
}

func (s *failingReads) Get(ctx context.Context, key string) (storage.Record, error) {
	s.mu.Lock()
	failing := s.prefix != "" && strings.HasPrefix(key, s.prefix)
	s.mu.Unlock()
	if failing {
		return storage.Record{}, errors.New("disk on fire")
	}
	return s.Store.Get(ctx, key)
}

// What is with the app on the strength of a leave ends within a second or two of
// its end: when the factor becomes mandatory, and when a grace is over.
func TestLooseStreamsEnd(t *testing.T) {
	tests := map[string]struct {
		change func(*mfagate.BlockConfig)
		after  time.Duration
	}{
		"mode":  {chosen, 0},
		"grace": {func(c *mfagate.BlockConfig) { c.Site.Grace.For = time.Hour }, time.Hour},
	}
	for name, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil, test.change)
			w.require(false)
			block := w.block(test.change)
			ended := make(chan struct{})
			h := block.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				close(ended)
			}))
			p := w.person("alice")
			go h.ServeHTTP(nowhere{http.Header{}}, p.upgrade("/socket"))
			synctest.Wait()
			select {
			case <-ended:
				t.Fatalf("%s: the stream ended too early", name)
			default:
			}
			w.require(true)
			time.Sleep(test.after + 2*time.Second)
			select {
			case <-ended:
			default:
				t.Errorf("%s: the stream still runs", name)
			}
		})
	}
}

func (p *person) upgrade(path string) *http.Request {
	r := p.request("GET", path, "", "")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Connection", "Upgrade")
	return r
}
