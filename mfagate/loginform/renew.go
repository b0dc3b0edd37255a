package loginform

import (
	"bytes"
	"net/http"
	"strings"

	"golang.org/x/net/html"
)

// Renew makes a login request that was made on an older login page one of a fresh page, so
// that tokens fit the cookies that came with that: it puts in the values of hidden fields, and
// changes tokens in the header h of the request, in fields, and in JSON that were those of a
// cookie which scripts may read, or that h has under the name of a meta element of the page. It adds
// nothing, and changes neither name nor password. It tells whether it has found any.
func (f *Form) Renew(s *Submission, h http.Header, page *Answer) bool {
	if page == nil || page.Status != http.StatusOK || page.Truncated || page.encoded() {
		return false
	}
	root, err := html.Parse(bytes.NewReader(page.Body))
	if err != nil {
		return false
	}
	found := f.renewFields(s, root)
	found = f.renewTokens(s, h, page) || found
	found = renewMeta(h, root) || found
	if found && s.read != nil {
		clear(s.Body)
		s.Body, s.ContentType = s.read.encode()
	}
	return found
}

// HasForm tells whether an answer is a page with the login form and hidden fields in it, as a
// token is: with it the app may have made that of an earlier page worthless.
func (f *Form) HasForm(page *Answer) bool {
	if page.Status != http.StatusOK || page.Truncated || page.encoded() || f.config.Credentials != InFields {
		return false
	}
	root, err := html.Parse(bytes.NewReader(page.Body))
	if err != nil {
		return false
	}
	for form := range root.Descendants() {
		if form.Type == html.ElementNode && form.Data == "form" && f.fields(form) != nil && len(f.hidden(form)) > 0 {
			return true
		}
	}
	return false
}

// renewFields puts in the hidden fields of a page with the form.
func (f *Form) renewFields(s *Submission, root *html.Node) bool {
	if s.read == nil || s.read.json != nil || f.config.Credentials != InFields {
		return false
	}
	for form := range root.Descendants() {
		if form.Type == html.ElementNode && form.Data == "form" && f.fields(form) != nil {
			s.read.replace(f.hidden(form))
			return true
		}
	}
	return false
}

// hidden are the values of the hidden fields of a form, of which neither is the name
// or the password, nor what tells a login request from others.
func (f *Form) hidden(form *html.Node) map[string]string {
	values := make(map[string]string)
	for n := range form.Descendants() {
		if n.Type != html.ElementNode || n.Data != "input" || !strings.EqualFold(attribute(n, "type"), "hidden") {
			continue
		}
		name, value := attribute(n, "name"), attribute(n, "value")
		if checkField(name, value) == nil {
			values[name] = value
		}
	}
	delete(values, f.config.User.Form)
	delete(values, f.config.Password.Form)
	for _, p := range f.submit.all {
		for _, c := range p.conditions {
			delete(values, c.form)
		}
	}
	return values
}

func (b *body) replace(values map[string]string) {
	for i, field := range b.fields {
		if value, ok := values[field.name]; ok {
			b.fields[i].value = value
		}
	}
}
