package gatetest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// A Person sits at a browser of their own. Name and password go along as basic
// authentication if there is a name.
type Person struct {
	Name, Password string
	Phone          *Authenticator // nil before the enrolment
	Codes          []string       // recovery codes that were not used
	Header         http.Header    // sent with every request, in place of what a browser would send

	server *Server
	client *http.Client
	doomed bool // the server may be gone at any moment
}

// vanished is what ends a story whose server is gone.
type vanished struct{}

// UntilGone runs a story that ends without failing the test when the server
// vanishes, and tells whether it came to its end.
func (p *Person) UntilGone(story func()) (finished bool) {
	p.doomed = true
	defer func() {
		p.doomed = false
		if r := recover(); r != nil && r != (vanished{}) {
			panic(r)
		}
	}()
	story()
	return true
}

// Person returns somebody with an empty browser.
func (s *Server) Person(name string) *Person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // cannot be, without options
	}
	p := &Person{Name: name, Password: Password, Header: http.Header{}, server: s}
	p.client = &http.Client{
		Transport: s.Transport(), Jar: jar, Timeout: time.Minute, // Caddy hashes for a second where there is no such user, and far longer on a busy machine
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s.t.Cleanup(p.client.CloseIdleConnections)
	return p
}

// Named returns somebody whom the header names, for a site with [ByHeader].
func (s *Server) Named(name string) *Person {
	p := s.Person("")
	p.Header["Remote-User"] = []string{name}
	return p
}

// Elsewhere returns the same person, with the same phone, at another browser.
func (p *Person) Elsewhere() *Person {
	q := p.server.Person(p.Name)
	q.Password, q.Phone, q.Codes = p.Password, p.Phone, p.Codes
	if user := p.Header["Remote-User"]; p.Name == "" && user != nil {
		q.Header["Remote-User"] = user
	}
	return q
}

// Cookies returns what the browser keeps for the site.
func (p *Person) Cookies() []*http.Cookie {
	u, _ := url.Parse(p.server.URL)
	return p.client.Jar.Cookies(u)
}

// Take puts cookies into the browser.
func (p *Person) Take(cookies ...*http.Cookie) {
	u, _ := url.Parse(p.server.URL)
	p.client.Jar.SetCookies(u, cookies)
}

// Navigate opens a path as a browser does, following redirects.
func (p *Person) Navigate(t testing.TB, path string) *Page {
	t.Helper()
	return p.Follow(t, p.Open(t, path))
}

// Open opens a path as a browser does, and shows the first answer.
func (p *Person) Open(t testing.TB, path string) *Page {
	t.Helper()
	return p.Do(t, p.Request(t, http.MethodGet, path, nil, nil))
}

// Submit posts a form with some of its values replaced, following redirects. A
// name with no values is left out.
func (p *Person) Submit(t testing.TB, page *Page, action string, values url.Values) *Page {
	t.Helper()
	return p.Follow(t, p.Post(t, page, action, values))
}

// Post is [Person.Submit] without following redirects.
func (p *Person) Post(t testing.TB, page *Page, action string, values url.Values) *Page {
	t.Helper()
	f := page.Form(t, action)
	for name, v := range values {
		f.Values[name] = v
		if len(v) == 0 {
			delete(f.Values, name)
		}
	}
	return p.PostValues(t, action, f.Values)
}

// PostValues posts a form of the own making, as a page of the site would.
func (p *Person) PostValues(t testing.TB, path string, values url.Values) *Page {
	t.Helper()
	return p.Do(t, p.PostRequest(t, path, values))
}

// PostRequest returns the request that [Person.PostValues] sends.
func (p *Person) PostRequest(t testing.TB, path string, values url.Values) *http.Request {
	t.Helper()
	return p.Request(t, http.MethodPost, path, strings.NewReader(values.Encode()), http.Header{
		"Content-Type":   {"application/x-www-form-urlencoded"},
		"Origin":         {p.server.URL},
		"Sec-Fetch-Site": {"same-origin"},
	})
}

// Fetch sends a request as a script of the app does; a body other than nil is
// sent as JSON.
func (p *Person) Fetch(t testing.TB, method, path string, body any) *Page {
	t.Helper()
	h := http.Header{
		"Accept": {"application/json"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"same-origin"},
	}
	var r io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r = bytes.NewReader(data)
		h.Set("Content-Type", "application/json")
	}
	if method != http.MethodGet {
		h.Set("Origin", p.server.URL)
	}
	return p.Do(t, p.Request(t, method, path, r, h))
}

// Request makes a request as a browser sends it when a person opens a page;
// header replaces what the browser would say, and an empty value removes it.
func (p *Person) Request(t testing.TB, method, path string, body io.Reader, header http.Header) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.server.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Accept":          {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		"Accept-Language": {"en"},
		"Sec-Fetch-Mode":  {"navigate"},
		"Sec-Fetch-Dest":  {"document"},
		"Sec-Fetch-Site":  {"none"},
		"User-Agent":      {"Mozilla/5.0 (X11; Linux x86_64) gatetest"},
	}
	for _, h := range []http.Header{header, p.Header} {
		for name, v := range h {
			if r.Header[name] = v; len(v) == 0 || v[0] == "" {
				delete(r.Header, name)
			}
		}
	}
	if p.Name != "" {
		r.SetBasicAuth(p.Name, p.Password)
	}
	return r
}

// Do sends a request and reads the answer.
func (p *Person) Do(t testing.TB, r *http.Request) *Page {
	t.Helper()
	page, err := p.Try(r)
	if err != nil && p.doomed {
		panic(vanished{})
	}
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	return page
}

// Try is [Person.Do] for servers that may be gone.
func (p *Person) Try(r *http.Request) (*Page, error) {
	resp, err := p.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	root, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return &Page{resp.StatusCode, resp.Request.URL, resp.Header, string(body), root}, nil
}

// Follow follows redirects, none of which may leave the site.
func (p *Person) Follow(t testing.TB, page *Page) *Page {
	t.Helper()
	for range 10 {
		if page.Status < 300 || page.Status >= 400 {
			return page
		}
		to, err := page.URL.Parse(page.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if to.Host != page.URL.Host || to.Scheme != page.URL.Scheme {
			t.Fatalf("%s redirects to another origin: %s", page.URL, to)
		}
		page = p.Do(t, p.Request(t, http.MethodGet, to.RequestURI(), nil, nil))
	}
	t.Fatalf("more than ten redirects, the last to %s", page.URL)
	return nil
}

// Client returns the person's browser, for what uses the app in its own way.
func (p *Person) Client() *http.Client { return p.client }
