package oracle

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

// Read returns the name and the password that the app's login would take from a
// request, whose body it consumes: what a gate judged must be what the app reads.
func (a *App) Read(r *http.Request) (name, password string) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, largestBody))
	q := &request{Request: r, app: a, body: body}
	f := q.fields()
	return f[a.options.UserField], f[a.options.PasswordField]
}

// fields are those of a login: of the body, and of the query if it is read.
func (q *request) fields() map[string]string {
	body, query := q.bodyFields(q.app.options.Encodings), q.queryFields()
	switch q.app.options.Query {
	case QueryIfMissing:
		return merge(query, body)
	case QueryWins:
		return merge(body, query)
	default:
		return body
	}
}

func merge(weak, strong map[string]string) map[string]string {
	all := make(map[string]string)
	maps.Copy(all, weak)
	maps.Copy(all, strong)
	return all
}

func (q *request) queryFields() map[string]string {
	return q.app.collect(q.app.pairs(q.URL.RawQuery))
}

// bodyFields reads the body as its type says, if that is allowed.
func (q *request) bodyFields(allowed Encoding) map[string]string {
	kind, params, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if err != nil {
		return nil
	}
	switch {
	case kind == "application/x-www-form-urlencoded" && allowed&Form != 0:
		return q.app.collect(q.app.pairs(string(q.body)))
	case kind == "multipart/form-data" && allowed&Multipart != 0:
		return q.app.collect(q.app.parts(q.body, params["boundary"]))
	case kind == "application/json" && allowed&JSON != 0:
		return jsonFields(q.body)
	default:
		return nil
	}
}

// A pair is a field of a form.
type pair struct{ name, value string }

// pairs is lenient, as apps are: what cannot be decoded stays as it is.
func (a *App) pairs(raw string) []pair {
	var all []pair
	split := func(r rune) bool { return r == '&' || r == ';' && a.options.Semicolons }
	for field := range strings.FieldsFuncSeq(raw, split) {
		name, value, _ := strings.Cut(field, "=")
		all = append(all, pair{unescape(name), unescape(value)})
	}
	return all
}

func unescape(s string) string {
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s
}

func (a *App) parts(body []byte, boundary string) []pair {
	var all []pair
	for r := multipart.NewReader(bytes.NewReader(body), boundary); ; {
		part, err := r.NextRawPart()
		if err != nil {
			return all
		}
		value, _ := io.ReadAll(part)
		all = append(all, pair{part.FormName(), string(value)})
	}
}

// collect decides between fields of one name.
func (a *App) collect(pairs []pair) map[string]string {
	fields := make(map[string]string)
	for _, p := range pairs {
		name := a.fieldName(p.name)
		if _, there := fields[name]; there && a.options.FirstWins {
			continue
		}
		fields[name] = p.value
	}
	return fields
}

// fieldName folds as PHP does with the names of its variables.
func (a *App) fieldName(name string) string {
	if !a.options.PHPNames {
		return name
	}
	name, _, _ = strings.Cut(strings.TrimLeft(name, " "), "\x00")
	return strings.NewReplacer(" ", "_", ".", "_", "[", "_").Replace(name)
}

// jsonFields takes the texts of an object; of two with one name the last.
func jsonFields(body []byte) map[string]string {
	var object map[string]any
	if json.Unmarshal(body, &object) != nil {
		return nil
	}
	fields := make(map[string]string)
	for name, value := range object {
		if text, ok := value.(string); ok {
			fields[name] = text
		}
	}
	return fields
}
