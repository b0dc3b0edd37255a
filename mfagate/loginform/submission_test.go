package loginform

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// part is a field of a multipart form as browsers send it, and its end.
func part(name, value string) string {
	return fmt.Sprintf("--b\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", name, value)
}

const (
	partType = "multipart/form-data; boundary=b"
	partEnd  = "--b--\r\n"
)

func TestSubmissionIsReadAndWrittenAnew(t *testing.T) {
	f := compile(t, plainForm())
	for _, test := range []struct{ media, body, want string }{
		{mediaForm, "csrf=a%2Bb&user=al+ice&pass=p%26w%C3%A4", "csrf=a%2Bb&user=al+ice&pass=p%26w%C3%A4"},
		{mediaForm + "; charset=UTF-8", "&&us%65r=al%20ice&pass=p%26wä&x&", "user=al+ice&pass=p%26w%C3%A4&x="},
		{mediaForm, "r[]=0&r[]=1&user=al+ice&c=0&c=1&pass=p%26w%C3%A4", "r%5B%5D=0&r%5B%5D=1&user=al+ice&c=0&c=1&pass=p%26w%C3%A4"},
		{mediaJSON, ` {"a":[1e2,null,true,{}], "auth":{"name":"al ice","secret":"p\u0026w\u00e4"},"z":"\ud83d\ude00\n"} `, `{"a":[1e2,null,true,{}],"auth":{"name":"al ice","secret":"p&wä"},"z":"😀\u000a"}`},
	} {
		r := request(t, "POST /login", test.media, test.body)
		s, err := f.ReadSubmission(r)
		if err != nil {
			t.Errorf("%q: %v", test.body, err)
			continue
		}
		if s.User != "al ice" || s.Password != "p&wä" || string(s.Body) != test.want || !strings.HasPrefix(test.media, s.ContentType) {
			t.Errorf("%q is read as %q, %q, %q; want %q", test.body, s.User, s.Password, s.Body, test.want)
		}
		body := s.Body
		if s.Wipe(); s.Password != "" || strings.Trim(string(body), "\x00") != "" {
			t.Errorf("%q is left of %q", body, test.body)
		}
	}
}

func TestMultipartGetsABoundaryOfItsOwn(t *testing.T) {
	f := compile(t, plainForm())
	inner := "x\n--b\nContent-Disposition: form-data; name=\"user\"\n\nvic"
	s, err := f.ReadSubmission(request(t, "POST /login", partType, part("user", "alice")+part("note", inner)+part("pass", "pw")+partEnd))
	if err != nil || s.User != "alice" || s.Password != "pw" {
		t.Fatalf("got %+v, %v; want alice", s, err)
	}
	if strings.Contains(s.ContentType, "boundary=b\"") || strings.HasPrefix(string(s.Body), "--b\r\n") {
		t.Errorf("got %q %q; want another boundary", s.ContentType, s.Body)
	}
	r := request(t, "POST /login", s.ContentType, string(s.Body))
	got, err := r.MultipartReader()
	if err != nil {
		t.Fatal(err)
	}
	form, err := got.ReadForm(MaxForm)
	if err != nil || fmt.Sprint(form.Value) != fmt.Sprint(map[string][]string{"user": {"alice"}, "note": {inner}, "pass": {"pw"}}) {
		t.Errorf("got %v, %v; want what was sent", form, err)
	}
}

// Whoever sends these means that the gate reads one name and the app another.
func TestAmbiguousSubmissionsAreRefused(t *testing.T) {
	f := compile(t, plainForm())
	good := part("user", "eve") + part("pass", "pw")
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for _, test := range []struct{ media, body string }{
		{mediaForm, ""},
		{mediaForm, "user=eve"},
		{mediaForm, "pass=pw"},
		{mediaForm, "user=eve&user=vic&pass=pw"},
		{mediaForm, "user=eve&user=eve&pass=pw"},
		{mediaForm, "user=eve&us%65r=vic&pass=pw"},
		{mediaForm, "user=eve&User=vic&pass=pw"},
		{mediaForm, "user=eve&+user=vic&pass=pw"},
		{mediaForm, "user=eve&%0auser=vic&pass=pw"},
		{mediaForm, "user=eve&user%00x=vic&pass=pw"},
		{mediaForm, "user=eve&user[]=vic&pass=pw"},
		{mediaForm, "user=eve&user[x]y=vic&pass=pw"},
		{mediaForm, "user[]=vic&pass=pw"},
		{mediaForm, "user=eve&[user]=vic&pass=pw"},
		{mediaForm, "user=eve&user]=vic&pass=pw"},
		{mediaForm, "user=eve&user[=vic&pass=pw"},
		{mediaForm, "user=eve&pass=pw&paſs=x"},
		{mediaForm, "user=%ef%bb%bfeve&pass=pw"},
		{mediaForm, "+user=vic&pass=pw"},
		{mediaForm, "USER=vic&pass=pw"},
		{mediaForm, "user=eve&pass=pw&pass=pw2"},
		{mediaForm, "user=eve&pass=pw&pass%5B0%5D=pw2"},
		{mediaForm, "user=eve;user=vic&pass=pw"},
		{mediaForm, "user=eve&pass=p;w"},
		{mediaForm, "user=eve&pass=%zz"},
		{mediaForm, "user=eve&pass=%4"},
		{mediaForm, "user=eve&pass=%ff"},
		{mediaForm, "user=eve&pass=\xff"},
		{mediaForm, "user=eve&pass=a%00b"},
		{mediaForm, "user=eve%00&pass=pw"},
		{mediaForm, "user=eve%0a&pass=pw"},
		{mediaForm, "user=eve\n&pass=pw"},
		{mediaForm, "user=eve&pass=pw&=x"},
		{mediaForm, "user=eve&pass=pw&a.b=1&a_b=2"},
		{mediaForm, "user=eve&pass=pw&a[b=1&a_b=2"},
		{mediaForm, "user=eve&pass=pw&a+b=1&a_b=2"},
		{mediaForm, "user=eve&pass=pw" + strings.Repeat("&x=1", maxFields)},
		{mediaForm, `{"auth":{"name":"eve","secret":"pw"}}`},
		{mediaForm + "; charset=utf-16", "user=eve&pass=pw"},
		{mediaForm + "; charset=utf-7", "user=eve&pass=pw"},
		{mediaForm + "; x=y", "user=eve&pass=pw"},
		{mediaForm + ", text/plain", "user=eve&pass=pw"},
		{"", "user=eve&pass=pw"},
		{"text/plain", "user=eve&pass=pw"},
		{"application/xml", "<user>eve</user>"},
		{mediaJSON, "user=eve&pass=pw"},
		{mediaJSON, ``},
		{mediaJSON, `{}`},
		{mediaJSON, `{"auth":{"name":"eve"}}`},
		{mediaJSON, `{"auth":{"name":["eve"],"secret":"pw"}}`},
		{mediaJSON, `{"auth":{"name":1,"secret":"pw"}}`},
		{mediaJSON, `{"auth":{"name":null,"secret":"pw"}}`},
		{mediaJSON, `{"auth":{"name":"eve","name":"vic","secret":"pw"}}`},
		{mediaJSON, `{"auth":{"name":"eve","n\u0061me":"vic","secret":"pw"}}`},
		{mediaJSON, `{"auth":{"name":"eve","Name":"vic","secret":"pw"}}`},
		{mediaJSON, `{"auth":{"name":"eve","secret":"pw","ſecret":"pw2"}}`},
		{mediaJSON, `{"auth":{"name":"eve","secret":"pw"},"auth":{"name":"vic","secret":"pw"}}`},
		{mediaJSON, `{"auth":{"name":"eve","secret":"pw"},"user":{"name":"vic"}}`},
		{mediaJSON, `{"auth":{"name":"eve","secret":"pw"},"x":{"a":1,"a":2}}`},
		{mediaJSON, `{"auth":{"name":"eve","secret":"pw"}} {}`},
		{mediaJSON, `{"auth":{"name":"eve","secret":"pw",}}`},
		{mediaJSON, `{"auth":{"name":"eve","secret":"\ud800"}}`},
		{mediaJSON, `{"auth":{"name":"eve","secret":"\u0000"}}`},
		{mediaJSON, `{"auth":{"name":"eve","secret":"a` + "\n" + `"}}`},
		{mediaJSON, `{"auth":{"name":"eve","secret":"\x41"}}`},
		{mediaJSON, `{"auth":{"name":"eve","secret":"pw"},"n":01}`},
		{mediaJSON, `{"auth":{"name":"eve","secret":"pw"},"n":NaN}`},
		{mediaJSON, `{"auth":{"name":"eve","secret":"pw"}/**/}`},
		{mediaJSON, "\xef\xbb\xbf" + `{"auth":{"name":"eve","secret":"pw"}}`},
		{mediaJSON, `{"auth":{"name":"` + "\xff" + `","secret":"pw"}}`},
		{mediaJSON, `{"auth":{"name":"eve","secret":"pw"},"x":` + deep + `}`},
		{mediaJSON, `{"auth":{"name":"eve","secret":"pw"},"x":[` + strings.Repeat("1,", maxFields) + `1]}`},
		{mediaJSON + "; charset=utf-16", `{"auth":{"name":"eve","secret":"pw"}}`},
		{partType, good},
		{partType, good + partEnd + "x"},
		{partType, "x\r\n" + good + partEnd},
		{partType, "\r\n" + good + partEnd},
		{partType, good + part("user", "vic") + partEnd},
		{partType, good + part("user[]", "vic") + partEnd},
		{partType, good + part("USER", "vic") + partEnd},
		{partType, good + part(`us\er`, "vic") + partEnd},
		{partType, good + part("%75ser", "vic") + partEnd},
		{partType, good + part(`x"; name="user`, "vic") + partEnd},
		{partType, good + part(`x"; name*="utf-8''user`, "vic") + partEnd},
		{partType, good + part(`x"; filename="a`, "vic") + partEnd},
		{partType, strings.ReplaceAll(good, "\r\n", "\n") + partEnd},
		{partType, strings.Replace(good, "\r\n\r\n", "\r\nContent-Transfer-Encoding: base64\r\n\r\n", 1) + partEnd},
		{partType, strings.Replace(good, "\r\n\r\n", "\r\nContent-Type: text/plain; charset=utf-16\r\n\r\n", 1) + partEnd},
		{partType, strings.Replace(good, "\r\n\r\n", "\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n", 1) + partEnd},
		{partType, strings.Replace(good, "; name", ";\r\n name", 1) + partEnd},
		{partType, strings.Replace(good, `"user"`, "user", 1) + partEnd},
		{"multipart/form-data", good + partEnd},
		{"multipart/form-data; boundary=b; boundary=c", good + partEnd},
		{"multipart/mixed; boundary=b", good + partEnd},
	} {
		s, err := f.ReadSubmission(request(t, "POST /login", test.media, test.body))
		if s != nil || !errors.Is(err, ErrAmbiguous) {
			t.Errorf("%s %q: got %+v, %v; want ErrAmbiguous", test.media, test.body, s, err)
		}
		if err != nil && strings.Contains(err.Error(), "pw") {
			t.Errorf("%q: the error %q tells the password", test.body, err)
		}
	}
}

func TestHeadersAndQueryMakeASubmissionAmbiguous(t *testing.T) {
	c := plainForm()
	c.Submit[0].Text = "POST /login?**"
	f := compile(t, c)
	for _, line := range []string{"POST /login?user=vic", "POST /login?x=1&pass=a", "POST /login?User[]=vic", "POST /login?x;user=vic"} {
		if _, err := f.ReadSubmission(request(t, line, mediaForm, "user=eve&pass=pw")); !errors.Is(err, ErrAmbiguous) {
			t.Errorf("%s: got %v; want ErrAmbiguous", line, err)
		}
	}
	for name, value := range map[string]string{
		"Content-Encoding": "gzip", "Content-Range": "bytes 0-1/2", "X-HTTP-Method-Override": "PUT",
	} {
		r := request(t, "POST /login", mediaForm, "user=eve&pass=pw")
		r.Header.Set(name, value)
		if _, err := f.ReadSubmission(r); !errors.Is(err, ErrAmbiguous) {
			t.Errorf("with %s: got %v; want ErrAmbiguous", name, err)
		}
	}
	r := request(t, "POST /login", mediaForm, "user=eve&pass=pw")
	r.Header.Add("Content-Type", partType)
	if _, err := f.ReadSubmission(r); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("with two media types: got %v; want ErrAmbiguous", err)
	}
	r = request(t, "POST /login", mediaForm, "user=eve&pass=pw")
	r.Trailer = http.Header{"X": nil}
	if _, err := f.ReadSubmission(r); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("with a trailer: got %v; want ErrAmbiguous", err)
	}
}

func TestLongAndBrokenSubmissions(t *testing.T) {
	f := compile(t, plainForm())
	long := "user=eve&pass=pw&x=" + strings.Repeat("x", MaxForm)
	r := request(t, "POST /login", mediaForm, long)
	if _, err := f.ReadSubmission(r); !errors.Is(err, ErrTooLong) {
		t.Errorf("got %v; want ErrTooLong", err)
	}
	r = request(t, "POST /login", mediaForm, long)
	r.ContentLength = -1
	if _, err := f.ReadSubmission(r); !errors.Is(err, ErrTooLong) {
		t.Errorf("of unknown length: got %v; want ErrTooLong", err)
	}
	r = request(t, "POST /login", mediaForm, "")
	r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("user=eve&pass=pw"), failing{io.ErrUnexpectedEOF})), -1
	if s, err := f.ReadSubmission(r); s != nil || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, %v; want the error of the body", s, err)
	}
	r.Body = nil
	if _, err := f.ReadSubmission(r); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("without a body: got %v; want ErrAmbiguous", err)
	}
}

func TestOneOfSeveralForms(t *testing.T) {
	d := compile(t, deluge())
	s, err := d.ReadSubmission(request(t, "POST /json", mediaJSON, `{"method":"auth.login","params":["pw"],"id":1}`))
	if err != nil || s.User != "" || s.Password != "pw" {
		t.Errorf("got %+v, %v; want the password", s, err)
	}
	for _, body := range []string{
		`{"method":"auth.check_session","params":["pw"],"id":1}`,
		`{"method":"auth.login","params":{"0":"pw"},"id":1}{}`,
		`{"method":"auth.login","params":[["pw"]],"id":1}`,
		`{"params":["pw"],"id":1}`,
		`{"method":["auth.login"],"params":["pw"],"id":1}`,
	} {
		if s, err := d.ReadSubmission(request(t, "POST /json", mediaJSON, body)); !errors.Is(err, ErrAmbiguous) {
			t.Errorf("%s: got %+v, %v; want ErrAmbiguous", body, s, err)
		}
	}
	c := plainForm()
	c.Submit = []Pattern{{Text: "POST /login", Where: map[string]string{"do": "login"}}, {Text: "POST /signin?x=*"}}
	f := compile(t, c)
	for line, body := range map[string]string{"POST /login": "do=login&user=eve&pass=pw", "POST /signin?x=1": "user=eve&pass=pw"} {
		if s, err := f.ReadSubmission(request(t, line, mediaForm, body)); err != nil || s.User != "eve" {
			t.Errorf("%s: got %+v, %v; want eve", line, s, err)
		}
	}
	for line, body := range map[string]string{
		"POST /login": "do=x&user=eve&pass=pw", "POST /signin": "user=eve&pass=pw", "POST //login": "do=login&user=eve&pass=pw",
		"POST /signin?x=1": "do=login&user=eve",
	} {
		if s, err := f.ReadSubmission(request(t, line, mediaForm, body)); !errors.Is(err, ErrAmbiguous) {
			t.Errorf("%s: got %+v, %v; want ErrAmbiguous", line, s, err)
		}
	}
}
