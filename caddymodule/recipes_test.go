package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// A measured app is what was seen of one: requests of its own pages, ways around
// its form, and its answers to a right and a wrong password.
type measured struct {
	page, submit, body, user string
	files, doors             []string
	right, wrong             loginform.Answer
	name                     string // as the cookie tells; probes are tried on real apps
}

// held is an answer as the gate holds it; the headers are pairs.
func held(status int, body string, headers ...string) loginform.Answer {
	a := loginform.Answer{Status: status, Header: http.Header{}, Body: []byte(body), URL: &url.URL{Scheme: "http", Host: "app.test", Path: "/x"}}
	for i := 0; i+1 < len(headers); i += 2 {
		a.Header.Add(headers[i], headers[i+1])
	}
	return a
}

var seen = map[string]measured{
	"dokuwiki": {
		page: "/doku.php?id=start&do=login", submit: "/doku.php?id=start", body: "sectok=&id=start&do=login&u=alice&p=pw", user: "alice",
		files: []string{"/lib/exe/css.php?t=dokuwiki&tseed=8c", "/lib/exe/jquery.php?tseed=34", "/lib/tpl/dokuwiki/images/logo.png", "/lib/exe/manifest.php"},
		doors: []string{"/doku.php?id=start&u=a&p=b", "/lib/exe/xmlrpc.php", "/feed.php?u=a&p=b", "/doku.php/start", "/lib/exe/fetch.php?media=x", "/lib/exe/css.php?t=x&tseed=y&u=a&p=b", "//doku.php"},
		right: held(302, "", "Location", "http://app.test/doku.php?id=start", "Set-Cookie", "DW49=YWxpY2U%3D%7C0%7CHEFR; path=/; HttpOnly"),
		wrong: held(403, "<div>Sorry, username or password was wrong.</div><form id=\"dw__login\">", "Set-Cookie", "DW49=deleted; expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0; path=/; HttpOnly"),
	},
	"wordpress": {
		page: "/wp-login.php", submit: "/wp-login.php", body: "redirect_to=http%3A%2F%2Fapp.test%2Fwp-admin%2F&testcookie=1&log=alice&pwd=pw", user: "alice", name: "alice",
		files: []string{"/wp-includes/css/dashicons.min.css?ver=6.1.9", "/wp-includes/js/dist/vendor/wp-polyfill.min.js?ver=3.15.0", "/wp-includes/js/zxcvbn.min.js", "/wp-admin/images/wordpress-logo.svg?ver=20131107"},
		doors: []string{"/xmlrpc.php", "/wp-json/wp/v2/users", "/?rest_route=/wp/v2/users", "//wp-login.php", "/wp-login.php/x", "/wp-login.php?interim-login=1", "/wp-login.php?action=nosuch", "/wp%2dlogin.php"},
		right: held(302, "", "Location", "http://app.test/wp-admin/", "Set-Cookie", "wordpress_test_cookie=WP%20Cookie%20check; path=/", "Set-Cookie", "wordpress_logged_in_c66=alice%7C1795457110%7Cfn; path=/; HttpOnly"),
		wrong: held(200, `<div id="login_error">Error</div>`, "Set-Cookie", "wordpress_test_cookie=WP%20Cookie%20check; path=/"),
	},
	"roundcube": {
		page: "/", submit: "/?_task=login", body: "_token=Je&_task=login&_action=login&_timezone=_default_&_url=&_host=x&_user=alice&_pass=pw", user: "alice",
		files: []string{"/skins/elastic/deps/bootstrap.min.css?s=17", "/program/js/app.min.js?s=1", "/plugins/jqueryui/js/jquery-ui.min.js?s=1", "/skins/elastic/fonts/fa-solid-900.woff2"},
		doors: []string{"/index.php", "/index.php/a.css", "/?_task=mail", "/?_task=utils", "/plugins/x/y.php"},
		right: held(302, "", "Location", "/?_task=mail&_token=75", "Set-Cookie", "roundcube_sessauth=-del-; Max-Age=0; path=/", "Set-Cookie", "roundcube_sessid=8a; path=/", "Set-Cookie", "roundcube_sessauth=Mh; path=/; HttpOnly"),
		wrong: held(401, "", "Set-Cookie", "roundcube_sessauth=-del-; Max-Age=0; path=/"),
	},
	"redmine": {
		page: "/login", submit: "/login", body: "utf8=%E2%9C%93&authenticity_token=SM&username=alice&password=pw", user: "alice",
		files: []string{"/stylesheets/application.css?1669909042", "/javascripts/application.js?1669909042", "/favicon.ico?1669909042"},
		doors: []string{"/login.json", "/login.html", "/login/", "//login", "/login?x=1", "/issues.json?key=1", "/my/page", "/issues.atom?key=1"},
		right: held(302, "", "Location", "http://app.test/my/page", "Set-Cookie", "Redmine=ZT; path=/; HttpOnly"),
		wrong: held(200, `<div id="flash_error">Invalid user or password</div>`, "Set-Cookie", "Redmine=al; path=/; HttpOnly"),
	},
	"qbittorrent": {
		page: "/", submit: "/api/v2/auth/login", body: "username=alice&password=pw", user: "alice",
		files: []string{"/css/style.css", "/scripts/login.js"},
		doors: []string{"/api/v2/app/version", "/api/v2/auth/login/", "/api/v2/auth/login?x"},
		right: held(200, "Ok.", "Set-Cookie", "SID=x; HttpOnly; path=/; SameSite=Strict"),
		wrong: held(200, "Fails."),
	},
	"deluge": {
		page: "/", submit: "/json", body: `{"method":"auth.login","params":["pw"],"id":1}`,
		files: []string{"/css/deluge.css?v=1", "/js/deluge-all.js", "/gettext.js"},
		doors: []string{"/json", "/upload", "/render/../json"},
		right: held(200, `{"result": true, "error": null, "id": 1}`, "Set-Cookie", "_session_id=1; Path=/json"),
		wrong: held(200, `{"result": false, "error": null, "id": 1}`),
	},
	"jupyter": {
		page: "/login", submit: "/login?next=%2F", body: "_xsrf=2&password=pw",
		files: []string{"/static/style/style.min.css?v=1", "/custom/custom.css", "/favicon.ico"},
		doors: []string{"/login?token=x", "/?token=x", "/tree", "/api/contents", "/terminals/websocket/1"},
		right: held(302, "", "Location", "/", "Set-Cookie", "username-app-test=2; expires=Mon, 21 Dec 2099 18:00:00 GMT; HttpOnly; Path=/"),
		wrong: held(401, "Invalid credentials"),
	},
	"transmission": {
		page:  "/transmission/web/",
		doors: []string{"/transmission/rpc", "/transmission/web/index.html", "/"},
	},
	"node-red": {
		page: "/", submit: "/auth/token", body: "client_id=node-red-editor&grant_type=password&scope=&username=alice&password=pw", user: "alice",
		files: []string{"/red/style.min.css?v=1", "/vendor/vendor.js?v=1", "/theme", "/auth/login", "/locales/editor?lng=en-US"},
		doors: []string{"/flows", "/settings", "/hello", "/comms", "/red/../flows"},
		right: held(200, `{"access_token":"bc","expires_in":3600,"token_type":"Bearer"}`),
		wrong: held(403, `{"error":"invalid_grant"}`),
	},
}

// mediaOf is the media type of a body.
func mediaOf(body string) string {
	if strings.HasPrefix(body, "{") {
		return "application/json"
	}
	return "application/x-www-form-urlencoded"
}

func sends(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, "http://app.test"+target, strings.NewReader(body))
	r.Header.Set("Content-Type", mediaOf(body))
	return r
}

func TestRecipesFitWhatWasSeenOfTheApps(t *testing.T) {
	for _, name := range recipes() {
		t.Run(name, func(t *testing.T) {
			c, err := readRecipe(name)
			if err != nil {
				t.Fatal(err)
			}
			form, err := loginform.Compile(*c)
			if err != nil {
				t.Fatal(err)
			}
			app, ok := seen[name]
			if !ok {
				t.Fatal("the recipe has been held against no app")
			}
			app.check(t, form)
		})
	}
}

func (app measured) check(t *testing.T, form *loginform.Form) {
	if got := form.Classify(sends("GET", app.page, "")); got != loginform.Page {
		t.Errorf("the page is %d; want Page", got)
	}
	for _, file := range app.files {
		if got := form.Classify(sends("GET", file, "")); got != loginform.Public {
			t.Errorf("%s is %d; want Public", file, got)
		}
	}
	for _, door := range app.doors {
		if got := form.Classify(sends("GET", door, "")); got != loginform.Other && got != loginform.Refuse {
			t.Errorf("%s is %d; want Other or Refuse", door, got)
		}
	}
	if app.submit == "" {
		return // it has no form
	}
	r := sends("POST", app.submit, app.body)
	if got := form.Classify(r); got != loginform.Submit {
		t.Errorf("the submission is %d; want Submit", got)
	}
	s, err := form.ReadSubmission(r)
	if err != nil || s.User != app.user || s.Password != "pw" {
		t.Errorf("the submission is %+v, %v; want %q", s, err, app.user)
	}
	if err := form.Guard(sends("POST", "/elsewhere", app.body)); err == nil {
		t.Error("the submission passes elsewhere")
	}
	if got, err := form.Judge(t.Context(), &app.right, nil); got != loginform.Succeeded || err != nil {
		t.Errorf("a right password is %d, %v; want Succeeded", got, err)
	}
	if got, err := form.Judge(t.Context(), &app.wrong, nil); got != loginform.Failed || err != nil {
		t.Errorf("a wrong password is %d, %v; want Failed", got, err)
	}
	if app.name == "" {
		return
	}
	if got, err := form.Who(t.Context(), &app.right, nil); got != app.name || err != nil {
		t.Errorf("the user is %q, %v; want %q", got, err, app.name)
	}
}

// Edits of a wiki go where its form does, and are no sign-in.
func TestWhatElseGoesToTheFormsOfApps(t *testing.T) {
	for _, test := range []struct {
		recipe, method, target, body string
		want                         []loginform.Kind
	}{
		{"dokuwiki", "POST", "/doku.php?id=start", "do=save&wikitext=x&p=1", []loginform.Kind{loginform.Other}},
		{"dokuwiki", "GET", "/doku.php?id=start&do=logout&sectok=1", "", []loginform.Kind{loginform.Logout}},
		{"dokuwiki", "GET", "/doku.php/start?do[logout]=1&do=logout", "", []loginform.Kind{loginform.Logout}},
		{"deluge", "POST", "/json", `{"method":"auth.check_session","params":[],"id":1}`, []loginform.Kind{loginform.Reset}},
		{"deluge", "POST", "/json", `{"method":"core.get_config","params":[],"id":1}`, []loginform.Kind{loginform.Other}},
		{"deluge", "POST", "/json", `{"method":"auth.delete_session","params":[],"id":1}`, []loginform.Kind{loginform.Logout}},
		{"wordpress", "GET", "/wp-login.php?action=logout&_wpnonce=1", "", []loginform.Kind{loginform.Logout}},
		{"wordpress", "POST", "/wp-login.php?action=lostpassword", "user_login=alice", []loginform.Kind{loginform.Reset}},
		{"roundcube", "GET", "/?_task=logout&_token=1", "", []loginform.Kind{loginform.Logout}},
		{"redmine", "POST", "/logout", "authenticity_token=x", []loginform.Kind{loginform.Logout}},
	} {
		c, err := readRecipe(test.recipe)
		if err != nil {
			t.Fatal(err)
		}
		form, err := loginform.Compile(*c)
		if err != nil {
			t.Fatal(err)
		}
		if got := form.Classify(sends(test.method, test.target, test.body)); !slices.Contains(test.want, got) {
			t.Errorf("%s %s %s %q is %d; want %v", test.recipe, test.method, test.target, test.body, got, test.want)
		}
	}
}

// The apps' own links are such that the app sees them, and says goodbye itself.
func TestSignOutLinksReachTheApp(t *testing.T) {
	for recipe, link := range map[string]string{
		"wordpress": "GET /wp-login.php?action=logout&_wpnonce=0f1e2d3c4b", "roundcube": "GET /?_task=logout&_token=XyZ0123456789",
		"redmine": "POST /logout", "jupyter": "GET /logout", "node-red": "POST /auth/revoke",
	} {
		c, err := readRecipe(recipe)
		if err != nil {
			t.Fatal(err)
		}
		form, err := loginform.Compile(*c)
		if err != nil {
			t.Fatal(err)
		}
		method, target, _ := strings.Cut(link, " ")
		if r := sends(method, target, ""); form.Classify(r) != loginform.Logout || !form.SignsOut(r) {
			t.Errorf("%s: %s does not go to the app as it is", recipe, link)
		}
		if r := sends(method, target+"&log=alice", ""); form.SignsOut(r) {
			t.Errorf("%s: %s goes to the app with anything behind it", recipe, link)
		}
	}
}

// A right password is not enough where the app asks for more of its own.
func TestRedmineWithItsOwnSecondFactor(t *testing.T) {
	c, err := readRecipe("redmine")
	if err != nil {
		t.Fatal(err)
	}
	form, err := loginform.Compile(*c)
	if err != nil {
		t.Fatal(err)
	}
	a := held(302, "", "Location", "http://app.test/account/twofa", "Set-Cookie", "Redmine=x; path=/")
	if got, err := form.Judge(t.Context(), &a, nil); got != loginform.Unclear || err != nil {
		t.Errorf("got %d, %v; want Unclear", got, err)
	}
}
