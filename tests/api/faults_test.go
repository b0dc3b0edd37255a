package api_test

import (
	"crypto/tls"
	"net/http"
	"strings"
)

var tlsState = &tls.ConnectionState{HandshakeComplete: true}

// faults sends every operation of the document what no operation may take. The
// answer must be the same whatever it is that is asked for.
func faults(w *site) {
	for _, o := range w.doc.operations {
		path := strings.NewReplacer("{factor}", "totp", "{id}", "none", "{app_path}", "invoices/7").Replace(o.path)
		anyRequest(w, o.method, path)
		if o.method != http.MethodGet {
			stateChange(w, o.method, path)
		}
	}
}

// anyRequest is about faults of reading and changing requests alike.
func anyRequest(w *site, method, path string) {
	stranger := w.client("")
	stranger.send(stranger.request(method, path, nil)).want(401, members{"type": "no_identity", "url": "/.mfa/challenge"})

	odd := w.client("\u202eecila") // an override of the direction of writing
	odd.send(odd.request(method, path, nil)).want(400, members{"type": "name_refused"})

	c := w.client("alice")
	r := c.request(method, path, nil)
	r.Host = "app.example.com"
	c.send(r).want(403, members{"type": "insecure"})

	r = c.request(method, path, nil)
	r.Header.Set("Cookie", "mfagate=a; mfagate=b")
	c.send(r).want(400, members{"type": "cookies_duplicate"})

	r = c.request(method, path, nil)
	r.Header.Set("Cookie", "mfagate="+strings.Repeat("a", 43))
	w.disk.broken.Store(true)
	c.send(r).want(503, members{"type": "unavailable"})
	w.disk.broken.Store(false)
}

// stateChange is about faults of requests that change something.
func stateChange(w *site, method, path string) {
	c := w.client("alice")
	with := func(name, value string) *http.Request {
		r := c.request(method, path, "{}")
		r.Header.Set(name, value)
		return r
	}
	c.send(with("Sec-Fetch-Site", "cross-site")).want(403, members{"type": "cross_site"})
	c.send(with("Sec-Fetch-Site", "same-site")).want(403, members{"type": "cross_site"})
	c.send(with("Origin", "https://evil.example.com")).want(403, members{"type": "cross_site"})
	c.send(with("Early-Data", "1")).want(425, members{"type": "early_data"})
	for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/json; ="} {
		c.send(with("Content-Type", media)).want(415, members{"type": "media_type"})
	}
	c.send(c.request(method, path, `{"code":"`+strings.Repeat("1", 64<<10)+`"}`)).want(413, members{"type": "too_large"})
	for _, body := range []string{
		`{`, `[]`, `"x"`, `null`, `{"code":"1"}{}`, `{"code":"1","code":"2"}`, `{"code":123456}`, `{"code":-1}`,
		`{"code":"1",}`, "{\"code\":\"\xff\"}", `{"code":tru}`,
	} {
		c.send(c.request(method, path, body)).want(400, members{"type": "bad_request"})
	}
}
