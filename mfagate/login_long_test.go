package mfagate_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// longApp answers with more than the gate holds, through a proxy, which breaks off then.
func longApp(t *testing.T, status func(*http.Request) int) http.Handler {
	t.Helper()
	page := strings.Repeat("<!-- filler -->", 1+loginform.MaxAnswer/15)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			http.SetCookie(w, &http.Cookie{Name: "PHPSESSID", Value: "a", Path: "/"})
		}
		w.WriteHeader(status(r))
		_, _ = w.Write([]byte(page)) // the gate may have gone
	}))
	t.Cleanup(app.Close)
	at, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(at)
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, new(http.Server)))) // so it panics
	})
}

// Of the page on which Basic credentials are tried only the status counts: TiddlyWiki answers
// with a whole wiki.
func TestBasicCredentialsOnALongPage(t *testing.T) {
	w := loginWorld(t, loginform.Config{Basic: true}, longApp(t, func(r *http.Request) int {
		if _, password, _ := r.BasicAuth(); password == formPassword {
			return http.StatusOK
		}
		return http.StatusUnauthorized
	}))
	for password, want := range map[string]int{formPassword: http.StatusSeeOther, "wrong": http.StatusUnauthorized} {
		p := w.person("")
		r := p.request("GET", "/", "", "")
		r.SetBasicAuth("alice", password)
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		if rec.Code != want || strings.Contains(rec.Body.String(), "filler") {
			t.Errorf("%s: got %d; want %d and nothing of the app", password, rec.Code, want)
		}
	}
}

// A long login page is there on the second visit, too, and an answer to the form of which
// only a part was read lets nobody in.
func TestLongLoginPage(t *testing.T) {
	c := formConfig()
	c.Success, c.Failure = []loginform.Signs{{Status: []string{"200"}}}, nil
	w := loginWorld(t, c, longApp(t, func(*http.Request) int { return http.StatusOK }))
	p := w.person("")
	for _, visit := range []string{"first", "second"} {
		p.get("/login").want(200)
		if len(p.body) <= loginform.MaxAnswer {
			t.Errorf("%s visit: got %d bytes; want all of more than %d", visit, len(p.body), loginform.MaxAnswer)
		}
	}
	p.post("/login", "username", "alice", "password", formPassword)
	if p.last.Code < 400 || strings.Contains(p.body, "filler") {
		t.Errorf("a long answer to the form: got %d to %q; want a page of the gate's", p.last.Code, p.last.Header().Get("Location"))
	}
}
