package gatetest

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// A Page is an answer as a person sees it.
type Page struct {
	Status int
	URL    *url.URL // after redirects
	Header http.Header
	Body   string

	root *html.Node
}

// A Form is a form of a page, with the values that it holds.
type Form struct {
	Action string
	Method string
	Values url.Values
}

// Find returns the first element of a name that has the attribute with that
// value, or nil. Empty strings stand for anything.
func (p *Page) Find(name, attr, value string) *html.Node {
	for n := range p.root.Descendants() {
		if n.Type != html.ElementNode || name != "" && n.Data != name {
			continue
		}
		if v, ok := Attr(n, attr); attr == "" || ok && (value == "" || v == value) {
			return n
		}
	}
	return nil
}

// Text returns the words of the page, with single spaces.
func (p *Page) Text() string { return Text(p.root) }

// Form returns the form that posts to the path.
func (p *Page) Form(t testing.TB, action string) Form {
	t.Helper()
	var seen []string
	for n := range p.root.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" {
			continue
		}
		got, _ := Attr(n, "action")
		if u, err := p.URL.Parse(got); err == nil && u.Path == action {
			return form(n, action)
		}
		seen = append(seen, got)
	}
	t.Fatalf("%s (%d) has no form to %s, only %q:\n%s", p.URL, p.Status, action, seen, tail(p.Body, 3000))
	return Form{}
}

// Forms returns all forms of the page, one that has several buttons with names
// once for each of them.
func (p *Page) Forms() (list []Form) {
	for n := range p.root.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" {
			continue
		}
		action, _ := Attr(n, "action")
		f := form(n, action)
		if u, err := p.URL.Parse(action); err == nil {
			f.Action = u.Path
		}
		pressed := false
		for c := range n.Descendants() {
			name, _ := Attr(c, "name")
			if c.Type != html.ElementNode || c.Data != "button" || name == "" {
				continue
			}
			by := Form{f.Action, f.Method, maps.Clone(f.Values)}
			value, _ := Attr(c, "value")
			by.Values[name] = []string{value}
			list, pressed = append(list, by), true
		}
		if !pressed {
			list = append(list, f)
		}
	}
	return list
}

func form(n *html.Node, action string) Form {
	f := Form{Action: action, Method: http.MethodGet, Values: url.Values{}}
	if m, ok := Attr(n, "method"); ok {
		f.Method = strings.ToUpper(m)
	}
	for c := range n.Descendants() {
		name, named := Attr(c, "name")
		if c.Type != html.ElementNode || c.Data != "input" || !named {
			continue
		}
		kind, _ := Attr(c, "type")
		value, _ := Attr(c, "value")
		_, checked := Attr(c, "checked")
		if (kind == "checkbox" || kind == "radio") && !checked || kind == "submit" {
			continue
		}
		f.Values.Add(name, value)
	}
	return f
}

// Attr returns an attribute of an element.
func Attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// Text returns the words in a node.
func Text(n *html.Node) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	if n.Type == html.TextNode {
		b.WriteString(n.Data)
	}
	for c := range n.Descendants() {
		if c.Type == html.TextNode && (c.Parent == nil || c.Parent.Data != "script" && c.Parent.Data != "style") {
			b.WriteString(c.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
