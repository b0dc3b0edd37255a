package loginattack

import (
	"net/http/httptest"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// within is how long it may take until the gate finds out that the app's session has changed where nothing
// tells of that.
const within = 61 * time.Second

// turn makes the app's session somebody else's, by a door that the operator has not listed, or ends it, while the
// gate's goes on. That must show where the app can be asked: once a minute, and at once after a
// request that may change something, or a new cookie.
func (m *model) turn(rt *rapid.T) {
	user, to := rapid.SampledFrom(enrolled).Draw(rt, "user"), rapid.SampledFrom(enrolled).Draw(rt, "to")
	kind := rapid.SampledFrom([]string{"post", "get", "link", "end"}).Draw(rt, "kind")
	if !m.sound() || m.w.config.Identify == nil || kind != "end" && !m.unlisted {
		return
	}
	c := m.w.client()
	if c.signIn(user); !c.accepted() || !c.prove(user) {
		return
	}
	c.get("/notes")
	switch kind {
	case "post":
		c.through("POST", "/switch", "to="+to)
	case "get":
		c.through("GET", "/switch?to="+to, "")
		time.Sleep(within)
	case "link":
		c.through("GET", m.w.app.ResetLink(to), "")
		if m.o.Rotation != oracle.RotateAtLogin { // else there is a new cookie
			time.Sleep(within)
		}
	case "end":
		m.w.app.EndSessions(user)
		for _, b := range m.browsers {
			b.plain = b.plain && b.who != user
		}
		time.Sleep(within)
	}
	c.get("/notes") // on which the ledger has an eye
	if at := c.last.Header().Get("Location"); kind == "end" && (c.last.Code != 303 || !strings.HasPrefix(at, "/login")) {
		rt.Fatalf("after the app has ended the session of %s the gate leads to %d %q", user, c.last.Code, at)
	}
}

// through sends what opens an unlisted door, of which the answer is the other user's already.
func (c *client) through(method, uri, form string) {
	w, contentType := c.w, ""
	if form != "" {
		contentType = formType
	}
	w.ledger.Surface = func(a oracle.Act) bool {
		return oracle.LoginSurface(a) || a.Action == oracle.SignIn && (a.Channel == oracle.BySwitch || a.Channel == oracle.ByReset)
	}
	answer, before := httptest.NewRecorder(), c.token()
	if w.serve(answer, c.request(method, uri, contentType, form)) {
		c.take(answer)
	}
	w.moved(before, c.token(), "", false)
	w.ledger.Check(w.t)
	w.ledger.Surface = nil
	time.Sleep(time.Millisecond)
}
