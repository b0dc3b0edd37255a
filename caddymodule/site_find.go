package caddymodule

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// answersTo tells whether name is that of the site, one of its addresses, or the host of one.
func (s *site) answersTo(name string) bool {
	if s.name == name || slices.Contains(s.addresses, name) {
		return true
	}
	return slices.ContainsFunc(s.urls(), func(text string) bool {
		u, err := url.Parse(text)
		return err == nil && (u.Host == name || u.Hostname() == name)
	})
}

// find returns a copy of the site with the name or address, or, without one, of the only site of
// which is says so.
func (all *sites) find(name string, is func(*site) bool, what string) (*site, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	var found []*site
	var names []string
	for _, key := range slices.Sorted(maps.Keys(all.byName)) {
		s := all.byName[key]
		if !is(s) {
			continue
		}
		names = append(names, s.name)
		if name == "" || s.answersTo(name) {
			found = append(found, s)
		}
	}
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("no site has %s", what)
	case len(found) == 0:
		return nil, fmt.Errorf("no site %q has %s; there are: %s", name, what, strings.Join(names, "; "))
	case len(found) > 1:
		return nil, fmt.Errorf("several sites have %s, so say which: %s", what, strings.Join(names, "; "))
	}
	s := *found[0]
	return &s, nil
}

// copies returns all sites, in order of their names.
func (all *sites) copies() []*site {
	all.mu.Lock()
	defer all.mu.Unlock()
	var found []*site
	for _, name := range slices.Sorted(maps.Keys(all.byName)) {
		s := *all.byName[name]
		found = append(found, &s)
	}
	return found
}

// enrollFrom tells from where people of a realm may enrol without a ticket.
func (all *sites) enrollFrom(realm string) []string {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.shared(realm).EnrollFrom
}
