package oracle_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// A browser keeps cookies and follows no redirects.
type browser struct {
	t      *testing.T
	app    *oracle.App
	client *http.Client
}

// An answer is a response with all of its bytes.
type answer struct {
	*http.Response
	dump string
}

func open(t *testing.T, app *oracle.App) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &browser{t, app, client}
}

// send takes headers as names and values in turn.
func (b *browser) send(method, uri, body string, header ...string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.app.URL, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	raw, query, _ := strings.Cut(uri, "?")
	path, err := url.PathUnescape(raw)
	if err != nil {
		b.t.Fatal(err)
	}
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = path, raw, query // sent as it is written
	if strings.Contains(body, "=") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	dump, err := httputil.DumpResponse(resp, true)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{resp, string(dump)}
}

func (b *browser) cookie(name string) string {
	u, err := url.Parse(b.app.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// form is what the login page of the app sends.
func form(app *oracle.App, name string) string {
	return url.Values{"user": {name}, "password": {app.Password(name)}}.Encode()
}

func (b *browser) signIn(name string) answer {
	b.t.Helper()
	b.send("GET", "/login", "")
	return b.send("POST", "/login", form(b.app, name))
}

// last is what the app did at the end.
func last(t *testing.T, app *oracle.App) oracle.Act {
	t.Helper()
	acts := app.Acts()
	if len(acts) == 0 {
		t.Fatal("the app did nothing")
	}
	return acts[len(acts)-1]
}

// who returns as whom a further request acts.
func (b *browser) who(header ...string) string {
	b.t.Helper()
	b.send("GET", "/notes", "", header...)
	return last(b.t, b.app).User
}

func TestPlainAppSignsIn(t *testing.T) {
	app := oracle.Start(t, oracle.Options{})
	b := open(t, app)
	if got := b.who(); got != "" {
		t.Fatalf("before the sign-in acts as %q", got)
	}
	if a := b.send("POST", "/login", "user=alice&password=wrong"); a.StatusCode != 200 || last(t, app).Action != oracle.Refuse || b.who() != "" {
		t.Errorf("a wrong password: %d, %+v", a.StatusCode, last(t, app))
	}
	before := b.cookie("sid")
	a := b.signIn("alice")
	if act := last(t, app); a.StatusCode != 302 || act.Action != oracle.SignIn || act.User != "alice" || act.Tried != "alice" {
		t.Fatalf("the right password: %d, %+v", a.StatusCode, act)
	}
	if b.cookie("sid") == before || b.who() != "alice" {
		t.Errorf("the session did not change, or is %q's", b.who())
	}
	b.send("POST", "/notes", "note=milk")
	if act := last(t, app); act.Action != oracle.Change || act.User != "alice" || !slices.Equal(app.Notes("alice"), []string{"milk"}) {
		t.Errorf("adding a note: %+v, %q", act, app.Notes("alice"))
	}
	old := b.cookie("sid")
	b.send("POST", "/logout", "")
	if act := last(t, app); act.Action != oracle.SignOut || act.User != "alice" {
		t.Errorf("signing out: %+v", act)
	}
	if got := open(t, app).who("Cookie", "sid="+old); got != "" {
		t.Errorf("the old session still acts as %q", got)
	}
}

// TestEncodings shows that each is read when it is allowed, and not otherwise.
func TestEncodings(t *testing.T) {
	var parts bytes.Buffer
	w := multipart.NewWriter(&parts)
	w.WriteField("user", "alice")
	w.WriteField("password", "password of alice")
	w.Close()
	tests := []struct {
		encoding   oracle.Encoding
		kind, body string
	}{
		{oracle.Form, "application/x-www-form-urlencoded", "user=alice&password=password+of+alice"},
		{oracle.Multipart, w.FormDataContentType(), parts.String()},
		{oracle.JSON, "application/json", `{"user": "alice", "password": "password of alice"}`},
	}
	for _, tt := range tests {
		for _, allowed := range []oracle.Encoding{oracle.Form, oracle.Multipart, oracle.JSON} {
			app := oracle.Start(t, oracle.Options{Encodings: allowed})
			open(t, app).send("POST", "/login", tt.body, "Content-Type", tt.kind)
			if got, want := last(t, app).Action == oracle.SignIn, allowed == tt.encoding; got != want {
				t.Errorf("%s where %d is allowed: signed in %v; want %v", tt.kind, allowed, got, want)
			}
		}
	}
}

// A door is a way to act as alice that does not lead through the form.
type door struct {
	name   string
	option oracle.Options
	by     oracle.Channel
	send   func(b *browser)
}

var doors = []door{
	{"login by GET", oracle.Options{GETLogin: true}, oracle.ByQuery, func(b *browser) {
		b.send("GET", "/login?"+form(b.app, "alice"), "")
	}},
	{"credentials in the query of a page", oracle.Options{LoginAnywhere: true}, oracle.ByQuery, func(b *browser) {
		b.send("GET", "/notes?"+form(b.app, "alice"), "")
	}},
	{"credentials in the query of a style", oracle.Options{LoginAnywhere: true}, oracle.ByQuery, func(b *browser) {
		b.send("GET", "/static/app.css?"+form(b.app, "alice"), "")
	}},
	{"credentials in the body of a page", oracle.Options{LoginAnywhere: true}, oracle.ByField, func(b *browser) {
		b.send("POST", "/notes", form(b.app, "alice"))
	}},
	{"JSON login", oracle.Options{JSONLogin: true}, oracle.ByJSON, func(b *browser) {
		b.send("POST", "/api/login", `{"user": "alice", "password": "password of alice"}`)
	}},
	{"basic", oracle.Options{Basic: true}, oracle.ByBasic, func(b *browser) {
		b.send("GET", "/notes", "", "Authorization", "Basic YWxpY2U6cGFzc3dvcmQgb2YgYWxpY2U=")
	}},
	{"API key", oracle.Options{APIKeys: true}, oracle.ByKey, func(b *browser) {
		b.send("GET", "/api/notes", "", "X-Api-Key", b.app.Key("alice"))
	}},
	{"API key in the query", oracle.Options{APIKeys: true}, oracle.ByKeyQuery, func(b *browser) {
		b.send("GET", "/api/notes?key="+b.app.Key("alice"), "")
	}},
	{"XML-RPC", oracle.Options{XMLRPC: true}, oracle.ByXMLRPC, func(b *browser) { b.send("POST", "/xmlrpc", call("notes.list", "alice", "password of alice")) }},
	{"XML-RPC that writes", oracle.Options{XMLRPC: true}, oracle.ByXMLRPC, func(b *browser) {
		b.send("POST", "/xmlrpc", call("notes.add", "alice", "password of alice", "by call"))
	}},
	{"reset link", oracle.Options{Reset: true}, oracle.ByReset, func(b *browser) { b.send("GET", b.app.ResetLink("alice"), "") }},
	{"switch", oracle.Options{Switch: true}, oracle.BySwitch, func(b *browser) {
		b.signIn("eve")
		b.send("POST", "/switch", "to=alice")
	}},
	{"as", oracle.Options{ActAs: true}, oracle.ByActAs, func(b *browser) {
		b.signIn("eve")
		b.send("GET", "/notes?as=alice", "")
	}},
	{"remember-me", oracle.Options{Remember: true}, oracle.ByRemember, func(b *browser) {
		other := open(b.t, b.app)
		other.send("POST", "/login", form(b.app, "alice")+"&remember=1")
		b.send("GET", "/notes", "", "Cookie", "remember="+other.cookie("remember"))
	}},
	{"session in the path", oracle.Options{SessionInURL: true}, oracle.ByURL, func(b *browser) {
		other := open(b.t, b.app)
		other.signIn("alice")
		b.send("GET", "/notes;jsessionid="+other.cookie("sid"), "")
	}},
	{"session in the query", oracle.Options{SessionInURL: true}, oracle.ByURL, func(b *browser) {
		other := open(b.t, b.app)
		other.signIn("alice")
		b.send("GET", "/notes?sid="+other.cookie("sid"), "")
	}},
	{"override of the method", oracle.Options{Override: true}, oracle.ByForm, func(b *browser) {
		b.send("PUT", "/login", form(b.app, "alice"), "X-HTTP-Method-Override", "post")
	}},
}

func call(method string, params ...string) string {
	body := "<methodCall><methodName>" + method + "</methodName><params>"
	for _, p := range params {
		body += "<param><value><string>" + p + "</string></value></param>"
	}
	return body + "</params></methodCall>"
}

// acted tells whether the app did anything as alice by this channel.
func acted(app *oracle.App, by oracle.Channel) bool {
	return slices.ContainsFunc(app.Acts(), func(a oracle.Act) bool { return a.User == "alice" && a.Channel == by })
}

// TestDoors shows that each side door leads in, is seen by the ledger, and is
// not there in a plain app.
func TestDoors(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			for _, options := range []oracle.Options{d.option, oracle.Everything()} {
				app := oracle.Start(t, options)
				d.send(open(t, app))
				if !acted(app, d.by) {
					t.Errorf("it does not lead in by %s: %+v", d.by, app.Acts())
				}
				if recorded := new(recorder); oracle.NewLedger(app).Check(recorded) || len(recorded.errs) == 0 {
					t.Error("the ledger finds nothing wrong with it")
				}
			}
			plain := oracle.Start(t, oracle.Options{})
			d.send(open(t, plain))
			if acted(plain, d.by) {
				t.Error("it is open in a plain app")
			}
		})
	}
}

// TestDoorsRefuse shows that no door opens without the right proof.
func TestDoorsRefuse(t *testing.T) {
	app := oracle.Start(t, oracle.Everything())
	b := open(t, app)
	bad := "user=alice&password=wrong"
	b.send("GET", "/login?"+bad, "")
	b.send("POST", "/notes?"+bad, bad)
	b.send("POST", "/api/login", `{"user": "alice", "password": "wrong"}`)
	b.send("GET", "/notes", "", "Authorization", "Basic YWxpY2U6d3Jvbmc=")
	b.send("GET", "/notes", "", "Authorization", "Bearer wrong")
	b.send("GET", "/notes?access_token=", "", "Authorization", "Bearer ")
	b.send("GET", "/notes?key=wrong&sid=wrong&as=alice", "", "X-Api-Key", "wrong", "Cookie", "sid=; remember=")
	b.send("POST", "/xmlrpc", call("notes.list", "alice", "wrong"))
	b.send("GET", "/reset?token=", "")
	b.send("POST", "/switch", "to=alice")
	for _, a := range app.Acts() {
		if a.User != "" {
			t.Errorf("%s %s acts as %s by %s", a.Method, a.URI, a.User, a.Channel)
		}
	}
}

// TestBearer: the token of a login signs in by header and by query, and ends with
// the sign-out.
func TestBearer(t *testing.T) {
	app := oracle.Start(t, oracle.Options{Token: true, Answers: oracle.JSONOK})
	b := open(t, app)
	a := b.send("POST", "/login", form(app, "alice"))
	_, rest, found := strings.Cut(a.dump, `"token": "`)
	token, _, _ := strings.Cut(rest, `"`)
	if !found || b.cookie("sid") != "" {
		t.Fatalf("no token, or a cookie:\n%s", a.dump)
	}
	if b.who() != "" || b.who("Authorization", "Bearer "+token) != "alice" {
		t.Errorf("without the token as %q, with it as %q", b.who(), b.who("Authorization", "Bearer "+token))
	}
	if b.send("GET", "/notes?access_token="+token, ""); last(t, app).Channel != oracle.ByTokenQuery || last(t, app).User != "alice" {
		t.Errorf("the token in the query: %+v", last(t, app))
	}
	b.send("POST", "/logout", "", "Authorization", "Bearer "+token)
	if got := b.who("Authorization", "Bearer "+token); got != "" {
		t.Errorf("after the sign-out the token acts as %q", got)
	}
}

// recorder takes what a ledger would fail a test with.
type recorder struct {
	testing.TB
	errs []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, _ ...any) {
	r.errs = append(r.errs, format)
}

// An app with ids for each folder: a browser shows each where it belongs, and all are of one session.
func TestSessionWithAnIDForEachFolder(t *testing.T) {
	app := oracle.Start(t, oracle.Options{Folders: true})
	b := open(t, app)
	b.signIn("alice")
	if b.who() != "alice" {
		t.Errorf("/notes is of %q", b.who())
	}
	b.send("GET", "/notes", "")
	own := last(t, app).Header.Get("Cookie")
	b.send("GET", "/", "")
	if root := last(t, app).Header.Get("Cookie"); strings.Count(own, "sid=") != 2 || strings.Count(root, "sid=") != 1 || !strings.HasSuffix(own, root) {
		t.Errorf("/notes gets %q, and / %q; want one cookie more, before the other", own, root)
	}
	b.send("POST", "/logout", "")
	if b.cookie("sid") != "" || b.who() != "" {
		t.Errorf("after the sign-out: %q, %q", b.cookie("sid"), b.who())
	}
}
