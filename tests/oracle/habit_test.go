package oracle_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// TestNames shows that each spelling leads to alice's account where the app takes
// it, and nowhere otherwise.
func TestNames(t *testing.T) {
	tests := []struct {
		kind     oracle.Name
		spelling string
	}{
		{oracle.NameCase, "ALICE"},
		{oracle.NameSpace, " alice"},
		{oracle.NameSpace, "alice\n"},
		{oracle.NameNUL, "alice\x00"},
		{oracle.NameNUL, "alice\x00eve"},
		{oracle.NameWidth, "ａｌｉｃｅ"},
		{oracle.NameAccents, "álice"},
		{oracle.NameEMail, "alice@example.test"},
		{oracle.NameDomain, `CORP\alice`},
	}
	for _, tt := range tests {
		for _, names := range []oracle.Name{0, tt.kind, oracle.AllNames &^ tt.kind, oracle.AllNames} {
			app := oracle.Start(t, oracle.Options{Names: names})
			open(t, app).send("POST", "/login", url.Values{"user": {tt.spelling}, "password": {app.Password("alice")}}.Encode())
			act, want := last(t, app), ""
			if names&tt.kind != 0 {
				want = "alice"
			}
			if act.User != want || act.Tried != tt.spelling {
				t.Errorf("%q with %b: %q, tried as %q; want %q", tt.spelling, names, act.User, act.Tried, want)
			}
		}
	}
}

// TestPaths shows the same for the spellings of a path.
func TestPaths(t *testing.T) {
	tests := []struct {
		kind     oracle.Path
		spelling string
	}{
		{oracle.PathSlashes, "//login"},
		{oracle.PathDots, "/x/../login"},
		{oracle.PathDots, "/x/%2e%2e/login"},
		{oracle.PathDots, "/./login"},
		{oracle.PathSemicolons, "/login;x"},
		{oracle.PathSemicolons, "/login;jsessionid=1"},
		{oracle.PathCase, "/LOGIN"},
		{oracle.PathSlashAfter, "/login/"},
		{oracle.PathInfo, "/login/a.css"},
		{oracle.PathSuffix, "/login.json"},
		{oracle.PathTwice, "/%256cogin"},
		{oracle.PathBackslash, "/%5clogin"},
		{oracle.PathNUL, "/login%00.css"},
	}
	for _, tt := range tests {
		kinds := []oracle.Path{0, tt.kind, oracle.AllPaths}
		for _, paths := range kinds {
			if tt.kind == oracle.PathBackslash && paths == tt.kind {
				paths |= oracle.PathSlashes // "/\login" is "//login" then
			}
			app := oracle.Start(t, oracle.Options{Paths: paths})
			open(t, app).send("POST", tt.spelling, form(app, "alice"))
			if got, want := last(t, app).Action == oracle.SignIn, paths&tt.kind != 0; got != want {
				t.Errorf("%s with %b: signed in %v (route %q); want %v", tt.spelling, paths, got, last(t, app).Route, want)
			}
		}
	}
}

// TestPercentForALetter: every server decodes it.
func TestPercentForALetter(t *testing.T) {
	app := oracle.Start(t, oracle.Options{})
	open(t, app).send("POST", "/%6cogin", form(app, "alice"))
	if got := last(t, app); got.Action != oracle.SignIn || got.URI != "/%6cogin" {
		t.Errorf("%+v", got)
	}
}

// TestAmbiguousFields shows which of two the app reads.
func TestAmbiguousFields(t *testing.T) {
	pw := "&password=password+of+vic"
	tests := []struct {
		name        string
		options     oracle.Options
		query, body string
		want        string
	}{
		{"the last of two", oracle.Options{}, "", "user=eve&user=vic" + pw, "vic"},
		{"the first of two", oracle.Options{FirstWins: true}, "", "user=vic&user=eve" + pw, "vic"},
		{"the query is not read", oracle.Options{}, "?user=vic", "user=eve" + pw, ""},
		{"the query fills in", oracle.Options{Query: oracle.QueryIfMissing}, "?user=vic", pw[1:], "vic"},
		{"the query does not win", oracle.Options{Query: oracle.QueryIfMissing}, "?user=vic", "user=eve" + pw, ""},
		{"the query wins", oracle.Options{Query: oracle.QueryWins}, "?user=vic", "user=eve" + pw, "vic"},
		{"a leading blank", oracle.Options{PHPNames: true}, "", "user=eve&+user=vic" + pw, "vic"},
		{"a NUL in the name", oracle.Options{PHPNames: true}, "", "user=eve&user%00x=vic" + pw, "vic"},
		{"names are not folded", oracle.Options{}, "", "user=eve&+user=vic" + pw, ""},
		{"an encoded name", oracle.Options{}, "", "us%65r=vic" + pw, "vic"},
		{"semicolons", oracle.Options{Semicolons: true}, "", "user=eve;user=vic" + pw, "vic"},
		{"no semicolons", oracle.Options{}, "", "user=vic;x=1" + pw, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app := oracle.Start(t, tt.options)
			open(t, app).send("POST", "/login"+tt.query, tt.body)
			if got := last(t, app).User; got != tt.want {
				t.Errorf("signed in as %q; want %q", got, tt.want)
			}
			// What it says that it reads is what it acts on.
			r := httptest.NewRequest("POST", "/login"+tt.query, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if name, _ := app.Read(r); name != last(t, app).Tried {
				t.Errorf("reads %q, but tried %q", name, last(t, app).Tried)
			}
		})
	}
}

// TestAnswers shows how success and failure look, and that what is made for alice
// in it can be told from its bytes.
func TestAnswers(t *testing.T) {
	tests := []struct {
		answers         oracle.Answers
		success, failed string
	}{
		{oracle.Redirect, "302 /", "200 "},
		{oracle.RedirectBoth, "302 /", "302 /login?error=1"},
		{oracle.RedirectSame, "302 /", "302 /"},
		{oracle.Page, "200 ", "200 "},
		{oracle.Refresh, "200 ", "200 "},
		{oracle.Status, "204 ", "401 "},
		{oracle.JSONOK, "200 ", "200 "},
	}
	look := func(a answer) string { return fmt.Sprintf("%d %s", a.StatusCode, a.Header.Get("Location")) }
	for _, tt := range tests {
		app := oracle.Start(t, oracle.Options{Answers: tt.answers})
		b := open(t, app)
		wrong := b.send("POST", "/login", "user=alice&password=wrong")
		right := b.send("POST", "/login", form(app, "alice"))
		if look(wrong) != tt.failed || look(right) != tt.success {
			t.Errorf("%d: %q and %q; want %q and %q", tt.answers, look(right), look(wrong), tt.success, tt.failed)
		}
		if got := app.Shown(wrong.dump); len(got) > 0 {
			t.Errorf("%d: a failure shows %v", tt.answers, got)
		}
		want := []oracle.Shown{{User: "alice", What: oracle.Content}, {User: "alice", What: oracle.Session}}
		if got := app.Shown(right.dump); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%d: a success shows %v; want %v", tt.answers, got, want)
		}
	}
}

func TestWrongPasswordInALiveSession(t *testing.T) {
	for _, right := range []bool{false, true} {
		app := oracle.Start(t, oracle.Options{Answers: oracle.JSONOK, LiveLooksRight: right})
		b := open(t, app)
		b.signIn("alice")
		a := b.send("POST", "/login", "user=vic&password=wrong")
		if got := strings.Contains(a.dump, `"ok": true`); got != right || b.who() != "alice" {
			t.Errorf("LiveLooksRight %v: looks right %v, and acts as %q", right, got, b.who())
		}
	}
}

func TestFailureCookie(t *testing.T) {
	for _, sets := range []bool{false, true} {
		app := oracle.Start(t, oracle.Options{FailureCookie: sets, Answers: oracle.JSONOK})
		a := open(t, app).send("POST", "/login", "user=alice&password=wrong")
		if got := a.Header.Get("Set-Cookie") != ""; got != sets {
			t.Errorf("FailureCookie %v: Set-Cookie %q", sets, a.Header["Set-Cookie"])
		}
	}
}

func TestFormToken(t *testing.T) {
	app := oracle.Start(t, oracle.Options{FormToken: true})
	b := open(t, app)
	page := b.send("GET", "/login", "")
	_, rest, _ := strings.Cut(page.dump, `name="token" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	if b.send("POST", "/login", form(app, "alice")); last(t, app).Action != oracle.Refuse {
		t.Error("signed in without the token")
	}
	if open(t, app).send("POST", "/login", form(app, "alice")+"&token="+token); last(t, app).Action != oracle.Refuse {
		t.Error("signed in with another visitor's token")
	}
	if b.send("POST", "/login", form(app, "alice")+"&token="+token); last(t, app).User != "alice" {
		t.Error("not signed in with the token")
	}
}

func TestTwoSteps(t *testing.T) {
	app := oracle.Start(t, oracle.Options{TwoSteps: true})
	b := open(t, app)
	b.send("POST", "/login", "user=eve")
	b.send("POST", "/login", "user=vic") // in another tab
	if b.send("POST", "/login/password", "user=eve&password=password+of+vic"); last(t, app).User != "vic" {
		t.Errorf("the name given last does not count: %+v", last(t, app))
	}
	if open(t, app).send("POST", "/login/password", "user=vic&password=password+of+vic"); last(t, app).User != "" {
		t.Error("the second step alone signs in")
	}
}

func TestNoNames(t *testing.T) {
	app := oracle.Start(t, oracle.Options{NoNames: true})
	if open(t, app).send("POST", "/login", "password=password+of+alice"); last(t, app).User != "alice" {
		t.Errorf("%+v", last(t, app))
	}
}

func TestRotation(t *testing.T) {
	for _, rotation := range []oracle.Rotation{oracle.RotateAtLogin, oracle.RotateNever, oracle.RotateAlways} {
		app := oracle.Start(t, oracle.Options{Rotation: rotation})
		b := open(t, app)
		b.send("GET", "/login", "")
		before := b.cookie("sid")
		b.signIn("alice")
		at := b.cookie("sid")
		b.who()
		later := b.cookie("sid")
		if got, want := at != before, rotation != oracle.RotateNever; got != want {
			t.Errorf("%d: a new id at the sign-in: %v; want %v", rotation, got, want)
		}
		if got, want := later != at, rotation == oracle.RotateAlways; got != want {
			t.Errorf("%d: a new id later: %v; want %v", rotation, got, want)
		}
		if open(t, app).who("Cookie", "sid="+at) != "alice" {
			t.Errorf("%d: the id of the sign-in is no longer good", rotation)
		}
	}
}

func TestPlantedSession(t *testing.T) {
	for _, any := range []bool{false, true} {
		app := oracle.Start(t, oracle.Options{AnySession: any, Rotation: oracle.RotateNever})
		open(t, app).send("POST", "/login", form(app, "alice"), "Cookie", "sid=planted")
		want := ""
		if any {
			want = "alice"
		}
		if got := open(t, app).who("Cookie", "sid=planted"); got != want {
			t.Errorf("AnySession %v: the planted session acts as %q; want %q", any, got, want)
		}
	}
}

// TestCookieSpellings: what PHP takes for the cookie's name, and which of two counts.
func TestCookieSpellings(t *testing.T) {
	app := oracle.Start(t, oracle.Options{PHPNames: true, SessionCookie: "app_session"})
	b := open(t, app)
	b.signIn("alice")
	id := b.cookie("app_session")
	for _, header := range []string{"app.session=" + id, "app session=" + id, "app[session=" + id, "app_session=no; app_session=" + id, `app_session="` + id + `"`} {
		if got := open(t, app).who("Cookie", header); got != "alice" {
			t.Errorf("Cookie: %s acts as %q", header, got)
		}
	}
	for _, header := range []string{"app_session=" + id + "; app_session=no", "sid=" + id, "app-session=" + id} {
		if got := open(t, app).who("Cookie", header); got != "" {
			t.Errorf("Cookie: %s acts as %q", header, got)
		}
	}
	plain := oracle.Start(t, oracle.Options{SessionCookie: "app_session"})
	b = open(t, plain)
	b.signIn("alice")
	if got := open(t, plain).who("Cookie", "app.session="+b.cookie("app_session")); got != "" {
		t.Errorf("names are folded where they should not be: %q", got)
	}
}

func TestLogoutThatKeeps(t *testing.T) {
	app := oracle.Start(t, oracle.Options{LogoutKeeps: true, LogoutStatus: http.StatusInternalServerError})
	b := open(t, app)
	b.signIn("alice")
	if a := b.send("GET", "/logout", ""); a.StatusCode != 500 || b.who() != "alice" {
		t.Errorf("%d, and acts as %q", a.StatusCode, b.who())
	}
}

func TestSessionsAndPasswordsEnd(t *testing.T) {
	app := oracle.Start(t, oracle.Options{})
	b, other := open(t, app), open(t, app)
	b.signIn("alice")
	other.signIn("bob")
	app.EndSessions("alice")
	if b.who() != "" || other.who() != "bob" {
		t.Errorf("alice acts as %q and bob as %q", b.who(), other.who())
	}
	old := form(app, "alice")
	app.SetPassword("alice", "another")
	if b.send("POST", "/login", old); last(t, app).User != "" {
		t.Error("the old password is taken")
	}
	if b.signIn("alice"); b.who() != "alice" {
		t.Error("the new password is not taken")
	}
}

func TestHooks(t *testing.T) {
	var asked []string
	app := oracle.Start(t, oracle.Options{
		BeforeAnswer: func(user string) { asked = append(asked, user) },
		AnswerInsteadOf: func(w http.ResponseWriter, _ *http.Request, user string) bool {
			if user != "" {
				w.WriteHeader(http.StatusTeapot)
			}
			return user != ""
		},
	})
	b := open(t, app)
	wrong := b.send("POST", "/login", "user=alice&password=wrong")
	right := b.send("POST", "/login", form(app, "alice"))
	if fmt.Sprint(asked) != "[ alice]" || wrong.StatusCode != 200 || right.StatusCode != http.StatusTeapot || b.who() != "alice" {
		t.Errorf("asked for %q, answered %d and %d", asked, wrong.StatusCode, right.StatusCode)
	}
}
