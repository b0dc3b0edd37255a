package oracle

import (
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
)

var afterSemicolon = regexp.MustCompile(`;[^/]*`)

// routes are the paths that a spelling may lead to.
var routes = []string{
	"/login/password", "/login", "/logout", "/api/login", "/api/notes", "/xmlrpc", "/reset", "/switch",
	"/notes/export", "/notes", "/whoami", "/stream", "/ws",
}

// route returns the path as the app understands it. Without quirks that is the
// decoded path as it stands.
func (a *App) route(r *http.Request) string {
	p := r.URL.EscapedPath()
	if a.has(PathSemicolons) || a.options.SessionInURL {
		p = afterSemicolon.ReplaceAllString(p, "")
	}
	p = decode(p)
	if a.has(PathTwice) {
		p = decode(p)
	}
	if a.has(PathNUL) {
		p, _, _ = strings.Cut(p, "\x00")
	}
	if a.has(PathBackslash) {
		p = strings.ReplaceAll(p, `\`, "/")
	}
	return a.shorten(a.cleaned(p))
}

func (a *App) has(kind Path) bool { return a.options.Paths&kind != 0 }

func decode(p string) string {
	if d, err := url.PathUnescape(p); err == nil {
		return d
	}
	return p
}

func (a *App) cleaned(p string) string {
	if a.has(PathSlashes) {
		for strings.Contains(p, "//") {
			p = strings.ReplaceAll(p, "//", "/")
		}
	}
	if a.has(PathDots) && (strings.Contains(p, "/./") || strings.Contains(p, "/../") || strings.HasSuffix(p, "/..") || strings.HasSuffix(p, "/.")) {
		p = path.Clean(p)
	}
	if a.has(PathCase) {
		p = strings.ToLower(p)
	}
	if a.has(PathSlashAfter) && p != "/" {
		p = strings.TrimSuffix(p, "/")
	}
	return p
}

// shorten finds the route that the path begins with.
func (a *App) shorten(p string) string {
	for _, route := range routes {
		rest, ok := strings.CutPrefix(p, route)
		switch {
		case !ok:
		case rest == "",
			a.has(PathInfo) && strings.HasPrefix(rest, "/"),
			a.has(PathSuffix) && strings.HasPrefix(rest, "."):
			return route
		}
	}
	return p
}
