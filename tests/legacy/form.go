package legacy

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

// form is a login that is sent as a form.
type form struct {
	path           string
	name, password string                  // the fields; the first is empty where there are no names
	rest           func(v *Visitor) string // asks for the page first, and returns the hidden fields
}

const formType = "application/x-www-form-urlencoded"

// body is what the page sends.
func (f *form) body(v *Visitor, name, password string) string {
	return f.around(v, f.field(name), password)
}

func (f *form) field(name string) string {
	if f.name == "" {
		return ""
	}
	return f.name + "=" + url.QueryEscape(name)
}

// around puts the other fields to what stands for the user's name.
func (f *form) around(v *Visitor, user, password string) string {
	parts := []string{f.password + "=" + url.QueryEscape(password)}
	if user != "" {
		parts = append([]string{user}, parts...)
	}
	if f.rest != nil {
		parts = append([]string{f.rest(v)}, parts...)
	}
	return strings.Join(parts, "&")
}

func (v *Visitor) send(path, body string) Answer {
	v.t.Helper()
	return v.Do(http.MethodPost, path, formType, body)
}

// withQuery adds to the query of a path.
func withQuery(path, more string) string {
	if strings.Contains(path, "?") {
		return path + "&" + more
	}
	return path + "?" + more
}

// asMultipart and asJSON turn a form into other encodings of the same fields.
func asMultipart(body string) (contentType, encoded string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range pairs(body) {
		w.WriteField(name, value)
	}
	w.Close()
	return w.FormDataContentType(), b.String()
}

func asJSON(body string) string {
	data, _ := json.Marshal(pairs(body)) // texts only
	return string(data)
}

func pairs(body string) map[string]string {
	fields := make(map[string]string)
	values, _ := url.ParseQuery(body) // our own
	for name := range values {
		fields[name] = values.Get(name)
	}
	return fields
}
