package loginform

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// buildJSON returns an object whose members, by JSON pointer, are the given texts.
// A part that is a number below another means an array.
func buildJSON(members map[string]string) (string, error) {
	var root any
	pointers := make([]string, 0, len(members))
	for p := range members {
		pointers = append(pointers, p)
	}
	slices.Sort(pointers)
	for _, p := range pointers {
		parts := strings.Split(strings.TrimPrefix(p, "/"), "/")
		for i := range parts {
			parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(parts[i])
		}
		var err error
		if root, err = place(root, parts, members[p]); err != nil {
			return "", fmt.Errorf("loginform: %s: %w", p, err)
		}
	}
	b, err := json.Marshal(root)
	return string(b), err
}

// place puts a text at the end of a path below node, which is made as needed.
func place(node any, parts []string, text string) (any, error) {
	if len(parts) == 0 {
		return text, nil
	}
	if i, err := strconv.Atoi(parts[0]); err == nil && i >= 0 && i < 100 {
		list, ok := node.([]any)
		if !ok && node != nil {
			return nil, fmt.Errorf("%q is no place in an object", parts[0])
		}
		for len(list) <= i {
			list = append(list, "")
		}
		below := list[i]
		if below == "" { // nothing is there yet
			below = nil
		}
		below, err := place(below, parts[1:], text)
		list[i] = below
		return list, err
	}
	object, ok := node.(map[string]any)
	if !ok && node != nil {
		return nil, fmt.Errorf("%q is no place in an array", parts[0])
	}
	if object == nil {
		object = make(map[string]any)
	}
	below, err := place(object[parts[0]], parts[1:], text)
	object[parts[0]] = below
	return object, err
}
