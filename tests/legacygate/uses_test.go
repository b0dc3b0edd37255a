package legacygate_test

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// uses is how one app is used by people who have signed in.
type uses struct {
	pages   []page          // that show what is secret, or the person's own; the first is where the gate asks
	assets  []string        // that the login page needs
	wrong   string          // what the app says of a wrong password
	forms   []string        // paths by which a password may come to the app
	change  func(p *person) // posts something, and looks for it
	clear   []string        // globs of the app's cookies that pass as they are
	account string          // the one account of an app without user names
	domain  string          // that the app puts after its names
	script  bool            // a script signs in, and nothing else is asked as by a browser

	basic   bool // the app asks for HTTP Basic credentials
	ownHost bool // the app wants its own address in Host, as it checks the port
}

// A page is one of an app, with something that only people who signed in see.
type page struct{ path, shows string }

var usesOf = map[string]uses{
	"dokuwiki": {
		pages: []page{
			{"/doku.php?id=start", legacy.Marker}, {"/doku.php?id=start&do=profile", "alice@example.test"},
			{"/doku.php?id=start&do=recent", "Logged in as"},
		},
		assets: []string{"/lib/exe/css.php?t=dokuwiki&tseed=1", "/lib/exe/js.php?t=dokuwiki&tseed=1", "/lib/exe/jquery.php?tseed=1", "/lib/tpl/dokuwiki/images/logo.png"},
		wrong:  "username or password was wrong", forms: []string{"/doku.php"}, clear: []string{"DOKU_PREFS"},
		change: writeWikiPage,
	},
	"qbittorrent": {
		pages: []page{
			{"/", "logoutLink"}, {"/api/v2/app/preferences", legacy.Marker}, {"/api/v2/torrents/info", "["},
		},
		assets: []string{"/css/login.css?v=1c0ulfm", "/scripts/login.js?locale=en&v=1c0ulfm", "/images/qbittorrent32.png"},
		wrong:  "Fails.", forms: []string{"/api/v2/auth/login"}, script: true, ownHost: true,
		change: addCategory,
	},
	"deluge": {
		pages:  []page{{"/", ""}, {"/js/deluge-all-debug.js", ""}, {"/gettext.js", ""}},
		assets: []string{"/gettext.js", "/css/deluge.css", "/js/deluge-all-debug.js", "/icons/deluge.png"},
		wrong:  `"result": false`, forms: []string{"/json"}, script: true, account: "admin",
		change: hideSidebar,
	},
	"jupyter": {
		pages: []page{
			{"/tree", "notebook_list"}, {"/api/contents", "secret.txt"}, {"/api/contents/secret.txt", legacy.Marker},
		},
		assets: []string{"/static/base/images/favicon.ico?v=1", "/static/style/style.min.css?v=1", "/custom/custom.css"},
		wrong:  "Invalid credentials", forms: []string{"/login"}, account: "jupyter", clear: []string{"_xsrf"},
		change: writeFile,
	},
	"roundcube": {
		pages: []page{
			{"/?_task=mail", "header-title username"}, {"/?_task=mail&_action=show&_uid=1&_mbox=INBOX", legacy.Marker},
			{"/?_task=settings", "listbox"},
		},
		assets: []string{"/skins/elastic/styles/styles.min.css?s=1", "/program/js/app.min.js?s=1", "/plugins/jqueryui/js/jquery-ui.min.js?s=1"},
		wrong:  "Login failed", forms: []string{"/"}, domain: "@example.test",
		change: makeFolder,
	},
	"wordpress": {
		pages: []page{
			{"/wp-admin/profile.php", "alice@example.test"}, {"/wp-admin/", "Dashboard"}, {"/wp-admin/edit.php", "Private note"},
		},
		assets: []string{"/wp-includes/css/buttons.min.css?ver=6.1.9", "/wp-admin/css/login.min.css?ver=6.1.9", "/wp-admin/images/wordpress-logo.svg?ver=1"},
		wrong:  "login_error", forms: []string{"/wp-login.php"}, clear: []string{"wordpress_test_cookie", "wp_lang", "wp-settings-*"},
		change: writePost,
	},
	"redmine": {
		pages: []page{
			{"/my/account", "alice@example.test"}, {"/projects", legacy.Marker}, {"/my/page", "My page"},
		},
		assets: []string{"/stylesheets/application.css?1", "/javascripts/application.js?1", "/favicon.ico?1"},
		wrong:  "Invalid user or password", forms: []string{"/login"},
		change: changeAddress,
	},
	"transmission": {
		pages: []page{
			{"/transmission/web/", "Transmission Web"}, {"/transmission/web/", "Transmission Web"}, {"/transmission/web/index.html", "Transmission Web"},
		},
		account: "alice", basic: true,
		change: limitSpeed,
	},
	"node-red": {
		pages:  []page{{"/", ""}, {"/", ""}, {"/flows", legacy.Marker}, {"/settings", `"username":"alice"`}},
		assets: []string{"/red/style.min.css", "/vendor/vendor.js", "/theme", "/auth/login"},
		wrong:  "invalid_grant", forms: []string{"/auth/token"}, script: true,
		change: deployFlow,
	},
}

// accounts are the users who have a second factor in the end.
func (u *uses) accounts(users int) []string {
	if u.account != "" {
		return []string{u.account}
	}
	if users == 1 {
		return []string{"alice"}
	}
	return []string{"alice" + u.domain, "bob" + u.domain}
}

// passes tells whether a cookie goes to browsers as it is.
func (u *uses) passes(name string) bool {
	return slices.ContainsFunc(u.clear, func(glob string) bool {
		ok, _ := path.Match(glob, name)
		return ok
	})
}

// posted wants an answer to say that a change was made.
func (p *person) posted(a legacy.Answer, want string) {
	p.w.Helper()
	if a.Status >= 400 || !strings.Contains(a.Body, want) {
		p.w.Errorf("the change: got %d without %q:\n%.600s", a.Status, want, a.Body)
	}
}

// hidden are the hidden fields of the form of a page that has a field.
func (p *person) hidden(a legacy.Answer, field string) url.Values {
	p.w.Helper()
	values := make(url.Values)
	for form := range strings.SplitSeq(a.Body, "<form") {
		if !strings.Contains(form, `name="`+field+`"`) {
			continue
		}
		for input := range strings.SplitSeq(form, "<input") {
			in := legacy.Answer{Body: input}
			if strings.Contains(input, `type="hidden"`) {
				values.Set(in.Find(`name="([^"]*)"`), in.Find(`value="([^"]*)"`))
			}
		}
		return values
	}
	p.w.Fatalf("no form with a field %s:\n%.600s", field, a.Body)
	return nil
}

// post sends values as a form, and the pairs after them.
func (p *person) post(path string, values url.Values, pairs ...string) legacy.Answer {
	p.w.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return p.app.Do(http.MethodPost, path, "application/x-www-form-urlencoded", values.Encode())
}

func writeWikiPage(p *person) {
	form := p.hidden(p.app.Get("/doku.php?id=note&do=edit"), "wikitext")
	p.post("/doku.php?id=note", form, "wikitext", "the password is u=alice&p=secret", "summary", "new", "do[save]", "1")
	p.posted(p.app.Get("/doku.php?id=note"), "the password is u=alice")
}

func addCategory(p *person) {
	p.posted(p.app.Post("/api/v2/torrents/createCategory", "category", "films"), "")
	p.posted(p.app.Get("/api/v2/torrents/categories"), "films")
}

func hideSidebar(p *person) {
	p.posted(p.app.PostJSON("/json", `{"method": "web.set_config", "params": [{"show_sidebar": false}], "id": 4}`), `"error": null`)
	p.posted(p.app.PostJSON("/json", `{"method": "web.get_config", "params": [], "id": 5}`), `"show_sidebar": false`)
}

func writeFile(p *person) {
	token := ""
	for _, c := range p.Cookies() {
		if c.Name == "_xsrf" {
			token = c.Value
		}
	}
	p.app.Header.Set("X-XSRFToken", token)
	defer p.app.Header.Del("X-XSRFToken")
	p.posted(p.app.PostJSON("/api/contents", `{"type": "file", "ext": ".txt"}`), "untitled.txt")
	p.posted(p.app.Get("/api/contents"), "untitled.txt")
}

func makeFolder(p *person) {
	form := p.hidden(p.app.Get("/?_task=settings&_action=edit-folder&_mbox=&_framed=1"), "_name")
	p.posted(p.post("/", form, "_name", "Plans", "_parent", ""), "Plans")
	p.posted(p.app.Get("/?_task=settings&_action=folders"), "Plans")
}

func writePost(p *person) {
	nonce := p.app.Get("/wp-admin/admin-ajax.php?action=rest-nonce").Body
	p.app.Header.Set("X-WP-Nonce", nonce)
	defer p.app.Header.Del("X-WP-Nonce")
	p.posted(p.app.PostJSON("/?rest_route=/wp/v2/posts", `{"title": "Plans for June", "content": "pwd=x", "status": "publish"}`), `"id":`)
	p.posted(p.app.Get("/wp-admin/edit.php"), "Plans for June")
}

func changeAddress(p *person) {
	form := p.hidden(p.app.Get("/my/account"), "user[mail]")
	p.post("/my/account", form, "_method", "put", "user[firstname]", "Alicia", "user[lastname]", "Example", "user[mail]", "alice@example.test")
	p.posted(p.app.Get("/my/account"), "Alicia")
}

func limitSpeed(p *person) {
	p.posted(p.app.PostJSON("/transmission/rpc", `{"method": "session-set", "arguments": {"speed-limit-up": 77}}`), "success")
	p.posted(p.app.PostJSON("/transmission/rpc", `{"method": "session-get"}`), `"speed-limit-up":77`)
}

func deployFlow(p *person) {
	flows := strings.TrimSuffix(strings.TrimSpace(p.app.Get("/flows").Body), "]")
	p.app.Do(http.MethodPost, "/flows", "application/json", flows+`,{"id": "t2", "type": "tab", "label": "Plans for June"}]`)
	p.posted(p.app.Get("/flows"), "Plans for June")
}
