package mfagate_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// What the app sets by HTTPS is for HTTPS only, also where it deletes: some apps write words
// into the cookies that they delete.
func TestDeletedCookiesAreSecure(t *testing.T) {
	form, err := loginform.Compile(formConfig())
	if err != nil {
		t.Fatal(err)
	}
	app := &formApp{sessions: map[string]string{}}
	w := newWorld(t, nil)
	w.handler = w.block(func(b *mfagate.BlockConfig) {
		b.Source, b.Login = nil, &mfagate.Login{Form: form}
		b.Site.Client = func(r *http.Request) mfagate.Client {
			return mfagate.Client{Secure: true, Addr: netip.MustParseAddr("192.0.2.7"), Sent: r.URL}
		}
	}).Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/logout" || r.URL.Path == "/style.css" {
			rw.Header().Add("Set-Cookie", "old=-del-; Path=/; Max-Age=0")
		}
		app.ServeHTTP(rw, r)
	}))
	p := w.person("")
	p.signIn("alice", formPassword).want(303, "/.mfa/enroll")
	p.enrolHere()
	for _, path := range []string{"/style.css", "/logout"} {
		p.get(path)
		if got := p.setTo("old"); !strings.Contains(got, "; Secure") {
			t.Errorf("%s sets a cookie to %q; want it Secure", path, got)
		}
	}
	p.get("/style.css") // as a visitor
	if got := p.setTo("old"); !strings.Contains(got, "; Secure") {
		t.Errorf("a visitor's cookie is set to %q; want it Secure", got)
	}
}
