package legacygate_test

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

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

	alone   string // why the app has one user only
	basic   bool   // the app asks for HTTP Basic credentials
	ownHost bool   // the app wants its own address in Host, as it checks the port
}

// A page is one of an app, with something that only people who signed in see.
type page struct {
	path, shows string
	call        string // JSON that its script posts; empty for what is asked for with GET
}

// open asks for a page.
func (p *person) open(at page) legacy.Answer {
	p.w.Helper()
	if at.call != "" {
		return p.app.PostJSON(at.path, "%s", at.call)
	}
	return p.app.Get(at.path)
}

var usesOf = map[string]uses{
	"dokuwiki": {
		pages: []page{
			{path: "/doku.php?id=start", shows: legacy.Marker}, {path: "/doku.php?id=start&do=profile", shows: "alice@example.test"},
			{path: "/doku.php?id=start&do=recent", shows: "Logged in as"},
		},
		assets: []string{"/lib/exe/css.php?t=dokuwiki&tseed=1", "/lib/exe/js.php?t=dokuwiki&tseed=1", "/lib/exe/jquery.php?tseed=1", "/lib/tpl/dokuwiki/images/logo.png"},
		wrong:  "username or password was wrong", forms: []string{"/doku.php"}, clear: []string{"DOKU_PREFS"},
		change: writeWikiPage,
	},
	"qbittorrent": {
		pages: []page{
			{path: "/", shows: "logoutLink"}, {path: "/api/v2/app/preferences", shows: legacy.Marker}, {path: "/api/v2/torrents/info", shows: "["},
		},
		assets: []string{"/css/login.css?v=1c0ulfm", "/scripts/login.js?locale=en&v=1c0ulfm", "/images/qbittorrent32.png"},
		wrong:  "Fails.", forms: []string{"/api/v2/auth/login"}, script: true, ownHost: true, alone: "it has one user",
		change: addCategory,
	},
	"deluge": {
		pages: []page{ // of which strangers see the first as well
			{path: "/", shows: "Deluge"}, {path: "/", shows: "Deluge"}, {path: "/json", shows: legacy.Marker, call: `{"method": "web.get_config", "params": [], "id": 1}`},
			{path: "/json", shows: "127.0.0.1", call: `{"method": "web.get_hosts", "params": [], "id": 1}`},
			{path: "/json", shows: `"result": true`, call: `{"method": "auth.check_session", "params": [], "id": 1}`},
		},
		assets: []string{"/gettext.js", "/css/deluge.css", "/js/deluge-all-debug.js", "/icons/deluge.png"},
		wrong:  `"result": false`, forms: []string{"/json"}, script: true, account: "admin", alone: "it has one password for all",
		change: hideSidebar,
	},
	"jupyter": {
		pages: []page{
			{path: "/tree", shows: "notebook_list"}, {path: "/api/contents", shows: "secret.txt"}, {path: "/api/contents/secret.txt", shows: legacy.Marker},
		},
		assets: []string{"/static/base/images/favicon.ico?v=1", "/static/style/style.min.css?v=1", "/custom/custom.css"},
		wrong:  "Invalid credentials", forms: []string{"/login"}, account: "jupyter", alone: "it has one password for all", clear: []string{"_xsrf"},
		change: writeFile,
	},
	"roundcube": {
		pages: []page{
			{path: "/?_task=mail", shows: "header-title username"}, {path: "/?_task=mail&_action=show&_uid=1&_mbox=INBOX", shows: legacy.Marker},
			{path: "/?_task=settings", shows: "listbox"},
		},
		assets: []string{"/skins/elastic/styles/styles.min.css?s=1", "/program/js/app.min.js?s=1", "/plugins/jqueryui/js/jquery-ui.min.js?s=1"},
		wrong:  "Login failed", forms: []string{"/"}, domain: "@example.test",
		change: makeFolder,
	},
	"wordpress": {
		pages: []page{
			{path: "/wp-admin/profile.php", shows: "alice@example.test"}, {path: "/wp-admin/", shows: "Dashboard"}, {path: "/wp-admin/edit.php", shows: "Private note"},
		},
		assets: []string{"/wp-includes/css/buttons.min.css?ver=6.1.9", "/wp-admin/css/login.min.css?ver=6.1.9", "/wp-admin/images/wordpress-logo.svg?ver=1"},
		wrong:  "login_error", forms: []string{"/wp-login.php"}, clear: []string{"wordpress_test_cookie", "wp_lang", "wp-settings-*"},
		change: writePost,
	},
	"redmine": {
		pages: []page{
			{path: "/my/account", shows: "alice@example.test"}, {path: "/projects", shows: legacy.Marker}, {path: "/my/page", shows: "My page"},
		},
		assets: []string{"/stylesheets/application.css?1", "/javascripts/application.js?1", "/favicon.ico?1"},
		wrong:  "Invalid user or password", forms: []string{"/login"},
		change: changeAddress,
	},
	"transmission": {
		pages: []page{
			{path: "/transmission/web/index.html", shows: "Transmission Web"}, {path: "/transmission/web/", shows: "Transmission Web"},
			{path: "/transmission/rpc", shows: legacy.Marker, call: `{"method": "session-get"}`},
		},
		account: "alice", basic: true, forms: []string{"/transmission/web/"}, alone: "it has one user",
		change: limitSpeed,
	},
	"node-red": {
		pages:  []page{{path: "/", shows: "Node-RED"}, {path: "/", shows: "Node-RED"}, {path: "/settings", shows: `"username":"alice"`}, {path: "/flows", shows: legacy.Marker}},
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

// shown wants a page to show a change within a minute: apps answer before they have made
// what they were asked for, qBittorrent for one.
func (p *person) shown(path, want string) {
	p.w.Helper()
	a := p.app.Get(path)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && !strings.Contains(a.Body, want); a = p.app.Get(path) {
		time.Sleep(50 * time.Millisecond)
	}
	p.posted(a, want)
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
	p.shown("/doku.php?id=note", "the password is u=alice")
}

func addCategory(p *person) {
	p.posted(p.app.Post("/api/v2/torrents/createCategory", "category", "films"), "")
	p.shown("/api/v2/torrents/categories", "films")
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
	p.shown("/api/contents", "untitled.txt")
}

func makeFolder(p *person) {
	form := p.hidden(p.app.Get("/?_task=settings&_action=edit-folder&_mbox=&_framed=1"), "_name")
	p.posted(p.post("/", form, "_name", "Plans", "_parent", ""), "Plans")
	p.shown("/?_task=settings&_action=folders", "Plans")
}

func writePost(p *person) {
	nonce := p.app.Get("/wp-admin/admin-ajax.php?action=rest-nonce").Body
	p.app.Header.Set("X-WP-Nonce", nonce)
	defer p.app.Header.Del("X-WP-Nonce")
	p.posted(p.app.PostJSON("/?rest_route=/wp/v2/posts", `{"title": "Plans for June", "content": "pwd=x", "status": "publish"}`), `"id":`)
	p.shown("/wp-admin/edit.php", "Plans for June")
}

func changeAddress(p *person) {
	form := p.hidden(p.app.Get("/my/account"), "user[mail]")
	p.post("/my/account", form, "_method", "put", "user[firstname]", "Alicia", "user[lastname]", "Example", "user[mail]", "alice@example.test")
	p.shown("/my/account", "Alicia")
}

func limitSpeed(p *person) {
	p.posted(p.app.PostJSON("/transmission/rpc", `{"method": "session-set", "arguments": {"speed-limit-up": 77}}`), "success")
	p.posted(p.app.PostJSON("/transmission/rpc", `{"method": "session-get"}`), `"speed-limit-up":77`)
}

func deployFlow(p *person) {
	flows := strings.TrimSuffix(strings.TrimSpace(p.app.Get("/flows").Body), "]")
	p.app.Do(http.MethodPost, "/flows", "application/json", flows+`,{"id": "t2", "type": "tab", "label": "Plans for June"}]`)
	p.shown("/flows", "Plans for June")
}
