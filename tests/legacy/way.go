package legacy

import (
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

// Ways returns all that is known of the app: spellings of the name, tricks with
// the fields of the form, other paths to it, and doors beside it.
func (a *App) Ways() []Way {
	f := accesses[a.Name].form
	var ways []Way
	if f != nil && f.name != "" && a.Name != "qbittorrent" {
		ways = slices.Concat(spellings(a.Name, f), tricks(a.Name, f))
	}
	for _, path := range otherPaths[a.Name] {
		ways = append(ways, Way{"the form sent to " + path, true, func(v *Visitor, u User) Answer {
			return v.send(path, f.body(v, u.Name, u.Password))
		}})
	}
	return append(ways, doors[a.Name]...)
}

// LetIn returns whether a way led in, from what it answered and from what the
// app shows now.
func (v *Visitor) LetIn(a Answer) bool {
	v.t.Helper()
	return strings.Contains(a.Body, Marker) || v.SignedIn()
}

// spellings are names that are not alice's as they stand, and the apps that take them for hers.
func spellings(app string, f *form) []Way {
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
			return v.send(f.path, f.body(v, s.spell(u.Name), u.Password))
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
		query, in  string // N stands for the field, U for the user
	}{
		{"the last of two names", "dokuwiki wordpress roundcube redmine", "", "N=zzz&N=U"},
		{"the first of two names", "", "", "N=U&N=zzz"},
		{"the name in the query", "dokuwiki redmine", "N=U", ""},
		{"another name in the body", "redmine", "N=U", "N=zzz"},
		{"another name in the query", "dokuwiki wordpress roundcube", "N=zzz", "N=U"},
		{"a blank before the field", "dokuwiki wordpress roundcube", "", "+N=U"},
		{"a NUL in the field", "dokuwiki wordpress roundcube", "", "N%00x=U"},
		{"a list of names", "", "", "N[]=U"},
		{"a semicolon between fields", "", "", "N=zzz;N=U"},
	} {
		fill := func(s string, u User) string { return strings.NewReplacer("N", f.name, "U", u.Name).Replace(s) }
		ways = append(ways, Way{s.what, takes(app, s.apps), func(v *Visitor, u User) Answer {
			path := f.path
			if s.query != "" {
				path = withQuery(path, fill(s.query, u))
			}
			return v.send(path, f.around(v, fill(s.in, u), u.Password))
		}})
	}
	return append(ways, encodings(app, f)...)
}

// encodings send the right fields otherwise than the page does.
func encodings(app string, f *form) []Way {
	return []Way{
		{"multipart", true, func(v *Visitor, u User) Answer {
			contentType, body := asMultipart(f.body(v, u.Name, u.Password))
			return v.Do(http.MethodPost, f.path, contentType, body)
		}},
		{"JSON", takes(app, "redmine"), func(v *Visitor, u User) Answer {
			return v.Do(http.MethodPost, f.path, "application/json", asJSON(f.body(v, u.Name, u.Password)))
		}},
		{"GET", takes(app, "dokuwiki"), func(v *Visitor, u User) Answer {
			return v.Get(withQuery(f.path, f.body(v, u.Name, u.Password)))
		}},
		{"PUT", false, func(v *Visitor, u User) Answer {
			return v.Do(http.MethodPut, f.path, formType, f.body(v, u.Name, u.Password))
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
	"jupyter":   {"/login?next=/x"},
}

// query is a user's name and password in the query of a path.
func query(path, name, password string) func(v *Visitor, u User) Answer {
	return func(v *Visitor, u User) Answer {
		return v.Get(withQuery(path, url.Values{name: {u.Name}, password: {u.Password}}.Encode()))
	}
}
