package parsers_test

import (
	"bytes"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// jars are those of two bindings of an app with a cookie that goes in clear, and globs of
// more.
func jars(t *testing.T) (mine, other *loginform.Jar) {
	t.Helper()
	s, err := loginform.NewSealer(loginform.Key{Secret: bytes.Repeat([]byte("k"), loginform.KeySize)})
	if err != nil {
		t.Fatal(err)
	}
	jar := func(binding string) *loginform.Jar {
		b := s.Box(loginform.ForSession, "app", binding)
		return &loginform.Jar{
			Open: []*loginform.Box{b}, Seal: b, Pass: []string{"theme", "ui_*", "*_pref"}, Bound: []string{"xsrf"},
			Reserved: func(name string) bool { return name == "mfagate" },
		}
	}
	return jar("mine"), jar("other")
}

// set returns what a browser sends after an app has set cookies.
func set(t *testing.T, j *loginform.Jar, lines ...string) (pairs []string) {
	t.Helper()
	h := http.Header{"Set-Cookie": lines}
	if err := j.Write(h, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, line := range h["Set-Cookie"] {
		pair, _, _ := strings.Cut(line, ";")
		pairs = append(pairs, pair)
	}
	return pairs
}

var (
	cookieNames = []string{
		"theme", "theme", "ui_size", "a_pref", "sid", "sid", "SID", "xsrf", "xsrf~b", "mfagate", "s.id", "s id", "sid[]", "sid[x]", "$Version", "$Path", "path", "expires", "httponly", "sid~2",
		"ui_%00", "%73id%00_pref", "sid%00_pref", "ui_;sid", "ui_[sid", "sid+_pref", "__proto___pref", "ui_\u00e4", "ui_,sid", `ui_"`, "ui_\t", "", "ui_=",
	}
	cookieValues = []string{
		"", "dark", `"dark"`, `"`, `"a; sid=planted; b="`, `"a, sid=planted"`, "a, sid=planted", "a,sid=planted", "a sid=planted", `"a\073 sid=planted"`, `a\"`, `"\"; sid=planted"`, "%3B%20sid=planted", "%00", "a%0d%0asid=planted",
		"$Path=/; sid=planted", "\u00e4", "\xff", "\x00", "a\tsid=planted", "a=b=c", "[]", "{}", "planted", "1planted", "2planted", `"1planted"`, "1", "a&sid=planted", "+", strings.Repeat("x", 2000),
	}
)

// cookieHeader is what a browser sends into which somebody has put cookies of his own,
// or what somebody sends by hand.
func (n nasty) cookieHeader(mine, foreign []string) string {
	var pairs []string
	for _, p := range slices.Concat(mine, foreign) {
		if !n.in(4) {
			pairs = append(pairs, p)
		}
	}
	for range n.IntN(5) {
		pairs = append(pairs, n.one(cookieNames)+n.one([]string{"=", "=", "=", " = ", ""})+n.one(cookieValues))
	}
	n.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	return strings.Join(pairs, n.one([]string{"; ", "; ", "; ", ";", " ; ", ";;", ", ", " "}))
}

// What reaches the app in the header Cookie is to every parser what the gate has opened: the
// session of this binding if there is one, and no other, whatever somebody planted.
func TestNoParserReadsAPlantedCookie(t *testing.T) {
	mine, other := jars(t)
	own := set(t, mine, "sid=secret; Path=/", "xsrf=token", "theme=dark", `rich="a, b"; Path=/`)
	foreign := set(t, other, "sid=foreign", "xsrf=foreign")
	n := newNasty(t)
	var headers []string
	for _, v := range corpus(t, "FuzzJarRead") {
		headers = append(headers, strings.NewReplacer("SEALED", strings.TrimPrefix(own[0], "sid="), "OTHER", strings.TrimPrefix(foreign[0], "sid=")).Replace(v[0]))
	}
	for range 1500 {
		headers = append(headers, n.cookieHeader(own, foreign))
	}
	var requests []sent
	var meant []loginform.Cookies
	for _, h := range headers {
		got, err := mine.Read(http.Header{"Cookie": {h}})
		if err != nil {
			continue
		}
		requests = append(requests, sent{Type: medias[0], Cookie: []byte(got.Header(""))})
		meant = append(meant, got)
	}
	for _, l := range languages(t) {
		for i, got := range l.read(t, requests) {
			for _, c := range got.Cookies {
				compareCookies(t, l.name, c, meant[i], string(requests[i].Cookie))
			}
		}
	}
	t.Logf("%d of %d headers read", len(requests), len(headers))
	if len(requests) < 1000 {
		t.Errorf("%d of %d headers read; want a thousand", len(requests), len(headers))
	}
}

// compareCookies wants each cookie that is meant under its name, and no other. The value of
// the session must be the same; those in clear may be decoded.
func compareCookies(t *testing.T, language string, got cookies, meant loginform.Cookies, header string) {
	t.Helper()
	want := make(map[string]bool)
	for _, c := range meant {
		want[c.Name] = true
	}
	found := make(map[string]bool)
	for _, p := range got.Pairs {
		name, value := string(p[0]), string(p[1])
		if name == "sid" && value != "secret" || !want[name] || found[name] {
			t.Errorf("%s (%s) reads %s=%q in %q; want only what is meant: %v", language, got.How, name, value, header, meant)
		}
		if decoded, err := url.PathUnescape(name); err != nil || decoded != name {
			t.Errorf("%s (%s) may read %q in %q", language, got.How, decoded, header)
		}
		found[name] = true
	}
	for name := range maps.Keys(want) {
		if !found[name] {
			t.Errorf("%s (%s) does not read %s in %q", language, got.How, name, header)
		}
	}
}

// Names that are no tokens go on only as the app has set them. A reader may miss such a cookie, as
// it does without a gate; it takes it for no other, but for PHP, to which a dot is a _ and pref[lang]
// a part of pref.
func TestNoParserTakesAnOddNameForAnother(t *testing.T) {
	mine, other := jars(t)
	odd := []string{"express:sess", "koa:sess.sig", "pref[lang]", "pref[a][b]", "a/b", "a@b", "(a)", "<a>", "a?b", "{a}", "sid:x", "sid/x", "sid@", "sid(", "sid)", "sid<", "sid>", "sid?", "sid{", "sid}", ":sid", "/sid", "?sid", "{sid}"}
	var requests []sent
	for _, name := range odd {
		own := strings.Join(set(t, mine, "sid=secret", name+"=of-the-app"), "; ")
		planted := strings.Join(append(set(t, other, name+"=planted"), name+"=planted"), "; ")
		for _, header := range []string{own, own + "; " + planted, planted + "; " + own} {
			got, err := mine.Read(http.Header{"Cookie": {header}})
			if want := "sid=secret; " + name + "=of-the-app"; err != nil || got.Header("") != want {
				t.Errorf("%q reaches the app as %q, %v; want %q", header, got.Header(""), err, want)
			}
			requests = append(requests, sent{Type: medias[0], Cookie: []byte(got.Header(""))})
		}
	}
	for _, l := range languages(t) {
		for i, got := range l.read(t, requests) {
			for _, c := range got.Cookies {
				oddCookies(t, l.name, c, odd[i/3])
			}
		}
	}
}

// oddCookies wants the session, and under no other name than the app's what has such a one.
func oddCookies(t *testing.T, language string, got cookies, name string) {
	t.Helper()
	folded, _, _ := strings.Cut(strings.ReplaceAll(name, ".", "_"), "[")
	session := false
	for _, p := range got.Pairs {
		read, value := string(p[0]), string(p[1])
		switch {
		case read == "sid" && value == "secret" && !session:
			session = true
		case read == name, language == "PHP" && read == folded:
		default:
			t.Errorf("%s (%s) reads %s=%q beside %s", language, got.How, read, value, name)
		}
	}
	if !session && (got.How != "http.cookies" || !strings.Contains(name, "[")) { // which reads nothing where it finds that
		t.Errorf("%s (%s) does not read the session before %s", language, got.How, name)
	}
}

// Of two cookies with one name some readers take the first, and some the last. So a gate that
// let both pass could ask one part of an app who is there, and be answered for another.
func TestParsersDisagreeOnTwoCookiesWithOneName(t *testing.T) {
	found := make(map[string]bool)
	for _, l := range languages(t) {
		for _, got := range l.read(t, []sent{{Type: medias[0], Cookie: []byte("sid=first; sid=last")}}) {
			for _, c := range got.Cookies {
				for _, p := range c.Pairs {
					found[string(p[1])] = true
				}
			}
		}
	}
	if !found["first"] || !found["last"] {
		t.Errorf("all take the same: %v; then they may both pass", found)
	}
}
