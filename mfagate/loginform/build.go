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
		var err error
		if root, err = place(root, pointerParts(p), members[p]); err != nil {
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

// TextAt returns the text at a JSON pointer (RFC 6901) of a document.
func TextAt(document []byte, at string) (string, bool) {
	var node any
	if json.Unmarshal(document, &node) != nil {
		return "", false
	}
	for _, part := range pointerParts(at) {
		switch n := node.(type) {
		case map[string]any:
			node = n[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(n) {
				return "", false
			}
			node = n[i]
		default:
			return "", false
		}
	}
	text, ok := node.(string)
	return text, ok
}

// PutText puts a text at a JSON pointer into an object.
func PutText(object map[string]any, at, text string) error {
	_, err := place(object, pointerParts(at), text)
	return err
}

func pointerParts(at string) []string {
	parts := strings.Split(strings.TrimPrefix(at, "/"), "/")
	for i := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(parts[i])
	}
	return parts
}
