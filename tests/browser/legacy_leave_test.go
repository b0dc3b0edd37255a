package browser_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// A wire lies between the gate and an app, and remembers by what the app knows the person.
type wire struct {
	*httptest.Server
	mu            sync.Mutex
	cookies       map[string]string
	authorization string
	host          string // as the app is told
}

// newWire listens before the app until the test ends.
func newWire(t *testing.T, app *legacy.App) *wire {
	t.Helper()
	target, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{cookies: make(map[string]string)}
	proxy := &httputil.ReverseProxy{
		Transport:     legacy.Transport(),
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = w.saw(r.In)
			for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"} {
				r.Out.Header[name] = r.In.Header[name]
			}
		},
		ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, _ error) { // the person may leave
			rw.WriteHeader(http.StatusBadGateway)
		},
	}
	w.Server = httptest.NewServer(proxy)
	t.Cleanup(func() {
		w.CloseClientConnections()
		w.Close()
	})
	return w
}

// saw notes what the gate sends, and returns the host that the app is told. What comes
// round the gate is told the same: some apps name their cookies by it.
func (w *wire) saw(r *http.Request) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Header.Get("X-Forwarded-Host") == "" {
		return w.host
	}
	w.host = r.Host
	if r.Host == strings.TrimPrefix(w.URL, "http://") {
		w.host = "" // the app wants its own
	}
	for _, c := range r.Cookies() {
		w.cookies[c.Name] = c.Value
	}
	if a := r.Header.Get("Authorization"); a != "" {
		w.authorization = a
	}
	return w.host
}

// beside returns somebody who has what the app knows the person by, and comes round the gate.
func (w *wire) beside(t *testing.T, app *legacy.App) *legacy.Visitor {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	v := app.Visit(t, w.URL)
	at, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range w.cookies {
		v.Client.Jar.SetCookies(at, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
	}
	if w.authorization != "" {
		v.Header.Set("Authorization", w.authorization)
	}
	return v
}

// twoTabs leaves the app in one tab by its own way out: the session is over for the gate and
// for the app, the other tab comes to the form with its next page, and the way back in the
// first one shows nothing.
func (u *appUse) twoTabs(b *tab) {
	u.Helper()
	if u.leave == nil {
		return
	}
	other := b.another()
	other.answerDialogs()
	other.visit(u.deep)
	other.waitFor(u.inside)
	b.visit(u.deep)
	b.waitFor(u.inside)
	if got := u.session(b); got != http.StatusOK {
		u.Errorf("before the way out the gate answers %d to whoever asks for the session; want 200", got)
	}
	thief := u.wire.beside(u.T, u.app)
	if !thief.SignedIn() {
		u.Error("what the app gets does not open it: the way out would show nothing")
	}
	u.leave(b)
	u.wantOut(b)
	b.shoot("left")
	if thief.SignedIn() != u.forGood {
		u.Errorf("beside the gate the app's session is good after the way out: %v; want %v", !u.forGood, u.forGood)
	}
	eval[bool](other, "document.querySelector("+quote(u.after)+")?.click(); true") // a script may have left already
	other.settle()
	other.visit(u.deep)
	u.wantForm(other)
	other.shoot("after leaving elsewhere")
	eval[bool](b, "history.back(); true")
	b.settle()
	u.wantForm(b)
	b.shoot("back after leaving")
}

// wantOut wants the app's own word for it, or its form, and a gate that knows nobody. Some apps
// look left before they have asked for it.
func (u *appUse) wantOut(b *tab) {
	u.Helper()
	if u.left != "" {
		b.wantText("body", u.left)
	}
	b.until("the sign-out", func() bool {
		form := ask[bool](b, "!!document.querySelector("+quote(u.password)+")?.checkVisibility()")
		return b.count(u.inside) == 0 && (form || b.at() != u.deep)
	})
	if got := u.session(b); got != http.StatusUnauthorized {
		u.Errorf("after the way out the gate answers %d to whoever asks for the session; want 401", got)
	}
}

// session asks the gate for the session of a browser, beside its pages: their scripts
// would hear of the answer.
func (u *appUse) session(b *tab) int {
	u.Helper()
	got, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{b.base}})
	b.check(err)
	r, err := http.NewRequestWithContext(b.ctx, http.MethodGet, b.base+"/.mfa/api/v1/session", nil)
	b.check(err)
	for _, c := range got.Cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	resp, err := http.DefaultClient.Do(r)
	b.check(err)
	resp.Body.Close()
	return resp.StatusCode
}

// wantForm wants the form, and nothing of the app behind it.
func (u *appUse) wantForm(b *tab) {
	u.Helper()
	u.shown(b)
	if b.count(u.inside) > 0 {
		u.Errorf("at %s there is still %s, which is for people who signed in", b.at(), u.inside)
	}
}

// long tells whether to use the apps for longer than CI does.
func long() bool { return os.Getenv("MFAGATE_LEGACY") != "" }
