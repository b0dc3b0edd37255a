package loginform

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// A pattern is a compiled Pattern.
type pattern struct {
	methods    []string // nil means any
	path       pathGlob
	query      []queryKey
	anyQuery   bool // further keys may be there
	conditions []condition
}

// A pathGlob is a path in segments. What follows rest, which is "**", is at most
// one segment.
type pathGlob struct {
	text  string // if there are no wild cards
	head  globs
	rest  bool
	tail  globs
	below bool // what goes on after the last segment matches too, if loosely
}

// A queryKey is a key that must be in the query once, or may be.
type queryKey struct {
	name     string
	value    globs
	optional bool
}

// A condition is one on a field of a body.
type condition struct {
	form  string // name of a field, if pointer is nil
	json  pointer
	value globs
}

// name is what the field is called, wherever it may be.
func (c *condition) name() string {
	if c.json != nil {
		return c.json[len(c.json)-1]
	}
	return c.form
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT"}

// parsePattern reads the Text and Where of a pattern. The given methods are those
// that there may be, and hold if it names none; nil means any.
func parsePattern(given Pattern, allowed []string) (*pattern, error) {
	p := &pattern{methods: allowed}
	target := given.Text
	if verb, rest, ok := strings.Cut(given.Text, " "); ok && !strings.HasPrefix(verb, "/") {
		p.methods, target = strings.Split(verb, "|"), strings.TrimLeft(rest, " ")
		if err := checkMethods(p.methods, allowed); err != nil {
			return nil, err
		}
	}
	way, query, hasQuery := strings.Cut(target, "?")
	var err error
	if p.path, err = parsePath(way); err != nil {
		return nil, err
	}
	if hasQuery {
		if err := p.parseQuery(query); err != nil {
			return nil, err
		}
	}
	p.conditions, err = parseConditions(given.Where)
	return p, err
}

func checkMethods(given, allowed []string) error {
	if allowed == nil {
		allowed = methods
	}
	for _, m := range given {
		if !slices.Contains(allowed, m) {
			return fmt.Errorf("method %q cannot be here: write METHOD PATH, with one of %s", m, strings.Join(allowed, ", "))
		}
	}
	return nil
}

func parsePath(text string) (pathGlob, error) {
	var p pathGlob
	switch clean := path.Clean(text); {
	case !strings.HasPrefix(text, "/"):
		return p, fmt.Errorf("path %q must begin with a slash", text)
	case clean != strings.TrimSuffix(text, "/") && clean != text:
		return p, fmt.Errorf("path %q never matches: write %q", text, clean)
	case strings.ContainsAny(text, "%;\\#") || !printable(text):
		return p, fmt.Errorf("path %q never matches: write it as decoded, without %% ; \\ #", text)
	}
	if !strings.Contains(text, "*") {
		p.text = text
	}
	segments := strings.Split(text[1:], "/")
	if at := slices.Index(segments, "**"); at >= 0 {
		p.rest = true
		p.tail = parseGlobs(segments[at+1:])
		segments = segments[:at]
	}
	p.head = parseGlobs(segments)
	if len(p.tail) > 1 || strings.Contains(strings.ReplaceAll(text+"/", "/**/", "/"), "**") {
		return p, fmt.Errorf("path %q: ** must be a whole segment, the last or the last but one", text)
	}
	return p, nil
}

// match tells whether the path is matched, strictly or loosely.
func (p *pathGlob) match(path string, loose bool) bool {
	rest, more := path[1:], true
	for _, g := range p.head {
		if !more {
			return false
		}
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if !g.match(segment) {
			return false
		}
	}
	switch {
	case !p.rest:
		return !more || loose && p.below
	case len(p.tail) == 0:
		return more || loose
	}
	return more && p.tail[0].match(rest[strings.LastIndexByte(rest, '/')+1:])
}

// script tells whether the last segment looks like a file, such as xmlrpc.php:
// many servers run it for what seems to be below it, too.
func (p *pathGlob) script() bool {
	return !p.rest && strings.Contains(strings.Join(p.head[len(p.head)-1], ""), ".")
}

func (p *pattern) parseQuery(text string) error {
	if text == "" {
		return errors.New("query is empty: leave the ? out")
	}
	for item := range strings.SplitSeq(text, "&") {
		if item == "**" {
			p.anyQuery = true
			continue
		}
		if p.anyQuery {
			return errors.New("query: ** must come last")
		}
		key, err := parseKey(item)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(p.query, func(k queryKey) bool { return foldName(k.name) == foldName(key.name) }) {
			return fmt.Errorf("query: %q is there twice", key.name)
		}
		p.query = append(p.query, key)
	}
	return nil
}

// parseKey reads key=VALUE or key?=VALUE. Escapes are undone after the wild cards
// were seen, so that a %2A is a star and nothing else.
func parseKey(item string) (queryKey, error) {
	var key queryKey
	name, value, _ := strings.Cut(item, "=")
	name, key.optional = strings.CutSuffix(name, "?")
	var err error
	if key.name, err = url.QueryUnescape(name); err != nil || key.name == "" || !printable(key.name) {
		return key, fmt.Errorf("query: %q must be key=VALUE or key?=VALUE", item)
	}
	key.value = alternatives(value)
	for _, g := range key.value {
		for i, piece := range g {
			if g[i], err = url.QueryUnescape(piece); err != nil || !printable(g[i]) {
				return key, fmt.Errorf("query: value of %q: bad escape", key.name)
			}
		}
	}
	return key, nil
}

func parseConditions(where map[string]string) ([]condition, error) {
	var all []condition
	for name, value := range where {
		c := condition{form: name, value: alternatives(value)}
		if strings.HasPrefix(name, "/") {
			var err error
			if c.json, err = parsePointer(name); err != nil {
				return nil, fmt.Errorf("where: %w", err)
			}
			if number(c.name()) {
				return nil, fmt.Errorf("where: %q must end in a name", name)
			}
		}
		if name == "" || value == "" {
			return nil, errors.New(`where must be a field's name or JSON pointer, and a value`)
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b condition) int { return strings.Compare(a.name(), b.name()) })
	return all, nil
}

// plain returns the only request line of a pattern without wild cards and
// choices.
func (p *pattern) plain() (uri string, ok bool) {
	if p.path.text == "" || len(p.conditions) > 0 {
		return "", false
	}
	var pairs []string
	for _, k := range p.query {
		if k.optional || len(k.value) != 1 || !k.value[0].literal() {
			return "", false
		}
		pairs = append(pairs, url.QueryEscape(k.name)+"="+url.QueryEscape(k.value[0][0]))
	}
	return (&url.URL{Path: p.path.text, RawQuery: strings.Join(pairs, "&")}).RequestURI(), true
}

// printable tells whether s is UTF-8 without control characters.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return false
		}
	}
	return true
}
