package learn

import (
	"strings"
	"testing"
)

// TestFilesAreListedWithTheirQueries: what a login page fetches has a version in its query,
// and would be refused if that were not listed.
func TestFilesAreListedWithTheirQueries(t *testing.T) {
	for want, asked := range map[string][]string{
		"/css/**?v?=*":              {"/css/a.css?v=1", "/css/b.css", "/css/c.CSS?v=2"},
		"/js/**?locale?=*&v?=*":     {"/js/a.js?v=1", "/js/b.js?v=1&locale=en"},
		"/images/**":                {"/images/a.png"},
		"/styles/**?**":             {"/styles/a.css?1669909042"},
		"/many/**?**":               {"/many/a.js?a=&b=&c=&d=&e=&f=&g=&h=&i="},
		"/lib/exe/css.php?t?=*":     {"/lib/exe/css.php?t=x"}, // beside it lies what signs in
		"/lib/exe/fetch.php":        {"/lib/exe/fetch.php"},
		"/favicon.ico":              {"/favicon.ico"},
		"/assets/style?**":          {"/assets/style?%zz"},
		"/x/**?**":                  {"/x/a.css?alice@example.test=1"},
		"/_next/static/x/**?dpl?=*": {"/_next/static/x/main.js?dpl=abc"},
	} {
		var f *files
		for _, uri := range asked {
			path, query, _ := strings.Cut(uri, "?")
			if f == nil {
				f = &files{path: filesAt(path)}
			}
			if got := filesAt(path); got != f.path {
				t.Errorf("%s is noted at %s; want %s as the others", path, got, f.path)
			}
			f.asked(query)
		}
		if got := f.URI(); got != want {
			t.Errorf("%q: got %s; want %s", asked, got, want)
		}
	}
}
