package browser_test

import (
	"strings"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// A legacyLogin is how a person uses an app by its own pages.
type legacyLogin struct {
	user, password string // fields of its form; the first is empty where there are no names
	button         string // of the form
	cursor         string // where its script puts it, once it is ready
	wrong          string // what the page says of a wrong password
	covered        bool   // by a window over the form
	account        string // that needs a ticket to enrol
	ownHost        bool   // the app wants its own address in Host

	deep    string       // the page that is asked for first
	inside  string       // what only people who signed in see
	clicks  []click      // through pages
	act     func(b *tab) // one real thing
	leave   func(b *tab) // the app's own way out; nil if it has none
	left    string       // what the app says then, unless it is its form
	forGood bool         // its session stays good after that, for whoever has it
	after   string       // what somebody clicks in another tab after that
	kept    []string     // what its login page asks for that strangers do not get; nobody sees it
}

// A click leads to where there is something.
type click struct{ on, there string }

var legacyLogins = map[string]legacyLogin{
	"dokuwiki": {
		user: "input[name=u]", password: "input[name=p]", button: "#dw__login button[type=submit]",
		wrong: "username or password was wrong", deep: "/doku.php?id=start", inside: "li.user",
		kept:    []string{"401 /lib/exe/taskrunner.php"}, // an empty picture, by which it tidies up
		clicks:  []click{{`a[href*="do=recent"]`, "#dw__recent"}, {`a[href*="do=index"]`, "#index__tree"}, {`li.action.profile a, a.action.profile`, "#dw__register"}},
		act:     func(b *tab) { b.writeWikiPage() },
		leave:   func(b *tab) { b.press(`a[href*="do=logout"]`) },
		forGood: true, // its cookie holds the password, and is not kept
		after:   `a[href*="do=recent"]`,
	},
	"qbittorrent": {
		user: "#username", password: "#password", button: "#login",
		wrong: "Invalid Username or Password", deep: "/", inside: "#logoutLink", ownHost: true,
		clicks: []click{{"#preferencesButton", "#preferencesPage"}},
		act:    func(b *tab) { b.addTorrentLink() },
		leave:  func(b *tab) { b.poke("#logoutLink") },
		after:  "#preferencesButton",
	},
	"deluge": {
		password: "#_password", button: ".x-window button", account: "admin", cursor: "#_password", covered: true,
		kept:  []string{"403 /json"}, // the answer to the right password
		wrong: "incorrect password", deep: "/", inside: "table.x-btn:not(.x-item-disabled) button.icon-logout",
		clicks: []click{{"#connectionman button", ".x-deluge-connect-window-icon"}, {"#preferences button", ".x-window .x-deluge-preferences"}},
		act:    func(b *tab) { b.switchFilters() },
		leave:  func(b *tab) { b.click("button.icon-logout") },
		after:  "#preferences button",
	},
	"wordpress": {
		user: "#user_login", password: "#user_pass", button: "#wp-submit", cursor: "#user_login, #user_pass",
		wrong: "is incorrect", deep: "/wp-admin/edit.php", inside: "#wpadminbar",
		clicks: []click{{"#menu-media > a", ".wrap"}, {"#menu-users > a", "#your-profile"}, {"#menu-dashboard > a", "#dashboard-widgets"}},
		kept:   []string{"404 /favicon.ico"}, // there is none
		act:    func(b *tab) { b.writePost() },
		leave:  func(b *tab) { b.poke("#wp-admin-bar-logout a") },
		left:   "You are now logged out",
		after:  "#menu-posts > a",
	},
	"roundcube": {
		user: "#rcmloginuser", password: "#rcmloginpwd", button: "#rcmloginsubmit",
		wrong: "Login failed", deep: "/?_task=settings", inside: "#taskmenu",
		clicks: []click{{"#taskmenu a.contacts", "#directorylist"}, {"#taskmenu a.mail", "#messagelist"}, {"#taskmenu a.settings", "#settings-menu"}},
		act:    func(b *tab) { b.writeMail() },
		leave:  func(b *tab) { b.click("#taskmenu a.logout") },
		left:   "successfully terminated the session",
		after:  "#taskmenu a.contacts",
	},
	"redmine": {
		user: "#username", password: "#password", button: "#login-submit",
		wrong: "Invalid user or password", deep: "/projects", inside: "#loggedas",
		clicks: []click{{"a.my-page", "#my-page"}, {"a.my-account", "#my_account_form"}, {"a.projects", "a.project"}},
		act:    func(b *tab) { b.createIssue() },
		leave:  func(b *tab) { b.press("a.logout") },
		after:  "a.projects",
	},
	"jupyter": {
		password: "#password_input", button: "#login_submit", account: "jupyter",
		wrong: "Invalid credentials", deep: "/tree", inside: "#notebook_list",
		clicks: []click{{"#tabs a[href='#running']", "#running.active"}, {"#tabs a[href='#notebooks']", "#notebooks.active"}},
		act:    func(b *tab) { b.runCell() },
		leave:  func(b *tab) { b.press("#logout") },
		left:   "Successfully logged out", forGood: true, // it is signed, and not kept
		after: "#refresh_notebook_list",
	},
	"node-red": {
		user: "#node-dialog-login-username", password: "#node-dialog-login-password", button: "#node-dialog-login-submit",
		wrong: "Login failed", deep: "/", inside: ".red-ui-flow-node",
		clicks: []click{{"#red-ui-header-button-sidemenu", "#red-ui-header-button-sidemenu-submenu"}},
		kept:   []string{"403 /auth/token"}, // the answer to either password
		act:    func(b *tab) { b.deployFlow() },
		leave: func(b *tab) {
			b.click("#red-ui-header-button-user")
			b.poke("#usermenu-item-logout")
		},
		after: "#red-ui-header-button-deploy",
	},
	"transmission": {
		deep: "/transmission/web/", account: "alice", inside: "#torrent_container",
		clicks: []click{{"#toolbar-inspector", "#torrent_inspector"}},
		act:    func(b *tab) { b.addMagnet() },
		after:  "#toolbar-open",
	},
}

// poke clicks as a script does, on what shows only while the mouse is over something else.
func (b *tab) poke(selector string) {
	b.Helper()
	b.waitFor(selector)
	eval[bool](b, "document.querySelector("+quote(selector)+").click(); true")
}

// pokeText pokes the one of some elements that has these words.
func (b *tab) pokeText(selector, words string) {
	b.Helper()
	found := "[...document.querySelectorAll(" + quote(selector) + ")].find(e => e.checkVisibility() && e.innerText.trim() === " + quote(words) + ")"
	b.until(words, func() bool { return ask[bool](b, "!!"+found) })
	eval[bool](b, found+".click(); true")
}

// switchFilters switches a setting of Deluge's page, and finds it changed at the next visit.
func (b *tab) switchFilters() {
	b.Helper()
	const box, loaded = "input[name=sidebar_show_zero]", "input[name=sidebar_multiple_filters]:checked"
	settings := func() {
		b.visit("/")
		b.waitFor(".x-window .x-deluge-connect-window-icon") // which comes of its own accord, over whatever is there
		b.click("#preferences button")
		b.pokeText(".x-window .x-list-body dl", "Interface")
		b.waitFor(loaded)
	}
	settings()
	before := b.count(box + ":checked")
	b.click(box)
	b.pokeText(".x-window button", "Apply")
	b.until("the app to keep the setting", func() bool {
		settings()
		return b.count(box+":checked") != before
	})
}

const magnet = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=films"

func (b *tab) writeWikiPage() {
	b.Helper()
	b.visit("/doku.php?id=note-" + b.look.name)
	b.press(`a[href*="do=edit"]`)
	b.fill("#wiki__text", "u=alice and p=secret are only words here")
	b.press("#edbtn__save")
	b.wantText("#dokuwiki__content", "only words here")
}

func (b *tab) addTorrentLink() {
	b.Helper()
	b.visit("/")
	b.waitFor("#torrentsTableDiv")
	b.poke("#downloadButton")
	form := `[...document.querySelectorAll("iframe")].map(f => f.contentDocument).find(d => d && d.querySelector("#urls"))`
	b.until("the window for links", func() bool { return eval[bool](b, "!!"+form) })
	eval[bool](b, form+".querySelector('#urls').value = "+quote(magnet)+"; true")
	eval[bool](b, form+".querySelector('#submitButton').click(); true")
	b.until("the torrent", func() bool { return strings.Contains(b.text("#torrentsTableDiv"), "films") })
}

func (b *tab) writePost() {
	b.Helper()
	b.visit("/wp-admin/post-new.php")
	b.waitFor(".wp-block-post-title")
	b.inTheWay = ".components-modal__header button" // its welcome, which comes when it comes
	defer func() { b.inTheWay = "" }()
	b.fill(".wp-block-post-title", "Plans for June")
	b.follow(click{".editor-post-publish-panel__toggle", ".editor-post-publish-panel .editor-post-publish-button:not([aria-disabled=true])"})
	b.click(".editor-post-publish-panel .editor-post-publish-button")
	b.waitFor(".post-publish-panel__postpublish-header a, .post-publish-panel__postpublish")
	b.visit("/wp-admin/edit.php")
	b.wantText("#the-list", "Plans for June")
}

func (b *tab) writeMail() {
	b.Helper()
	b.click("#taskmenu a.compose")
	b.waitFor("#compose-subject")
	b.keys("#compose_to .recipient-input input", "bob@example.test,") // the comma makes a person of it
	b.wantText("#compose_to", "bob@example.test")
	b.fill("#compose-subject", "Plans for June")
	b.fill("#composebody", "See you there.")
	b.poke("#toolbar-menu a.save.draft")
	b.wantText("#messagestack", "saved to Drafts")
}

func (b *tab) createIssue() {
	b.Helper()
	b.press("a.project")
	b.press("#main-menu a.issues")
	b.press("a.new-issue, a.icon-add")
	b.fill("#issue_subject", "Plans for June")
	b.press("#issue-form input[name=commit]")
	b.wantText("#flash_notice", "created")
}

// runCell has a new notebook calculate, for which the app opens a tab and two sockets.
func (b *tab) runCell() {
	b.Helper()
	opened := chromedp.WaitNewTarget(b.ctx, func(i *target.Info) bool { return strings.Contains(i.URL, "/notebooks/") })
	b.click("#new-buttons button")
	b.poke("#kernel-python3 a")
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(<-opened))
	defer cancel()
	n := *b
	n.ctx, n.look.name = ctx, b.look.name+"-notebook"
	n.answerDialogs()
	n.waitFor(".kernel_idle_icon")
	n.click(".cell .CodeMirror")
	n.do(chromedp.KeyEvent("6*7"))
	n.poke("#run_int button")
	n.wantText(".output_result", "42")
	n.shoot("cell")
}

func (b *tab) deployFlow() {
	b.Helper()
	eval[bool](b, `[...document.querySelectorAll(".red-ui-tab-button")].find(x => x.querySelector(".fa-plus")).querySelector("a").click(); true`)
	b.waitFor("#red-ui-header-button-deploy:not(.disabled)")
	b.click("#red-ui-header-button-deploy")
	b.until("deployment", func() bool { return strings.Contains(b.text("#red-ui-notifications"), "Successfully deployed") })
}

func (b *tab) addMagnet() {
	b.Helper()
	b.click("#toolbar-open")
	b.fill("#torrent_upload_url", magnet)
	b.click("#upload_confirm_button")
	b.until("the torrent", func() bool { return strings.Contains(b.text("#torrent_list"), "films") })
}
