package loginform

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// jars are two jars of one app, for two bindings, with one cookie that goes in clear and
// one that does beside its seal.
func jars(t *testing.T) (mine, other *Jar) {
	t.Helper()
	s := testSealer(t, 'k')
	jar := func(binding string) *Jar {
		b := s.Box(ForSession, "app", binding)
		return &Jar{Open: []*Box{b}, Seal: b, Pass: []string{"theme"}, Bound: []string{"xsrf"}, Asks: []string{"/hub/me"}, Reserved: func(name string) bool { return name == "mfagate" }}
	}
	return jar("mine"), jar("other")
}

// FuzzJarRead: of a header Cookie that anybody may write only what the jar has sealed
// comes through, and the cookie in clear as one that all readers understand alike.
func FuzzJarRead(f *testing.F) {
	for _, header := range []string{
		"", "sid=x", "theme=dark; sid=SEALED", "sid=SEALED; sid=SEALED", "sid=SEALED; sid=x", "theme=a, sid=x", `theme="a; sid=x; y="`, "xsrf=t; xsrf~b=SEALED",
		"sid=OTHER", "$Version=1; sid=SEALED", "theme=a\x00; b=c", "mfagate=x", "sid=2x; sid~2=SEALED", "s.id=SEALED", " sid = SEALED ", "=sid=x;;;theme",
		"theme=a; theme=b; sid=SEALED", "sid=SEALED; SIDPATH", "SIDPATH; SIDPATH; sid~p=SEALED", "theme[x=a; sid[x]=SEALED; sid:x=SEALED; theme:x=b",
	} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		mine, other := jars(t)
		sealed, foreign := "1"+mine.Seal.Seal("sid", "secret"), "1"+other.Seal.Seal("sid", "foreign")
		header = strings.ReplaceAll(header, "SIDPATH", sidOfAPath(t, mine))
		header = strings.ReplaceAll(strings.ReplaceAll(header, "SEALED", sealed), "OTHER", foreign)
		got, err := mine.Read(http.Header{"Cookie": {header}})
		if err != nil {
			return
		}
		names := make(map[string]bool)
		for _, c := range got {
			switch {
			case names[c.Name+c.Path]:
				t.Errorf("%q: %s comes through twice", header, c.Name)
			case c.Name == "sid" && c.Value == "of a path" && c.Path == "/hub/":
			case c.Name == "sid" && c.Value == "secret":
			case c.Name == "theme" && !strings.ContainsAny(strings.Trim(c.Value, `"`), "\" \t,;\\\r\n\x00"):
			default:
				t.Errorf("%q: %s=%q comes through", header, c.Name, c.Value)
			}
			names[c.Name+c.Path] = true
		}
		again, err := pairs(nil, http.Header{"Cookie": {got.Header("")}})
		if err != nil || len(again) != len(got.For("")) {
			t.Errorf("%q goes on as %q, which is read as %q, %v", header, got.Header(""), again, err)
		}
	})
}

// sidOfAPath is a sealed cookie of /hub/.
func sidOfAPath(t *testing.T, j *Jar) string {
	h := http.Header{"Set-Cookie": {"sid=of a path; Path=/hub/"}}
	if err := j.Write(h, time.Now()); err != nil {
		t.Fatal(err)
	}
	pair, _, _ := strings.Cut(h.Get("Set-Cookie"), ";")
	return pair
}

// FuzzJarWrite: of what an app sets no value reaches the browser but that of the cookie in
// clear; all of it comes back for the same binding, and none for another.
func FuzzJarWrite(f *testing.F) {
	for _, line := range []string{
		"sid=SECRETVALUE", "sid=SECRETVALUE; Path=/; Domain=example.test; HttpOnly; Secure; SameSite=None", "theme=dark", "xsrf=token; Path=/x", "sid=SECRETVALUE; Path=/hub/", "sid=SECRETVALUE; Path=/hub/x;y", "sid~paaaaaaaaaaa=SECRETVALUE; Path=/", "__Host-a=SECRETVALUE; Path=/a", "sid=; Max-Age=0", "sid=deleted",
		"mfagate=SECRETVALUE", "sid", "=SECRETVALUE", "s id=SECRETVALUE", "sid=a; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "sid=\"SECRETVALUE\"; Path=\"/\"", "sid=SECRETVALUE\r\nX: y",
		"a~2=SECRETVALUE", "xsrf~b=SECRETVALUE", "theme=SECRETVALUE\x00", "sid=" + strings.Repeat("SECRETVALUE", 500), "sid=SECRETVALUE; comment=SECRETVALUE",
		"express:sess=SECRETVALUE", "pref[lang]=SECRETVALUE; SameSite=None; Partitioned", "xsrf[x=SECRETVALUE", "sid=SECRETVALUE; Expires=1-Jan-1970 00:00:01; Max-Age=1",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		mine, other := jars(t)
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		set := ReadSetCookies(http.Header{"Set-Cookie": {line}}, now)
		h := http.Header{"Set-Cookie": {line}}
		if err := mine.Write(h, now); err != nil {
			return
		}
		var back []string
		for _, out := range h["Set-Cookie"] {
			pair, attributes, _ := strings.Cut(out, ";")
			if strings.ContainsAny(out, "\r\n\x00") || widens(attributes) {
				t.Errorf("%q goes out as %q", line, out)
			}
			back = append(back, pair)
		}
		if len(set) != 1 || set[0].Deleted || set[0].Name == "mfagate" || misplaced(set[0]) {
			return
		}
		c := set[0]
		for _, pair := range back {
			name, value, _ := strings.Cut(pair, "=")
			if name != "theme" && name != "xsrf" && len(c.Value) > 7 && strings.Contains(value, c.Value) {
				t.Errorf("%q reaches the browser in clear: %q", line, pair)
			}
		}
		comesBack(t, c, mine, other, http.Header{"Cookie": {strings.Join(back, "; ")}})
	})
}

// widens tells whether a browser would keep a cookie for other hosts, too.
func widens(attributes string) bool {
	for a := range strings.SplitSeq(attributes, ";") {
		key, _, _ := strings.Cut(a, "=")
		if strings.EqualFold(strings.TrimSpace(key), "domain") {
			return true
		}
	}
	return false
}

// comesBack checks what the two bindings read of what a browser was given.
func comesBack(t *testing.T, c Cookie, mine, other *Jar, h http.Header) {
	t.Helper()
	got, err := mine.Read(h)
	found := slices.ContainsFunc(got, func(k Cookie) bool { return k.Name == c.Name && k.Value == c.Value })
	if err != nil || !found && c.Name != "theme" && !strings.HasPrefix(c.Name, "xsrf~") {
		t.Errorf("%s=%q comes back as %v, %v", c.Name, c.Value, got, err)
	}
	if got, err := other.Read(h); err != nil || c.Name != "theme" && len(got) > 0 {
		t.Errorf("%s=%q comes to another binding as %v, %v", c.Name, c.Value, got, err)
	}
}
