package parsers_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// form is the login form of the fuzz targets in mfagate/loginform.
func form(t *testing.T) *loginform.Form {
	t.Helper()
	f, err := loginform.Compile(loginform.Config{
		Page:     []loginform.Pattern{{Text: "/login"}},
		Submit:   []loginform.Pattern{{Text: "POST /login"}},
		User:     loginform.Field{Form: "user", JSON: "/auth/name"},
		Password: loginform.Field{Form: "pass", JSON: "/auth/secret"},
		Success:  []loginform.Signs{{Status: []string{"302"}, SetCookie: []string{"sid"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// medias are those of the fuzz targets, by their number.
var medias = []string{
	"application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "application/json", "text/plain", "",
	"application/x-www-form-urlencoded; charset=utf-8",
}

func media(t *testing.T, number string) string {
	t.Helper()
	n, err := strconv.ParseUint(number, 0, 64)
	if err != nil {
		t.Fatalf("%q is no number of a corpus: %v", number, err)
	}
	return medias[n%uint64(len(medias))]
}

func request(t *testing.T, path string, s sent) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://app.test"+path, bytes.NewReader(s.Body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.RawQuery = s.Query
	r.Header["Content-Type"] = []string{s.Type}
	return r
}

// bodies are nasty ones of all media types.
func (n nasty) bodies(count int) (all []sent) {
	for range count {
		kind, body := n.multipart()
		all = append(all,
			sent{Type: n.one([]string{medias[0], medias[0], medias[5], "application/x-www-form-urlencoded; charset=iso-8859-1"}), Body: []byte(n.form())},
			sent{Type: kind, Body: []byte(body)},
			sent{Type: n.one([]string{medias[2], medias[2], "application/json; charset=utf-8", "application/json;charset=utf-16"}), Body: []byte(n.json())})
	}
	return all
}

// A judged is a login request as the gate sends it on, and what it has read.
type judged struct {
	sent
	user, password string
}

// accepted are those of the inputs that the gate accepts for logins.
func accepted(t *testing.T, inputs []sent) (all []judged) {
	t.Helper()
	f := form(t)
	for _, in := range inputs {
		if s, err := f.ReadSubmission(request(t, "/login", in)); err == nil {
			all = append(all, judged{sent{Type: s.ContentType, Body: s.Body}, s.User, s.Password})
		}
	}
	return all
}

// expected are the parsers that must have been asked, by a media type's part.
var expected = map[string][]string{
	"urlencoded": {"$_POST", "$_REQUEST", "urllib", "querystring", "URLSearchParams", "formData", "net/http"},
	"multipart":  {"$_POST", "$_REQUEST", "email", "formData", "net/http"},
	"json":       {"json_decode", "json", "JSON.parse", "encoding/json"},
}

// What the gate has read is what every parser reads of what it sends on: one user name and
// one password, byte for byte.
func TestEveryParserReadsTheNameThatTheGateJudged(t *testing.T) {
	var inputs []sent
	for _, v := range corpus(t, "FuzzReadSubmission") {
		inputs = append(inputs, sent{Type: media(t, v[0]), Body: []byte(v[1])})
	}
	all := accepted(t, append(inputs, newNasty(t).bodies(1500)...))
	asked := make(map[string]int)
	requests := make([]sent, len(all))
	for i, j := range all {
		requests[i] = j.sent
	}
	for _, l := range languages(t) {
		for i, got := range l.read(t, requests) {
			for _, r := range got.Readings {
				asked[part(all[i].Type)+" "+r.How]++
				all[i].compare(t, l.name, r)
			}
		}
	}
	t.Logf("%d of %d accepted; asked: %v", len(all), len(inputs)+4500, asked)
	for media, parsers := range expected {
		for _, how := range parsers {
			if asked[media+" "+how] < 300 {
				t.Errorf("%s has read %d bodies of %s; want hundreds", how, asked[media+" "+how], media)
			}
		}
	}
}

func part(contentType string) string {
	for media := range expected {
		if strings.Contains(contentType, media) {
			return media
		}
	}
	return contentType
}

func (j judged) compare(t *testing.T, language string, r reading) {
	t.Helper()
	switch {
	case strings.Contains(r.Error, "Exceeds the limit"): // Python refuses numbers of more than 4300 digits
	case r.Error != "":
		t.Errorf("%s (%s) does not read %q: %s", language, r.How, j.Body, r.Error)
	case len(r.User) != 1 || string(r.User[0]) != j.user || len(r.Pass) != 1 || string(r.Pass[0]) != j.password:
		t.Errorf("%s (%s) reads %q and %q in %q; want %q and %q", language, r.How, r.User, r.Pass, j.Body, j.user, j.password)
	}
}

// What passes outside of the login form is credentials to no parser, however it is
// written.
func TestNoParserReadsCredentialsInWhatPasses(t *testing.T) {
	var inputs []sent
	for _, v := range corpus(t, "FuzzGuard") {
		inputs = append(inputs, sent{Type: media(t, v[0]), Query: v[1], Body: []byte(v[2])})
	}
	n := newNasty(t)
	for _, s := range n.bodies(1500) {
		for range n.IntN(4) {
			s.Body = n.damage(s.Body)
		}
		if n.in(4) {
			s.Query = n.form()
		}
		inputs = append(inputs, s)
	}
	f := form(t)
	var passed []sent
	for _, s := range inputs {
		if strings.ContainsFunc(s.Query, func(c rune) bool { return c <= ' ' || c > '~' || c == '#' }) {
			continue // no server takes that
		}
		r := request(t, "/page", s)
		if f.Guard(r) != nil {
			continue
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(body, s.Body) {
			t.Fatalf("%q passes as %q, %v", s.Body, body, err)
		}
		passed = append(passed, s)
	}
	for _, l := range languages(t) {
		for i, got := range l.read(t, passed) {
			for _, r := range got.Readings {
				if len(r.User) > 0 && len(r.Pass) > 0 {
					t.Errorf("%s (%s) reads %q and %q in %s ?%s %q", l.name, r.How, r.User, r.Pass, passed[i].Type, passed[i].Query, passed[i].Body)
				}
			}
		}
	}
	t.Logf("%d of %d passed", len(passed), len(inputs))
	if len(passed) < 300 {
		t.Errorf("%d of %d passed; want hundreds", len(passed), len(inputs))
	}
}

// damage puts one of the two fields out of sight, or tries to.
func (n nasty) damage(body []byte) []byte {
	old := n.one([]string{"user", "pass", "name", "secret"})
	with := n.one([]string{"usr", "x", old + "x", "%75", old + "%20", "%20" + old, old + "\x00", old + `\`, `\` + old, old + ";", "\u017f" + old[1:], old + "%00", "[" + old, old + "\v", "\ufeff" + old, old + "*", "'" + old + "'"})
	return bytes.Replace(body, []byte(old), []byte(with), 1)
}
