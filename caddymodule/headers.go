package caddymodule

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// headerGuard takes identity headers off the requests of those who may not set
// them, together with their aliases: X_User and X.User become X-User in many an
// app, so they go even where X-User may stay.
type headerGuard struct {
	names   []string // canonical
	folded  []string // names, as fold writes them
	trusted []netip.Prefix
}

func newHeaderGuard(names []string, trusted []netip.Prefix) headerGuard {
	g := headerGuard{names: names, trusted: trusted}
	for _, name := range names {
		g.folded = append(g.folded, fold(name))
	}
	return g
}

// clean changes the headers of r.
func (g headerGuard) clean(r *http.Request) {
	if len(g.names) == 0 {
		return
	}
	trusted := contains(g.trusted, peer(r))
	for key := range r.Header {
		if !slices.Contains(g.folded, fold(key)) {
			continue
		}
		if !trusted || !slices.Contains(g.names, key) {
			delete(r.Header, key)
		}
	}
}

// fold writes the aliases of a header's name in one way.
func fold(name string) string {
	return strings.Map(func(c rune) rune {
		if c == '_' || c == '.' {
			return '-'
		}
		return c
	}, strings.ToLower(name))
}
