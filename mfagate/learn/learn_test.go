package learn_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate/learn"
)

// through answers a request by the app, while the learner watches, and returns what the client gets.
func through(l *learn.Learner, app http.HandlerFunc, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w, r, done := l.Watch(rec, r, netip.MustParseAddr("192.0.2.1"))
	app(w, r)
	done()
	return rec
}

func post(target, contentType, body string) *http.Request {
	r := httptest.NewRequest("POST", target, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", "Mozilla/5.0")
	return r
}

const formType = "application/x-www-form-urlencoded"

// readAll is an app that reads the body, and answers what it is told.
func readAll(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		answer(w, r)
	}
}

func TestFieldsOfALogin(t *testing.T) {
	tests := []struct {
		contentType, body    string
		user, password, name string
	}{
		{formType, "username=a&password=b", "username", "password", "form"},
		{formType, "u=a&p=b&id=start", "u", "p", "form"},
		{formType, "_user=a&_pass=b&_token=c", "_user", "_pass", "form"},
		{formType, "log=a&pwd=b&rememberme=1", "log", "pwd", "form"},
		{formType, "benutzername=a&kennwort=b", "benutzername", "kennwort", "form"},
		{formType, "user%5Blogin%5D=a&user%5Bpassword%5D=b", "user[login]", "user[password]", "form"},
		{formType, "password=b", "", "password", "form"},
		{formType, "form=x&pma_username=a&pma_password=b", "pma_username", "pma_password", "form"},
		{formType, "cmd=login&nodecode%5Blogin_pass%5D=1&login=a&login_pass=b", "login", "login_pass", "form"},
		{"application/json", `{"auth": {"email": "a", "password": "b"}}`, "/auth/email", "/auth/password", "json"},
		{"multipart/form-data; boundary=B", "--B\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\na\r\n--B\r\nContent-Disposition: form-data; name=\"pass\"\r\n\r\nb\r\n--B--\r\n", "user", "pass", "multipart"},
		{formType, "q=searched&page=2", "", "", ""},
		{formType, "old_password=a&new_password=b&password=c", "", "", ""},
		{formType, "zip=a&shipping=b", "", "", ""},
		{"text/plain", "user=a&password=b", "", "", ""},
	}
	for _, test := range tests {
		l := learn.New(nil)
		through(l, readAll(func(w http.ResponseWriter, r *http.Request) {}), post("http://app/in", test.contentType, test.body))
		logins := l.Report().Logins
		if test.name == "" {
			if len(logins) != 0 {
				t.Errorf("%s: took it for a login: %+v", test.body, logins)
			}
			continue
		}
		if len(logins) != 1 {
			t.Errorf("%s: %d logins; want 1", test.body, len(logins))
			continue
		}
		if got := logins[0]; got.User != test.user || got.Password != test.password || got.Encoding != test.name || got.URI() != "/in" {
			t.Errorf("%s: got %q, %q, %s at %s; want %q, %q, %s at /in", test.body, got.User, got.Password, got.Encoding, got.URI(), test.user, test.password, test.name)
		}
	}
}

// TestNothingChanges compares what app and client get with and without a learner.
func TestNothingChanges(t *testing.T) {
	big := strings.Repeat("x", 300<<10)
	for _, body := range []string{"user=a&password=b", "user=a&password=" + big, "%zz&&=;"} {
		var got string
		rec := through(learn.New(nil), func(w http.ResponseWriter, r *http.Request) {
			read, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			got = string(read)
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "in clear"})
			w.WriteHeader(http.StatusTeapot)
			io.WriteString(w, big)
		}, post("http://app/login", formType, body))
		if got != body {
			t.Errorf("the app read %d bytes; want %d", len(got), len(body))
		}
		if rec.Code != http.StatusTeapot || rec.Body.String() != big || rec.Header().Get("Set-Cookie") != `sid="in clear"` {
			t.Errorf("the client got %d, %d bytes, %q", rec.Code, rec.Body.Len(), rec.Header())
		}
	}
}

func TestOutcomesOfAttempts(t *testing.T) {
	l := learn.New(nil)
	form := `<form method=post><input name=user><input type="password" name=password></form>`
	app := readAll(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == "GET" && r.URL.Path == "/login":
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, form)
		case r.Method == "GET":
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<h1>Welcome</h1>")
		case r.Header.Get("X-Right") != "":
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "x", HttpOnly: true})
			http.Redirect(w, r, "/home", http.StatusFound)
		default:
			http.Redirect(w, r, "/login?error=1", http.StatusFound)
		}
	})
	visit := func(method, path string, headers ...string) {
		r := httptest.NewRequest(method, "http://app"+path, nil)
		if method == "POST" {
			r = post("http://app"+path, formType, "user=a&password=b")
		}
		r.Header.Set("User-Agent", "Mozilla/5.0")
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		through(l, app, r)
	}
	for range 3 {
		visit("GET", "/login")
		visit("POST", "/login", "Referer", "http://app/login")
		visit("GET", "/login?error=1")
		visit("POST", "/login", "X-Right", "1")
		visit("GET", "/home")
	}
	got := l.Report()
	if len(got.Logins) != 1 || len(got.Logins[0].Answers) != 2 {
		t.Fatalf("report = %+v; want one login with two answers", got)
	}
	for _, a := range got.Logins[0].Answers {
		if right := slices.Contains(a.Cookies, "sid"); right && (a.Went != 3 || a.Again != 0 || a.Location != "/home") || !right && (a.Went != 0 || a.Again != 3 || a.Location != "/login") {
			t.Errorf("answer = %+v", a)
		}
	}
	if page := got.Logins[0].Page; page == nil || page.URI() != "/login" {
		t.Errorf("page = %v; want /login", page)
	}
}

// TestRelativeRedirectionsAreFollowed: ./main.php and login.php?again are places beside the form.
func TestRelativeRedirectionsAreFollowed(t *testing.T) {
	for given, want := range map[string]string{
		"./main.php": "/app/templates/main.php", "login.php?again=1": "/app/templates/login.php", "../": "/app/", "?view=x": "/app/templates/login.php",
		"/": "/", "//app/home": "/home", "http://app/home": "/home", "https://sso.example/x": "elsewhere",
	} {
		l := learn.New(nil)
		through(l, readAll(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", given)
			w.WriteHeader(http.StatusFound)
		}), post("http://app/app/templates/login.php", formType, "user=carl&password=b"))
		if got := l.Report().Logins[0].Answers[0].Location; got != want {
			t.Errorf("%s is taken for %q; want %q", given, got, want)
		}
	}
}

// TestSignOutsByAQueryAreSeen: some apps sign out at any page, by ?logout=1.
func TestSignOutsByAQueryAreSeen(t *testing.T) {
	l := learn.New(nil)
	through(l, func(w http.ResponseWriter, r *http.Request) {}, httptest.NewRequest("GET", "http://app/index.php?logout=1", nil))
	if got, want := l.Report().Logouts, []string{"GET /index.php?logout=*"}; !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

// TestNoSecretIsLearnt sends secrets in every place that a client chooses.
func TestNoSecretIsLearnt(t *testing.T) {
	const password, user, token = "CanaryPw7xQ", "canaryjones", "CanaryTok9z"
	var told []string
	l := learn.New(func(login learn.Login) { told = append(told, fmt.Sprintf("%+v", login)) })
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(r.URL.RawQuery+string(body), user) { // else nothing but the session tells the name
			w.Header().Add("Set-Cookie", "sid-"+user+"="+token+"; Path=/")
		}
		w.Header().Set("Location", "/people/"+user+"?token="+token+"&pw="+password)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusFound)
		fmt.Fprintf(w, `{"ok": true, "token": %q, %q: 1, "by": {%q: 2}}`, token, user, user)
	})
	requests := []*http.Request{
		post("http://app/login?next=/"+user+"&do="+password, formType, url.Values{"user": {user}, "password": {password}, "token": {token}}.Encode()),
		post("http://app/login?name="+user, formType, password),
		post("http://app/login", formType, "user="+user+"&password="+password+"&"+token),
		post("http://app/login", "application/json", `{"user": "`+user+`", "password": "`+password+`"}`),
		post("http://app/login", "application/json", `{"user": "`+user+`", "password": {"`+password+`": 1}}`),
		httptest.NewRequest("GET", "http://app/page?user="+user+"&password="+password, nil),
		httptest.NewRequest("GET", "http://app/logout?sid="+token, nil),
	}
	for _, r := range requests {
		r.Header.Set("Cookie", "sid="+token)
		r.Header.Set("Referer", "http://app/from?name="+user+"&pw="+password)
		r.Header.Set("Authorization", "Basic "+token)
		r.Header.Set("User-Agent", "Program/1 "+user)
		through(l, app, r)
		naked := r.Clone(r.Context())
		naked.Header.Set("Authorization", token) // no scheme
		through(l, app, naked)
	}
	report, err := json.Marshal(l.Report())
	if err != nil {
		t.Fatal(err)
	}
	// What is kept, down to the last pointer, and what is told.
	for place, text := range map[string]string{"report": string(report), "memory": dump(l), "log": strings.Join(told, " ")} {
		for _, secret := range []string{password, user, token} {
			if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
				t.Errorf("%s has %s: %s", place, secret, text)
			}
		}
	}
	if len(l.Report().Logins) == 0 {
		t.Error("no login was learnt")
	}
}

// TestMemoryIsBounded floods a learner with things of which each is new, after people signed
// in twice.
func TestMemoryIsBounded(t *testing.T) {
	l := learn.New(nil)
	app := readAll(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "c" + strings.Trim(r.URL.Path, "/"), Value: "x"})
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"token": "0123456789abcdef`+r.UserAgent()+`"}`)
	})
	flood := func(from, to int) {
		for i := from; i < to; i++ {
			n := letters(i)
			r := post("http://app/"+n+"/logout?k"+n+"=1&password=x", formType, "user"+n+"=a&"+n+"_password=b")
			r.Header.Set("User-Agent", "Bot"+n+"/1")
			r.Header.Set("Upgrade", "websocket")
			through(l, app, r)
		}
	}
	for range 2 {
		through(l, app, post("http://app/signin", formType, "user=a&password=b"))
	}
	flood(0, 1000)
	before := len(dump(l))
	flood(1000, 3000)
	if after := len(dump(l)); after > before+before/4 {
		t.Errorf("after 2000 more requests it keeps %d bytes; want about the %d of before", after, before)
	}
	r := l.Report()
	if !r.Full {
		t.Error("Full = false; want true")
	}
	if len(r.Logins) > 16 || len(r.Logouts) > 32 || len(r.Cookies) > 64 || len(r.Programs) > 32 || len(r.Sockets) > 32 {
		t.Errorf("kept %d logins, %d logouts, %d cookies, %d programs, %d sockets", len(r.Logins), len(r.Logouts), len(r.Cookies), len(r.Programs), len(r.Sockets))
	}
	if r.Logins[0].URI() != "/signin" {
		t.Errorf("the first login is %s; want /signin, which people used twice", r.Logins[0].URI())
	}
}

// letters writes a number so that it looks like a word.
func letters(n int) string {
	s := ""
	for range 5 {
		s += string(rune('a' + n%26))
		n /= 26
	}
	return s
}

// TestHugeBodiesAreNotKept holds many uploads open at once.
func TestHugeBodiesAreNotKept(t *testing.T) {
	l := learn.New(nil)
	var during runtime.MemStats
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var wg, all sync.WaitGroup
	release := make(chan struct{})
	for range 200 {
		wg.Add(1)
		all.Go(func() {
			r := post("http://app/upload", formType, "user=a&password="+strings.Repeat("x", 60<<10))
			through(l, readAll(func(w http.ResponseWriter, r *http.Request) { wg.Done(); <-release }), r)
		})
	}
	wg.Wait()
	runtime.GC()
	runtime.ReadMemStats(&during)
	close(release)
	all.Wait()
	if n := l.Report().Logins[0].Count; n > 32 {
		t.Errorf("%d bodies were looked at together; want at most 32", n)
	}
	if grown := int64(during.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("the heap has grown by %d MiB", grown>>20)
	}
}

func TestForget(t *testing.T) {
	l := learn.New(nil)
	through(l, readAll(func(http.ResponseWriter, *http.Request) {}), post("http://app/in", formType, "user=a&password=b"))
	l.Forget()
	if r := l.Report(); r.Requests != 0 || len(r.Logins) != 0 {
		t.Errorf("report = %+v; want an empty one", r)
	}
}

// TestTogether is for the race detector.
func TestTogether(t *testing.T) {
	l := learn.New(func(learn.Login) {})
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			through(l, readAll(func(http.ResponseWriter, *http.Request) {}), post("http://app/"+letters(i), formType, "user=a&password=b"))
			l.Report()
		})
	}
	all.Wait()
	if got := l.Report().Requests; got != 50 {
		t.Errorf("requests = %d; want 50", got)
	}
}

// Apps name their cookies in ways that the standard does not know, and the gate seals them; so they
// are learnt as well.
func TestCookiesWithOddNamesAreLearnt(t *testing.T) {
	l := learn.New(nil)
	for range 2 {
		through(l, readAll(func(w http.ResponseWriter, _ *http.Request) {
			for _, line := range []string{"express:sess=1; HttpOnly", "pref[lang]=de", "plain=1;httponly", "gone:x=; Max-Age=0", "open[x=1"} {
				w.Header().Add("Set-Cookie", line)
			}
			http.Redirect(w, httptest.NewRequest("GET", "/", nil), "/home", http.StatusFound)
		}), post("/login", formType, "user=alice&password=S3cret-word"))
	}
	r := l.Report()
	answer := r.Logins[0].Answers[0]
	if got, want := strings.Join(answer.Cookies, " "), "express:sess plain pref[lang]"; got != want {
		t.Errorf("the answer sets %q; want %q", got, want)
	}
	if got, want := strings.Join(answer.Deleted, " "), "gone:x"; got != want {
		t.Errorf("the answer deletes %q; want %q", got, want)
	}
	hidden := make(map[string]bool)
	for _, c := range r.Cookies {
		hidden[c.Name] = c.HTTPOnly
	}
	if len(hidden) != 3 || !hidden["express:sess"] || !hidden["plain"] || hidden["pref[lang]"] {
		t.Errorf("hidden from scripts: %v; want express:sess and plain, and not pref[lang]", hidden)
	}
}
