package loginform

import (
	"bytes"
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// A Filled is a login form as somebody would submit it.
type Filled struct {
	Method, URI       string
	Body, ContentType string // empty if name and password are in Authorization
	Authorization     string
}

// ErrNoForm reports that a page shows no form with the fields that the
// configuration names.
var ErrNoForm = errors.New("loginform: the login form is not on its page")

// Fill fills in the form on a page, with its hidden fields as they stand. An app
// whose login is JSON, or a header, needs no page, which may be nil.
func (f *Form) Fill(page *Answer, user, password string) (*Filled, error) {
	if f.config.Credentials == InHeader {
		return f.fillHeader(user, password)
	}
	if f.config.Password.Form == "" {
		return f.fillJSON(user, password)
	}
	if page == nil || page.Truncated || page.encoded() {
		return nil, ErrNoForm
	}
	root, err := html.Parse(bytes.NewReader(page.Body))
	if err != nil {
		return nil, ErrNoForm
	}
	for form := range root.Descendants() {
		if form.Type != html.ElementNode || form.Data != "form" {
			continue
		}
		if values := f.fields(form); values != nil {
			return f.filled(form, values, user, password)
		}
	}
	return nil, ErrNoForm
}

// fields are those of a form that a browser would send before anybody typed, or nil
// if the password's is not among its inputs.
func (f *Form) fields(form *html.Node) url.Values {
	values, found := make(url.Values), false
	for n := range form.Descendants() {
		if n.Type == html.ElementNode && n.Data == "select" && attribute(n, "name") != "" {
			values.Set(attribute(n, "name"), chosen(n))
		}
		if n.Type != html.ElementNode || n.Data != "input" && n.Data != "button" {
			continue
		}
		name := attribute(n, "name")
		found = found || name == f.config.Password.Form
		switch strings.ToLower(attribute(n, "type")) {
		case "checkbox", "radio", "file", "image", "reset", "button":
			continue
		case "submit":
			if n.Data == "button" {
				continue
			}
		}
		if name != "" && n.Data == "input" {
			values.Set(name, attribute(n, "value"))
		}
	}
	if !found {
		return nil
	}
	return values
}

// chosen is the value of the option that a select shows before anybody chose another.
func chosen(list *html.Node) string {
	var first, marked *html.Node
	for n := range list.Descendants() {
		if n.Type != html.ElementNode || n.Data != "option" {
			continue
		}
		if first == nil {
			first = n
		}
		if slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "selected" }) {
			marked = n
		}
	}
	n := cmp.Or(marked, first)
	if n == nil {
		return ""
	}
	if slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "value" }) {
		return attribute(n, "value")
	}
	return elementValue(n, "")
}

func (f *Form) filled(form *html.Node, values url.Values, user, password string) (*Filled, error) {
	if f.config.User.Form != "" {
		values.Set(f.config.User.Form, user)
	}
	values.Set(f.config.Password.Form, password)
	for name, value := range f.constants() {
		if !strings.HasPrefix(name, "/") && !strings.ContainsAny(value, "*|") {
			values.Set(name, value)
		}
	}
	out := &Filled{Method: http.MethodPost, Body: values.Encode(), ContentType: "application/x-www-form-urlencoded"}
	var err error
	out.URI, err = f.submitURI(attribute(form, "action"))
	return out, err
}

// constants are the conditions on the body of the first Submit.
func (f *Form) constants() map[string]string { return f.config.Submit[0].Where }

// submitURI is where a form goes: as its action says, if that is a Submit, or else as
// the first Submit does.
func (f *Form) submitURI(action string) (string, error) {
	page, err := url.Parse(f.LoginURI())
	if err != nil {
		return "", err
	}
	if to, err := page.Parse(action); err == nil {
		r := &http.Request{Method: http.MethodPost, URL: f.local(to), Header: make(http.Header), Body: http.NoBody}
		if path, ok := strictPath(r.URL); ok && f.submit.strict(r, path) {
			return r.URL.RequestURI(), nil
		}
	}
	uri := lastWord(f.config.Submit[0].Text)
	if strings.ContainsAny(uri, "*|") {
		return "", ErrNoForm
	}
	return uri, nil
}

func lastWord(text string) string {
	words := strings.Fields(text)
	return words[len(words)-1]
}

// fillJSON makes the body of a JSON login of the constants that it must have, the
// name and the password.
func (f *Form) fillJSON(user, password string) (*Filled, error) {
	members := make(map[string]string)
	for pointer, value := range f.constants() {
		if !strings.ContainsAny(value, "*|") {
			members[pointer] = value
		}
	}
	if f.config.User.JSON != "" {
		members[f.config.User.JSON] = user
	}
	members[f.config.Password.JSON] = password
	body, err := buildJSON(members)
	if err != nil {
		return nil, err
	}
	uri, err := f.submitURI("")
	return &Filled{Method: http.MethodPost, URI: uri, Body: body, ContentType: "application/json"}, err
}

func attribute(n *html.Node, name string) string {
	i := slices.IndexFunc(n.Attr, func(a html.Attribute) bool { return a.Namespace == "" && a.Key == name })
	if i < 0 {
		return ""
	}
	return n.Attr[i].Val
}
