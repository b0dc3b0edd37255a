package legacy

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Way is a request with a user's password, or something as good, that is not
// what the login page of the app sends.
type Way struct {
	Name string
	// Opens says whether it leads in when it reaches the app: the user is signed in
	// afterwards, or what is secret is in the answer. A gate must let none lead in
	// without a second factor.
	Opens bool
	Try   func(v *Visitor, u User) Answer
}

// Groups are the kinds of ways. Each app has some of each kind, or [NoWays] says why not.
var Groups = []string{"spellings", "fields", "encodings", "paths", "doors"}

// NoWays says why an app has none of a kind.
var NoWays = map[string]map[string]string{
	"deluge":       {"spellings": "it asks for no name"},
	"jupyter":      {"spellings": "it asks for no name", "fields": "it asks for no name"},
	"transmission": {"fields": "a header signs in, which has no fields", "encodings": "a header signs in, in one encoding"},
}

// Ways returns all that is known of the app: spellings of the name, tricks with
// the fields of the form, other encodings of it, other paths to it, and doors beside it.
func (a *App) Ways() []Way {
	var ways []Way
	for _, group := range Groups {
		ways = append(ways, WaysOf(a.Name)[group]...)
	}
	return ways
}

// WaysOf returns the ways into an app by their kinds.
func WaysOf(app string) map[string][]Way {
	ways := map[string][]Way{"paths": paths(app), "doors": doors[app]}
	switch f := accesses[app].form; {
	case app == "deluge":
		ways["fields"], ways["encodings"] = delugeFields, delugeEncodings
	case app == "transmission":
		ways["spellings"] = spellings(app, func(v *Visitor, u User) Answer { return sendBasic(v, "/transmission/rpc", u) })
	case f.name == "":
		ways["encodings"] = encodings(app, f)
	default:
		ways["spellings"] = spellings(app, func(v *Visitor, u User) Answer { return v.send(f.path, f.body(v, u.Name, u.Password)) })
		ways["fields"], ways["encodings"] = tricks(app, f), encodings(app, f)
	}
	return ways
}

// paths send to other paths what the login page sends to its own. A dash after one says that
// the app does not take it there.
func paths(app string) []Way {
	var ways []Way
	for _, p := range otherPaths[app] {
		path, closed := strings.CutSuffix(p, " -")
		ways = append(ways, Way{"the login sent to " + path, !closed, func(v *Visitor, u User) Answer {
			switch f := v.access().form; {
			case app == "deluge":
				return v.PostJSON(path, delugeLogin, u.Password)
			case f == nil:
				return sendBasic(v, path, u)
			default:
				return v.send(path, f.body(v, u.Name, u.Password))
			}
		}})
	}
	return ways
}

// LetIn returns whether a way led in, from what it answered and from what the
// app shows now.
func (v *Visitor) LetIn(a Answer) bool {
	v.t.Helper()
	return strings.Contains(a.Body, Marker) || v.SignedIn()
}

// spellings are names that are not alice's as they stand, and the apps that take them for hers.
func spellings(app string, send func(v *Visitor, u User) Answer) []Way {
	var ways []Way
	for _, s := range []struct {
		what, apps string
		spell      func(string) string
	}{
		{"in capitals", "dokuwiki wordpress roundcube redmine", strings.ToUpper},
		{"after a blank", "dokuwiki wordpress roundcube redmine", func(n string) string { return " " + n }},
		{"before a blank", "dokuwiki wordpress roundcube redmine", func(n string) string { return n + " " }},
		{"before a NUL", "dokuwiki wordpress roundcube redmine", func(n string) string { return n + "\x00" }},
		{"before a line feed", "dokuwiki wordpress roundcube redmine", func(n string) string { return n + "\n" }},
		{"in full-width letters", "wordpress", fullWidth},
		{"as an e-mail address", "wordpress roundcube", func(n string) string { return n + "@example.test" }},
		{"with a tag", "", func(n string) string { return n + "+x" }},
	} {
		ways = append(ways, Way{"the name " + s.what, takes(app, s.apps), func(v *Visitor, u User) Answer {
			return send(v, User{s.spell(u.Name), u.Password})
		}})
	}
	return ways
}

// fullWidth widens the first letter.
func fullWidth(name string) string { return string(rune(name[0])-'a'+'ａ') + name[1:] }

func takes(app, apps string) bool { return slices.Contains(strings.Fields(apps), app) }

// tricks say the name in the fields in ways on which apps do not agree.
func tricks(app string, f *form) []Way {
	var ways []Way
	for _, s := range []struct {
		what, apps string
		query, in  string // N stands for the field, D for it with dots, U for the user
	}{
		{"the last of two names", "dokuwiki wordpress roundcube redmine qbittorrent", "", "N=zzz&N=U"},
		{"the first of two names", "", "", "N=U&N=zzz"},
		{"the name in the query", "dokuwiki redmine", "N=U", ""},
		{"another name in the body", "redmine", "N=U", "N=zzz"},
		{"another name in the query", "dokuwiki wordpress roundcube qbittorrent node-red", "N=zzz", "N=U"},
		{"a blank before the field", "dokuwiki wordpress roundcube", "", "+N=U"},
		{"a NUL in the field", "dokuwiki wordpress roundcube", "", "N%00x=U"},
		{"a list of names", "", "", "N[]=U"},
		{"a semicolon between fields", "", "", "N=zzz;N=U"},
		{"a dot in the field", "roundcube", "", "D=U"},
	} {
		if strings.HasPrefix(s.in, "D") && !strings.Contains(f.name, "_") {
			continue // the same field
		}
		fill := func(s string, u User) string {
			return strings.NewReplacer("N", f.name, "D", strings.ReplaceAll(f.name, "_", "."), "U", u.Name).Replace(s)
		}
		ways = append(ways, Way{s.what, takes(app, s.apps), func(v *Visitor, u User) Answer {
			path := f.path
			if s.query != "" {
				path = withQuery(path, fill(s.query, u))
			}
			return v.send(path, f.around(v, fill(s.in, u), u.Password))
		}})
	}
	return ways
}

// encodings send the right fields otherwise than the page does.
func encodings(app string, f *form) []Way {
	return []Way{
		{"multipart", app != "node-red", func(v *Visitor, u User) Answer {
			contentType, body := asMultipart(f.body(v, u.Name, u.Password))
			return v.Do(http.MethodPost, f.path, contentType, body)
		}},
		{"JSON", takes(app, "redmine node-red"), func(v *Visitor, u User) Answer {
			return v.Do(http.MethodPost, f.path, "application/json", asJSON(f.body(v, u.Name, u.Password)))
		}},
		{"GET", takes(app, "dokuwiki"), func(v *Visitor, u User) Answer {
			return v.Get(withQuery(f.path, f.body(v, u.Name, u.Password)))
		}},
		{"PUT", false, func(v *Visitor, u User) Answer {
			return v.Do(http.MethodPut, f.path, formType, f.body(v, u.Name, u.Password))
		}},
		{"nothing but name and password", takes(app, "dokuwiki wordpress qbittorrent"), func(v *Visitor, u User) Answer {
			bare := &form{name: f.name, password: f.password}
			return v.send(f.path, bare.body(v, u.Name, u.Password))
		}},
		{"a form that says it is text", false, func(v *Visitor, u User) Answer {
			return v.Do(http.MethodPost, f.path, "text/plain", f.body(v, u.Name, u.Password))
		}},
	}
}

// otherPaths take the same form as the login page's.
var otherPaths = map[string][]string{
	"dokuwiki": {"/", "/doku.php", "/doku.php/start", "/index.php", "/feed.php", "/lib/exe/fetch.php", "/lib/exe/detail.php", "//doku.php"},
	"wordpress": {
		"//wp-login.php", "/./wp-login.php", "/x/../wp-login.php", "/wp-login.php/", "/wp-login.php/a.css", "/wp%2dlogin.php",
		"/wp-login.php?action=login", "/wp-login.php?action=nosuch", "/wp-login.php?interim-login=1",
	},
	"roundcube": {"/", "/index.php", "/index.php/x", "/index.php/a.css", "/?_task=mail", "/?_task=utils"},
	"redmine":   {"/login.html", "/login.xml", "/login.css", "/login.json", "/login/", "//login", "/login?x=1"},
	"jupyter":   {"/login?next=/x", "/login/ -", "//login -", "/%6cogin -"},
	"qbittorrent": {
		"//api/v2/auth/login -", "/api/v2/auth/login/ -", "/api/v2/auth/%6cogin", "/api/v2/x/../auth/login -", "/api/v2/auth/login?x=1", "/api/v1/auth/login -",
		"/login -",
	},
	"deluge":       {"//json", "/json/ -", "/%6ason", "/x/../json -", "/json?x=1"},
	"transmission": {"//transmission/rpc -", "/transmission/rpc/", "/transmission/%72pc -", "/transmission/web/../rpc -", "/transmission/rpc?x=1", "/transmission/rpc.css"},
	"node-red":     {"//auth/token -", "/auth/token/", "/AUTH/token", "/auth/%74oken -", "/x/../auth/token -", "/auth/token?x=1"},
}

// Deluge's one login, and what its JSON could be taken for.
const delugeLogin = `{"method": "auth.login", "params": [%q], "id": 1}`

var delugeFields = []Way{
	{"the last of two passwords", true, jsonWay(`{"method": "auth.login", "params": ["zzz"], "params": [%q], "id": 1}`)},
	{"the first of two passwords", false, jsonWay(`{"method": "auth.login", "params": [%q], "params": ["zzz"], "id": 1}`)},
	{"the last of two methods", true, jsonWay(`{"method": "web.connected", "params": [%q], "method": "auth.login", "id": 1}`)},
	{"an escape in a key", true, jsonWay(`{"m\u0065thod": "auth.login", "params": [%q], "id": 1}`)},
	{"an escape in the method", true, jsonWay(`{"method": "auth.l\u006fgin", "params": [%q], "id": 1}`)},
	{"a list of calls", false, jsonWay(`[{"method": "auth.login", "params": [%q], "id": 1}]`)},
}

var delugeEncodings = []Way{
	{"JSON that says it is a form", false, func(v *Visitor, u User) Answer {
		return v.Do(http.MethodPost, "/json", formType, fmt.Sprintf(delugeLogin, u.Password))
	}},
	{"JSON in UTF-16", false, func(v *Visitor, u User) Answer {
		return v.Do(http.MethodPost, "/json", "application/json", wide(fmt.Sprintf(delugeLogin, u.Password)))
	}},
	{"PUT", false, func(v *Visitor, u User) Answer {
		return v.Do(http.MethodPut, "/json", "application/json", fmt.Sprintf(delugeLogin, u.Password))
	}},
}

func jsonWay(format string) func(v *Visitor, u User) Answer {
	return func(v *Visitor, u User) Answer { return v.PostJSON("/json", format, u.Password) }
}

// wide writes letters of ASCII in UTF-16.
func wide(text string) string {
	return strings.Join(strings.Split(text, ""), "\x00") + "\x00"
}

// query is a user's name and password in the query of a path.
func query(path, name, password string) func(v *Visitor, u User) Answer {
	return func(v *Visitor, u User) Answer {
		return v.Get(withQuery(path, url.Values{name: {u.Name}, password: {u.Password}}.Encode()))
	}
}
