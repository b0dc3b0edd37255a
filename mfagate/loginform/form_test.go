package loginform

import (
	"strings"
	"testing"
)

// plainForm is the description of a simple app.
func plainForm() Config {
	return Config{
		Page:     []Pattern{{Text: "/login"}},
		Submit:   []Pattern{{Text: "POST /login"}},
		User:     Field{Form: "user", JSON: "/auth/name"},
		Password: Field{Form: "pass", JSON: "/auth/secret"},
		Success:  []Signs{{Status: []string{"302"}, SetCookie: []string{"sid"}}},
	}
}

// wordpress and deluge are as measured; deluge has no user names, and one path for
// everything.
func wordpress() Config {
	return Config{
		Page:     []Pattern{{Text: "/wp-login.php"}, {Text: "/wp-login.php?redirect_to?=*&reauth?=1"}},
		Submit:   []Pattern{{Text: "POST /wp-login.php?action?=login"}},
		User:     Field{Form: "log"},
		Password: Field{Form: "pwd"},
		Success:  []Signs{{SetCookie: []string{"wordpress_logged_in_*"}}},
		Identify: &Identify{Cookie: "wordpress_logged_in_*", Regexp: `^(.+?)%7C`, Decode: "url"},
		Public:   []Pattern{{Text: "/wp-includes/**"}, {Text: "/wp-admin/css/*"}},
		Reset:    []Pattern{{Text: "/wp-login.php?action=lostpassword|rp|resetpass&**"}},
		Logout:   []Pattern{{Text: "GET /wp-login.php?action=logout"}},
		Refuse:   []Pattern{{Text: "/xmlrpc.php"}, {Text: "/wp-json/**"}, {Text: "/?rest_route=*"}, {Text: "/index.php?rest_route=*"}},
	}
}

func deluge() Config {
	where := func(methods string) map[string]string { return map[string]string{"/method": methods} }
	return Config{
		Page:      []Pattern{{Text: "/"}},
		Submit:    []Pattern{{Text: "POST /json", Where: where("auth.login")}},
		UserConst: "admin",
		Password:  Field{JSON: "/params/0"},
		Success:   []Signs{{JSON: []string{"/result=true"}, SetCookie: []string{"_session_id"}}},
		Reset:     []Pattern{{Text: "POST /json", Where: where("auth.check_session|web.connected")}},
		Logout:    []Pattern{{Text: "POST /json", Where: where("auth.delete_session")}},
	}
}

func compile(t testing.TB, c Config) *Form {
	t.Helper()
	f, err := Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestCompileTellsWhereAndHowToSignInAndOut(t *testing.T) {
	c := plainForm()
	c.Page = []Pattern{{Text: "/doku.php?id=start&do=log in"}, {Text: "/*"}}
	c.Logout = []Pattern{{Text: "/out"}, {Text: "POST /out/*"}, {Text: "POST /logout"}, {Text: "GET /logout"}}
	f := compile(t, c)
	if got, want := f.LoginURI(), "/doku.php?id=start&do=log+in"; got != want {
		t.Errorf("login is at %q; want %q", got, want)
	}
	method, uri, ok := f.LogoutRequest()
	if method != "POST" || uri != "/logout" || !ok {
		t.Errorf("logout is %s %s %v; want POST /logout", method, uri, ok)
	}
	if f.Config().Page[1].Text != "/*" {
		t.Errorf("got %v; want the configuration", f.Config())
	}
}

// Each change makes a good description bad, and the error must name the option.
func TestCompileNamesTheOptionThatWillNotDo(t *testing.T) {
	page := func(text string) func(*Config) {
		return func(c *Config) { c.Page = append(c.Page, Pattern{Text: text}) }
	}
	identify := func(id Identify) func(*Config) { return func(c *Config) { c.Identify = &id } }
	success := func(s Signs) func(*Config) { return func(c *Config) { c.Success = append(c.Success, s) } }
	for _, test := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Page = nil }, "page: missing"},
		{func(c *Config) { c.Page[0].Text = "/login*" }, "page: \"/login*\" cannot be where people are sent"},
		{func(c *Config) { c.Page[0].Text = "/login?x?=1" }, "page:"},
		{func(c *Config) { c.Page[0].Text = "/login?x=1|2" }, "page:"},
		{page("login"), "must begin with a slash"},
		{page("/a/../b"), `write "/b"`},
		{page("/a//b"), `write "/a/b"`},
		{page("/a%2fb"), "as decoded"},
		{page("/a;b"), "as decoded"},
		{page("/a\x01"), "as decoded"},
		{page("POST /login"), "method \"POST\""},
		{page("/a?"), "leave the ? out"},
		{page("/a?x=1&x=2"), "twice"},
		{page("/a?x.y=1&x_y=2"), "twice"},
		{page("/a?**&x=1"), "last"},
		{page("/a?=1"), "key=VALUE"},
		{page("/a?x=%zz"), "bad escape"},
		{page("/a/**b"), "whole segment"},
		{page("/**/a/b"), "whole segment"},
		{page("/**/**"), "whole segment"},
		{func(c *Config) { c.Page[0].Where = map[string]string{"a": "b"} }, "where: these requests have no body"},
		{func(c *Config) { c.Submit = nil }, "submit: missing"},
		{func(c *Config) { c.Submit[0].Text = "GET /login" }, "submit:"},
		{func(c *Config) { c.Submit[0].Where = map[string]string{"/a~2": "b"} }, "~0"},
		{func(c *Config) { c.Submit[0].Where = map[string]string{"/a/0": "b"} }, "end in a name"},
		{func(c *Config) { c.Submit[0].Where = map[string]string{"a": ""} }, "where"},
		{func(c *Config) { c.Logout = []Pattern{{Text: "get /x"}} }, "logout:"},
		{func(c *Config) { c.Password = Field{} }, "password: missing"},
		{func(c *Config) { c.Password = Field{Form: "/x"}; c.User = Field{} }, "JSON pointers are JSON"},
		{func(c *Config) { c.Password.JSON = "x" }, "password: JSON pointer"},
		{func(c *Config) { c.User.JSON = "" }, "user, password"},
		{func(c *Config) { c.User = Field{Form: "p.w"}; c.Password = Field{Form: "p_w"} }, "cannot be the same field"},
		{func(c *Config) { c.UserConst = "admin" }, "user_const"},
		{func(c *Config) { c.User = Field{}; c.UserConst = "a\n" }, "user_const"},
		{func(c *Config) { c.User = Field{}; c.Password = Field{JSON: "/params/0"} }, "submit: a password at"},
		{func(c *Config) { c.Elsewhere = "both" }, "forbid_elsewhere"},
		{func(c *Config) { c.Accounts = []Pattern{{Text: "POST /users"}}; c.Identify = nil }, "accounts"},
		{func(c *Config) { c.Accounts = []Pattern{{Text: "GET /users"}} }, "accounts"},
		{func(c *Config) { c.Elsewhere = ElsewhereUser; c.User = Field{} }, "forbid_elsewhere"},
		{func(c *Config) { c.Success = nil }, "success: missing"},
		{success(Signs{}), "success, line 2: there is no sign"},
		{success(Signs{Status: []string{"30x"}}), "status"},
		{success(Signs{SetCookie: []string{"*"}}), "set_cookie"},
		{success(Signs{Location: []string{"http://x/"}}), "location"},
		{success(Signs{Header: []string{"Location: /"}}), "header"},
		{success(Signs{Body: []string{""}}), "body"},
		{success(Signs{JSON: []string{"a"}}), "json"},
		{success(Signs{Selector: []string{"a["}}), "selector"},
		{success(Signs{Probe: &Probe{Request: "POST /me"}}), "probe"},
		{success(Signs{Probe: &Probe{Request: "GET http://other/me"}}), "probe"},
		{success(Signs{Probe: &Probe{Request: "GET //other/me"}}), "probe"},
		{success(Signs{Probe: &Probe{Request: "GET /me", Lacks: []string{""}}}), "probe: lacks"},
		{func(c *Config) { c.Failure = []Signs{{}} }, "failure, line 1"},
		{identify(Identify{}), "identify: one of"},
		{identify(Identify{Cookie: "a", Header: "b"}), "identify: one of"},
		{identify(Identify{Cookie: "*"}), "identify: cookie"},
		{identify(Identify{Header: "a:b"}), "identify: header"},
		{identify(Identify{JSON: "a"}), "identify: json"},
		{identify(Identify{Selector: "a::before"}), "identify: selector"},
		{identify(Identify{Selector: "a @b=c"}), "identify: selector"},
		{identify(Identify{Regexp: "alice"}), "one group"},
		{identify(Identify{Regexp: "(a)(b)"}), "one group"},
		{identify(Identify{Regexp: "(a"}), "one group"},
		{identify(Identify{JSON: "/a", Decode: "rot13"}), "decode"},
		{identify(Identify{JSON: "/a", Probe: "/me"}), "probe"},
		{func(c *Config) { c.Headers = []string{"Cookie"} }, "headers"},
		{func(c *Config) { c.Headers = []string{"X Y"} }, "headers"},
		{func(c *Config) { c.QueryKeys = []string{"a=b"} }, "query_keys"},
		{func(c *Config) { c.PassCookies = []string{"*"} }, "pass_cookies"},
		{func(c *Config) {
			c.PassCookies = []string{"theme", "wordpress_*"}
			c.Success = []Signs{{SetCookie: []string{"wordpress_logged_in_*"}}}
		}, "pass_cookies: wordpress_logged_in_*"},
		{func(c *Config) { c.BoundCookies = []string{"a b"} }, "bound_cookies"},
		{func(c *Config) { c.RotatingCookies = []string{""} }, "rotating_cookies"},
		{func(c *Config) { c.Bearer = &Bearer{} }, "bearer"},
		{func(c *Config) { c.Answer = &Answering{Status: 99} }, "answer"},
		{func(c *Config) { c.Answer = &Answering{Status: 403, Body: "x"} }, "answer"},
	} {
		c := plainForm()
		test.change(&c)
		if _, err := Compile(c); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v; want an error with %q", err, test.want)
		}
	}
}

func TestCompileTellsAllErrorsAtOnce(t *testing.T) {
	_, err := Compile(Config{})
	for _, option := range []string{"page", "submit", "password", "success"} {
		if err == nil || !strings.Contains(err.Error(), option+": missing") {
			t.Errorf("got %v; want it to name %s", err, option)
		}
	}
}
