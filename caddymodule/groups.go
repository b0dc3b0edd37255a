package caddymodule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// tellsGroups tells whether the source of h may tell groups. Of others' sources
// nobody knows.
func (h *Handler) tellsGroups() bool {
	if h.login != nil {
		return false
	}
	s, ok := h.source.(*PlaceholderSource)
	return !ok || s.Groups != ""
}

// checkGroups refuses groups where nothing tells who is in them: nobody would have
// a role, and everybody would need a ticket.
func (h *Handler) checkGroups() error {
	if h.tellsGroups() {
		return nil
	}
	for option, list := range map[string][]string{"admins": h.Admins, "auditors": h.Auditors, "exempt": h.Exempt} {
		if i := slices.IndexFunc(list, isGroup); i >= 0 {
			return fmt.Errorf("%s names the group %s, but nothing says who is in it; write: groups PLACEHOLDER", option, list[i])
		}
	}
	return nil
}

func isGroup(name string) bool { return strings.HasPrefix(name, "@") }

// namesGroups tells whether the administrators or auditors of a site's realm are
// named by group. The caller holds the lock.
func (all *sites) namesGroups(site string) bool {
	o := all.shared(cmp.Or(all.byName[site].realm, all.realm, defaultRealm))
	return slices.ContainsFunc(o.Admins, isGroup) || slices.ContainsFunc(o.Auditors, isGroup)
}
