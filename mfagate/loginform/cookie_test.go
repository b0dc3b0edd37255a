package loginform

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Names that are no tokens, yet browsers keep them, and apps sign in with them.
var oddNames = []string{"express:sess", "koa:sess", "koa:sess.sig", "pref[lang]", "a/b", "a@b", "(a)", "<a>", "a?b", "{a}", "a[b][c]", "a[]", "a]", "__Host-a:b", "connect.sid", "a'b", "a%b"}

func TestAppsNamesOfCookiesComeBack(t *testing.T) {
	b := testSealer(t, 'k').Box(ForSession, "app", "b")
	other := testSealer(t, 'k').Box(ForSession, "app", "other")
	j := &Jar{Open: []*Box{b}, Seal: b}
	for _, name := range oddNames {
		for _, value := range []string{"secret", strings.Repeat("x", 6000)} {
			set, got := roundTrip(t, j, name+"="+value+"; Path=/")
			if strings.Contains(strings.Join(set, ""), value) || got.Header("/") != name+"="+value {
				t.Errorf("%s: %.80q comes back as %.80q", name, set, got.Header("/"))
			}
			stolen := name + "=1" + other.Seal(name, value)
			moved := name + "=1" + b.Seal("a", value)
			if got, err := j.Read(http.Header{"Cookie": {stolen + "; " + name + "=" + value, moved}}); err != nil || len(got) > 0 {
				t.Errorf("%s: a planted one comes through: %.80q, %v", name, got.Header(""), err)
			}
		}
		h := http.Header{"Set-Cookie": {name + "=x; Max-Age=0; Path=/"}}
		if err := j.Write(h, time.Now()); err != nil || h.Get("Set-Cookie") != name+"=x; Path=/; HttpOnly; Max-Age=0" {
			t.Errorf("%s is deleted by %q, %v", name, h.Get("Set-Cookie"), err)
		}
		a := &Answer{Header: http.Header{"Set-Cookie": {name + "=x"}}}
		if got := a.cookies(parseGlob(name)); got[name] != "x" {
			t.Errorf("%s: the sign of a success finds %q", name, got)
		}
	}
}

// A name that could end elsewhere for another reader comes through in neither direction, even
// if the app itself sets it.
func TestNamesThatEndElsewhereAreDropped(t *testing.T) {
	b := testSealer(t, 'k').Box(ForSession, "app", "b")
	j := &Jar{Open: []*Box{b}, Seal: b, Reserved: func(name string) bool { return name == "mfagate" }}
	for _, name := range []string{"", " ", "a b", "a\tb", "a,sid", `a"b`, `a\b`, "a\x00b", "a\r\nX: y", "a\x7f", "\u00e4", "a\u00a0", "a;sid", "a[b", "[a]", "a[b]c", "a[b[c]]", "a[b]]", "[", "a[", "mfagate", " mfagate "} {
		sealed := "1" + b.Seal(name, "x")
		if got, err := j.Read(http.Header{"Cookie": {name + "=" + sealed}}); err != nil || len(got) > 0 {
			t.Errorf("%q comes through as %v, %v", name, got, err)
		}
		h := http.Header{"Set-Cookie": {name + "=x; Path=/"}}
		if err := j.Write(h, time.Now()); err != nil || len(h["Set-Cookie"]) > 0 {
			t.Errorf("%q goes out as %q, %v", name, h["Set-Cookie"], err)
		}
	}
}

// What goes in clear has a token for a name: anybody may plant it, and PHP folds others.
func TestClearCookieWithAnOddNameIsDropped(t *testing.T) {
	b := testSealer(t, 'k').Box(ForSession, "app", "b")
	j := &Jar{Open: []*Box{b}, Seal: b, Pass: []string{"ui*"}, Bound: []string{"xsrf*"}}
	for _, name := range []string{"ui[x", "ui[sid]", "ui:x", "ui(x)", "xsrf[x]", "xsrf:x", "xsrf@x"} {
		seal := name + "~b=1" + b.Seal(name+"~b", digest("x"))
		if got, err := j.Read(http.Header{"Cookie": {name + "=x; " + seal}}); err != nil || len(got) > 0 {
			t.Errorf("%q comes through as %v, %v", name, got, err)
		}
		h := http.Header{"Set-Cookie": {name + "=x", name + "=x; Max-Age=0"}}
		if err := j.Write(h, time.Now()); err != nil || len(h["Set-Cookie"]) > 0 {
			t.Errorf("%q goes out as %q, %v", name, h["Set-Cookie"], err)
		}
	}
}

// Somebody on a sibling domain who plants a second cookie of those in clear keeps it from
// the app, and nobody out of it.
func TestPlantedClearCookieLocksNobodyOut(t *testing.T) {
	b := testSealer(t, 'k').Box(ForSession, "app", "b")
	j := &Jar{Open: []*Box{b}, Seal: b, Pass: []string{"theme", "ui_*"}}
	sid := "sid=1" + b.Seal("sid", "secret")
	for cookies, want := range map[string]string{
		"theme=dark; SID; theme=planted":              "sid=secret",
		"theme=planted; theme=dark; SID":              "sid=secret",
		"theme=a; theme=b; theme=a; SID; theme=c":     "sid=secret",
		"theme=a; theme=b; theme=b; SID":              "sid=secret",
		"theme=dark; ui_x=1; SID; theme=dark":         "theme=dark; ui_x=1; sid=secret",
		"theme=dark; ui_x=1; SID; ui_x=2":             "theme=dark; sid=secret",
		"theme=dark; SID; theme=planted, sid=planted": "theme=dark; sid=secret",
		"theme=a; theme=":                             "",
	} {
		got, err := j.Read(http.Header{"Cookie": {strings.ReplaceAll(cookies, "SID", sid)}})
		if err != nil || got.Header("") != want {
			t.Errorf("%q reaches the app as %q, %v; want %q", cookies, got.Header(""), err, want)
		}
	}
}

// On plain HTTP browsers drop cookies that are Secure, and those with what is allowed only
// beside it; over HTTPS they drop those that lack it.
func TestAttributesThatBrowsersDropCookiesFor(t *testing.T) {
	b := testSealer(t, 'k').Box(ForSession, "app", "b")
	for _, test := range []struct{ set, plain, secure string }{
		{"; Path=/; Secure; SameSite=None", "; Path=/; HttpOnly", "; Path=/; Secure; SameSite=None; HttpOnly"},
		{"; Path=/; secure; samesite = NONE; Partitioned; HttpOnly", "; Path=/; HttpOnly", "; Path=/; secure; samesite = NONE; Partitioned; HttpOnly"},
		{"; SameSite=Lax", "; Path=/; SameSite=Lax; HttpOnly", "; Path=/; SameSite=Lax; Secure; HttpOnly"},
		{"; SameSite=None", "; Path=/; HttpOnly", "; Path=/; SameSite=None; Secure; HttpOnly"},
		{"; Max-Age=0; SameSite=None; Secure", "; HttpOnly; Max-Age=0", "; SameSite=None; Secure; HttpOnly; Max-Age=0"},
	} {
		for secure, want := range map[bool]string{false: test.plain, true: test.secure} {
			h := http.Header{"Set-Cookie": {"sid=x" + test.set}}
			if err := (&Jar{Seal: b, Secure: secure}).Write(h, time.Now()); err != nil {
				t.Fatal(err)
			}
			if pair, _, _ := strings.Cut(h.Get("Set-Cookie"), ";"); strings.TrimPrefix(h.Get("Set-Cookie"), pair) != want {
				t.Errorf("%q (HTTPS: %v) goes out as %q; want %q", test.set, secure, h.Get("Set-Cookie"), want)
			}
		}
	}
}

// Browsers keep a cookie with a prefix only if it is Secure, and one of __Host- only with
// this path and no domain (RFC 6265bis section 4.1.3). All parts of one must be so.
func TestPrefixedCookiesOfTheAppStayValidOverHTTPS(t *testing.T) {
	b := testSealer(t, 'k').Box(ForSession, "app", "b")
	j := &Jar{Open: []*Box{b}, Seal: b, Pass: []string{"__Host-theme"}, Bound: []string{"__Host-xsrf"}, Secure: true}
	set, got := roundTrip(t, j, "__Host-sid="+strings.Repeat("x", 6000)+"; Path=/; Secure", "__Host-theme=dark; Path=/", "__Host-xsrf=t; Secure; Path=/",
		"__Host-dom=x; Path=/; Domain=example.com; Secure", "__Secure-a=b; Path=/x; Domain=example.com", "__Host-gone=; Path=/; Secure; Max-Age=0")
	if len(set) != 9 || len(got) != 5 {
		t.Errorf("%d cookies go out, %d come back; want 9, 5", len(set), len(got))
	}
	for _, line := range set {
		all := strings.Split(line, "; ")
		var path, secure, domain bool
		for _, a := range all[1:] {
			path, secure, domain = path || a == "Path=/", secure || a == "Secure", domain || strings.HasPrefix(a, "Domain")
		}
		if domain || !secure || !path && strings.HasPrefix(line, "__Host-") {
			t.Errorf("browsers drop %.30q... %q", line, all[1:])
		}
	}
}
