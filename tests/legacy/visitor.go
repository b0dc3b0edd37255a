package legacy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A Visitor uses an app as its own page would, with cookies of its own, and
// without following redirects. Not for use by several goroutines at once.
type Visitor struct {
	Base   string      // where the app is reached: directly, or through a gate
	Header http.Header // sent with every request, such as the Authorization of apps without cookies
	Client *http.Client

	app  *App
	t    testing.TB
	take func(v *Visitor, a Answer) // keeps what the app's script keeps of an answer; may be nil
}

// An Answer is a response whose body was read.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// idle is for how long a connection to an app waits for the next request. Apps close theirs
// after some seconds, lighttpd after five: a form that is sent just then is lost, whoever sends it.
const idle = time.Second

// Transport returns one for requests to an app, which loses none.
func Transport() *http.Transport { return &http.Transport{IdleConnTimeout: idle} }

// Proxy returns the directive of a Caddyfile that leads to an address of an app and loses no request,
// with further lines of its block.
func Proxy(address string, lines ...string) string {
	lines = append(lines, fmt.Sprintf("transport http {\n\t\t\tkeepalive %v\n\t\t}", idle))
	return fmt.Sprintf("reverse_proxy %s {\n\t\t%s\n\t}", strings.TrimPrefix(address, "http://"), strings.Join(lines, "\n\t\t"))
}

// Visit returns somebody who is not signed in. The base is a URL without a
// slash at the end; the empty one leads to the app itself.
func (a *App) Visit(t testing.TB, base string) *Visitor {
	t.Helper()
	if base == "" {
		base = a.URL
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{
		Jar: jar, Timeout: time.Minute, Transport: Transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	return &Visitor{Base: base, Header: make(http.Header), Client: client, app: a, t: t, take: accesses[a.Name].take}
}

// SignIn sends the app's own login request, with what its login page gives for
// it. What it led to is for [Visitor.SignedIn] to tell.
func (v *Visitor) SignIn(name, password string) Answer {
	v.t.Helper()
	if f := v.access().form; f != nil {
		return v.send(f.path, f.body(v, name, password))
	}
	return v.access().signIn(v, name, password)
}

// SignedIn returns whether the app shows what only people who signed in may see.
func (v *Visitor) SignedIn() bool {
	v.t.Helper()
	return strings.Contains(v.access().secret(v).Body, Marker)
}

// Who returns the name that the app calls the visitor by: empty if it calls him
// nothing, and always for the apps that know no names.
func (v *Visitor) Who() string {
	v.t.Helper()
	if v.access().who == nil {
		return ""
	}
	return v.access().who(v)
}

// SignOut leaves the app as its own page would.
func (v *Visitor) SignOut() Answer {
	v.t.Helper()
	return v.access().signOut(v)
}

func (v *Visitor) access() access {
	v.t.Helper()
	a, ok := accesses[v.app.Name]
	if !ok {
		v.t.Fatalf("nobody has told how to use %s", v.app.Name)
	}
	return a
}

// Get asks for a path.
func (v *Visitor) Get(path string) Answer {
	v.t.Helper()
	return v.Do(http.MethodGet, path, "", "")
}

// Post sends a form; the arguments are names and values in turn.
func (v *Visitor) Post(path string, pairs ...string) Answer {
	v.t.Helper()
	form := make(url.Values)
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return v.Do(http.MethodPost, path, "application/x-www-form-urlencoded", form.Encode())
}

// PostJSON sends a JSON text.
func (v *Visitor) PostJSON(path, format string, args ...any) Answer {
	v.t.Helper()
	return v.Do(http.MethodPost, path, "application/json", fmt.Sprintf(format, args...))
}

// Do sends a request; the path may have a query. A transport that fails, fails
// the test.
func (v *Visitor) Do(method, path, contentType, body string) Answer {
	v.t.Helper()
	return v.Ask(v.Request(method, path, contentType, strings.NewReader(body)))
}

// Request makes a request with the headers that go with all.
func (v *Visitor) Request(method, path, contentType string, body io.Reader) *http.Request {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.Base+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header = v.Header.Clone()
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

// Ask sends a request. A transport that fails, fails the test.
func (v *Visitor) Ask(r *http.Request) Answer {
	v.t.Helper()
	resp, err := v.Client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		v.t.Fatal(err)
	}
	a := Answer{resp.StatusCode, resp.Header, string(bytes.ToValidUTF8(data, []byte("?")))}
	if v.take != nil {
		v.take(v, a)
	}
	return a
}

// Find returns the first group of the first match in the body, with HTML's
// ampersands as they were, or nothing.
func (a Answer) Find(pattern string) string {
	if m := regexp.MustCompile(pattern).FindStringSubmatch(a.Body); m != nil {
		return strings.ReplaceAll(m[1], "&amp;", "&")
	}
	return ""
}

// Sets returns whether the answer sets a cookie whose name begins so, to a
// value that is not one of those by which apps delete cookies.
func (a Answer) Sets(prefix string) bool {
	set := false
	for _, line := range a.Header["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil || !strings.HasPrefix(c.Name, prefix) {
			continue
		}
		set = c.Value != "" && c.Value != "deleted" && c.Value != "-del-" && c.MaxAge >= 0
	}
	return set
}
