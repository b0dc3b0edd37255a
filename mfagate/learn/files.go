package learn

import (
	"net/url"
	"path"
	"slices"
	"strings"
)

// files are those in one folder, or one that a program makes.
type files struct {
	path string
	keys []string // of their queries, sorted
	any  bool     // some query has no keys, or more than are kept
}

// plainFiles are the ends of names that stand for what lies in a folder. A style sheet that
// a program makes is listed by itself: its neighbours may be other programs.
var plainFiles = []string{
	".css", ".js", ".mjs", ".map", ".json", ".png", ".gif", ".jpg", ".jpeg", ".svg", ".ico", ".webp", ".avif", ".woff", ".woff2", ".ttf", ".otf", ".eot",
}

// filesAt returns the path under which a file is noted.
func filesAt(p string) string {
	if folder := path.Dir(p); folder != "/" && slices.Contains(plainFiles, strings.ToLower(path.Ext(p))) {
		return folder + "/**"
	}
	return p
}

// asked notes the query with which one of them was asked for.
func (f *files) asked(query string) {
	if query == "" {
		return
	}
	values, err := url.ParseQuery(query)
	f.any = f.any || err != nil
	for key := range values {
		i, found := slices.BinarySearch(f.keys, key)
		switch {
		case found:
		case name(key) == "" || len(f.keys) == maxQuery:
			f.any = true
		default:
			f.keys = slices.Insert(f.keys, i, key)
		}
	}
}

// URI writes them as in a Caddyfile, with every key as one that may be missing.
func (f *files) URI() string {
	switch {
	case f.any:
		return f.path + "?**"
	case len(f.keys) == 0:
		return f.path
	}
	return f.path + "?" + strings.Join(f.keys, "?=*&") + "?=*"
}
