package legacy

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// doors are ways in that have nothing to do with the form.
var doors = map[string][]Way{
	"dokuwiki": {
		{"credentials in the query of a page", true, query("/doku.php?id=start", "u", "p")},
		{"credentials in the query of the source of a page", true, query("/doku.php?id=start&do=export_raw", "u", "p")},
		{"credentials in the query of the feed", true, query("/feed.php", "u", "p")},
		{"credentials in the query of a file", true, query("/lib/exe/fetch.php?media=x", "u", "p")},
		{"credentials for the ajax requests", true, func(v *Visitor, u User) Answer {
			return v.Post("/lib/exe/ajax.php", "u", u.Name, "p", u.Password)
		}},
		{"basic", true, withBasic("/doku.php?id=start")},
		{"XML-RPC", true, func(v *Visitor, u User) Answer {
			return v.Do(http.MethodPost, "/lib/exe/xmlrpc.php", "text/xml", call("dokuwiki.login", u.Name, u.Password))
		}},
		{"XML-RPC with basic", true, func(v *Visitor, u User) Answer {
			return v.with("Authorization", basic(u.Name, u.Password), func() Answer {
				return v.Do(http.MethodPost, "/lib/exe/xmlrpc.php", "text/xml", call("wiki.getPage", "start"))
			})
		}},
	},
	"wordpress": {
		{"XML-RPC", true, func(v *Visitor, u User) Answer {
			return v.Do(http.MethodPost, "/xmlrpc.php", "text/xml", privateNotes(u.Name, u.Password))
		}},
		{"an application password in XML-RPC", true, func(v *Visitor, u User) Answer {
			return v.Do(http.MethodPost, "/xmlrpc.php", "text/xml", privateNotes(u.Name, applicationPassword(v, u)))
		}},
		{"an application password in REST", true, func(v *Visitor, u User) Answer {
			password := applicationPassword(v, u)
			return v.with("Authorization", basic(u.Name, password), func() Answer { return v.Get("/?rest_route=/wp/v2/posts&status=private") })
		}},
		{"many calls in one of XML-RPC", true, func(v *Visitor, u User) Answer {
			return v.Do(http.MethodPost, "/xmlrpc.php", "text/xml", multicall("wp.getUsersBlogs", u)).leadsIn("blogid")
		}},
		{"the password in REST", false, withBasic("/?rest_route=/wp/v2/posts&status=private")},
		{"an application password made in REST", false, func(v *Visitor, u User) Answer {
			return v.with("Authorization", basic(u.Name, u.Password), func() Answer {
				a := v.PostJSON("/?rest_route=/wp/v2/users/me/application-passwords", `{"name": "x"}`)
				return a.leadsIn(`"password":`)
			})
		}},
		{"the names of users in REST", true, func(v *Visitor, _ User) Answer {
			return v.Get("/?rest_route=/wp/v2/users").leadsIn(`"slug":`)
		}},
		{"the names of users in REST by path", false, func(v *Visitor, _ User) Answer {
			return v.Get("/wp-json/wp/v2/users").leadsIn(`"slug":`)
		}},
	},
	"roundcube": {
		{"credentials in the query", false, query("/?_task=login&_action=login", "_user", "_pass")},
		{"basic", false, withBasic("/?_task=mail&_action=show&_uid=1&_mbox=INBOX")},
	},
	"redmine": {
		{"basic", true, withBasic("/projects.json")},
		{"basic on a page", true, withBasic("/projects")},
		{"basic for the API key", true, func(v *Visitor, u User) Answer {
			return withBasic("/my/account.json")(v, u).leadsIn("api_key")
		}},
		{"an API key in a header", true, func(v *Visitor, u User) Answer {
			return v.with("X-Redmine-API-Key", redmineKey(v, u), func() Answer { return v.Get("/projects.json") })
		}},
		{"an API key in the query", true, func(v *Visitor, u User) Answer { return v.Get("/projects.json?key=" + redmineKey(v, u)) }},
		{"an API key as the name of basic", true, func(v *Visitor, u User) Answer {
			return v.with("Authorization", basic(redmineKey(v, u), "x"), func() Answer { return v.Get("/projects.json") })
		}},
		{"an administrator who switches to the user", true, func(v *Visitor, u User) Answer {
			return v.with("X-Redmine-Switch-User", u.Name, func() Answer {
				return withBasic("/projects.json")(v, User{"admin", v.app.Password("admin")})
			})
		}},
		{"a feed with its key", true, func(v *Visitor, u User) Answer {
			direct := v.signedInDirectly(u)
			return v.Get("/projects.atom?key=" + direct.Get("/projects").Find(`projects\.atom\?key=([0-9a-f]+)`))
		}},
	},
	"qbittorrent": {
		{"basic", false, withBasic("/api/v2/app/preferences")},
		{"credentials in the query", false, query("/api/v2/auth/login", "username", "password")},
	},
	"deluge": {
		{"basic", false, withBasic("/json")},
		{"the password to change it", false, jsonWay(`{"method": "auth.change_password", "params": [%[1]q, %[1]q], "id": 1}`)},
		{"a call after the login in the same", false, jsonWay(`{"method": "auth.login", "params": [%q], "id": 1}{"method": "web.get_config", "params": [], "id": 2}`)},
	},
	"jupyter": {
		{"a token in the query", false, func(v *Visitor, u User) Answer { return v.Get("/api/contents/secret.txt?token=" + u.Password) }},
		{"a token in a header", false, func(v *Visitor, u User) Answer {
			return v.with("Authorization", "token "+u.Password, func() Answer { return v.Get("/api/contents/secret.txt") })
		}},
		{"basic", false, withBasic("/api/contents/secret.txt")},
	},
	"transmission": {
		{"basic in small letters", true, func(v *Visitor, u User) Answer {
			lower := strings.Replace(basic(u.Name, u.Password), "Basic", "basic", 1)
			return v.with("Authorization", lower, func() Answer { return transmissionCall(v, "/transmission/rpc") })
		}},
		{"basic for a proxy", false, func(v *Visitor, u User) Answer {
			return v.with("Proxy-Authorization", basic(u.Name, u.Password), func() Answer { return transmissionCall(v, "/transmission/rpc") })
		}},
		{"basic after a wrong one", false, func(v *Visitor, u User) Answer {
			v.Header["Authorization"] = []string{basic(u.Name, "wrong"), basic(u.Name, u.Password)}
			defer v.Header.Del("Authorization")
			return transmissionCall(v, "/transmission/rpc")
		}},
	},
	"node-red": {
		{"basic of the flows", true, func(v *Visitor, _ User) Answer { // which belongs to alice alone
			return withBasic("/hello")(v, User{"alice", v.app.Password("alice")})
		}},
		{"a token in a WebSocket", true, func(v *Visitor, u User) Answer {
			token := strings.TrimPrefix(v.signedInDirectly(u).Header.Get("Authorization"), "Bearer ")
			return v.Say("/comms", fmt.Sprintf(`{"auth": %q}`, token)).leadsIn(`"auth":"ok"`)
		}},
		{"a token in the request for a WebSocket", true, func(v *Visitor, u User) Answer {
			token := strings.TrimPrefix(v.signedInDirectly(u).Header.Get("Authorization"), "Bearer ")
			return v.sayEarly("/comms", fmt.Sprintf(`{"auth": %q}`, token)).leadsIn(`"auth":"ok"`)
		}},
		{"a token in the query", false, func(v *Visitor, u User) Answer {
			token := v.signedInDirectly(u).Header.Get("Authorization")
			return v.Get("/flows?access_token=" + strings.TrimPrefix(token, "Bearer "))
		}},
	},
}

// leadsIn says of an answer with the text that it shows what is secret.
func (a Answer) leadsIn(text string) Answer {
	if strings.Contains(a.Body, text) {
		a.Body += Marker
	}
	return a
}

// with sends one header with one request.
func (v *Visitor) with(name, value string, f func() Answer) Answer {
	v.Header.Set(name, value)
	defer v.Header.Del(name)
	return f()
}

func withBasic(path string) func(v *Visitor, u User) Answer {
	return func(v *Visitor, u User) Answer {
		return v.with("Authorization", basic(u.Name, u.Password), func() Answer { return v.Get(path) })
	}
}

// signedInDirectly is how somebody got what he keeps: before there was a gate.
func (v *Visitor) signedInDirectly(u User) *Visitor {
	v.t.Helper()
	direct := v.app.Visit(v.t, "")
	if direct.SignIn(u.Name, u.Password); !direct.SignedIn() {
		v.t.Fatalf("%s does not let %s in", v.app.Name, u.Name)
	}
	return direct
}

func applicationPassword(v *Visitor, u User) string {
	direct := v.signedInDirectly(u)
	nonce := direct.Get("/wp-admin/admin-ajax.php?action=rest-nonce").Body
	a := direct.with("X-WP-Nonce", nonce, func() Answer {
		return direct.PostJSON("/?rest_route=/wp/v2/users/me/application-passwords", `{"name": %q}`, fmt.Sprintf("at %d", time.Now().UnixNano()))
	})
	return a.Find(`"password":"([^"]+)"`)
}

// privateNotes asks for the posts that strangers do not see.
func privateNotes(name, password string) string {
	filter := "<param><value><struct><member><name>post_status</name><value><string>private</string></value></member></struct></value></param></params>"
	return strings.Replace(call("wp.getPosts", "1", name, password), "</params>", filter, 1)
}

// multicall is a call of XML-RPC that makes others.
func multicall(method string, u User) string {
	params := fmt.Sprintf("<array><data><value><string>%s</string></value><value><string>%s</string></value></data></array>", u.Name, u.Password)
	inner := fmt.Sprintf("<struct><member><name>methodName</name><value><string>%s</string></value></member><member><name>params</name><value>%s</value></member></struct>", method, params)
	return fmt.Sprintf(`<?xml version="1.0"?><methodCall><methodName>system.multicall</methodName><params><param><value><array><data><value>%s</value></data></array></value></param></params></methodCall>`, inner)
}

func redmineKey(v *Visitor, u User) string {
	return withBasic("/my/account.json")(v.app.Visit(v.t, ""), u).Find(`"api_key":"([0-9a-f]+)"`)
}

// call is one of XML-RPC.
func call(method string, params ...string) string {
	var b strings.Builder
	for _, p := range params {
		fmt.Fprintf(&b, "<param><value><string>%s</string></value></param>", p)
	}
	return fmt.Sprintf(`<?xml version="1.0"?><methodCall><methodName>%s</methodName><params>%s</params></methodCall>`, method, b.String())
}
