package unseen_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// An administrator adds a user, by a form with the fields of the login form, as in Miniflux: the
// block lists that form, and no other is let through. Where the app signs in whom
// it adds, the session ends.
func TestFormThatAddsAUser(t *testing.T) {
	a := (&app{cookie: "sid"}).start()
	upstream := httptest.NewServer(a)
	t.Cleanup(upstream.Close)
	gate := gatetest.Start(t, gatetest.Config{Plain: true, Site: "mfa {\n login_form {" + common + `
		page /login
		page /login?next=*
		submit /login
		success status 302 not_location /login*
		failure status 200 selector "input[type=password]"
		accounts /people
		poll /people
	}
	}
	reverse_proxy ` + strings.TrimPrefix(upstream.URL, "http://")})
	w := &world{t, a, gate}
	p := gate.Person("")
	w.wantAt(w.typeIn(p, p.Navigate(t, "/home"), "alice", gatetest.Password), gatetest.PathEnrol, "the right password")
	w.wantApp(w.enrol(p), "enrolled")
	post := func(path, media, body string) *gatetest.Page {
		return p.Do(t, p.Request(t, http.MethodPost, path, strings.NewReader(body), http.Header{
			"Content-Type": {media}, "Sec-Fetch-Site": {"same-origin"}, "Origin": {gate.URL}}))
	}
	const form, fields = "application/x-www-form-urlencoded", "username=dora&password=1234"
	for _, media := range []string{form, "application/json"} {
		body := fields
		if media != form {
			body = `{"username":"dora","password":"1234"}`
		}
		if got := post("/people", media, body); got.Status != 200 || !strings.HasPrefix(got.Body, "added") {
			t.Errorf("%s: got %d %.200q; want the app's answer", media, got.Status, got.Body)
		}
	}
	for _, path := range []string{"/people/", "/People", "/people;a=b", "/people?" + fields, "//people", "/people/%2e", "/home"} {
		if got := post(path, form, fields); got.Status != http.StatusBadRequest {
			t.Errorf("%s: got %d %.200q; want 400", path, got.Status, got.Body)
		}
	}
	if got := p.Do(t, p.Request(t, http.MethodGet, "/people?"+fields, nil, nil)); got.Status != http.StatusBadRequest {
		t.Errorf("fields in the query: got %d %.200q; want 400", got.Status, got.Body)
	}
	w.wantApp(p.Navigate(t, "/home"), "after all that")
	bob := url.Values{"username": {"bob"}, "password": {gatetest.Password}, "become": {"1"}}
	post("/people", form, bob.Encode())
	page := p.Navigate(t, "/home")
	if page.Status != http.StatusForbidden {
		t.Errorf("after the app went on as somebody else: got %d at %s; want 403", page.Status, page.URL)
	}
	w.wantNothing(page, "after the app went on as somebody else")
	w.wantLogin(p.Navigate(t, "/home"), "after that")
	if got := post("/people", form, fields); strings.HasPrefix(got.Body, "added") {
		t.Errorf("without a session: got %d %.200q", got.Status, got.Body)
	}
}
