package loginform

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

const upload = "Content-Disposition: form-data; name="

// carriers are requests with name and password somewhere, in every way that some app
// reads.
var carriers = []struct{ line, media, body string }{
	{"GET /?user=vic&pass=pw", "", ""},
	{"GET /?user=vic;pass=pw", "", ""},
	{"GET /?us%65r=vic&+pa%73s=pw", "", ""},
	{"GET /?User[]=vic&PASS[x]=pw", "", ""},
	{"GET /?user%00%zz=vic&pass%00=pw", "", ""},
	{"GET /?user&pass", "", ""},
	{"GET /?name=vic&secret=pw", "", ""},
	{"POST /?user=vic", mediaForm, "pass=pw"},
	{"POST /", mediaForm, "user=vic&pass=pw"},
	{"POST /", mediaForm, "pass=pw&x=1&user=vic"},
	{"POST /", mediaForm, "x=1;user=vic;pass=pw"},
	{"POST /", mediaForm, "[user]=vic&pass]=pw"}, // to Rack, and to the qs of Express
	{"POST /", mediaForm, "user\v=vic&\ufeffpass=pw"},
	{"POST /", mediaJSON, `{"auth":{"name":"vic","ſecret":"pw"}}`}, // to encoding/json
	{"POST /", partType, part("\ufeffuser", "vic") + part("pass", "pw") + partEnd},
	{"POST /", partType, "--b\n" + strings.TrimSuffix(upload, "=") + "\v*=user\n\nvic\n--b\n" + upload + "pass\\\n\npw\n--b--"}, // to Python
	{"POST /", partType, part("user", "vic") + part(`x"; name*="utf-8''pass\`, "pw") + partEnd},
	{"POST /", mediaForm, strings.Repeat("+%20", 400) + "user=vic&pass=pw"},
	{"POST /", mediaForm, "user=vic&pass[" + strings.Repeat("x", 600) + "]=pw"},
	{"POST /", mediaForm, "user=vic&pass%00" + strings.Repeat("%41", 600) + "=pw"},
	{"POST /", mediaForm, `{"user":"vic","pass":"pw"}`},
	{"POST /", mediaForm + "; charset=utf-16", "x"},
	{"POST /", mediaForm + "; charset=utf-7", "x"},
	{"POST /", mediaForm + ", x", "user=vic&pass=pw"},
	{"PUT /", "", "user=vic&pass=pw"},
	{"POST /", "nonsense", "user=vic&pass=pw"},
	{"POST /", "nonsense", "--b\n" + upload + "user\n\nvic\n--b\n" + upload + "pass\n\npw\n--b--"},
	{"POST /", "text/plain", "user=vic\r\npass=pw"},
	{"POST /", "text/plain", ` {"user":"vic","pass":"pw"}`},
	{"POST /", "application/octet-stream", `[{"user":"vic","pass":"pw"}]`},
	{"POST /", mediaJSON, `{"user":"vic","pass":"pw"}`},
	{"POST /", mediaJSON, `{"a":[{"auth":{"name":"vic","secret":"pw"}}]}`},
	{"POST /", mediaJSON, `{"User":"vic","PASS":"pw"}`},
	{"POST /", mediaJSON, `{"\u0075ser" : "vic", "p\u0061ss" : "pw"`},
	{"POST /", mediaJSON, `{user:'vic','pass' :"pw"}`},
	{"POST /", mediaJSON, `{//: 1, "user":"vic", #: 1, "pass":"pw"}`},
	{"POST /", mediaJSON, "{// '\n'user':'vic',# \"\n\"pass\":'pw'}"},
	{"POST /", mediaJSON, `{user /**/:'vic',/* " */"pass":"pw"}`},
	{"POST /", mediaJSON, "\xef\xbb\xbf" + `{"user":"a\\","pass":"pw"}`},
	{"POST /", mediaJSON, "{\x00\"\x00u\x00"},
	{"POST /", mediaJSON, "\x00{\x00\"\x00u"},
	{"POST /", mediaJSON, "user=vic&pass=pw"},
	{"POST /", "application/vnd.api+json; charset=utf-8", `{"user":"vic","pass":"pw"}`},
	{"POST /", partType, part("user", "vic") + part("pass", "pw") + partEnd},
	{"POST /", partType, "preamble\n" + part("USER", "vic") + part("pass[]", "pw")},
	{"POST /", partType, "--c\n" + upload + "user\n\nvic\n--c\n" + strings.ToLower(upload) + " 'pass'\n\npw\n--c--"},
	{"POST /", partType, part("x", "1") + part(`x"; name="user`, "vic") + part(`x"; name*="utf-8''p%61ss`, "pw") + partEnd},
	{"POST /", partType, part(`x"; name*0="us"; name*1="er`, "vic") + part(`p\ass`, "pw") + partEnd},
	{"POST /", partType, part(`user"; filename="a.txt`, "vic") + "--b\r\nContent-Disposition: form-data;\r\n\tname=pass\r\n\r\npw\r\n" + partEnd},
	{"POST /", partType, "--b\nX: y\n content-disposition : form-data; name = user\n\n" + part("pass", "pw")},
	{"POST /", partType, part("user", "vic") + part(strings.Repeat("x", maxHeader)+`"; name="pass`, "pw") + partEnd},
	{"POST /", partType, "--b\n" + upload + "a" + strings.Repeat("\n ;", 20) + "name=b\n\n"},
	{"POST /", partType, "--b\n" + upload + "a" + strings.Repeat("; name=a", 20) + "\n\n"},
	{"POST /", partType + "; charset=utf-16", "x"},
}

// harmless are requests that apps get every day.
var harmless = []struct{ line, media, body string }{
	{"GET /", "", ""},
	{"GET /?user=bob", "", ""},
	{"GET /?username=bob&passphrase=x", "", ""},
	{"GET /?text=user%3Da%26pass%3Db", "", ""},
	{"POST /", mediaForm, "user=bob&role=admin"},
	{"POST /", mediaForm, "pass=new&pass2=new"},
	{"POST /", mediaForm, "user_name=bob&my[pass]=x&text=user%26pass"},
	{"POST /", mediaForm + "; charset=ISO-8859-1", "user=bob"},
	{"POST /", mediaJSON, `{"user":"bob","text":"pass","more":["pass","secret"],"note":"\"pass\":1"}`},
	{"POST /", mediaJSON, `{"password":"x","username":"y"}`},
	{"POST /", "text/plain", "the user: name\nand the pass: word"},
	{"POST /", "application/octet-stream", "user=vic&pass=pw"},
	{"POST /", "application/octet-stream", "[\x00\x01 user: 1, pass: 2"},
	{"POST /", "image/png", "\x89PNG user=vic&pass=pw"},
	{"POST /", "application/xml", "<user>vic</user><pass>pw</pass>"},
	{"POST /", partType, part("user", "vic\r\nname=\"pass\"\r\npass=1") + part(`file"; filename="pass`, "user=vic&pass=pw") + partEnd},
}

func TestCredentialsElsewhereAreRefused(t *testing.T) {
	c := plainForm()
	f := compile(t, c)
	for _, q := range carriers {
		if err := f.Guard(request(t, q.line, q.media, q.body)); !errors.Is(err, ErrElsewhere) {
			t.Errorf("%s %s %q: got %v; want ErrElsewhere", q.line, q.media, q.body, err)
		}
	}
	c.Elsewhere = ElsewhereOff
	f = compile(t, c)
	for _, q := range carriers {
		if err := f.Guard(request(t, q.line, q.media, q.body)); err != nil {
			t.Errorf("%s %s %q: got %v; want nothing, since it is off", q.line, q.media, q.body, err)
		}
	}
}

func TestHarmlessRequestsPassWhole(t *testing.T) {
	f := compile(t, plainForm())
	for _, q := range harmless {
		for _, length := range []int64{int64(len(q.body)), -1} {
			r := request(t, q.line, q.media, q.body)
			r.ContentLength = length
			if err := f.Guard(r); err != nil {
				t.Errorf("%s %s %q: got %v; want nothing", q.line, q.media, q.body, err)
			}
			if got, err := io.ReadAll(r.Body); string(got) != q.body || err != nil {
				t.Errorf("%s %s: %q, %v passes; want %q", q.line, q.media, got, err, q.body)
			}
			if r.ContentLength != length {
				t.Errorf("the length is %d; want %d", r.ContentLength, length)
			}
		}
	}
}

// slow gives a byte at a time.
type slow struct{ io.Reader }

func (s slow) Read(p []byte) (int, error) {
	return s.Reader.Read(p[:min(1, len(p))])
}

// A body whose length is not known goes on while it is looked at, and breaks off
// before the second name is whole.
func TestStreamsBreakOffBeforeTheSecondName(t *testing.T) {
	f := compile(t, plainForm())
	for _, q := range carriers {
		r := request(t, q.line, q.media, q.body)
		r.Body, r.ContentLength = io.NopCloser(slow{strings.NewReader(q.body)}), -1
		if err := f.Guard(r); err != nil {
			continue // the URL or the headers were enough
		}
		got, err := io.ReadAll(r.Body)
		if !errors.Is(err, ErrElsewhere) || len(got) >= len(q.body) {
			t.Errorf("%s %s %q: %d bytes pass, %v; want ErrElsewhere", q.line, q.media, q.body, len(got), err)
		}
		if n, err := r.Body.Read(make([]byte, 9)); n != 0 || !errors.Is(err, ErrElsewhere) {
			t.Errorf("then: got %d, %v; want ErrElsewhere again", n, err)
		}
	}
}

// endless is an upload without end, which no memory could hold.
type endless struct {
	head string
	left int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.head != "" {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), e.left))
	for i := range p[:n] {
		p[i] = byte(i*7) | 1
	}
	e.left -= int64(n)
	return n, nil
}

func TestUploadsPassInLittleMemory(t *testing.T) {
	f := compile(t, plainForm())
	const size = 8 << 20
	for _, media := range []string{partType, mediaForm, mediaJSON, "application/octet-stream", ""} {
		r := request(t, "POST /upload", media, "")
		r.Body, r.ContentLength = io.NopCloser(&endless{part("user", "bob") + upload + "file; filename=x\r\n\r\n", size}), -1
		if err := f.Guard(r); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 32<<10)
		before := live()
		half, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(r.Body, size/2), buffer)
		if used := live() - before; half != size/2 || err != nil || used > 256<<10 {
			t.Errorf("%s: %d bytes are kept of %d, %v; want few", media, used, half, err)
		}
		rest, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r.Body}, buffer)
		if half+rest < size || err != nil {
			t.Errorf("%s: %d bytes passed, %v; want all of %d", media, half+rest, err, size)
		}
	}
}

// live tells how much memory is in use.
func live() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func TestAPasswordAloneWhereThereAreNoNames(t *testing.T) {
	c := plainForm()
	c.User, c.UserConst, c.Password = Field{}, "jupyter", Field{Form: "password"}
	f := compile(t, c)
	if err := f.Guard(request(t, "POST /x", mediaForm, "password=pw")); !errors.Is(err, ErrElsewhere) {
		t.Errorf("got %v; want ErrElsewhere", err)
	}
	c = plainForm()
	c.Elsewhere = ElsewhereUser
	f = compile(t, c)
	if err := f.Guard(request(t, "GET /doku.php?user=vic&p=pw", "", "")); !errors.Is(err, ErrElsewhere) {
		t.Errorf("got %v; want ErrElsewhere", err)
	}
	c.Elsewhere = ElsewherePassword
	f = compile(t, c)
	for line, want := range map[string]error{"GET /?user=vic": nil, "GET /?pass=pw": ErrElsewhere} {
		if err := f.Guard(request(t, line, "", "")); !errors.Is(err, want) {
			t.Errorf("%s: got %v; want %v", line, err, want)
		}
	}
}

// The password of Deluge has no name, only a place: what makes a request a login
// is its method, wherever it is sent.
func TestAPasswordWithoutAName(t *testing.T) {
	f := compile(t, deluge())
	for body, want := range map[string]error{
		`{"method":"auth.login","params":["pw"],"id":1}`:             ErrElsewhere,
		`{"method":"x","method":"auth.login","params":["pw"]}`:       ErrElsewhere,
		`[{"method":"x"},{"METHOD":"auth.l\u006fgin"}]`:              ErrElsewhere,
		`{"method":"web.update_ui","params":[["auth.login"],{}]}`:    nil,
		`{"method":"core.set_config","params":[{"auth.login":"x"}]}`: nil,
	} {
		for _, length := range []int64{int64(len(body)), -1} {
			r := request(t, "POST /json/", mediaJSON, body)
			r.ContentLength = length
			err := f.Guard(r)
			if err == nil {
				_, err = io.ReadAll(r.Body)
			}
			if !errors.Is(err, want) {
				t.Errorf("%s: got %v; want %v", body, err, want)
			}
		}
	}
}

func TestEncodedBodiesAreNotGuessedAt(t *testing.T) {
	f := compile(t, plainForm())
	for media, want := range map[string]error{mediaForm: ErrElsewhere, mediaJSON: ErrElsewhere, partType: ErrElsewhere, "": ErrElsewhere, "application/x-git-upload-pack-request": nil} {
		r := request(t, "POST /", media, "\x1f\x8b")
		r.Header.Set("Content-Encoding", "gzip")
		if err := f.Guard(r); !errors.Is(err, want) {
			t.Errorf("%s: got %v; want %v", media, err, want)
		}
	}
}

func TestKeysInURLs(t *testing.T) {
	c := plainForm()
	c.QueryKeys = []string{"jsessionid", "api.key"}
	f := compile(t, c)
	for line, want := range map[string]error{
		"GET /a;jsessionid=1":      ErrElsewhere,
		"GET /a;x=1;JSESSIONID=1/": ErrElsewhere,
		"GET /a%3bjsessionid=1":    ErrElsewhere,
		"GET /?x=1&api_key=1":      ErrElsewhere,
		"GET /?x=1;api.key[]=1":    ErrElsewhere,
		"GET /?api.keys=1":         nil,
		"GET /a;v=1":               nil,
	} {
		if err := f.Guard(request(t, line, "", "")); !errors.Is(err, want) {
			t.Errorf("%s: got %v; want %v", line, err, want)
		}
	}
}

func TestStripTakesAliasesToo(t *testing.T) {
	c := plainForm()
	c.Headers = []string{"x-api-key"}
	f := compile(t, c)
	h := http.Header{}
	for _, name := range []string{"Authorization", "Proxy-Authorization", "Proxy_Authorization", "X-Api-Key", "X_API_KEY", "X.Api-Key", "X-Original-URL", "X_Rewrite_URL", "X-Api-Keys", "Accept"} {
		h.Set(name, "x")
	}
	h["x-api_key"] = []string{"x"}
	if f.Strip(h); len(h) != 2 || h.Get("Accept") == "" || h.Get("X-Api-Keys") == "" {
		t.Errorf("%v is left; want Accept and X-Api-Keys", h)
	}
}

func BenchmarkGuard(b *testing.B) {
	f := compile(b, plainForm())
	r := request(b, "GET /index.php?page=3&sort=name", "", "")
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Guard(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpload(b *testing.B) {
	f := compile(b, plainForm())
	buffer := make([]byte, 32<<10)
	b.SetBytes(8 << 20)
	for b.Loop() {
		r := request(b, "POST /upload", partType, "")
		r.Body, r.ContentLength = io.NopCloser(&endless{part("user", "bob") + upload + "file; filename=x\r\n\r\n", 8 << 20}), -1
		if err := f.Guard(r); err != nil {
			b.Fatal(err)
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r.Body}, buffer); err != nil {
			b.Fatal(err)
		}
	}
}

// beyond is what only work takes that grows with the square of a request: some milliseconds
// are usual, and a busy machine makes hundreds of them.
const beyond = 10 * time.Second

// least tells how long f takes when it is least disturbed.
func least(f func()) time.Duration {
	shortest := time.Duration(math.MaxInt64)
	for range 3 {
		start := time.Now()
		f()
		if shortest = min(shortest, time.Since(start)); shortest < beyond/10 {
			break
		}
	}
	return shortest
}

// Whoever has a session, or none, must not keep the gate busy with a request.
func TestNoRequestTakesLong(t *testing.T) {
	c := plainForm()
	c.Submit[0].Where = map[string]string{"a": "b", "/c": "d"}
	f := compile(t, c)
	fill := func(s string) string { return strings.Repeat(s, MaxJudged/4/len(s)) }
	for _, media := range []string{mediaForm, mediaJSON, partType, ""} {
		for _, piece := range []string{
			"&", ";=", "=", "%20", "a[]", "[", "{", `{"":`, `"",`, "'", "/*", "//\n", "\\", "\"\\", "\n", "\r\n ", "name=",
			upload + "\n ", upload + strings.Repeat("a;name=", 1000) + "\n", upload + "a" + strings.Repeat("\n ;", 1000) + "\n", "a[" + strings.Repeat("]", 2000),
		} {
			body := fill(piece)
			took := least(func() {
				_ = f.Guard(request(t, "POST /x", media, body)) // whatever it says
				f.Classify(request(t, "POST /login", media, body[:MaxForm]))
				_, _ = f.ReadSubmission(request(t, "POST /login", media, body[:MaxForm]))
			})
			if took > beyond {
				t.Errorf("%s full of %.20q took %v", media, piece, took)
			}
		}
	}
	var keys strings.Builder
	for i := range MaxAnswer / 9 {
		fmt.Fprintf(&keys, `"%d":1,`, i)
	}
	start := time.Now()
	if n, err := parseJSON([]byte("{"+keys.String()+`"z":1}`), MaxAnswer); err != nil || n.at(pointer{"z"}) == nil {
		t.Errorf("got %v; want many keys", err)
	}
	if took := time.Since(start); took > beyond {
		t.Errorf("many keys took %v", took)
	}
}

// Where the form has names in brackets, Rails and others take JSON with one object in the other for the
// same; and where the form is such JSON, a form with brackets.
func TestNamesInBracketsAreRefusedAsJSONToo(t *testing.T) {
	c := plainForm()
	c.User, c.Password = Field{Form: "user[email]"}, Field{Form: "user[password]"}
	brackets := compile(t, c)
	c.User, c.Password = Field{JSON: "/user/email"}, Field{JSON: "/user/password"}
	nested := compile(t, c)
	const form, json = "user%5Bemail%5D=vic&user%5Bpassword%5D=pw", `{"user":{"email":"vic","Password":"pw"}}`
	for _, f := range []*Form{brackets, nested} {
		for _, q := range []struct{ line, media, body string }{
			{"GET /notes?" + form, "", ""}, {"POST /notes", mediaForm, form}, {"POST /notes", mediaJSON, json}, {"PUT /notes", "text/plain", json},
			{"POST /notes", mediaJSON, `{"user":{"remember":1,"password":"pw","more":{"x":1},"email":"vic"}}`},
			{"POST /notes", partType, part("user[email]", "vic") + part("user[password]", "pw") + partEnd},
			{"POST /notes?user[email]=vic", mediaJSON, `{"user":{"password":"pw"}}`},
		} {
			if err := f.Guard(request(t, q.line, q.media, q.body)); !errors.Is(err, ErrElsewhere) {
				t.Errorf("%s %s %q: got %v; want ErrElsewhere", q.line, q.media, q.body, err)
			}
		}
	}
	for _, body := range []string{
		`{"user":{"email":"a@example.com"}}`, `{"password":"new","email":"a@example.com"}`, `{"note":{"user":"vic","text":"email password"}}`, `{"user":{"password":"new"}}`,
	} {
		if err := brackets.Guard(request(t, "POST /notes", mediaJSON, body)); err != nil {
			t.Errorf("%s: got %v; want nothing", body, err)
		}
	}
}
