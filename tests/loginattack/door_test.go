package loginattack

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// attackers runs an attack on vic, who has a second factor, as each of those
// who have his password: without anything else, after typing it, as a colleague within
// her own session, and as one who types it there.
func attackers(t *testing.T, o oracle.Options, attack func(w *world, c *client), change ...func(*loginform.Config)) {
	t.Helper()
	for name, prepare := range map[string]func(*world) *client{
		"E1":         func(w *world) *client { return w.client() },
		"E1 pending": func(w *world) *client { return w.client().signIn("vic") },
		"E2":         func(w *world) *client { return w.verified("eve") },
		"E2 pending": func(w *world) *client { return w.verified("eve").signIn("vic") },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, o, func(w *world) {
				w.enrol("vic", "eve")
				c := prepare(w)
				attack(w, c)
				c.look()
				time.Sleep(2 * time.Minute) // the app is asked again who it is
				c.look()
				if c.prove("eve") {
					c.look()
				}
				w.client().look()
			}, change...)
		})
	}
}

// look opens a page of each kind. The ledger tells whose it is.
func (c *client) look() {
	c.w.t.Helper()
	for _, uri := range []string{"/", "/login", "/notes", "/whoami", "/static/app.css", "/files/x", "/nowhere", "/.mfa/"} {
		c.get(uri)
	}
}

// A way is a request that would make an app act as vic for whoever knows his password.
type way struct{ method, uri, contentType, body string }

func (c *client) try(ways ...way) {
	c.w.t.Helper()
	for _, a := range ways {
		c.send(c.request(a.method, a.uri, a.contentType, a.body))
	}
}

const (
	vicForm = "user=vic&password=password+of+vic"
	vicJSON = `{"user": "vic", "password": "password of vic"}`
	vicXML  = `<methodCall><methodName>notes.get</methodName><params><param><value><string>vic</string></value></param>` +
		`<param><value><string>password of vic</string></value></param></params></methodCall>`
)

// spellings are paths that some app takes for one of its own.
func spellings(path string) []string {
	name := path[1:]
	return []string{
		path, "/" + path, "/./" + name, "/x/../" + name, "/x/%2e%2e/" + name, "/static/../" + name, "/static/..%2f" + name, path + ";x", "/;x/" + name,
		strings.ToUpper(path), path + "/", path + "/a.css", path + ".css", path + ".json", "/%5c" + name, path + "%00", path + "%00.css",
		"/%" + hex(name[0]) + name[1:], "/%25" + hex(name[0]) + name[1:], "/static/%252e%252e/" + name,
	}
}

func hex(c byte) string {
	const digits = "0123456789abcdef"
	return string(digits[c>>4]) + string(digits[c&15])
}

func sideDoors() []way {
	var all []way
	for _, door := range []way{
		{"POST", "/api/login", "application/json", vicJSON},
		{"POST", "/xmlrpc", "text/xml", vicXML},
		{"GET", "/switch", "", "?to=vic"},
		{"POST", "/switch", formType, "to=vic"},
	} {
		for _, uri := range spellings(door.uri) {
			d := door
			d.uri = uri
			if d.method == "GET" {
				d.uri, d.body = uri+d.body, ""
			}
			all = append(all, d)
		}
	}
	return all
}

// TestO01AccountSwitch tries every other way to vic's account.
func TestO01AccountSwitch(t *testing.T) {
	o := oracle.Everything()
	attackers(t, o, func(w *world, c *client) {
		c.try(sideDoors()...)
		link := w.app.ResetLink("vic")
		c.get(link)
		c.get("/?as=vic")
	})
}

// TestO01CredentialsElsewhere: no request but the form's may carry them, also where
// the operator lists no side door.
func TestO01CredentialsElsewhere(t *testing.T) {
	o := oracle.Everything()
	attackers(t, o, func(w *world, c *client) {
		from := w.app.Count()
		for _, path := range []string{"/", "/notes", "/api/login", "/api/notes", "/logout", "/login/", "/login/x", "/static/app.css", "/files/x", "/whoami"} {
			c.try(
				way{"GET", path + "?" + vicForm, "", ""},
				way{"POST", path, formType, vicForm},
				way{"PUT", path, "application/json", vicJSON},
				way{"POST", path, "application/json", vicJSON},
				way{"POST", path + "?user=vic", formType, "password=password+of+vic"},
				way{"POST", path + "?password=password+of+vic", formType, "user=vic"},
				way{"POST", path, "multipart/form-data; boundary=b", multipartOf("user", "vic", "password", "password of vic")},
			)
		}
		for _, a := range w.app.Acts()[from:] {
			if a.User == "vic" && a.Channel != oracle.ByCookie && a.URI != "/login" {
				t.Errorf("the app took credentials from %s %s by %s", a.Method, a.URI, a.Channel)
			}
		}
	}, func(c *loginform.Config) { c.Refuse = nil })
}

func multipartOf(fields ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(fields); i += 2 {
		b.WriteString("--b\r\nContent-Disposition: form-data; name=\"" + fields[i] + "\"\r\n\r\n" + fields[i+1] + "\r\n")
	}
	return b.String() + "--b--\r\n"
}

// TestO01UnlistedSwitchLastsAMinute: what the gate is not told of it finds out
// by asking the app, within a minute, and for good.
func TestO01UnlistedSwitchLastsAMinute(t *testing.T) {
	in(t, oracle.Options{Switch: true, Rotation: oracle.RotateNever}, func(w *world) {
		w.enrol("vic", "eve")
		eve := w.verified("eve")
		w.ledger.Surface = func(a oracle.Act) bool { return oracle.LoginSurface(a) || a.Channel == oracle.BySwitch }
		eve.get("/switch?to=vic").want(302)
		w.ledger.Surface = nil
		time.Sleep(time.Minute)
		eve.get("/notes").want(403)
		eve.get("/notes").want(303, "/login")
		eve.look()
	}, func(c *loginform.Config) { c.Refuse = nil })
}

// TestO08CredentialsOutsideTheForm: headers, keys and tokens.
func TestO08CredentialsOutsideTheForm(t *testing.T) {
	attackers(t, oracle.Everything(), func(w *world, c *client) {
		for _, path := range []string{"/", "/login", "/notes", "/static/app.css", "/api/notes", "/whoami", "/logout"} {
			for _, h := range [][2]string{
				{"Authorization", "Basic dmljOnBhc3N3b3JkIG9mIHZpYw=="}, {"authorization", "bearer x"}, {"Proxy-Authorization", "Basic dmljOnBhc3N3b3JkIG9mIHZpYw=="},
				{"X-Api-Key", w.app.Key("vic")}, {"X_Api_Key", w.app.Key("vic")}, {"X.Api.Key", w.app.Key("vic")},
			} {
				r := c.request("GET", path, "", "")
				r.Header[h[0]] = []string{h[1]}
				c.send(r)
			}
			c.get(path + "?key=" + url.QueryEscape(w.app.Key("vic")))
			c.get(path + "?access_token=x")
		}
	})
}

// TestO21SessionInTheURL: an id in the URL counts for nothing, in any spelling.
func TestO21SessionInTheURL(t *testing.T) {
	attackers(t, oracle.Everything(), func(w *world, c *client) {
		for _, uri := range []string{"/notes;jsessionid=planted", "/login;jsessionid=planted", "/notes?sid=planted", "/login?sid=planted", "/static/app.css?sid=planted", "/static/app.css;jsessionid=planted"} {
			from := w.app.Count()
			c.get(uri)
			c.send(c.request("POST", uri, formType, vicForm))
			for _, a := range w.app.Acts()[from:] {
				if a.Channel == oracle.ByURL || strings.Contains(a.URI, "planted") {
					t.Errorf("%s reached the app: %s by %q", uri, a.URI, a.Channel)
				}
			}
		}
	})
}

// TestO21SessionOfAJavaAppInThePath: a real session of vic's, whose id a page of the app has shown,
// opens in no address, although no option names jsessionid.
func TestO21SessionOfAJavaAppInThePath(t *testing.T) {
	attackers(t, oracle.Everything(), func(w *world, c *client) {
		sid, _ := w.stolen("vic")
		c.knows = []string{sid}
		bare := c.copied()
		delete(bare.cookies, "sid") // in which the app would find eve
		for _, to := range []*client{c, bare} {
			for _, uri := range []string{"/notes;jsessionid=" + sid, "/;JSESSIONID=" + sid, "/notes%3bjsessionid=" + sid, "/notes;x=1;jsessionid=" + sid + ";y=2",
				"/;jsessionid=" + sid + "/notes", "/notes;%6asessionid=" + sid, "/login;jsessionid=" + sid, "/static/app.css;jsessionid=" + sid} {
				from := w.app.Count()
				to.get(uri)
				for _, a := range w.app.Acts()[from:] {
					if a.Channel == oracle.ByURL || strings.Contains(a.URI, sid) {
						t.Errorf("%s reached the app as %s, by %q", strings.ReplaceAll(uri, sid, "ID"), strings.ReplaceAll(a.URI, sid, "ID"), a.Channel)
					}
				}
			}
		}
	})
}

// TestO31PublicGivesNothingMore: what lies under a public path, or seems to, is
// asked for as nobody.
func TestO31PublicGivesNothingMore(t *testing.T) {
	attackers(t, oracle.Everything(), func(w *world, c *client) {
		for _, uri := range spellings("/notes") {
			c.get("/static" + uri)
			c.get("/static/app.css/.." + uri)
		}
		c.try(way{"POST", "/static/app.css", formType, "note=x"}, way{"PUT", "/static/app.css", "", "x"}, way{"OPTIONS", "/static/app.css", "", ""})
	})
	in(t, oracle.Options{}, func(w *world) {
		w.client().signIn("vic").get("/static/app.css").want(200)
		for _, a := range w.app.Acts() {
			if strings.HasPrefix(a.URI, "/static/") && a.Header.Get("Cookie") != "" {
				t.Errorf("a public file was asked for with %q", a.Header.Get("Cookie"))
			}
		}
	})
}

// TestO34MethodOverride: to an app that knows such headers, a page asked for by a visitor is
// never anything but that page.
func TestO34MethodOverride(t *testing.T) {
	in(t, oracle.Options{}, func(w *world) {
		for _, path := range []string{"/login", "/static/app.css"} {
			r := w.client().request("GET", path, "", "")
			r.Header["X-HTTP-Method-Override"] = []string{"POST"}
			r.Header.Set("X-HTTP-Method-Override", "POST")
			w.client().send(r)
		}
		if len(w.app.Acts()) == 0 {
			t.Error("nothing reached the app")
		}
		for _, a := range w.app.Acts() {
			for name := range a.Header {
				if strings.Contains(strings.ToLower(name), "override") {
					t.Errorf("%s reached the app with %s", a.URI, name)
				}
			}
		}
	})
}
