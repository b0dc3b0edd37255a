package loginform

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

func who(t *testing.T, id *Identify, a *Answer, probe Prober) (string, error) {
	t.Helper()
	c := plainForm()
	c.Identify = id
	return compile(t, c).Who(t.Context(), a, probe)
}

// always answers every probe so.
func always(a *Answer) Prober {
	return func(context.Context, string, string) (*Answer, error) { return a, nil }
}

func TestWho(t *testing.T) {
	page := answered(200, `<title>x</title><p class=user title=" al ">  Al <b>Ice</b> &amp; Co </p><i data-user="bob">x</i><i data-user="">y</i>`)
	for _, test := range []struct {
		id     Identify
		answer *Answer
		want   string
	}{
		{Identify{Cookie: "wp_*", Regexp: `^(.+?)%7C`, Decode: "url"}, answered(302, "", "Set-Cookie", "wp_1=al%20ice%7C1%7Cbob; Path=/a", "Set-Cookie", "wp_1=al%20ice%7C1%7Cbob; Path=/b"), "al ice"},
		{Identify{Cookie: "wp_*", Regexp: `^(.+?)%7C`, Decode: "url"}, answered(302, "", "Set-Cookie", "wp_1=a%257Cb%7C1"), "a%7Cb"},
		{Identify{Cookie: "DW*", Regexp: `^(.+?)%7C`, Decode: "url,base64"}, answered(302, "", "Set-Cookie", "DW1=YWxpY2U%3D%7C0%7Cx"), "alice"},
		{Identify{Cookie: "DW*", Decode: "base64"}, answered(302, "", "Set-Cookie", "DW1=w7_DvsO_"), "ÿþÿ"},
		{Identify{Header: "x-user"}, answered(200, "", "X-User", "alice"), "alice"},
		{Identify{JSON: "/user/id"}, answered(200, `{"user":{"id":17}}`), "17"},
		{Identify{JSON: "/user/id", Regexp: `^u-(.*)$`}, answered(200, `{"user":{"id":"u-alice"}}`), "alice"},
		{Identify{JSON: "/token/user/id"}, answered(200, `{"token":"eyJhbGciOiJIUzI1NiJ9.`+base64.RawURLEncoding.EncodeToString([]byte(`{"user":{"id":"alice"}}`))+`.c2ln"}`), "alice"},
		{Identify{Selector: "p.user"}, page, "Al Ice & Co"},
		{Identify{Selector: "p.user @title"}, page, " al "},
		{Identify{Selector: "p.user @title", Regexp: `^ *(.*?) *$`}, page, "al"},
		{Identify{Selector: "i[data-user=bob] @data-user"}, page, "bob"},
		{Identify{Regexp: `data-user="([^"]+)"`}, page, "bob"},
		{Identify{Regexp: `<b>(.*?) &amp;`, Decode: "html"}, answered(200, "<b>Al&#45;&lt; &amp;"), "Al-<"},
	} {
		if got, err := who(t, &test.id, test.answer, nil); got != test.want || err != nil {
			t.Errorf("%+v: got %q, %v; want %q", test.id, got, err, test.want)
		}
	}
}

// Some apps lead whoever is signed in to an address with the name in it, and strangers to the form.
func TestWhoByWhereTheAppLeads(t *testing.T) {
	id := &Identify{Probe: "GET /so/", Header: "location", Regexp: `/so/([^/?]+)$`, Decode: "url"}
	login := answered(200, "")
	for _, test := range []struct {
		page *Answer
		want string
	}{
		{answered(302, "", "Location", "http://app.test/so/al%20ice"), "al ice"},
		{answered(201, "", "Location", "/so/alice"), "alice"},
		{answered(302, "", "Location", "/login?next=/so/"), ""},
		{answered(302, "", "Location", "/so/alice", "Location", "/so/bob"), ""},
		{answered(302, ""), ""},
		{answered(403, "", "Location", "/so/alice"), ""},
	} {
		got, err := who(t, id, login, always(test.page))
		if got != test.want || test.want == "" && !errors.Is(err, ErrNobody) {
			t.Errorf("%d %v: got %q, %v; want %q", test.page.Status, test.page.Header, got, err, test.want)
		}
	}
	if got, err := who(t, &Identify{Probe: "GET /so/", Header: "X-User"}, login, always(answered(302, "", "X-User", "alice"))); !errors.Is(err, ErrNobody) {
		t.Errorf("another header of a redirection: got %q, %v; want ErrNobody", got, err)
	}
	c := plainForm()
	c.Identify = &Identify{Header: "Location"}
	if _, err := Compile(c); err == nil || !strings.Contains(err.Error(), "an address is no name") {
		t.Errorf("a whole address as the name: got %v; want an error", err)
	}
}

// What is logged tells the operator what to look at, and nothing of what the answer holds.
func TestWhyNobodyIsTheUser(t *testing.T) {
	for _, test := range []struct {
		id   *Identify
		page *Answer
		want string
	}{
		{&Identify{Probe: "GET /me", JSON: "/name"}, answered(302, "", "Location", "/login?secret"), "GET /me was answered with 302"},
		{&Identify{Probe: "GET /me", Selector: "b"}, answered(200, "<b>secret</b><b>secret</b>"), "2 times"},
		{&Identify{Probe: "GET /me", Selector: "b", Regexp: "^u-(.*)$"}, answered(200, "<b>secret</b>"), "the regexp does not match once"},
	} {
		if _, err := who(t, test.id, nil, always(test.page)); !errors.Is(err, ErrNobody) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: got %v; want %q, and not what was found", test.id, err, test.want)
		}
	}
}

// Whoever can write something on a page, or have a cookie set, must not be able to say who
// he is: the first match counts only if it is the last one, too.
func TestNobodyIsTheUserWhereItIsNotClear(t *testing.T) {
	page := func(body string) *Answer { return answered(200, body) }
	broken := answered(200, `{"user":"alice"}`)
	broken.Truncated = true
	for _, test := range []struct {
		id     *Identify
		answer *Answer
	}{
		{nil, page("alice")},
		{&Identify{Header: "X-User"}, nil},
		{&Identify{Selector: "b.user"}, page("")},
		{&Identify{Selector: "b.user"}, page(`<b class=user></b>`)},
		{&Identify{Selector: "b.user"}, page(`<b class=user>eve</b><b class=user>vic</b>`)},
		{&Identify{Selector: "b.user"}, page(`<b class=user>eve<b class=user>vic</b></b>`)},
		{&Identify{Selector: "b.user @title"}, page(`<b class=user>alice</b>`)},
		{&Identify{Regexp: `data-user="([^"]+)"`}, page(`<a title="eve" data-user="vic" data-user="eve">`)},
		{&Identify{Regexp: `<b>(.*?)</b>`}, page(`<b></b>`)},
		{&Identify{Regexp: `<b>(.*)</b>`}, page("<b>al\xffice</b>")},
		{&Identify{JSON: "/user"}, page(`{"user":"eve","user":"vic"}`)},
		{&Identify{JSON: "/user"}, page(`{"user":null}`)},
		{&Identify{JSON: "/user"}, page(`{"user":["alice"]}`)},
		{&Identify{JSON: "/user"}, page(`{"user":"alice\n"}`)},
		{&Identify{JSON: "/user"}, page(`{"user":"` + strings.Repeat("x", maxUser+1) + `"}`)},
		{&Identify{JSON: "/user"}, page(`{"user":"alice"} x`)},
		{&Identify{JSON: "/user"}, broken},
		{&Identify{JSON: "/user"}, answered(200, `{"user":"alice"}`, "Content-Encoding", "gzip")},
		{&Identify{Header: "X-User"}, answered(200, "", "X-User", "eve", "X-User", "vic")},
		{&Identify{Cookie: "u*"}, answered(200, "", "Set-Cookie", "u1=eve", "Set-Cookie", "u2=vic")},
		{&Identify{Cookie: "u*"}, answered(200, "", "Set-Cookie", "u1=eve", "Set-Cookie", "u1=; Max-Age=0")},
		{&Identify{Cookie: "u", Decode: "base64"}, answered(200, "", "Set-Cookie", "u=*")},
		{&Identify{Cookie: "u", Decode: "url"}, answered(200, "", "Set-Cookie", "u=%zz")},
		{&Identify{Cookie: "u", Decode: "url"}, answered(200, "", "Set-Cookie", "u=alice%00")},
	} {
		if got, err := who(t, test.id, test.answer, nil); got != "" || !errors.Is(err, ErrNobody) {
			t.Errorf("%+v of %+v: got %q, %v; want ErrNobody", test.id, test.answer, got, err)
		}
	}
}

func TestWhoByProbe(t *testing.T) {
	id := &Identify{Probe: "GET /me", Selector: "b"}
	answer := func(a *Answer, err error) Prober {
		return func(_ context.Context, method, uri string) (*Answer, error) {
			if method != "GET" || uri != "/me" {
				t.Errorf("asked %s %s; want the probe", method, uri)
			}
			return a, err
		}
	}
	login := answered(302, "<b>typed</b>")
	if got, err := who(t, id, login, answer(answered(200, "<b>alice</b>"), nil)); got != "alice" || err != nil {
		t.Errorf("got %q, %v; want alice", got, err)
	}
	for _, status := range []int{408, 425, 429, 499, 500, 502, 503} {
		if got, err := who(t, id, login, answer(answered(status, "<b>alice</b>"), nil)); got != "" || err == nil || errors.Is(err, ErrNobody) {
			t.Errorf("%d: got %q, %v; want an error that is not ErrNobody: nobody has looked who is asking", status, got, err)
		}
	}
	for _, status := range []int{302, 401, 403, 404} {
		if got, err := who(t, id, login, answer(answered(status, "<b>alice</b>"), nil)); !errors.Is(err, ErrNobody) {
			t.Errorf("%d: got %q, %v; want ErrNobody", status, got, err)
		}
	}
	down := errors.New("down")
	if got, err := who(t, id, login, answer(nil, down)); got != "" || !errors.Is(err, down) {
		t.Errorf("got %q, %v; want the error", got, err)
	}
	if got, err := who(t, id, login, answer(nil, nil)); got != "" || err == nil {
		t.Errorf("no answer: got %q, %v; want an error", got, err)
	}
}
