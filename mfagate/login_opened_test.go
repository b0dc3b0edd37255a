package mfagate_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// echoApp sets two cookies at the sign-in, and answers each other request with the header
// Cookie that it was given.
func echoApp(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/login":
		if r.Method == http.MethodPost {
			w.Header().Add("Set-Cookie", "sid=of-"+r.FormValue("user")+"; Path=/")
			w.Header().Add("Set-Cookie", "part=two; Path=/")
			http.Redirect(w, r, "/home", http.StatusFound)
		}
	case "/me":
		if c, err := r.Cookie("sid"); err == nil {
			fmt.Fprintf(w, `<p id="me">%s</p>`, strings.TrimPrefix(c.Value, "of-"))
		}
	default:
		_, _ = io.WriteString(w, r.Header.Get("Cookie"))
	}
}

// echoed are pairs of a header Cookie and what the app sees of it, of somebody who is signed in.
// The empty sight is that of a request which is refused.
func echoed(p *person, other string) [][2]string {
	own := "mfagate=" + p.cookies["mfagate"] + "; "
	sid, part := "sid="+p.cookies["sid"], "part="+p.cookies["part"]
	last := "A"
	if strings.HasSuffix(part, last) { // else one in sixteen would not be spoilt
		last = "E"
	}
	return [][2]string{
		{own + sid + "; " + part, "sid=of-alice; part=two"},
		{own + part + "; " + sid, "part=two; sid=of-alice"},
		{own + sid + "; theme=dark", "sid=of-alice"},
		{own + sid + "; part=" + p.cookies["sid"], "sid=of-alice"},
		{own + sid + "; " + part[:len(part)-1] + last, "sid=of-alice"},
		{own + sid + "; part=" + other, "sid=of-alice"},
		{own + sid + "; " + sid, "sid=of-alice"},
		{sid + "; " + part, ""}, // without the gate's own
	}
}

// What was opened for one request is opened for the next only where that has the very same
// cookies: one that was left out, moved, spoilt or planted in between has its own effect.
func TestEachRequestIsOpenedForItself(t *testing.T) {
	w := loginWorld(t, formConfig(), http.HandlerFunc(echoApp))
	eve := w.person("")
	eve.signIn("eve", formPassword).want(303)
	p := w.signedInByForm()
	sights := echoed(p, eve.cookies["part"])
	for range 2 {
		for i, first := range sights {
			for _, next := range sights[i:] {
				for _, s := range [][2]string{first, next, first} {
					if got := sight(w, p, s[0]); got != s[1] {
						t.Errorf("%q reaches the app as %q; want %q", s[0], got, s[1])
					}
				}
			}
		}
		runtime.GC() // what is kept goes
	}
}

// sight is what the app sees of a header Cookie.
func sight(w *world, p *person, header string) string {
	r := p.request("GET", "/home", "", "")
	r.Header["Cookie"] = []string{header}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		return ""
	}
	return rec.Body.String()
}

func TestParallelRequestsWithOtherCookiesGetTheirOwn(t *testing.T) {
	w := loginWorld(t, formConfig(), http.HandlerFunc(echoApp))
	p := w.signedInByForm()
	sights := echoed(p, "x")
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for i := range 50 {
				s := sights[(i+n)%len(sights)]
				if got := sight(w, p, s[0]); got != s[1] {
					t.Errorf("%q reaches the app as %q; want %q", s[0], got, s[1])
				}
			}
		})
	}
	wg.Wait()
}

// Sessions live on over a new configuration, which may say of a cookie that it is no longer one
// that goes in clear.
func TestWhatWasOpenedEndsWithTheConfiguration(t *testing.T) {
	w := newWorld(t, nil)
	c := formConfig()
	c.PassCookies = []string{"theme"}
	w.handler = w.blockOf(c).Handler(http.HandlerFunc(echoApp))
	p := w.signedInByForm()
	header := "mfagate=" + p.cookies["mfagate"] + "; theme=dark; sid=" + p.cookies["sid"]
	for _, configured := range []struct {
		form loginform.Config
		want string
	}{{c, "theme=dark; sid=of-alice"}, {formConfig(), "sid=of-alice"}, {c, "theme=dark; sid=of-alice"}} {
		w.handler = w.blockOf(configured.form).Handler(http.HandlerFunc(echoApp))
		for range 2 {
			if got := sight(w, p, header); got != configured.want {
				t.Errorf("with pass_cookies %q the app gets %q; want %q", configured.form.PassCookies, got, configured.want)
			}
		}
	}
}
