package legacy

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// access is how one app is used.
type access struct {
	form    *form // or signIn
	signIn  func(v *Visitor, name, password string) Answer
	take    func(v *Visitor, a Answer) // keeps what its script keeps of an answer
	secret  func(v *Visitor) Answer    // what holds the marker for people who signed in
	who     func(v *Visitor) string
	signOut func(v *Visitor) Answer
}

var accesses = map[string]access{
	"dokuwiki": {
		form: &form{
			path: "/doku.php?id=start", name: "u", password: "p",
			rest: func(v *Visitor) string {
				v.Get("/doku.php?id=start&do=login")
				return "sectok=&id=start&do=login"
			},
		},
		secret: func(v *Visitor) Answer { return v.Get("/doku.php?id=start") },
		who: func(v *Visitor) string {
			return v.Get("/doku.php?id=start").Find(`(?s)class="user">.*?\(<bdi>([^<]*)</bdi>\)`)
		},
		signOut: func(v *Visitor) Answer {
			return v.Get(v.Get("/doku.php?id=start").Find(`href="([^"]*do=logout[^"]*)"`))
		},
	},
	"wordpress": {
		form: &form{
			path: "/wp-login.php", name: "log", password: "pwd",
			rest: func(v *Visitor) string {
				v.Get("/wp-login.php")
				return "wp-submit=Log+In&redirect_to=%2Fwp-admin%2F&testcookie=1"
			},
		},
		secret: func(v *Visitor) Answer { return v.Get("/") },
		who: func(v *Visitor) string {
			return v.Get("/wp-admin/profile.php").Find(`id="user_login" value="([^"]*)"`)
		},
		signOut: func(v *Visitor) Answer {
			return v.Get("/wp-login.php?action=logout&_wpnonce=" + v.Get("/wp-admin/profile.php").Find(`action=logout&(?:amp;|#038;)_wpnonce=([0-9a-f]+)`))
		},
	},
	"roundcube": {
		form: &form{
			path: "/?_task=login", name: "_user", password: "_pass",
			rest: func(v *Visitor) string {
				token := v.Get("/").Find(`name="_token" value="([^"]*)"`)
				return "_task=login&_action=login&_timezone=UTC&_url=&_token=" + url.QueryEscape(token)
			},
		},
		secret: func(v *Visitor) Answer { return v.Get("/?_task=mail&_action=show&_uid=1&_mbox=INBOX") },
		who: func(v *Visitor) string {
			return v.Get("/?_task=mail").Find(`header-title username[^>]*>([^<@]*)`)
		},
		signOut: func(v *Visitor) Answer {
			return v.Get("/?_task=logout&_token=" + v.Get("/?_task=mail").Find(`"request_token":"([^"]*)"`))
		},
	},
	"redmine": {
		form: &form{
			path: "/login", name: "username", password: "password",
			rest: func(v *Visitor) string {
				token := v.Get("/login").Find(`name="authenticity_token" value="([^"]*)"`)
				return "utf8=%E2%9C%93&authenticity_token=" + url.QueryEscape(token)
			},
		},
		secret: func(v *Visitor) Answer { return v.Get("/projects") },
		who: func(v *Visitor) string {
			return v.Get("/my/account").Find(`id="loggedas">.*?>([^<]*)</a>`)
		},
		signOut: func(v *Visitor) Answer {
			token := v.Get("/my/account").Find(`name="csrf-token" content="([^"]*)"`)
			return v.Post("/logout", "_method", "post", "authenticity_token", token)
		},
	},
	"qbittorrent": {
		form:   &form{path: "/api/v2/auth/login", name: "username", password: "password"},
		secret: func(v *Visitor) Answer { return v.Get("/api/v2/app/preferences") },
		who: func(v *Visitor) string {
			return v.Get("/api/v2/app/preferences").Find(`"web_ui_username":"([^"]*)"`)
		},
		signOut: func(v *Visitor) Answer { return v.Post("/api/v2/auth/logout") },
	},
	"deluge": {
		signIn: func(v *Visitor, _, password string) Answer {
			return v.PostJSON("/json", delugeLogin, password)
		},
		secret: func(v *Visitor) Answer {
			return v.PostJSON("/json", `{"method": "web.get_config", "params": [], "id": 2}`)
		},
		signOut: func(v *Visitor) Answer {
			return v.PostJSON("/json", `{"method": "auth.delete_session", "params": [], "id": 3}`)
		},
	},
	"jupyter": {
		form: &form{
			path: "/login?next=%2F", password: "password",
			rest: func(v *Visitor) string {
				return "_xsrf=" + url.QueryEscape(v.Get("/login").Find(`name="_xsrf" value="([^"]*)"`))
			},
		},
		secret:  func(v *Visitor) Answer { return v.Get("/api/contents/secret.txt") },
		signOut: func(v *Visitor) Answer { return v.Get("/logout") },
	},
	"transmission": {
		signIn: func(v *Visitor, name, password string) Answer {
			v.Header.Set("Authorization", basic(name, password))
			return v.Get("/transmission/web/")
		},
		secret: transmissionSession,
		who: func(v *Visitor) string {
			if strings.Contains(transmissionSession(v).Body, Marker) {
				return "alice" // the one user that there is
			}
			return ""
		},
		signOut: func(v *Visitor) Answer {
			v.Header.Del("Authorization")
			return v.Get("/transmission/web/")
		},
	},
	"node-red": {
		form: &form{
			path: "/auth/token", name: "username", password: "password",
			rest: func(v *Visitor) string {
				v.Header.Del("Authorization")
				return "client_id=node-red-editor&grant_type=password&scope="
			},
		},
		take: func(v *Visitor, a Answer) {
			if token := a.Find(`"access_token":"([^"]*)"`); token != "" {
				v.Header.Set("Authorization", "Bearer "+token)
			}
		},
		secret: func(v *Visitor) Answer { return v.Get("/flows") },
		who:    func(v *Visitor) string { return v.Get("/settings").Find(`"username":"([^"]*)"`) },
		signOut: func(v *Visitor) Answer {
			return v.PostJSON("/auth/revoke", `{"token": %q}`, strings.TrimPrefix(v.Header.Get("Authorization"), "Bearer "))
		},
	},
}

// transmissionSession fetches the token that a request by script needs, and
// asks for the settings.
func transmissionSession(v *Visitor) Answer { return transmissionCall(v, "/transmission/rpc") }

func transmissionCall(v *Visitor, path string) Answer {
	const token = "X-Transmission-Session-Id"
	a := v.PostJSON(path, `{"method": "session-get"}`)
	if a.Status == http.StatusConflict {
		v.Header.Set(token, a.Header.Get(token))
		a = v.PostJSON(path, `{"method": "session-get"}`)
	}
	return a
}

// sendBasic asks for the settings with credentials for these requests only.
func sendBasic(v *Visitor, path string, u User) Answer {
	return v.with("Authorization", basic(u.Name, u.Password), func() Answer { return transmissionCall(v, path) })
}

// basic is the value of an Authorization header.
func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}
