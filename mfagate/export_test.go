package mfagate

import "strings"

// AdminForms lists the paths below Prefix to which the administrators' pages post.
func AdminForms() (paths []string) {
	for path, r := range routes {
		if strings.HasPrefix(path, "admin") && r["POST"] != nil {
			paths = append(paths, path)
		}
	}
	return paths
}

// AdminActions lists what an administrator can order.
func AdminActions() (names []string) {
	for name := range actions {
		names = append(names, name)
	}
	return names
}
