package mfagate

import (
	"fmt"
	"strings"
)

// A role says what somebody may do for others. The zero role is that of everybody.
type role int

const (
	nobody  role = iota
	auditor      // may look
	administrator
)

// groupMark begins the name of a group where users are listed too.
const groupMark = "@"

// A roster is a list of users and groups.
type roster struct {
	users, groups map[string]bool
}

// newRoster reads a list of user names, in any form, and of groups, each with an @
// before it. Groups are compared as they are written.
func newRoster(list []string, names Names) (roster, error) {
	r := roster{users: map[string]bool{}, groups: map[string]bool{}}
	for _, entry := range list {
		if group, ok := strings.CutPrefix(entry, groupMark); ok {
			if strings.TrimSpace(group) == "" {
				return r, fmt.Errorf("mfagate: %q names no group", entry)
			}
			r.groups[group] = true
			continue
		}
		name, err := names.Canonical(entry)
		if err != nil {
			return r, err
		}
		r.users[name] = true
	}
	return r, nil
}

// lists tells whether a user, or a group that the source has just put the user in,
// is on the roster.
func (r roster) lists(v *visit) bool {
	if r.users[v.Name] {
		return true
	}
	if !v.told {
		return false
	}
	for _, group := range v.identity.Groups {
		if r.groups[group] {
			return true
		}
	}
	return false
}

// rosters reads the lists of a site.
func (s Site) rosters() (admins, auditors, exempt roster, err error) {
	names, err := s.Names.withCanonicalAliases()
	if err != nil {
		return admins, auditors, exempt, err
	}
	if admins, err = newRoster(s.Admins, names); err != nil {
		return admins, auditors, exempt, fmt.Errorf("admins: %w", err)
	}
	if auditors, err = newRoster(s.Auditors, names); err != nil {
		return admins, auditors, exempt, fmt.Errorf("auditors: %w", err)
	}
	if exempt, err = newRoster(s.Exempt, names); err != nil {
		return admins, auditors, exempt, fmt.Errorf("exempt: %w", err)
	}
	for _, trusted := range []roster{admins, auditors} {
		if who := exempt.common(trusted); who != "" {
			return admins, auditors, exempt, fmt.Errorf("mfagate: exempt: %s is among the administrators or auditors, who are never exempt", who)
		}
	}
	return admins, auditors, exempt, nil
}

// common returns an entry that is on both rosters, or the empty string.
func (r roster) common(o roster) string {
	for user := range r.users {
		if o.users[user] {
			return user
		}
	}
	for group := range r.groups {
		if o.groups[group] {
			return groupMark + group
		}
	}
	return ""
}

// role is what the visit's user may do for others.
func (v *visit) role() role {
	switch {
	case v.Name == "":
		return nobody
	case v.admins.lists(v):
		return administrator
	case v.auditors.lists(v):
		return auditor
	}
	return nobody
}

// trusted tells whether the visit's user may have a role, so that a password alone
// must not do for a first enrolment. Where the lists name groups and the source
// does not know any, that is everybody: the user may be in one of them on another
// site of the realm.
func (v *visit) trusted() bool {
	groups := len(v.admins.groups) + len(v.auditors.groups)
	return v.role() != nobody || groups > 0 && (!v.told || v.identity.Groups == nil)
}
