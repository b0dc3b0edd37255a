package loginform

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A table finds the patterns that match a request, by its path.
type table struct {
	all   []*pattern
	exact map[string][]*pattern
	wild  []*pattern
}

// fill compiles the patterns of an option. Those of a loose table are lower case.
func (t *table) fill(option string, given []Pattern, allowed []string, body, loose bool) error {
	var errs []error
	t.exact = make(map[string][]*pattern)
	for _, g := range given {
		p, err := parsePattern(g, allowed)
		if err == nil && len(g.Where) > 0 && !body {
			err = errors.New("where: these requests have no body to look at")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %q: %w", option, g.Text, err))
			continue
		}
		t.all = append(t.all, p)
		if loose {
			p = p.loosened()
		}
		if p.path.text == "" || loose && p.path.below {
			t.wild = append(t.wild, p)
		} else {
			t.exact[p.path.text] = append(t.exact[p.path.text], p)
		}
	}
	return errors.Join(errs...)
}

// loosened returns the pattern for folded paths and queries.
func (p *pattern) loosened() *pattern {
	low := *p
	low.path.below = p.path.script()
	low.path.text = trimSlash(strings.ToLower(p.path.text))
	low.path.head, low.path.tail = lower(p.path.head), lower(p.path.tail)
	if n := len(low.path.head); n > 1 && low.path.head[n-1].match("") && low.path.head[n-1].literal() && !low.path.rest {
		low.path.head = low.path.head[:n-1]
	}
	low.query = nil
	for _, k := range p.query {
		low.query = append(low.query, queryKey{name: foldName(k.name), value: lower(k.value), optional: k.optional})
	}
	return &low
}

func lower(all globs) globs {
	var low globs
	for _, g := range all {
		low = append(low, parseGlob(strings.ToLower(strings.Join(g, "*"))))
	}
	return low
}

// strict tells whether a pattern admits the request, whose path is strictly
// formed.
func (t *table) strict(r *http.Request, path string) bool {
	for _, p := range t.exact[path] {
		if p.admits(r) {
			return true
		}
	}
	for _, p := range t.wild {
		if p.path.match(path, false) && p.admits(r) {
			return true
		}
	}
	return false
}

// each calls use with the patterns that match a folded path, until it returns true.
func (t *table) each(folded string, use func(*pattern) bool) bool {
	if slices.ContainsFunc(t.exact[folded], use) {
		return true
	}
	return slices.ContainsFunc(t.wild, func(p *pattern) bool { return p.path.match(folded, true) && use(p) })
}
