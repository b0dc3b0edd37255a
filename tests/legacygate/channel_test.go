package legacygate_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// Lengths of what is uploaded, in bytes. The gate reads up to 1 MiB of a request before it
// hands it on; a large one must not be held.
const (
	large = 20 << 20
	small = 3 << 20
)

// channels is what an app has beside its pages and forms.
type channels struct {
	upload func(p *person, name string, data []byte) (at string) // as its page does; returns where the file is now, if it can be had
	size   int                                                   // that it takes
	files  []string                                              // that do not change
	talk   func(p *person) *legacy.Socket                        // opens a WebSocket, and sees that the app answers
	poll   func(p *person)                                       // asks for news as its script does
	lacks  map[string]string                                     // why there is no "download", "range", "gzip", "validator", "socket" or "poll", or no other way to the "same" file
}

// TestEveryChannelIsUsed wants each app to be used in all these ways, or a reason why it
// cannot be.
func TestEveryChannelIsUsed(t *testing.T) {
	for _, name := range legacy.Names {
		c, ok := channelsOf[name]
		if !ok || c.upload == nil || c.size == 0 || len(c.files) == 0 {
			t.Errorf("%s: nobody has told what is uploaded, and which files it has", name)
			continue
		}
		for what, has := range map[string]bool{"socket": c.talk != nil, "poll": c.poll != nil} {
			if reason := c.lacks[what]; has == (reason != "") {
				t.Errorf("%s: %s is tried: %v; the reason why not: %q", name, what, has, reason)
			}
		}
	}
}

// useChannels uploads, downloads, talks over a WebSocket and polls.
func useChannels(p *person) {
	w := p.w
	c := channelsOf[w.app.Name]
	data := noise(c.size)
	at := c.upload(p, "upload.zip", data)
	if (at == "") != (c.lacks["download"] != "") {
		w.Errorf("the upload is at %q; the reason why it is nowhere: %q", at, c.lacks["download"])
	}
	files := c.files
	if at != "" && c.lacks["same"] == "" {
		files = append([]string{at}, files...)
	}
	if at != "" {
		if got := p.fetch(p.app, http.MethodGet, at, nil); got.sum != sha256.Sum256(data) {
			w.Errorf("%s: got %d bytes (status %d) that are not the %d that were uploaded", at, got.size, got.status, len(data))
		}
	}
	p.sameAsDirect(files, c.lacks)
	if c.talk != nil {
		c.talk(p)
	}
	if c.poll != nil {
		c.poll(p)
	}
	if !p.app.SignedIn() {
		w.Error("signed out by using the app")
	}
}

// noise are bytes that do not compress, and are no form.
func noise(n int) []byte {
	data := make([]byte, 0, n+sha256.Size)
	block := sha256.Sum256(nil)
	for len(data) < n {
		data = append(data, block[:]...)
		block = sha256.Sum256(block[:])
	}
	return data[:n]
}

// A slow body waits in its midst until some of it has reached the app.
type slow struct {
	io.Reader
	wire   *wire
	want   int // bytes at the app
	half   int // bytes until it waits
	read   int
	waited bool
	held   bool // nothing came
}

// Read implements io.Reader.
func (s *slow) Read(p []byte) (int, error) {
	if s.read >= s.half && !s.waited {
		s.waited = true
		for deadline := time.Now().Add(time.Minute); s.wire.received() < s.want; time.Sleep(10 * time.Millisecond) {
			if s.held = time.Now().After(deadline); s.held {
				break
			}
		}
	}
	n, err := s.Reader.Read(p)
	s.read += n
	return n, err
}

// send uploads a body slowly, and wants it to reach the app as it comes.
func (p *person) send(method, path, contentType string, body []byte) legacy.Answer {
	w := p.w
	w.Helper()
	s := &slow{Reader: bytes.NewReader(body), wire: w.wire, half: len(body) / 2, want: w.wire.received() + len(body)/4}
	r := p.app.Request(method, path, contentType, s)
	r.ContentLength = int64(len(body))
	a := p.app.Ask(r)
	if s.held && len(body) > 2<<20 {
		w.Errorf("%s %s: nothing of %d bytes reaches the app before half of them are sent", method, path, len(body))
	}
	return a
}

// A fetched is an answer as it came over the line.
type fetched struct {
	status, size int
	sum          [sha256.Size]byte
	header       http.Header
}

func (p *person) fetch(v *legacy.Visitor, method, path string, header http.Header) fetched {
	p.w.Helper()
	r := v.Request(method, path, "", nil)
	r.Header.Set("Accept-Encoding", "identity")
	for name := range header {
		r.Header.Set(name, header.Get(name))
	}
	resp, err := v.Client.Do(r)
	if err != nil {
		p.w.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.w.Fatalf("%s %s: %v", method, path, err)
	}
	return fetched{resp.StatusCode, len(body), sha256.Sum256(body), resp.Header}
}

// sameHeaders are those that must not differ between an answer of the app and the gate's.
var sameHeaders = []string{"Content-Type", "Content-Length", "Content-Encoding", "Content-Range", "Accept-Ranges", "Etag", "Last-Modified", "Content-Disposition"}

// sameAsDirect wants files to be the same as without the gate, in whatever way they are asked for.
func (p *person) sameAsDirect(files []string, lacks map[string]string) {
	w := p.w
	w.Helper()
	direct := w.app.Visit(w.T, "")
	direct.Header.Set("Referer", direct.Base+"/") // which Jupyter wants
	direct.SignIn(p.user.Name, p.user.Password)
	saw := make(map[string]bool)
	for _, path := range files {
		whole := p.fetch(direct, http.MethodGet, path, nil)
		if whole.status != http.StatusOK {
			w.Errorf("%s: the app itself answers %d", path, whole.status)
			continue
		}
		type ask struct {
			what, method string
			header       http.Header
		}
		asks := []ask{
			{"", http.MethodGet, nil},
			{"", http.MethodHead, nil},
			{"gzip", http.MethodGet, http.Header{"Accept-Encoding": {"gzip, deflate"}}},
			{"range", http.MethodGet, http.Header{"Range": {"bytes=10-99"}}},
			{"range", http.MethodGet, http.Header{"Range": {"bytes=-50"}}},
			{"", http.MethodGet, http.Header{"Range": {fmt.Sprintf("bytes=%d-", whole.size+5)}}},
		}
		if tag := whole.header.Get("Etag"); tag != "" {
			asks = append(asks, ask{"validator", http.MethodGet, http.Header{"If-None-Match": {tag}}})
		}
		if since := whole.header.Get("Last-Modified"); since != "" {
			asks = append(asks, ask{"validator", http.MethodGet, http.Header{"If-Modified-Since": {since}}})
		}
		for _, a := range asks {
			want, got := p.fetch(direct, a.method, path, a.header), p.fetch(p.app, a.method, path, a.header)
			if got.status != want.status || got.sum != want.sum {
				w.Errorf("%s %s %v: got %d and %d bytes; want %d and %d as without the gate", a.method, path, a.header, got.status, got.size, want.status, want.size)
			}
			for _, name := range sameHeaders {
				if name == "Content-Type" && want.status == http.StatusNotModified {
					continue // which Go's server leaves out
				}
				if g, w2 := got.header.Values(name), want.header.Values(name); !slices.Equal(g, w2) {
					w.Errorf("%s %s %v: got %s %q; want %q as without the gate", a.method, path, a.header, name, g, w2)
				}
			}
			saw[a.what] = saw[a.what] || want.status == http.StatusPartialContent || want.status == http.StatusNotModified || want.header.Get("Content-Encoding") == "gzip"
		}
	}
	for _, what := range []string{"range", "gzip", "validator"} {
		if saw[what] == (lacks[what] != "") {
			w.Errorf("the app has a %s: %v; the reason why not: %q", what, saw[what], lacks[what])
		}
	}
}
