package learn_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/learn"
)

// A desk is somebody's browser, by its address.
type desk struct {
	l    *learn.Learner
	app  http.HandlerFunc
	from string
}

func (d desk) send(method, target, contentType, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://app"+target, strings.NewReader(body))
	r.Header.Set("User-Agent", "Mozilla/5.0")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w, r, done := d.l.Watch(rec, r, netip.MustParseAddr(d.from))
	d.app(w, r)
	done()
	return rec
}

func (d desk) signIn(name, password string) {
	d.send("GET", "/login", "", "")
	d.send("POST", "/login", formType, "user="+name+"&password="+password)
}

// namingApp says on some pages who has signed in, as the header X-Me tells, and on others who
// wrote last, which is always alice.
func namingApp(w http.ResponseWriter, r *http.Request) {
	me := r.Header.Get("X-Me")
	w.Header().Set("Content-Type", "text/html")
	switch {
	case r.Method == "POST":
		io.Copy(io.Discard, r.Body)
		http.Redirect(w, r, "/home", http.StatusFound)
	case r.URL.Path == "/login":
		io.WriteString(w, `<form><input type=password name=password></form>`)
	case r.URL.Path == "/me":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"account": {"login": %q, %q: 1}, "groups": ["x"]}`, me, me)
	case r.URL.Path == "/people/"+me:
		fmt.Fprintf(w, `<b id="name">%s</b>`, me)
	default:
		fmt.Fprintf(w, `<div class="bar u-%s"><span class="who">Signed in as %s</span></div><p id="last">alice</p><i id="%s">%s</i>`, me, me, me, me)
	}
}

func names(l *learn.Learner) map[string]learn.Name {
	all := make(map[string]learn.Name)
	for _, n := range l.Report().Names {
		all[strings.TrimSpace(n.URI()+" "+n.JSON+n.Selector+" "+n.Regexp)] = n
	}
	return all
}

// TestNamesAreFoundAgain signs two people in, and looks where the app names them.
func TestNamesAreFoundAgain(t *testing.T) {
	l := learn.New(nil)
	for i, name := range []string{"alice", "Robert"} {
		d := desk{l, namingApp, fmt.Sprintf("192.0.2.%d", i+1)}
		d.signIn(name, "pw")
		for range 2 {
			d.send("GET", "/home", "", "", "X-Me", strings.ToLower(name))
			d.send("GET", "/me", "", "", "X-Me", name)
			d.send("GET", "/people/"+name, "", "", "X-Me", name)
		}
	}
	got := names(l)
	for key, want := range map[string]struct {
		likely bool
		people int
	}{
		"/me /account/login":       {true, 2},
		`/home span.who (\S+)\s*$`: {true, 2},
		"/home #last":              {false, 1},
	} {
		n, ok := got[key]
		if !ok || n.Likely() != want.likely || n.People != want.people {
			t.Errorf("%s: got %+v, %v; want likely %v with %d people", key, n, ok, want.likely, want.people)
		}
	}
	for key := range got {
		if strings.Contains(strings.ToLower(key), "robert") || strings.Contains(key, "alice") {
			t.Errorf("%q has the name of somebody", key)
		}
	}
}

// TestNamesOfStrangers: a page that repeats what was typed after a wrong password names nobody.
func TestNamesOfStrangers(t *testing.T) {
	l := learn.New(nil)
	app := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/html")
		if r.Method == "POST" {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}
		io.WriteString(w, `<p id="sorry">alice</p><form><input type=password name=password></form>`)
	}
	d := desk{l, app, "192.0.2.1"}
	for range 2 {
		d.signIn("alice", "wrong")
		d.send("GET", "/login", "", "")
	}
	for key, n := range names(l) {
		if n.Count > 0 || n.Strangers == 0 || n.Likely() {
			t.Errorf("%s: got %+v; want strangers only", key, n)
		}
	}
}

// TestNamesAreNotKept looks for the name in all that the learner holds, also in the places where
// an app puts it beside what is kept.
func TestNamesAreNotKept(t *testing.T) {
	const name = "canaryjones"
	l := learn.New(nil)
	d := desk{l, namingApp, "192.0.2.1"}
	d.signIn(name, "CanaryPw7xQ")
	for _, path := range []string{"/home", "/me", "/people/" + name, "/home?user=" + name} {
		d.send("GET", path, "", "", "X-Me", name)
	}
	for _, path := range []string{"/home", "/me"} {
		d.send("GET", path, "", "", "X-Me", name, "Authorization", "Basic Y2FuYXJ5am9uZXM6Q2FuYXJ5UHc3eFE=")
	}
	report, err := json.Marshal(l.Report().Names)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Report().Names) == 0 {
		t.Error("no place was found")
	}
	for place, text := range map[string]string{"report": string(report), "memory": dump(l)} {
		for _, secret := range []string{name, "CanaryPw7xQ"} {
			if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
				t.Errorf("%s has %s", place, secret)
			}
		}
	}
}

// TestManyTypistsAreForgotten floods the learner with names.
func TestManyTypistsAreForgotten(t *testing.T) {
	l := learn.New(nil)
	flood := func(from, to int) {
		for i := from; i < to; i++ {
			d := desk{l, namingApp, fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)}
			d.signIn("name"+letters(i), "pw")
			d.send("GET", "/p"+letters(i), "", "", "X-Me", "name"+letters(i))
		}
	}
	flood(0, 1500)
	before := len(dump(l))
	flood(1500, 3000)
	if after := len(dump(l)); after > before+before/4 {
		t.Errorf("after 1500 more people it keeps %d bytes; want about the %d of before", after, before)
	}
}

// TestCallsWithoutNames are those of JSON-RPC.
func TestCallsWithoutNames(t *testing.T) {
	for _, test := range []struct{ body, user, password, where string }{
		{`{"method":"auth.login","params":["pw"],"id":1}`, "", "/params/0", "/method=auth.login"},
		{`{"jsonrpc":"2.0","method":"user.login","params":["alice","pw"],"id":"7"}`, "/params/0", "/params/1", "/method=user.login"},
		{`{"action":"login","data":{"user":"alice","password":"pw"}}`, "/data/user", "/data/password", "/action=login"},
		{`{"method":"core.get_config","params":["x"],"id":1}`, "", "", ""},
		{`{"method":"auth.login","params":["a","b","c"],"id":1}`, "", "", ""},
		{`{"method":"login Passw0rd","params":["x"]}`, "", "", ""},
		{`["login","x"]`, "", "", ""},
	} {
		l := learn.New(nil)
		desk{l, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }, "192.0.2.1"}.send("POST", "/json", "application/json", test.body)
		logins := l.Report().Logins
		if test.password == "" {
			if len(logins) != 0 {
				t.Errorf("%s: took it for a login: %+v", test.body, logins)
			}
			continue
		}
		if len(logins) != 1 || logins[0].User != test.user || logins[0].Password != test.password || strings.Join(logins[0].Where, " ") != test.where {
			t.Errorf("%s: got %+v; want %q, %q where %q", test.body, logins, test.user, test.password, test.where)
		}
	}
}

// TestPlacesThatAskForCredentials counts who got in by a header.
func TestPlacesThatAskForCredentials(t *testing.T) {
	l := learn.New(nil)
	app := func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "alice" || password != "pw" {
			w.Header().Add("WWW-Authenticate", "Negotiate")
			w.Header().Add("WWW-Authenticate", `Basic realm="CanaryRealm"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	d := desk{l, app, "192.0.2.1"}
	html := []string{"Accept", "text/html"}
	d.send("GET", "/web/", "", "", html...)
	d.send("GET", "/web/", "", "", append(html, "Authorization", "Basic eDp5")...)
	d.send("GET", "/web/", "", "", append(html, "Authorization", "Basic YWxpY2U6cHc=")...)
	d.send("POST", "/rpc", "", "", "Authorization", "Basic YWxpY2U6cHc=")
	got := l.Report().Guarded
	if len(got) != 2 || got[0].URI() != "/web/" || got[0].Scheme != "Basic" || got[0].Pages != 1 || got[0].Asked != 1 || got[0].Wrong != 1 || got[0].Right != 1 || got[1].Right != 1 || got[1].URI() != "" {
		t.Errorf("got %+v", got)
	}
	if strings.Contains(dump(l), "CanaryRealm") {
		t.Error("it keeps what the app calls the place")
	}
}

// TestTextsOfAnswers: words that apps use are kept, and nothing else.
func TestTextsOfAnswers(t *testing.T) {
	for _, test := range []struct{ kind, body, text, words string }{
		{"text/plain", "Ok.", "Ok.", ""},
		{"text/plain; charset=UTF-8", "Fails.\n", "Fails.", ""},
		{"text/plain", "CanaryTok9z", "", ""},
		{"text/plain", "ok CanaryTok9z", "", ""},
		{"text/html", "<p>Invalid user CanaryTok9z, incorrect</p>", "", "Invalid incorrect"},
		{"text/html", "<a>Log out</a>", "", "Log out"},
	} {
		l := learn.New(nil)
		desk{l, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", test.kind)
			io.WriteString(w, test.body)
		}, "192.0.2.1"}.send("POST", "/in", formType, "user=a&password=b")
		a := l.Report().Logins[0].Answers[0]
		if a.Text != test.text || strings.Join(a.Words, " ") != test.words {
			t.Errorf("%s %q: got %q, %q; want %q, %q", test.kind, test.body, a.Text, a.Words, test.text, test.words)
		}
		if strings.Contains(dump(l), "Canary") {
			t.Errorf("%q is kept", test.body)
		}
	}
}

// TestPagesFullOfOneName: a list with a name on every line costs little time.
func TestPagesFullOfOneName(t *testing.T) {
	l := learn.New(nil)
	rows := strings.Repeat("<tr><td>alice</td></tr>", 2700)
	d := desk{l, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/html")
		if r.Method == "POST" {
			http.Redirect(w, r, "/list", http.StatusFound)
			return
		}
		io.WriteString(w, "<table>"+rows+"</table>")
	}, "192.0.2.1"}
	d.signIn("alice", "pw")
	begin := time.Now()
	d.send("GET", "/list", "", "")
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("one page took %v", took)
	}
}
