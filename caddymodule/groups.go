package caddymodule

import (
	"fmt"
	"strings"
)

// checkGroups refuses groups where nothing tells who is in them: nobody would have
// a role, and everybody would need a ticket.
func (h *Handler) checkGroups() error {
	s, ok := h.source.(*PlaceholderSource)
	if !ok || s.Groups != "" {
		return nil
	}
	for option, list := range map[string][]string{"admins": h.Admins, "auditors": h.Auditors} {
		for _, name := range list {
			if strings.HasPrefix(name, "@") {
				return fmt.Errorf("%s names the group %s, but nothing says who is in it; write: groups PLACEHOLDER", option, name)
			}
		}
	}
	return nil
}
