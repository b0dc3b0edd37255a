package learn

import (
	"slices"
	"strings"
)

// Apps that take every call at one address say in a field which one it is. What such a field
// holds is kept only if it is made of words that name a sign-in.

// callFields name the fields that say what is asked for.
var callFields = []string{"method", "do", "action", "act", "op", "operation", "cmd", "command", "task", "func", "function", "_action", "_task"}

// callWords may stand beside one of loginWords in what such a field holds.
var callWords = []string{"api", "user", "users", "session", "account", "core", "web", "system", "admin", "server", "rpc", "do", "in", "sign", "log", "create", "new", "v1", "v2"}

// signsIn tells whether a value names a call that signs in, such as auth.login.
func signsIn(value string) bool {
	if len(value) > maxSegment {
		return false
	}
	found := false
	for part := range strings.FieldsFuncSeq(strings.ToLower(value), func(c rune) bool { return strings.ContainsRune("._:/-", c) }) {
		login := slices.Contains(loginWords, part)
		if !login && !slices.Contains(callWords, part) {
			return false
		}
		found = found || login
	}
	return found
}

// calls tells whether a field says what is asked for.
func calls(field string) bool {
	return fieldName(field) != "" && slices.Contains(callFields, strings.ToLower(last(field)))
}

// where returns what tells the login from other requests to the same address, as field=value.
func (s *sent) where() []string {
	var all []string
	for i, n := range s.names {
		if calls(n) && signsIn(s.values[i]) {
			all = append(all, n+"="+s.values[i])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// nameless finds the password of a call that names none of its parameters: the only text beside
// what says that it signs in, or the second of two, the first being the name.
func (s *sent) nameless() (user, password string) {
	if s.encoding != "json" || len(s.where()) != 1 {
		return "", ""
	}
	var rest []string
	for _, n := range s.names {
		if calls(n) || slices.Contains([]string{"/id", "/jsonrpc", "/version"}, n) {
			continue
		}
		if fieldName(n) == "" {
			return "", ""
		}
		rest = append(rest, n)
	}
	switch len(rest) {
	case 1:
		return "", rest[0]
	case 2:
		return rest[0], rest[1]
	}
	return "", ""
}

// value returns what stood beside a name.
func (s *sent) value(name string) string {
	if i := slices.Index(s.names, name); i >= 0 && name != "" {
		return s.values[i]
	}
	return ""
}
