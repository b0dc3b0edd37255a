package loginattack

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/mfagate/recovery"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
	"github.com/mfagate/caddy-mfagate/pages"
	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// A world is an app behind a gate, with what the gate was told by right.
type world struct {
	t       testing.TB
	app     *oracle.App
	ledger  *oracle.Ledger
	store   storage.Store
	records *mfagate.Records
	front   http.Handler
	behind  http.Handler // the app as the gate reaches it; app itself if nil
	config  loginform.Config
	site    string
	secure  bool              // reached by HTTPS
	modern  bool              // by browsers that say where a request comes from
	strict  bool              // requests are sent one at a time, but for
	crowded atomic.Int32      // several requests are under way at once
	phones  map[string]*phone // by user

	mu     sync.Mutex
	proofs map[string]*proof // by token of the gate's session
	events []mfagate.Event
}

// A proof is a session in which somebody's second factor was proved.
type proof struct {
	user  string
	ended func()

	first, used time.Time // kept by the model alone
}

// A phone has the authenticator of one user.
type phone struct {
	secret string
	step   int64    // of the last code that was used
	last   string   // that code
	codes  []string // for recovery
}

var builtIn = sync.OnceValue(func() *pages.Set {
	set, err := pages.New(pages.Options{})
	if err != nil {
		panic(err)
	}
	return set
})

// in runs a test in a bubble, in a world of its own.
func in(t *testing.T, o oracle.Options, f func(*world), change ...func(*loginform.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newWorld(t, o, change...)) })
}

func newWorld(t testing.TB, o oracle.Options, change ...func(*loginform.Config)) *world {
	t.Helper()
	w := &world{t: t, app: oracle.New(o), store: new(memory.Store), config: formOf(o), phones: map[string]*phone{}, proofs: map[string]*proof{}}
	for _, f := range change {
		f(&w.config)
	}
	w.ledger = oracle.NewLedger(w.app)
	w.start(w.app)
	t.Cleanup(func() { w.records.Close() })
	return w
}

// start starts a gate over the store, in front of app.
func (w *world) start(app http.Handler) {
	w.t.Helper()
	var err error
	if w.records, err = mfagate.OpenRecords(context.Background(), w.store); err != nil {
		w.t.Fatal(err)
	}
	gate, err := mfagate.New(mfagate.Config{
		Records: w.records, Pages: builtIn(), Factors: []mfagate.Factor{&totp.Factor{}}, Recovery: &recovery.Factor{}, Issuer: "Example",
		OnEvent: w.noteEvent,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	form, err := loginform.Compile(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	block, err := gate.Block(mfagate.BlockConfig{Site: mfagate.Site{Name: w.site}, Login: &mfagate.Login{Form: form}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.front = block.Handler(app)
}

// restart is a gate that was stopped and started again.
func (w *world) restart() {
	w.t.Helper()
	w.records.Close()
	if w.behind == nil {
		w.behind = w.app
	}
	w.start(w.behind)
}

// through makes the app one that cannot be reached unless up says so: a proxy answers
// for it.
func (w *world) through(up func() bool) {
	w.t.Helper()
	w.behind = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if up() {
			w.app.ServeHTTP(rw, r)
			return
		}
		http.Error(rw, "the app cannot be reached", http.StatusBadGateway)
	})
	w.restart()
}

func (w *world) noteEvent(_ context.Context, e mfagate.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// formOf describes the form of an app with these options, as an operator would.
func formOf(o oracle.Options) loginform.Config {
	c := loginform.Config{
		Page:        patterns("GET /login"),
		Submit:      patterns("POST /login"),
		User:        loginform.Field{Form: "user"},
		Password:    loginform.Field{Form: "password"},
		Identify:    &loginform.Identify{Probe: "GET /whoami", JSON: "/user"},
		Public:      patterns("GET /static/**"),
		Logout:      patterns("GET /logout"),
		Refuse:      patterns("/api/login*", "/api/login/**", "/xmlrpc*", "/xmlrpc/**", "/switch*", "/switch/**", "/reset*", "/reset/**"),
		Headers:     []string{"X-Api-Key"},
		QueryKeys:   []string{"access_token", "key", "sid", "as"},
		PassCookies: []string{"theme"},
	}
	if o.NoNames {
		c.User = loginform.Field{}
	}
	if o.Rotation == oracle.RotateAlways {
		c.RotatingCookies = []string{"sid"}
	}
	signs := signsOf[o.Answers]
	c.Success, c.Failure = []loginform.Signs{signs[0]}, signs[1:]
	return c
}

func patterns(texts ...string) (all []loginform.Pattern) {
	for _, text := range texts {
		all = append(all, loginform.Pattern{Text: text})
	}
	return all
}

// signsOf are those of success, and of failure as far as there are some.
var signsOf = map[oracle.Answers][]loginform.Signs{
	oracle.Redirect:     {{Status: []string{"302"}, Location: []string{"/"}}, wrong},
	oracle.RedirectBoth: {{Status: []string{"302"}, NotLocation: []string{"/login*"}}, {Location: []string{"/login?error=1"}}},
	oracle.RedirectSame: {{Status: []string{"302"}, Probe: &loginform.Probe{Request: "GET /whoami"}}},
	oracle.Page:         {{Body: []string{"<h1>Welcome</h1>"}}, wrong},
	oracle.Refresh:      {{Header: []string{"Refresh"}}, wrong},
	oracle.Status:       {{Status: []string{"204"}}, {Status: []string{"401"}}},
	oracle.JSONOK:       {{JSON: []string{"/ok"}}, {JSON: []string{"/ok=false"}}},
}

var wrong = loginform.Signs{Body: []string{"Wrong user name or password."}}

// owner is the user who proved in the session of a token.
func (w *world) owner(token string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.proofs[token]; p != nil {
		return p.user
	}
	return ""
}

// moved notes that a browser has another session than before. user is who has just
// proved a factor in the new one; if nobody has, the old one has been renewed or has ended.
func (w *world) moved(before, after, user string, renewed bool) {
	if before == after {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.proofs[before]
	delete(w.proofs, before)
	switch {
	case user != "":
		w.proofs[after] = &proof{user: user, ended: w.ledger.Proved(user)}
	case old != nil && after != "" && renewed:
		w.proofs[after] = old
		return
	}
	if old != nil {
		old.ended()
	}
}

// ended says that the session of a token has ended by right.
func (w *world) ended(token string) {
	w.mu.Lock()
	p := w.proofs[token]
	delete(w.proofs, token)
	w.mu.Unlock()
	if p != nil {
		p.ended()
		time.Sleep(time.Millisecond)
	}
}

// over says that all sessions have ended by right, as time ends them.
func (w *world) over() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.proofs {
		p.ended()
	}
	clear(w.proofs)
	time.Sleep(time.Millisecond)
}

// acted tells whether the app showed or changed anything as a user since act
// number from.
func (w *world) acted(user string, from int) (all []string) {
	for _, a := range w.app.Acts()[from:] {
		if a.User == user && !oracle.LoginSurface(a) {
			all = append(all, fmt.Sprint(a.Action, " by ", a.Channel, ": ", a.Method, " ", a.URI))
		}
	}
	return all
}

// reached lists what of some requests came to the app.
func (w *world) reached(from int) (all []string) {
	for _, a := range w.app.Acts()[from:] {
		all = append(all, a.Method+" "+a.URI)
	}
	return all
}

// enrol gives a user a phone, by signing in for the first time.
func (w *world) enrol(users ...string) {
	w.t.Helper()
	for _, user := range users {
		c := w.client()
		c.signIn(user).want(303, "/.mfa/enroll")
		c.enrol(user)
		c.signOut()
	}
}

// verified is a browser in which a user has signed in with both factors.
func (w *world) verified(user string) *client {
	w.t.Helper()
	c := w.client()
	c.signIn(user)
	if w.phones[user] == nil {
		return c.enrol(user)
	}
	c.prove(user)
	c.get("/").want(200)
	if !strings.Contains(c.body, `<p id="user">`+user+`</p>`) {
		w.t.Fatalf("after both factors the page shows %.300q; want that of %s", c.body, user)
	}
	return c
}
