package loginform

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// hub is a jar as of JupyterHub, which the gate asks at two addresses below /hub/.
func hub(t *testing.T, binding string) *Jar {
	t.Helper()
	b := testSealer(t, 'k').Box(ForSession, "app", binding)
	return &Jar{Open: []*Box{b}, Seal: b, Pass: []string{"_xsrf"}, Asks: []string{"/hub/home", "/hub/logout"}}
}

// set lets an app set cookies, and returns what a browser keeps: "name=value", by name and path.
func set(t *testing.T, j *Jar, lines ...string) (pairs []string, paths map[string]string) {
	t.Helper()
	h := http.Header{"Set-Cookie": lines}
	if err := j.Write(h, time.Now()); err != nil {
		t.Fatal(err)
	}
	paths = make(map[string]string)
	for _, line := range h["Set-Cookie"] {
		pair, attributes, _ := strings.Cut(line, "; ")
		pairs = append(pairs, pair)
		name, _, _ := strings.Cut(pair, "=")
		path, _, _ := strings.Cut(strings.TrimPrefix(attributes, "Path="), ";")
		paths[name] = path
	}
	return pairs, paths
}

func read(t *testing.T, j *Jar, pairs ...string) Cookies {
	t.Helper()
	c, err := j.Read(http.Header{"Cookie": {strings.Join(pairs, "; ")}})
	if err != nil {
		t.Fatalf("%.200q: %v", pairs, err)
	}
	return c
}

// What somebody is known by at the address where the gate asks goes with all requests, sealed, and to the
// app with those only for which it was set; other paths stay those of the app.
func TestCookieOfAPathReachesTheAppThereOnly(t *testing.T) {
	j := hub(t, "mine")
	pairs, paths := set(t, j, "id=all; Path=/", "login=alices; Path=/hub/; HttpOnly", "book=hers; Path=/user/alice/", "_xsrf=one; Path=/hub/", "_xsrf=two; Path=/user/alice/")
	if strings.Contains(strings.Join(pairs[:3], ""), "alices") || strings.Contains(strings.Join(pairs[:3], ""), "hers") {
		t.Errorf("browsers get %q", pairs)
	}
	where := make(map[string]string)
	for name, path := range paths {
		base, _ := pathNamed(name)
		where[base] = path
	}
	if got, want := fmt.Sprint(where), "map[_xsrf:/user/alice/ book:/user/alice/ id:/ login:/]"; got != want {
		t.Errorf("browsers keep them at %s; want %s", got, want)
	}
	c := read(t, j, pairs[:3]...)
	for path, want := range map[string]string{
		"/hub/home": "login=alices; id=all", "/hub/": "login=alices; id=all", "/hub": "id=all", "/": "id=all", "/hubs/": "id=all",
		"/user/alice/lab": "book=hers; id=all", "/user/alice": "id=all", "/user/alicia/": "id=all",
	} {
		if got := c.Header(path); got != want {
			t.Errorf("%s: the app gets %q; want %q", path, got, want)
		}
	}
	if got := c.Beside("/user/alice/lab", "/hub/home").Header("/hub/home"); got != "book=hers; id=all; login=alices" {
		t.Errorf("the app is asked with %q; want what it gets, and what a browser would send there", got)
	}
}

// What was sealed for one path opens for no other, in no other place, and in no other binding.
func TestCookieOfAPathIsGoodForNoOther(t *testing.T) {
	j, other := hub(t, "mine"), hub(t, "other")
	pairs, _ := set(t, j, "sid=all; Path=/", "sid=hubs; Path=/hub/", "sid=books; Path=/user/", "sib=x; Path=/hub/", "long="+strings.Repeat("x", 6000)+"; Path=/hub/")
	foreign, _ := set(t, other, "sid=vics; Path=/hub/")
	split := func(pair string) (name, value string) {
		name, value, _ = strings.Cut(pair, "=")
		return name, value
	}
	var names, values []string
	for _, pair := range append(pairs[:5:5], foreign...) {
		name, value := split(pair)
		names, values = append(names, name), append(values, value)
	}
	for i, name := range names {
		for k, value := range values {
			own := i == k && k < 4 || i == 5 && k == 1 // the foreign one has the name of the second
			if i == 1 && k == 1 {
				own = true
			}
			for _, spelling := range []string{name, strings.ToUpper(name), name + " ", name + "x", name + "~p", strings.Replace(name, pathMark, "~P", 1), strings.TrimSuffix(name, name[len(name)-1:]) + "-"} {
				got := read(t, j, spelling+"="+value)
				if len(got) > 0 && (!own || strings.TrimSpace(spelling) != name) {
					t.Errorf("what was sealed as %s counts as %s: %v", names[k], spelling, got)
				}
			}
			if got := read(t, j, name+"="+value); own && len(got) != 1 {
				t.Errorf("%s does not come back", name)
			}
		}
	}
	if got := read(t, other, pairs...); len(got) > 0 {
		t.Errorf("another binding opens %v", got)
	}
	moved := hub(t, "mine")
	moved.Asks = []string{"/user/me"} // the operator has written another address: neither is where it would be today
	if got := read(t, moved, pairs...); got.Header("") != "sid=all" {
		t.Errorf("where the gate asks elsewhere %q opens; want what has no path", got.Header(""))
	}
}

// Of one name at two paths that both match, the app gets the one with the longer path, whatever
// the order in which a browser, or somebody else, sends them.
func TestOneNameAtTwoPathsIsReadInOneWay(t *testing.T) {
	j := hub(t, "mine")
	pairs, _ := set(t, j, "sid=all; Path=/", "sid=hubs; Path=/hub/", "sid=admins; Path=/hub/admin", "sid=books; Path=/user/")
	for range 2 {
		c := read(t, j, pairs...)
		for path, want := range map[string]string{"/": "sid=all", "/hub/x": "sid=hubs", "/hub/admin": "sid=admins", "/hub/admin/x": "sid=admins", "/hub/adm": "sid=hubs", "/user/": "sid=books"} {
			if got := c.Header(path); got != want {
				t.Errorf("%s: the app gets %q; want %q", path, got, want)
			}
		}
		if got := c.Beside("/user/", "/hub/home").Header(""); got != "sid=books" {
			t.Errorf("who asks for /user/ is asked with %q; want what the app gets there", got)
		}
		for i, k := 0, len(pairs)-1; i < k; i, k = i+1, k-1 {
			pairs[i], pairs[k] = pairs[k], pairs[i]
		}
	}
	again, _ := set(t, j, "sid=hubs again; Path=/hub/")
	if got, err := j.Read(http.Header{"Cookie": {again[0] + "; " + strings.Join(pairs, "; ")}}); err == nil {
		t.Errorf("two values of one name and path: got %v; want an error", got)
	}
}

// A deletion takes the cookie with its path, and leaves those with others.
func TestDeletionTakesTheCookieOfItsPathOnly(t *testing.T) {
	for _, how := range []string{"x; Max-Age=0", "; Path=/nowhere", "x; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "deleted"} {
		for _, path := range []string{"/", "/hub/", "/hub/admin", "/user/"} {
			j, browser := hub(t, "mine"), make(map[string]string)
			keep := func(lines ...string) {
				h := http.Header{"Set-Cookie": lines}
				if err := j.Write(h, time.Now()); err != nil {
					t.Fatal(err)
				}
				for _, line := range h["Set-Cookie"] {
					pair, attributes, _ := strings.Cut(line, "; ")
					name, value, _ := strings.Cut(pair, "=")
					at, _, _ := strings.Cut(attributes, ";")
					if browser[name+" "+at] = value; strings.Contains(attributes, "Max-Age=0") {
						delete(browser, name+" "+at)
					}
				}
			}
			keep("sid=1; Path=/", "sid=2; Path=/hub/", "sid=3; Path=/hub/admin", "sid=4; Path=/user/", "sib=5; Path="+path)
			keep("sid=" + how + "; Path=" + path)
			var pairs []string
			for key, value := range browser {
				name, _, _ := strings.Cut(key, " ")
				pairs = append(pairs, name+"="+value)
			}
			c := read(t, j, pairs...)
			for i, p := range []string{"/", "/hub/", "/hub/admin", "/user/"} {
				if has := c.Has(Cookie{Name: "sid", Value: fmt.Sprint(i + 1), Path: p}); has == (p == path) {
					t.Errorf("sid=%s; Path=%s: that of %s is there: %v", how, path, p, has)
				}
			}
			if len(c) != 4 {
				t.Errorf("sid=%s; Path=%s leaves %v; want four", how, path, c)
			}
		}
	}
}

// What somebody brings who signed in before the gate looked at paths opens as it did, until the app sets
// it again or takes it back.
func TestCookieSealedBeforePathsCountedOpens(t *testing.T) {
	j := hub(t, "mine")
	old := "login=1" + j.Seal.Seal("login", "olds")
	if got := read(t, j, old).Header("/hub/home"); got != "login=olds" {
		t.Errorf("the app gets %q; want what it had set", got)
	}
	now, _ := set(t, j, "login=news; Path=/hub/")
	for _, pairs := range [][]string{{old, now[0]}, {now[0], old}} {
		if got := read(t, j, pairs...).Header("/hub/home"); got != "login=news" {
			t.Errorf("the app gets %q; want what it has set last", got)
		}
	}
	h := http.Header{"Set-Cookie": {"login=; Path=/hub/; Max-Age=0"}}
	if err := j.Write(h, time.Now()); err != nil || len(h["Set-Cookie"]) != 2 || !strings.HasPrefix(h["Set-Cookie"][0], "login=; Path=/hub/; ") {
		t.Errorf("it is deleted by %q, %v; want it at the path of the app, too", h["Set-Cookie"], err)
	}
}

// Names that an app might choose itself, and those that browsers keep at one path only.
func TestNamesThatLookAsIfTheyHadAPath(t *testing.T) {
	j := hub(t, "mine")
	j.Pass, j.Reserved = []string{"ui*", "*9"}, func(name string) bool { return name == "mfagate" }
	named, _ := set(t, j, "sid=hubs; Path=/hub/")
	name, _, _ := strings.Cut(named[0], "=")
	odd, _ := set(t, j, name+"=/hub/;planted; Path=/", name+"=/hub/; Path=/", "ui~paaaaaaaaaaa=clear; Path=/", "sid~paaaaaaaaaa9=secret; Path=/hub/")
	c := read(t, j, append(odd, named...)...)
	if got, want := c.Header(""), "sid~paaaaaaaaaa9=secret; sid=hubs; "+name+"=/hub/; ui~paaaaaaaaaaa=clear"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
	if strings.Contains(strings.Join(odd, "; "), "secret") {
		t.Errorf("%q: of a name that is not listed the value is in clear", odd)
	}
	dropped, _ := set(t, j, "__Host-a=x; Path=/hub/; Secure", "__host-b=x; Path=/user/; Secure", "mfagate=x; Path=/hub/")
	if len(dropped) > 0 {
		t.Errorf("%q go out, which browsers would not keep of the app", dropped)
	}
	secure, _ := set(t, j, "__Secure-a=x; Path=/hub/; Secure")
	if got := read(t, j, secure...).Header("/hub/"); got != "__Secure-a=x" {
		t.Errorf("got %q; want the cookie with a prefix", got)
	}
}

// An app with a cookie for each of its documents uses up no more of a header than without the gate.
func TestFiftyPathsLeaveRoom(t *testing.T) {
	j := hub(t, "mine")
	var lines []string
	for i := range 50 {
		lines = append(lines, fmt.Sprintf("doc=%d; Path=/hub/doc/%d", i, i), fmt.Sprintf("doc%d=x; Path=/user/%d", i, i))
	}
	pairs, paths := set(t, j, append(lines, "login=alices; Path=/hub")...)
	everywhere := 0
	for _, path := range paths {
		if path == "/" {
			everywhere++
		}
	}
	if everywhere != 1 {
		t.Errorf("%d cookies go with each request; want the one at whose path the gate asks", everywhere)
	}
	c := read(t, j, pairs...)
	for i := range 50 {
		if got, want := c.Header(fmt.Sprintf("/hub/doc/%d", i)), fmt.Sprintf("doc=%d; login=alices", i); got != want {
			t.Errorf("the app gets %q; want %q", got, want)
		}
	}
}

// Paths are compared as they stand in the address: nothing that a server may make of them counts.
func TestOddPathsMatchAsInBrowsers(t *testing.T) {
	for _, test := range []struct {
		cookie, request string
		want            bool
	}{
		{"/hub", "/hub", true}, {"/hub", "/hub/", true}, {"/hub", "/hub/x", true}, {"/hub", "/hubx", false}, {"/hub", "/hub;x", false}, {"/hub", "/hub%2fx", false},
		{"/hub/", "/hub/x", true}, {"/hub/", "/hub", false}, {"/hub/", "//hub/x", false}, {"/hub/", "/HUB/x", false}, {"/hub/", "/%68ub/x", false}, {"/%68ub/", "/hub/", false},
		{"/hub/", "/hub//x", true}, {"/hub/", "/hub/../x", true}, {"/hub/", "/x/../hub/", false}, {"/hub/", "/hub/%2e%2e/x", true}, {"//", "//x", true}, {"//", "/x", false},
		{"/", "/x", true}, {"/", "//", true}, {"", "/x", true}, {"/user/a%40b/", "/user/a%40b/lab", true}, {"/user/a%40b/", "/user/a@b/lab", false}, {"/hub/", "", false}, {"/hub/", "*", false},
	} {
		if got := covers(test.cookie, test.request); got != test.want {
			t.Errorf("%q for %q: got %v; want %v", test.cookie, test.request, got, test.want)
		}
	}
}

// The path that an app leaves out is that of the address, and what is no path is left out.
func TestPathThatIsLeftOutIsThatOfTheAddress(t *testing.T) {
	for _, test := range []struct{ attributes, uri, want string }{
		{"", "/a/b/c", "/a/b"}, {"", "/a/", "/a"}, {"", "/a", "/"}, {"", "/", "/"}, {"", "", "/"}, {"", "*", "/"}, {"", "x/y", "/"},
		{"; Path=", "/a/b", "/a"}, {"; Path", "/a/b", "/a"}, {"; Path=x", "/a/b", "/a"}, {`; Path="/"`, "/a/b", "/a"}, {"; path = /x ", "/a/b", "/x"},
		{"; Path=/x; Path=/y", "/a/b", "/y"}, {"; Path=/x; Path=y", "/a/b", "/a"}, {"; Path=/" + strings.Repeat("x", 1024), "/a/b", "/a"},
		{"; Path=/x; Path=/" + strings.Repeat("x", 1024), "/a/b", "/x"}, {"; Path=/x\x01", "/a/b", "/a"},
		{"", "/a;b/c", "/"}, {"", "/a/b;c/d", "/a"}, {"", "/a/b;c", "/a"}, {"", "/a%3Bb/c", "/a%3Bb"}, {"; Path=/x;y/z", "/a/b", "/x"},
	} {
		given := []string{"sid=x" + test.attributes, "sid=x; Path=/set"}
		h := http.Header{"Set-Cookie": given}
		SetPaths(h, test.uri)
		if got := ReadSetCookies(h, time.Now()); len(got) != 2 || got[0].Path != test.want || got[1].Path != "/set" {
			t.Errorf("%.40q of %q: got %.99v; want %q", test.attributes, test.uri, got, test.want)
		}
		if given[0] != "sid=x"+test.attributes {
			t.Error("the list of whoever answered was changed")
		}
	}
}
