package mfagate

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// FuzzKey shows that the parts of a key can be told apart whatever they hold: no
// user name reaches into the records of another (I-13).
func FuzzKey(f *testing.F) {
	f.Add("default", "alice", "default", "alice")
	f.Add("a/b", "c", "a", "b/c")
	f.Add("a", "../b", "a", "b")
	f.Add("", "a", "a", "")
	f.Add("a%2Fb", "c", "a/b", "c")
	f.Fuzz(func(t *testing.T, realm1, name1, realm2, name2 string) {
		one, two := accountKey(Subject{realm1, name1}), accountKey(Subject{realm2, name2})
		if same := realm1 == realm2 && name1 == name2; same != (one == two) {
			t.Fatalf("%q, %q -> %q and %q, %q -> %q", realm1, name1, one, realm2, name2, two)
		}
		if got, err := lastPart(one); err != nil || got != name1 {
			t.Fatalf("lastPart(%q) = %q, %v; want %q", one, got, err, name1)
		}
		if realm1 != realm2 && strings.HasPrefix(two, prefix(kindUser, realm1)) {
			t.Fatalf("%q is among the users of realm %q", two, realm1)
		}
	})
}

// FuzzLocalPath shows that what is accepted as a way back stays on the site, as a
// browser reads it.
func FuzzLocalPath(f *testing.F) {
	for _, s := range []string{"/", "/a?b=c#d", "//evil", "/\\evil", "/%09/evil", "https://evil", "/a//b", "/.mfa/", "/%5c%5cevil", "/\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got := localPath(path)
		if got == "" {
			return
		}
		if got != path {
			t.Fatalf("localPath(%q) = %q", path, got)
		}
		// A browser strips tabs and line ends and takes \ for /.
		seen := strings.ReplaceAll(strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(got), "\\", "/")
		if !strings.HasPrefix(seen, "/") || strings.HasPrefix(seen, "//") {
			t.Fatalf("localPath(%q) leads elsewhere", path)
		}
		base := &url.URL{Scheme: "https", Host: "app.example.com", Path: "/"}
		to, err := base.Parse(got)
		if err != nil || to.Host != base.Host || to.Scheme != base.Scheme {
			t.Fatalf("localPath(%q) leads to %v, %v", path, to, err)
		}
	})
}

// FuzzHideCookies shows that the gate's own cookies never reach the app, and that
// every other pair does, as it was.
func FuzzHideCookies(f *testing.F) {
	f.Add("a=b; mfagate=TOKEN; c=d")
	f.Add("mfagate=TOKEN")
	f.Add(`a="; mfagate=TOKEN; b="`)
	f.Add("__Host-mfagate=TOKEN;mfagate_browser=x;; =;mfagatex=1")
	f.Fuzz(func(t *testing.T, line string) {
		h := http.Header{"Cookie": {line}}
		err := hideCookies(h)
		left := strings.Join(h["Cookie"], "; ")
		if err == nil {
			r := &http.Request{Header: h}
			for _, c := range r.Cookies() {
				if ownCookie(c.Name) {
					t.Fatalf("%q left %q", line, left)
				}
			}
		}
		for pair := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if !ownCookie(strings.TrimSpace(name)) && strings.TrimSpace(pair) != "" && !strings.Contains(left, strings.TrimSpace(pair)) {
				t.Fatalf("%q lost %q: %q", line, pair, left)
			}
		}
	})
}

// FuzzCanonical shows that a canonical name is its own canonical form, and that
// case alone makes no other person.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"alice", "ALICE", "bob smith", "ａｌｉｃｅ", "İ", "ß", "a\u0301", "א", " x", "x\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		var n Names
		c, err := n.Canonical(name)
		if err != nil {
			return
		}
		if c == "" || len(c) > MaxName {
			t.Fatalf("Canonical(%q) = %q", name, c)
		}
		if again, err := n.Canonical(c); err != nil || again != c {
			t.Fatalf("Canonical(Canonical(%q)) = %q, %v; want %q", name, again, err, c)
		}
	})
}
