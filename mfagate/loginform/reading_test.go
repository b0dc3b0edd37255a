package loginform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What nobody has a reason to escape is escaped by somebody who wants two readers to see two
// paths: such a path admits nothing.
func TestEscapedLettersOfAPathAdmitNothing(t *testing.T) {
	f := compile(t, wordpress())
	for c := byte('!'); c < 0x7f; c++ {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._", c) >= 0
		if !letter && strings.IndexByte(`/\;%`, c) < 0 {
			continue
		}
		for _, escape := range []string{"%%%02x", "%%%02X"} {
			line := "GET /wp-includes/a" + fmt.Sprintf(escape, c) + "b.js"
			if got := f.Classify(request(t, line, "", "")); got != Other {
				t.Errorf("%s is %d; want %d", line, got, Other)
			}
		}
	}
	if got := f.Classify(request(t, "GET /wp-includes/a%20%C3%A4.js", "", "")); got != Public {
		t.Errorf("a path with a blank is %d; want %d", got, Public)
	}
}

// A sign far behind in a body is no way round a refused request: what is too long to be looked
// at, or breaks off, counts as refused.
func TestPaddedBodyIsRefused(t *testing.T) {
	c := plainForm()
	c.Refuse = []Pattern{{Text: "POST /rpc", Where: map[string]string{"method": "login"}}}
	f := compile(t, c)
	padded := "x=" + strings.Repeat("y", MaxForm) + "&method=login"
	for name, test := range map[string]struct {
		body   io.Reader
		length int64
		want   Kind
	}{
		"short":             {strings.NewReader("method=login"), 12, Refuse},
		"of known length":   {strings.NewReader(padded), int64(len(padded)), Refuse},
		"of unknown length": {strings.NewReader(padded), -1, Refuse},
		"broken off":        {io.MultiReader(strings.NewReader("x=1"), failing{errors.New("gone")}), -1, Refuse},
		"another":           {strings.NewReader("method=list"), 11, Other},
		"as long as it may": {strings.NewReader("x=" + strings.Repeat("y", MaxForm-2)), MaxForm, Other},
	} {
		r := request(t, "POST /rpc", mediaForm, "")
		r.Body, r.ContentLength = io.NopCloser(test.body), test.length
		if got := f.Classify(r); got != test.want {
			t.Errorf("%s: got %d; want %d", name, got, test.want)
		}
	}
}

// A text that would end its quotes, or a line of a script, stays what was typed.
func TestTextsOfALoginStayWhatTheyWere(t *testing.T) {
	c := plainForm()
	c.User, c.Password = Field{JSON: "/user"}, Field{JSON: "/password"}
	f := compile(t, c)
	for _, password := range []string{`x","admin":true,"y":"`, `end\`, "\u2028\u2029", "\x7f\x01\n", `\u0022`} {
		sent, err := json.Marshal(map[string]string{"user": "alice", "password": password, `k"ey`: "v"})
		if err != nil {
			t.Fatal(err)
		}
		s, err := f.ReadSubmission(request(t, "POST /login", mediaJSON, string(sent)))
		if err != nil {
			t.Fatalf("%s: %v", sent, err)
		}
		var got map[string]string
		if err := json.Unmarshal(s.Body, &got); err != nil || len(got) != 3 || got["password"] != password || got[`k"ey`] != "v" {
			t.Errorf("%s goes on as %s, %v; want the same", sent, s.Body, err)
		}
		if bytes.ContainsAny(s.Body, "\u2028\u2029\x7f\n") {
			t.Errorf("%s goes on as %q; want no line's end in it", sent, s.Body)
		}
	}
}

// Who has a sibling domain plants cookies in clear. One that some reader takes for two, or for
// another name, does not reach the app.
func TestPlantedClearCookieIsOneToAllReaders(t *testing.T) {
	j := &Jar{Pass: []string{"*"}}
	read := func(header string) Cookies {
		cookies, err := j.Read(http.Header{"Cookie": {header}})
		if err != nil {
			t.Fatalf("%q: %v", header, err)
		}
		return cookies
	}
	if got := read(`theme=a!b; other="quoted"`); len(got) != 2 {
		t.Fatalf("got %v; want both", got)
	}
	for _, sign := range []string{" ", `"`, ",", `\`, "\x80", "\xff"} {
		if got := read("theme=a" + sign + "b"); len(got) != 0 {
			t.Errorf("the value a%sb reaches the app as %v", sign, got)
		}
	}
	for sign := range strings.SplitSeq(`( ) < > @ : / [ ] ? { } %`, " ") {
		if got := read("the" + sign + "me=a"); len(got) != 0 {
			t.Errorf("the name the%sme reaches the app as %v", sign, got)
		}
	}
}

// A question of the gate's own brings the app the cookies that a browser would send there
// (RFC 6265 section 5.1.4), and none that was deleted.
func TestCookiesOfAQuestionAreThoseOfItsPath(t *testing.T) {
	for _, test := range []struct{ line, uri, want string }{
		{"sid=1; Path=/", "/me", "sid=1"},
		{"sid=1; Path=/app", "/app", "sid=1"},
		{"sid=1; Path=/app", "/app/me", "sid=1"},
		{"sid=1; Path=/app/", "/app/me", "sid=1"},
		{"sid=1; Path=/app", "/application", ""},
		{"sid=1; Path=/app", "/", ""},
		{"sid=1; Path=app", "/me", "sid=1"},
		{"sid=1", "/me", "sid=1"},
		{"sid=1; Max-Age=0; Path=/", "/me", ""},
	} {
		cookies := ReadSetCookies(http.Header{"Set-Cookie": {test.line}}, time.Now())
		if got := cookies.Header(test.uri); got != test.want {
			t.Errorf("%s: to %s goes %q; want %q", test.line, test.uri, got, test.want)
		}
	}
}
