package caddymodule

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// A walk is a request of the doctor's own on its way through the server. It tells what the gate
// made of it. A nil walk is a request of somebody else.
type walk struct {
	seen       bool // it came to the gate
	through    bool // the gate let it pass
	credential bool // with its Authorization
}

type walkKey struct{}

func walkOf(r *http.Request) *walk {
	w, _ := r.Context().Value(walkKey{}).(*walk)
	return w
}

func (w *walk) met() {
	if w != nil {
		w.seen = true
	}
}

func (w *walk) passed(r *http.Request) {
	if w != nil {
		w.through = true
		w.credential = w.credential || r.Header.Get("Authorization") != ""
	}
}

// A sideDoor is a request by which apps let people in, or programs, past the login form.
type sideDoor struct {
	method, uri, kind, body string
	basic                   bool
}

// formKind is the type of what forms send.
const formKind = "application/x-www-form-urlencoded"

// knownDoors are those of widespread apps.
var knownDoors = []sideDoor{
	{method: "POST", uri: "/xmlrpc.php", kind: "text/xml", body: "<methodCall><methodName>system.listMethods</methodName></methodCall>"},
	{method: "POST", uri: "/lib/exe/xmlrpc.php", kind: "text/xml", body: "<methodCall><methodName>system.listMethods</methodName></methodCall>"},
	{method: "GET", uri: "/wp-json/"},
	{method: "GET", uri: "/index.php?rest_route=/"},
	{method: "POST", uri: "/api/login", kind: "application/json", body: `{"username": "mfa-doctor", "password": "PASSWORD"}`},
	{method: "GET", uri: "/api/"},
	{method: "GET", uri: "/api/v1/"},
	{method: "GET", uri: "/rest/"},
	{method: "GET", uri: "/feed.php"},
	{method: "GET", uri: "/remote.php/dav/"},
	{method: "OPTIONS", uri: "/Microsoft-Server-ActiveSync"},
	{method: "GET", uri: "/", basic: true},
}

// doorsOf are the doors to try of an app with this login form: the known ones, other spellings of
// the form's own path, and what the configuration means to refuse.
func doorsOf(f *loginform.Form) []sideDoor {
	c := f.Config()
	user, password := c.User.Form, c.Password.Form
	if user == "" {
		user = "username"
	}
	if password == "" {
		password = "password"
	}
	credentials := url.QueryEscape(user) + "=mfa-doctor&" + url.QueryEscape(password) + "=PASSWORD"
	doors := slices.Clone(knownDoors)
	doors = append(doors, sideDoor{method: "GET", uri: "/?" + credentials}, sideDoor{method: "POST", uri: "/", kind: formKind, body: credentials})
	for _, p := range c.Submit {
		_, at, _ := strings.Cut(p.Text, " ")
		at, _, _ = strings.Cut(at, "?")
		if at == "/" || strings.ContainsAny(at, "*|") {
			continue
		}
		doors = append(doors, sideDoor{method: "GET", uri: at + "?" + credentials})
		door := sideDoor{method: "POST", kind: formKind, body: credentials}
		if c.Credentials == loginform.InHeader {
			door = sideDoor{method: "GET", basic: true}
		}
		for _, spelling := range []string{"/" + at, at + "/", at + ".css", at + ".json", at + "/a.css", at + ";a", "/." + at, strings.ToUpper(at), path.Dir(at) + "%2f" + path.Base(at)} {
			door.uri = spelling
			doors = append(doors, door)
		}
	}
	for _, p := range c.Try {
		doors = append(doors, triedDoors(p)...)
	}
	for _, p := range c.Refuse {
		method, at, found := strings.Cut(p.Text, " ")
		if !found {
			method, at = "GET", p.Text
		}
		if at = strings.ReplaceAll(at, "**", ""); !strings.ContainsAny(at, "*|?") {
			method, _, _ = strings.Cut(method, "|")
			doors = append(doors, sideDoor{method: method, uri: at})
		}
	}
	return doors
}

// triedDoors are the requests that a line "try" stands for: as it is and, if it sends nothing, with Basic
// credentials, which many interfaces for programs take.
func triedDoors(p loginform.Pattern) []sideDoor {
	method, uri, _ := strings.Cut(p.Text, " ")
	d := sideDoor{method: method, uri: uri}
	if len(p.Where) == 0 {
		with := d
		with.basic = true
		return []sideDoor{d, with}
	}
	form := url.Values{}
	for field, value := range p.Where {
		form.Set(field, value)
	}
	d.kind, d.body = formKind, form.Encode()
	return []sideDoor{d}
}

// A triedDoor tells what became of a request.
type triedDoor struct {
	Request string `json:"request"`
	Result  string `json:"result"` // refused, reachable or dangerous
	Status  int    `json:"status"`
	Note    string `json:"note,omitempty"`
}

// try makes a request without a session through the server, as a stranger could. date is
// the answer's Date.
func (d sideDoor) try(ctx context.Context, s *caddyhttp.Server, base *url.URL, f *loginform.Form) (t triedDoor, date string, ok bool) {
	t.Request = d.method + " " + d.uri
	if d.basic {
		t.Request += " with Basic credentials"
	}
	w := new(walk)
	r, err := d.request(context.WithValue(ctx, walkKey{}, w), base)
	if err != nil {
		return t, "", false
	}
	kind := f.Classify(r)
	if kind == loginform.Submit {
		return t, "", false // the front door
	}
	rec := &brief{header: make(http.Header)}
	s.ServeHTTP(rec, r)
	t.Status = rec.status
	t.judge(w, kind)
	return t, rec.header.Get("Date"), true
}

// visitAs asks the server for a page, as a stranger with a browser does.
func visitAs(ctx context.Context, s *caddyhttp.Server, base *url.URL, method, uri string) (*brief, *walk, error) {
	w := new(walk)
	r, err := sideDoor{method: method, uri: uri}.request(context.WithValue(ctx, walkKey{}, w), base)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Accept", "text/html")
	rec := &brief{header: make(http.Header)}
	s.ServeHTTP(rec, r)
	return rec, w, nil
}

// request is what goes through the server. Its password is another one each time.
func (d sideDoor) request(ctx context.Context, base *url.URL) (*http.Request, error) {
	body := strings.ReplaceAll(d.body, "PASSWORD", rand.Text())
	target := strings.ReplaceAll(d.uri, "PASSWORD", rand.Text())
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, d.method, base.String(), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.URL, r.RequestURI, r.Host, r.RemoteAddr = u, target, base.Host, "127.0.0.1:1"
	r.Header.Set("User-Agent", "mfa-doctor")
	if d.kind != "" {
		r.Header.Set("Content-Type", d.kind)
	}
	if d.basic {
		r.SetBasicAuth("mfa-doctor", rand.Text())
	}
	if base.Scheme == "https" {
		r.TLS = &tls.ConnectionState{ServerName: base.Hostname(), HandshakeComplete: true, Version: tls.VersionTLS13}
	}
	return r, nil
}

// judge tells what an answer means.
func (t *triedDoor) judge(w *walk, kind loginform.Kind) {
	none := t.Status/100 == 3 || slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusBadGateway}, t.Status)
	switch {
	case !w.seen:
		t.Result, t.Note = "dangerous", "it does not come to the gate: no mfa block of this site stands before it"
		if none {
			t.Result = "reachable"
		}
	case w.credential:
		t.Result, t.Note = "dangerous", "the credentials reached the app"
	case !w.through:
		t.Result = "refused"
	case kind == loginform.Page:
		t.Result, t.Note = "reachable", "it is the login page"
	case none:
		t.Result, t.Note = "reachable", "it goes to the app, which refuses it or leads elsewhere"
	default:
		t.Result, t.Note = "dangerous", "the app answers it without a session of the gate"
	}
}

// A brief is the head of an answer.
type brief struct {
	header http.Header
	status int
}

func (b *brief) Header() http.Header { return b.header }

func (b *brief) WriteHeader(status int) {
	if b.status == 0 && status >= 200 {
		b.status = status
	}
}

func (b *brief) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return len(p), nil
}

// Flush implements http.Flusher, for apps that stream.
func (b *brief) Flush() {}

// serverOf finds the server of the running configuration that listens for a URL.
func serverOf(base *url.URL) *caddyhttp.Server {
	mod, err := caddy.ActiveContext().AppIfConfigured("http")
	if err != nil {
		return nil
	}
	app, ok := mod.(*caddyhttp.App)
	if !ok {
		return nil
	}
	port := base.Port()
	if port == "" {
		port = standardPort(base.Scheme)
	}
	for _, s := range app.Servers {
		if slices.ContainsFunc(s.Listen, func(l string) bool { return listens(l, port) }) {
			return s
		}
	}
	return nil
}

func listens(address, port string) bool {
	a, err := caddy.ParseNetworkAddress(address)
	if err != nil {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && !a.IsUnixNetwork() && uint64(a.StartPort) <= n && n <= uint64(a.EndPort)
}

// loopbackHost tells whether a host is this machine.
func loopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
