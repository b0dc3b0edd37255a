package legacygate_test

import (
	"net/http"
	"net/url"
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
	clear   []string        // the app's cookies that pass as they are
	account string          // the one account of an app without user names
	script  bool            // a script signs in, and nothing else is asked as by a browser

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
}

// accounts are the users who have a second factor in the end.
func (u *uses) accounts() []string {
	if u.account != "" {
		return []string{u.account}
	}
	if u.script {
		return []string{"alice"}
	}
	return []string{"alice", "bob"}
}

// who is whom the app takes the visitor for.
func (u *uses) who(v *legacy.Visitor) string { return v.Who() }

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
