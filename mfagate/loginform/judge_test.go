package loginform

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"
)

// answered builds an answer to POST https://app.test/a/login; the headers are pairs.
func answered(status int, body string, headers ...string) *Answer {
	a := &Answer{Status: status, Header: http.Header{}, Body: []byte(body), URL: &url.URL{Scheme: "https", Host: "app.test", Path: "/a/login"}}
	for i := 0; i+1 < len(headers); i += 2 {
		a.Header.Add(headers[i], headers[i+1])
	}
	return a
}

// judged judges by one line of success.
func judged(t *testing.T, s Signs, a *Answer, probe Prober) Outcome {
	t.Helper()
	c := plainForm()
	c.Success = []Signs{s}
	got, err := compile(t, c).Judge(t.Context(), a, probe)
	if err != nil {
		t.Errorf("%+v: %v", s, err)
	}
	return got
}

func TestSigns(t *testing.T) {
	for _, test := range []struct {
		signs  Signs
		answer *Answer
		want   Outcome
	}{
		{Signs{Status: []string{"302", "2xx"}}, answered(204, ""), Succeeded},
		{Signs{Status: []string{"302", "2xx"}}, answered(303, ""), Unclear},
		{Signs{Status: []string{"403"}}, answered(403, ""), Succeeded},
		{Signs{Body: []string{"Ok."}}, answered(500, "Ok."), Unclear},
		{Signs{Body: []string{"Ok."}}, answered(404, "Ok."), Unclear},
		{Signs{Body: []string{"Ok."}}, answered(200, "Ok."), Succeeded},
		{Signs{Body: []string{"Ok.", "x"}}, answered(200, "Ok."), Unclear},
		{Signs{Body: []string{"Ok."}}, answered(200, "Ok.", "Content-Encoding", "gzip"), Unclear},
		{Signs{Body: []string{"Ok."}}, answered(200, "Ok.", "Content-Encoding", "identity"), Succeeded},
		{Signs{NotBody: []string{"login_error"}}, answered(200, "welcome"), Succeeded},
		{Signs{NotBody: []string{"login_error"}}, answered(200, "id=login_error"), Unclear},
		{Signs{Header: []string{"X-User"}}, answered(200, "", "X-User", ""), Succeeded},
		{Signs{Header: []string{"x-user: a*"}}, answered(200, "", "X-User", "b", "X-User", "alice"), Succeeded},
		{Signs{Header: []string{"x-user: a*"}}, answered(200, "", "X-User", "bob"), Unclear},
		{Signs{JSON: []string{"/result=true", "/user/name"}}, answered(200, `{"result":true,"user":{"name":""}}`), Succeeded},
		{Signs{JSON: []string{"/result"}}, answered(200, `{"result":false}`), Unclear},
		{Signs{JSON: []string{"/result"}}, answered(200, `{"result":null}`), Unclear},
		{Signs{JSON: []string{"/result"}}, answered(200, `{"result":false,"result":true}`), Unclear},
		{Signs{JSON: []string{"/result"}}, answered(200, `{"result":true}<b>`), Unclear},
		{Signs{JSON: []string{"/result=1"}}, answered(200, `{"result":[1]}`), Unclear},
		{Signs{JSON: []string{"/a/0=x=y"}}, answered(200, `{"a":["x=y"]}`), Succeeded},
		{Signs{Selector: []string{"form#login input[type=password]"}}, answered(200, `<form id=login><input type=password>`), Succeeded},
		{Signs{Selector: []string{"#a"}}, answered(200, `<!-- <p id=a> --><script>"<p id=a>"</script>`), Unclear},
		{Signs{Location: []string{"/my/*", "/x?a=b"}}, answered(302, "", "Location", "http://APP.test:80/my/page"), Succeeded},
		{Signs{Location: []string{"/my/*", "/x?a=b"}}, answered(302, "", "Location", "/x?a=b#c"), Succeeded},
		{Signs{Location: []string{"/a/x"}}, answered(302, "", "Location", "x"), Succeeded},
		{Signs{Location: []string{"/*"}}, answered(302, "", "Location", "https://evil.test/my/page"), Unclear},
		{Signs{Location: []string{"/*"}}, answered(302, "", "Location", "//evil.test/my/page"), Unclear},
		{Signs{Location: []string{"/*"}}, answered(302, "", "Location", "/\\evil.test/"), Unclear},
		{Signs{Location: []string{"/*"}}, answered(302, "", "Location", "https://app.test@evil.test/"), Unclear},
		{Signs{Location: []string{"/*"}}, answered(302, "", "Location", "javascript:x"), Unclear},
		{Signs{Location: []string{"/*"}}, answered(302, "", "Location", "/a", "Location", "/b"), Unclear},
		{Signs{Location: []string{"/*"}}, answered(302, ""), Unclear},
		{Signs{NotLocation: []string{"/login*"}}, answered(302, "", "Location", "/my/page"), Succeeded},
		{Signs{NotLocation: []string{"/login*"}}, answered(302, "", "Location", "/x/../login?again"), Unclear},
		{Signs{NotLocation: []string{"/login*"}}, answered(302, "", "Location", "/%6cogin"), Unclear},
		{Signs{NotLocation: []string{"/login*"}}, answered(302, "", "Location", "http://other.test/x"), Unclear},
		{Signs{NotLocation: []string{"/login*"}}, answered(302, ""), Unclear},
	} {
		if got := judged(t, test.signs, test.answer, nil); got != test.want {
			t.Errorf("%+v of %d %v %q is %d; want %d", test.signs, test.answer.Status, test.answer.Header, test.answer.Body, got, test.want)
		}
		test.answer.Truncated = true
		if got := judged(t, test.signs, test.answer, nil); got != Unclear {
			t.Errorf("%+v of a truncated answer is %d; want Unclear", test.signs, got)
		}
	}
}

func TestCookiesThatAreSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		past, future := time.Now().Add(-time.Hour).UTC(), time.Now().Add(time.Hour).UTC()
		for _, test := range []struct {
			cookies []string
			want    Outcome
		}{
			{[]string{"sid=1; Path=/; HttpOnly"}, Succeeded},
			{[]string{"sid=-del-; Max-Age=0", "sid=1"}, Succeeded},
			{[]string{"sid=1; Expires=" + future.Format(http.TimeFormat)}, Succeeded},
			{[]string{"sid=1; Expires=" + future.Format("Mon, 02-Jan-2006 15:04:05 MST")}, Succeeded},
			{[]string{"sid=1; expires=nonsense; max-age=x"}, Succeeded},
			{[]string{`sid="1"`}, Succeeded},
			{[]string{"sid=1", "sid=deleted"}, Unclear},
			{[]string{"sid=1", "sid="}, Unclear},
			{[]string{`sid=""`}, Unclear},
			{[]string{"sid=-del-"}, Unclear},
			{[]string{"sid=1; Max-Age=0"}, Unclear},
			{[]string{"sid=1; MAX-AGE = -1"}, Unclear},
			{[]string{"sid=1; max-age=-99999999999999999999"}, Unclear},
			{[]string{"sid=1; Expires=" + past.Format(http.TimeFormat)}, Unclear},
			{[]string{"sid=1; Expires=" + past.Format("Mon, 02-Jan-2006 15:04:05 MST") + "; Max-Age=60"}, Succeeded},
			{[]string{"sid=1; Expires=" + future.Format(http.TimeFormat) + "; Max-Age=0"}, Unclear},
			{[]string{"sid=1; expires=thu, 1 jan 1970 00:00:00 +0000"}, Unclear},
			{[]string{"sid=1; Expires=Thu, 01-Jan-1970 00:00:01 GMT"}, Unclear},
			{[]string{"SID=1"}, Unclear},
			{[]string{"sid"}, Unclear},
			{[]string{"asid=1; sid=1"}, Unclear},
			{nil, Unclear},
		} {
			a := answered(200, "")
			a.Header["Set-Cookie"] = test.cookies
			if got := judged(t, Signs{SetCookie: []string{"sid"}}, a, nil); got != test.want {
				t.Errorf("%q is %d; want %d", test.cookies, got, test.want)
			}
		}
	})
}

func TestLinesAreAlternativesAndFailureWins(t *testing.T) {
	c := plainForm()
	c.Success = []Signs{{Status: []string{"302"}, SetCookie: []string{"sid"}}, {Body: []string{"Ok."}}}
	c.Failure = []Signs{{Status: []string{"403"}}, {Body: []string{"Fails."}}}
	f := compile(t, c)
	for _, test := range []struct {
		answer *Answer
		want   Outcome
	}{
		{answered(302, "", "Set-Cookie", "sid=1"), Succeeded},
		{answered(302, ""), Unclear},
		{answered(200, "Ok."), Succeeded},
		{answered(200, "Ok. Fails."), Failed},
		{answered(403, "Ok.", "Set-Cookie", "sid=1"), Failed},
		{answered(200, "", "Set-Cookie", "sid=1"), Unclear},
	} {
		if got, err := f.Judge(t.Context(), test.answer, nil); got != test.want || err != nil {
			t.Errorf("%d %q is %d, %v; want %d", test.answer.Status, test.answer.Body, got, err, test.want)
		}
	}
}

func TestProbesOfSuccess(t *testing.T) {
	c := plainForm()
	p := &Probe{Request: "GET /me?x=1", Contains: []string{"alice"}, Lacks: []string{"guest"}}
	c.Success = []Signs{{Status: []string{"302"}, Probe: p}, {Status: []string{"302"}, Header: []string{"X"}}, {Probe: p}}
	f := compile(t, c)
	var asked int
	ask := func(a *Answer, err error) Prober {
		return func(_ context.Context, method, uri string) (*Answer, error) {
			if asked++; method != "GET" || uri != "/me?x=1" {
				t.Errorf("asked %s %s; want the probe", method, uri)
			}
			return a, err
		}
	}
	broken := answered(200, "alice")
	broken.Truncated = true
	for _, test := range []struct {
		answer *Answer
		want   Outcome
	}{
		{answered(200, "alice"), Succeeded},
		{answered(200, "bob"), Unclear},
		{answered(200, "alice guest"), Unclear},
		{answered(302, "alice"), Unclear},
		{answered(200, "alice", "Content-Encoding", "br"), Unclear},
		{broken, Unclear},
	} {
		asked = 0
		if got, err := f.Judge(t.Context(), answered(302, ""), ask(test.answer, nil)); got != test.want || err != nil || asked != 1 {
			t.Errorf("%d %q is %d, %v after %d probes; want %d after one", test.answer.Status, test.answer.Body, got, err, asked, test.want)
		}
	}
	down := errors.New("down")
	if got, err := f.Judge(t.Context(), answered(302, ""), ask(nil, down)); got != Unclear || !errors.Is(err, down) {
		t.Errorf("got %d, %v; want Unclear and the error", got, err)
	}
	if got, err := f.Judge(t.Context(), answered(302, ""), nil); got != Unclear || err == nil {
		t.Errorf("without a prober: got %d, %v; want Unclear and an error", got, err)
	}
	asked = 0
	if _, err := f.Judge(t.Context(), answered(500, ""), ask(answered(200, "alice"), nil)); err != nil || asked != 0 {
		t.Errorf("%d probes after an answer that is no success, %v; want none", asked, err)
	}
}
