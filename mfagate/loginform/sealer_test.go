package loginform

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func testSealer(t *testing.T, fill byte) *Sealer {
	t.Helper()
	s, err := NewSealer(Key{ID: fill, Secret: []byte(strings.Repeat(string(rune(fill)), KeySize))})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedValueOpensInItsOwnBoxOnly(t *testing.T) {
	s := testSealer(t, 'k')
	mine := s.Box(ForSession, "app", "b1")
	sealed := mine.Seal("sid", "secret")
	if strings.Contains(sealed, "secret") {
		t.Fatalf("sealed value shows the value: %s", sealed)
	}
	if got, ok := mine.Open("sid", sealed); !ok || got != "secret" {
		t.Errorf("own box: got %q, %v; want the value", got, ok)
	}
	for what, b := range map[string]*Box{
		"another binding": s.Box(ForSession, "app", "b2"),
		"another purpose": s.Box(ForVisitor, "app", "b1"),
		"another app":     s.Box(ForSession, "ap", "pb1"),
		"another key":     testSealer(t, 'l').Box(ForSession, "app", "b1"),
	} {
		if got, ok := b.Open("sid", sealed); ok {
			t.Errorf("%s: opens as %q; want nothing", what, got)
		}
	}
	if _, ok := mine.Open("other", sealed); ok {
		t.Error("under another name: opens; want nothing")
	}
}

func TestOldKeyOpensAndNewKeySeals(t *testing.T) {
	old := Key{ID: 1, Secret: []byte(strings.Repeat("a", KeySize))}
	fresh := Key{ID: 2, Secret: []byte(strings.Repeat("b", KeySize))}
	before, _ := NewSealer(old)
	after, _ := NewSealer(fresh, old)
	sealed := before.Box(ForSession, "app", "b").Seal("n", "v")
	if got, ok := after.Box(ForSession, "app", "b").Open("n", sealed); !ok || got != "v" {
		t.Errorf("sealed with the old key: got %q, %v; want v", got, ok)
	}
	sealed = after.Box(ForSession, "app", "b").Seal("n", "v")
	if _, ok := before.Box(ForSession, "app", "b").Open("n", sealed); ok {
		t.Error("sealed with the new key: opens without it")
	}
}

// roundTrip lets an answer's cookies go through a browser that keeps them all.
func roundTrip(t *testing.T, j *Jar, setCookies ...string) (browser []string, c Cookies) {
	t.Helper()
	h := http.Header{"Set-Cookie": setCookies}
	if err := j.Write(h, time.Now()); err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for _, line := range h["Set-Cookie"] {
		pair, _, _ := strings.Cut(line, ";")
		pairs = append(pairs, pair)
	}
	c, err := j.Read(http.Header{"Cookie": {strings.Join(pairs, "; ")}})
	if err != nil {
		t.Fatal(err)
	}
	return h["Set-Cookie"], c
}

func TestJarKeepsAttributesAndHidesValues(t *testing.T) {
	b := testSealer(t, 'k').Box(ForSession, "app", "b")
	j := &Jar{Open: []*Box{b}, Seal: b, Pass: []string{"theme"}, Bound: []string{"xsrf*"}, Secure: true}
	set, got := roundTrip(t, j,
		"sid=abc; Path=/json; Domain=example.com; SameSite=Strict; Expires=Wed, 01 Jan 2200 00:00:00 GMT",
		"theme=dark; Path=/", "xsrf-token=t0ken; Path=/", "odd name=1", "gone=deleted; Path=/")
	if c := got.Header("/json/x"); c != "sid=abc; theme=dark; xsrf-token=t0ken" {
		t.Errorf("goes to the app: %q", c)
	}
	if strings.Contains(set[0], "abc") || strings.Contains(set[0], "Domain") ||
		!strings.HasSuffix(set[0], "; Path=/json; SameSite=Strict; Expires=Wed, 01 Jan 2200 00:00:00 GMT; Secure; HttpOnly") {
		t.Errorf("sealed cookie is %q", set[0])
	}
	if set[1] != "theme=dark; Path=/; Secure" {
		t.Errorf("cookie in clear is %q", set[1])
	}
	if last := set[len(set)-1]; last != "gone=deleted; Path=/; Secure; HttpOnly; Max-Age=0" {
		t.Errorf("deletion is %q", last)
	}
}

func TestStolenClearCookieCountsOnlyBesideItsSeal(t *testing.T) {
	s := testSealer(t, 'k')
	eve, vic := s.Box(ForSession, "app", "eve"), s.Box(ForSession, "app", "vic")
	j := &Jar{Open: []*Box{eve}, Seal: eve, Bound: []string{"token"}}
	_, mine := roundTrip(t, j, "token=eves")
	if v, _ := mine.Value("token"); v != "eves" {
		t.Errorf("own bound cookie: got %q; want eves", v)
	}
	seal := eve.Seal("token~b", digest("eves"))
	foreign := vic.Seal("token~b", digest("vics"))
	for _, cookie := range []string{
		"token=vics", "token=vics; token~b=1" + seal, "token=vics; token~b=1" + foreign, "token=vics; token~b=1" + seal + "; token~b=1" + foreign,
	} {
		got, err := j.Read(http.Header{"Cookie": {cookie}})
		if err != nil || len(got) != 0 {
			t.Errorf("%.40s: got %v, %v; want nothing", cookie, got, err)
		}
	}
}

func TestLongCookieIsCutAndJoined(t *testing.T) {
	b := testSealer(t, 'k').Box(ForSession, "app", "b")
	j := &Jar{Open: []*Box{b}, Seal: b}
	for _, size := range []int{0, 1, 2600, 2700, 6000} {
		want := strings.Repeat("x", size)
		set, got := roundTrip(t, j, "sid="+want+"; Path=/; Max-Age=60")
		if v, _ := got.Value("sid"); size > 0 && v != want {
			t.Errorf("%d bytes: %d came back in %d cookies", size, len(v), len(set))
		}
		for _, line := range set {
			if len(line) > 4096 {
				t.Errorf("%d bytes: a cookie of %d bytes, which browsers drop", size, len(line))
			}
		}
	}
	h := http.Header{"Set-Cookie": {"sid=" + strings.Repeat("x", 9000)}}
	if err := j.Write(h, time.Now()); err == nil {
		t.Errorf("9000 bytes: no error; %d cookies", len(h["Set-Cookie"]))
	}
}

func TestTwoCookiesThatOpenDifferentlyAreRefused(t *testing.T) {
	s := testSealer(t, 'k')
	mine, other := s.Box(ForSession, "app", "b"), s.Box(ForSession, "app", "planted")
	j := &Jar{Open: []*Box{mine}}
	a, b := "1"+mine.Seal("sid", "a"), "1"+mine.Seal("sid", "b")
	planted := "1" + other.Seal("sid", "vics")
	if got, err := j.Read(http.Header{"Cookie": {"sid=" + planted + "; sid=" + a}}); err != nil || got.Header("") != "sid=a" {
		t.Errorf("one planted: got %v, %v; want the one that opens", got, err)
	}
	if got, err := j.Read(http.Header{"Cookie": {"sid=" + a, "sid=" + a}}); err != nil || got.Header("") != "sid=a" {
		t.Errorf("the same twice: got %v, %v; want it once", got, err)
	}
	if got, err := j.Read(http.Header{"Cookie": {"sid=" + a + "; sid=" + b}}); err == nil {
		t.Errorf("two that open: got %v; want an error", got)
	}
}

func TestRawCookieHeaderNeverGoesOn(t *testing.T) {
	b := testSealer(t, 'k').Box(ForSession, "app", "b")
	j := &Jar{Open: []*Box{b}, Pass: []string{"theme"}}
	for _, raw := range []string{
		`sid=clear`, `SID="clear"`, `app session=clear`, `app.session=clear`, `$Version=1; sid="x"`, "sid=\x80\xff",
		`sid="a; theme=b"; x=1`, `=clear`, `sid`, `;;;`, "theme=a\tb\x01",
	} {
		got, err := j.Read(http.Header{"Cookie": {raw}})
		if err == nil && strings.Contains(got.Header(""), "clear") {
			t.Errorf("%q: %q goes to the app", raw, got.Header(""))
		}
	}
	if _, err := j.Read(http.Header{"Cookie": {strings.Repeat("a=b;", maxCookies+1)}}); err == nil {
		t.Error("a flood of cookies: no error")
	}
}

func BenchmarkOpenThreeCookies(b *testing.B) {
	s, _ := NewSealer(Key{Secret: make([]byte, KeySize)})
	box := s.Box(ForSession, "app", "b")
	j := &Jar{Open: []*Box{box}}
	var pairs []string
	for _, name := range []string{"PHPSESSID", "remember", "csrf"} {
		pairs = append(pairs, name+"=1"+box.Seal(name, "0123456789abcdef0123456789abcdef"))
	}
	h := http.Header{"Cookie": {strings.Join(pairs, "; ")}}
	b.ReportAllocs()
	for b.Loop() {
		if c, err := j.Read(h); err != nil || len(c) != 3 {
			b.Fatal(c, err)
		}
	}
}
