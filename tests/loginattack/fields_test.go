package loginattack

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// submissions are login requests in which some reader finds vic's name, and some other
// eve's.
func submissions() []way {
	pw := "password=password+of+vic"
	forms := []string{
		"user=eve&user=vic&" + pw, "user=vic&user=eve&" + pw, "user=eve&+user=vic&" + pw, "user=eve&user%00=vic&" + pw, "user=eve&User=vic&" + pw,
		"user=eve&user[]=vic&" + pw, "user[]=vic&user=eve&" + pw, "user=eve&us%65r=vic&" + pw, "user=eve;user=vic&" + pw, "user=eve&user.=vic&" + pw, "user=eve&user%20=vic&" + pw,
		"user=eve&password=password+of+eve&" + pw, "user=eve&" + pw + "&password=password+of+eve", "user=eve&" + pw + "&_method=PUT&user%5B0%5D=vic",
		"\xef\xbb\xbfuser=vic&user=eve&" + pw, "user=eve%26user=vic&" + pw, "user=eve&amp;user=vic&" + pw, "user=vic%00eve&" + pw, "user=vic%0d%0aeve&" + pw,
		"user=eve&user&user=vic&" + pw, "?user=vic&user=eve&" + pw, "user=eve&%75ser=vic&" + pw, "user=eve&user+=vic&" + pw, strings.Repeat("x=1&", 20000) + vicForm,
	}
	var all []way
	for _, f := range forms {
		all = append(all, way{"POST", "/login", formType, f})
	}
	for _, query := range []string{"?user=vic", "?user=vic&password=password+of+vic", "?x=1", "?", "?us%65r=vic", "?User=vic", "?user[]=vic"} {
		all = append(all, way{"POST", "/login" + query, formType, "user=eve&" + pw})
	}
	for _, kind := range []string{"", "text/plain", formType + "; charset=utf-16", formType + "; charset=utf-7", formType + ", application/json", "application/json", "multipart/form-data", "multipart/mixed; boundary=b", "x/y", formType + "; boundary=b"} {
		all = append(all, way{"POST", "/login", kind, vicForm}, way{"POST", "/login", kind, vicJSON}, way{"POST", "/login", kind, "user=eve&user=vic&" + pw})
	}
	return append(all, parts()...)
}

func parts() []way {
	multi := "multipart/form-data; boundary=b"
	both := multipartOf("user", "eve", "user", "vic", "password", "password of vic")
	one := multipartOf("user", "vic", "password", "password of vic")
	return []way{
		{"POST", "/login", multi, both},
		{"POST", "/login", multi, multipartOf("user", "eve", "USER", "vic", "password", "password of vic")},
		{"POST", "/login", multi, multipartOf("user", "eve", "user[]", "vic", "password", "password of vic")},
		{"POST", "/login", multi, strings.Replace(both, `name="user"`, `name="user"; filename="x"`, 1)},
		{"POST", "/login", multi, strings.Replace(one, `name="user"`, `name*=utf-8''user`, 1)},
		{"POST", "/login", multi, strings.Replace(one, `name="user"`, `name="x"; name="user"`, 1)},
		{"POST", "/login", multi, strings.Replace(both, `name="user"`, `name=user`, 1)},
		{"POST", "/login", multi + "; boundary=c", both},
		{"POST", "/login", multi, "preamble user=eve\r\n" + both + "user=vic"},
		{"POST", "/login", "application/json", `{"user": "eve", "user": "vic", "password": "password of vic"}`},
		{"POST", "/login", "application/json", `{"user": "eve", "\u0075ser": "vic", "password": "password of vic"}`},
		{"POST", "/login", "application/json", `{"user": "eve", "User": "vic", "password": "password of vic"}`},
		{"POST", "/login", "application/json", `{"user": ["vic"], "password": "password of vic"}`},
		{"POST", "/login", "application/json", `{"x": {"user": "vic"}, "user": "eve", "password": "password of vic"}`},
		{"POST", "/login", "application/json", vicJSON + vicJSON},
	}
}

// TestO02ParameterPollution: what the app reads is what the gate has judged, or
// nothing gets there; and vic's password makes nobody else vic.
func TestO02ParameterPollution(t *testing.T) {
	habits := map[string]oracle.Options{
		"last wins":  {Encodings: oracle.Form | oracle.Multipart | oracle.JSON, Query: oracle.QueryWins, PHPNames: true, Semicolons: true},
		"first wins": {Encodings: oracle.Form | oracle.Multipart | oracle.JSON, Query: oracle.QueryIfMissing, FirstWins: true, PHPNames: true, Names: oracle.AllNames},
	}
	for name, o := range habits {
		o.Rotation = oracle.RotateNever
		t.Run(name, func(t *testing.T) {
			in(t, o, func(w *world) {
				w.enrol("vic", "eve")
				for _, s := range submissions() {
					time.Sleep(20 * time.Minute) // as many attempts are allowed again
					eve := w.verified("eve")
					from := w.app.Count()
					eve.get("/login")
					eve.try(s)
					oneName(t, w, from, s)
					if eve.prove("eve") {
						eve.look()
					}
					eve.look()
				}
			}, func(c *loginform.Config) { c.User.JSON, c.Password.JSON = "/user", "/password" })
		})
	}
}

// oneName fails the test if the app has read another name out of a login than the gate.
func oneName(t *testing.T, w *world, from int, s way) {
	t.Helper()
	form, err := loginform.Compile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	judged, err := form.ReadSubmission(w.client().request(s.method, s.uri, s.contentType, s.body))
	for _, a := range w.app.Acts()[from:] {
		if a.Method != "POST" {
			continue
		}
		if err != nil || a.Tried != judged.User || a.URI != "/login" {
			t.Errorf("%.200q (%s) reached the app as %s %q, which read %q there; want %+v (%v)", s.body, s.contentType, a.URI, a.Body, a.Tried, judged, err)
		}
	}
}

// TestO34VariantsOfALogin: what is no plain POST of the form is no login.
func TestO34VariantsOfALogin(t *testing.T) {
	attackers(t, oracle.Everything(), func(w *world, c *client) {
		for _, h := range [][2]string{
			{"X-Http-Method-Override", "GET"}, {"X-Http-Method", "PUT"}, {"Content-Encoding", "gzip"}, {"Content-Encoding", "identity"}, {"Content-Range", "bytes 0-1/2"},
		} {
			from := w.app.Count()
			r := c.request("POST", "/login", formType, vicForm)
			r.Header.Set(h[0], h[1])
			c.send(r)
			for _, a := range w.app.Acts()[from:] {
				if a.Header.Get(h[0]) != "" {
					t.Errorf("a login with %s: %s reached the app", h[0], h[1])
				}
			}
		}
		c.try(way{"PUT", "/login", formType, vicForm}, way{"HEAD", "/login", formType, vicForm}, way{"DELETE", "/login", formType, vicForm}, way{"post", "/login", formType, vicForm},
			way{"OPTIONS", "/login", formType, vicForm}, way{"GET", "/login", formType, vicForm}, way{"TRACE", "/login", "", ""}, way{"POST", "/login", formType, ""})
		for _, uri := range spellings("/login") {
			if uri != "/login" {
				c.try(way{"POST", uri, formType, vicForm})
			}
		}
	})
}

// TestO18LoginPageIsNoHole: the login page with anything else in its address, and with the
// cookies of somebody who has given a password.
func TestO18LoginPageIsNoHole(t *testing.T) {
	o := oracle.Everything()
	o.Rotation = oracle.RotateNever
	attackers(t, o, func(w *world, c *client) {
		half := w.client().get("/login")
		kept := half.copied()
		half.signIn("vic")
		for _, uri := range []string{"/login", "/login?", "/login?as=vic", "/login?to=vic", "/login?route=login&route=admin", "/login?route[]=x", "/login/../notes", "/login/x", "/login?" + url.QueryEscape(vicForm)} {
			c.get(uri)
			half.get(uri)
			kept.get(uri)
			c.copied().withOld(half).get(uri)
		}
	})
}
