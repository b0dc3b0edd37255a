package mfagate_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// A watching learner counts what it is shown.
type watching struct{ began, done int }

func (l *watching) Watch(w http.ResponseWriter, r *http.Request, _ netip.Addr) (http.ResponseWriter, *http.Request, func()) {
	l.began++
	return w, r, func() { l.done++ }
}

// TestLearningShowsTheAppNoCookieOfTheGate: all else is as it was sent.
func TestLearningShowsTheAppNoCookieOfTheGate(t *testing.T) {
	learner := new(watching)
	w := newWorld(t, nil)
	block, err := w.gate.Block(mfagate.BlockConfig{
		Site: mfagate.Site{Name: "app", Mode: mfagate.Observe}, Login: &mfagate.Login{Form: loginform.NewUnknown(), Learner: learner},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "http://app.example.com/page", nil) // no HTTPS: nobody is asked for anything
	r.Header.Set("Cookie", "sid=1; __Host-mfagate=secret; mfagate=secret; theme=light")
	r.Header.Set("Authorization", "Basic YTpi")
	var got http.Header
	rec := httptest.NewRecorder()
	block.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r.Header })).ServeHTTP(rec, r)
	if got.Get("Cookie") != "sid=1; theme=light" || got.Get("Authorization") != "Basic YTpi" {
		t.Errorf("the app got %v (status %d)", got, rec.Code)
	}
	if learner.began != 1 || learner.done != 1 {
		t.Errorf("the learner saw %d begin and %d end; want 1 and 1", learner.began, learner.done)
	}
}

// TestUnknownFormIsForObservingOnly, also where the mode may change later.
func TestUnknownFormIsForObservingOnly(t *testing.T) {
	for _, site := range []mfagate.Site{{}, {Mode: mfagate.Optional}, {Mode: mfagate.Observe, ModeStored: true}} {
		c := mfagate.BlockConfig{Site: site, Login: &mfagate.Login{Form: loginform.NewUnknown()}}
		if err := c.Validate(); err == nil {
			t.Errorf("%+v: Validate = nil; want an error", site)
		}
	}
}
