package mfagate_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// threeCookies is an app whose sign-in sets three cookies, and that asks on each page
// for all of them.
type threeCookies struct{ user string }

func (a *threeCookies) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost:
		a.user = r.PostFormValue("user")
		for i := range 3 {
			http.SetCookie(w, &http.Cookie{Name: fmt.Sprint("part", i), Value: strings.Repeat("x", 40), Path: "/"})
		}
		http.Redirect(w, r, "/home", http.StatusFound)
	case r.URL.Path == "/me":
		fmt.Fprintf(w, `<p id="me">%s</p>`, a.user)
	default:
		for i := range 3 {
			if _, err := r.Cookie(fmt.Sprint("part", i)); err != nil && r.URL.Path != "/login" {
				http.Error(w, "a cookie is missing", http.StatusBadRequest)
				return
			}
		}
		fmt.Fprint(w, "the app")
	}
}

// BenchmarkLoginFormPass is the gate's own work on a page of a signed-in person with three
// sealed cookies of the app.
func BenchmarkLoginFormPass(b *testing.B) {
	pass := passingForm(b)
	b.ReportAllocs()
	for b.Loop() {
		pass(0)
	}
}

// BenchmarkLoginFormOpen is the same where each request has other cookies than the one before.
func BenchmarkLoginFormOpen(b *testing.B) {
	pass := passingForm(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		pass(i % 2)
	}
}

// passingForm returns what makes a request for a page by a signed-in person with three
// sealed cookies, in one of two orders.
func passingForm(t testing.TB) func(order int) {
	t.Helper()
	form, err := loginform.Compile(formConfig())
	if err != nil {
		t.Fatal(err)
	}
	w, app := newWorld(t, nil), new(threeCookies)
	block := w.block(func(c *mfagate.BlockConfig) { c.Source, c.Login = nil, &mfagate.Login{Form: form} })
	w.handler = block.Handler(app)
	p := w.person("")
	p.get("/login")
	p.post("/login", "user", "alice", "password", "x").want(303, "/.mfa/enroll")
	p.enrolHere()
	p.get("/home").want(200)
	r := p.request("GET", "/home", "", "")
	cookies := strings.Split(strings.Join(r.Header["Cookie"], "; "), "; ")
	orders := [2]string{strings.Join(cookies, "; ")}
	slices.Reverse(cookies)
	orders[1] = strings.Join(cookies, "; ")
	rw, passed := nowhere{http.Header{}}, false
	next := func(http.ResponseWriter, *http.Request, mfagate.Decision) error {
		passed = true
		return nil
	}
	line := make([]string, 1)
	return func(order int) {
		line[0], passed = orders[order], false
		r.Header["Cookie"] = line
		if err := block.Serve(rw, r, next); err != nil || !passed {
			t.Fatalf("stopped: %v, %v", err, rw.header)
		}
	}
}

func TestThreeSealedCookiesTakeFewAllocations(t *testing.T) {
	pass := passingForm(t)
	if n := testing.AllocsPerRun(200, func() { pass(0) }); n > 10 { // a session without a login form takes 8
		t.Errorf("got %v allocations where the cookies are those of the request before; want at most 10", n)
	}
	i := 0
	if n := testing.AllocsPerRun(200, func() { i++; pass(i % 2) }); n > 16 {
		t.Errorf("got %v allocations where they are others; want at most 16", n)
	}
}

// BenchmarkLoginFormSignIn is a login with a right password, by the gate and, beside it,
// by the app alone. With the gate there are one commit before, one after, and a probe.
func BenchmarkLoginFormSignIn(b *testing.B) {
	for _, gated := range []bool{true, false} {
		b.Run(fmt.Sprintf("gate=%v", gated), func(b *testing.B) {
			form, err := loginform.Compile(formConfig())
			if err != nil {
				b.Fatal(err)
			}
			w := newWorld(b, nil)
			var handler http.Handler = new(threeCookies)
			if gated {
				handler = w.block(func(c *mfagate.BlockConfig) { c.Source, c.Login = nil, &mfagate.Login{Form: form} }).Handler(handler)
			}
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				n++
				r := httptest.NewRequest("POST", "http://localhost/login", strings.NewReader(fmt.Sprintf("user=u%d&password=x", n)))
				r.RemoteAddr = fmt.Sprintf("127.%d.%d.%d:4711", 1+n>>16, n>>8&0xff, n&0xff) // few attempts are taken from one
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("Accept", "text/html")
				rec := httptest.NewRecorder()
				handler.ServeHTTP(rec, r)
				if rec.Code != http.StatusFound && rec.Code != http.StatusSeeOther {
					b.Fatalf("answer %d %.200s", rec.Code, rec.Body)
				}
			}
		})
	}
}
