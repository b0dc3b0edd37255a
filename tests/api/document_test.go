// Package api_test holds the gate to docs/openapi.yaml: every answer of its JSON
// API must be one that the document describes.
package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

const documentFile = "../../docs/openapi.yaml"

// A document is docs/openapi.yaml with a note of what of it was seen.
type document struct {
	root       any
	compiler   *jsonschema.Compiler
	operations []*operation
	others     map[string]answer // to requests that are no operation, by status
}

type operation struct {
	method, path string
	match        *regexp.Regexp
	answers      map[string]answer // by status
}

// An answer is a response object, with its place in the document.
type answer struct {
	at   string
	body map[string]any
	seen *bool
}

func (o *operation) String() string { return o.method + " " + o.path }

func load(t *testing.T) *document {
	t.Helper()
	text, err := os.ReadFile(documentFile)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatalf("reading %s: %v", documentFile, err)
	}
	text, err = json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	d := &document{compiler: jsonschema.NewCompiler()}
	if d.root, err = jsonschema.UnmarshalJSON(strings.NewReader(string(text))); err != nil {
		t.Fatal(err)
	}
	closeObjects(d.root)
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource("openapi.json", d.root); err != nil {
		t.Fatal(err)
	}
	d.readOperations(t)
	return d
}

// closeObjects makes schemas of objects refuse members that they do not name:
// clients must bear new ones, the gate must not send what is not written down.
func closeObjects(node any) {
	switch n := node.(type) {
	case map[string]any:
		if _, ok := n["properties"]; ok && n["type"] == "object" {
			n["additionalProperties"] = false
		}
		for _, v := range n {
			closeObjects(v)
		}
	case []any:
		for _, v := range n {
			closeObjects(v)
		}
	}
}

var templated = regexp.MustCompile(`\\\{[a-z_]+\\\}`)

func (d *document) readOperations(t *testing.T) {
	t.Helper()
	paths := d.root.(map[string]any)["paths"].(map[string]any)
	for path, item := range paths {
		pattern := templated.ReplaceAllString(regexp.QuoteMeta(path), "[^/]+")
		if path == "/{app_path}" {
			pattern = "/.*"
		}
		for method, op := range item.(map[string]any) {
			if method == "parameters" {
				continue
			}
			o := &operation{method: strings.ToUpper(method), path: path, match: regexp.MustCompile("^" + pattern + "$")}
			at := "/paths/" + escape(path) + "/" + method + "/responses"
			o.answers = d.answers(t, at, op.(map[string]any)["responses"])
			d.operations = append(d.operations, o)
		}
	}
	d.others = d.answers(t, "/x-other-requests", d.root.(map[string]any)["x-other-requests"])
}

func (d *document) answers(t *testing.T, at string, node any) map[string]answer {
	t.Helper()
	byStatus := make(map[string]answer)
	for status, a := range node.(map[string]any) {
		where, body := d.resolve(t, at+"/"+status, a)
		byStatus[status] = answer{where, body, new(bool)}
	}
	return byStatus
}

func escape(part string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(part)
}

// resolve follows a reference within the document.
func (d *document) resolve(t *testing.T, at string, node any) (string, map[string]any) {
	t.Helper()
	m, ok := node.(map[string]any)
	if !ok {
		t.Fatalf("%s is no object", at)
	}
	ref, ok := m["$ref"].(string)
	if !ok {
		return at, m
	}
	target := d.root
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		next, ok := target.(map[string]any)[part]
		if !ok {
			t.Fatalf("%s refers to %s, which is not there", at, ref)
		}
		target = next
	}

	return d.resolve(t, strings.TrimPrefix(ref, "#"), target)
}

// find returns the operation of a request, or nil.
func (d *document) find(method, path string) *operation {
	var app *operation
	for _, o := range d.operations {
		if o.path == "/{app_path}" {
			app = o
		} else if o.method == method && o.match.MatchString(path) {
			return o
		}
	}
	if strings.HasPrefix(path, "/.mfa/") {
		return nil
	}
	return app
}

// check holds an answer to the document and returns its body. What the app
// answers is not the gate's.
func (d *document) check(t *testing.T, r *http.Request, resp *http.Response, body []byte) {
	t.Helper()
	name, answers := "other requests", d.others
	if o := d.find(r.Method, r.URL.Path); o != nil {
		name, answers = o.String(), o.answers
	}
	a, ok := answers[fmt.Sprint(resp.StatusCode)]
	if !ok {
		t.Errorf("%s %s: status %d is not described for %s; body %.300s", r.Method, r.URL.Path, resp.StatusCode, name, body)
		return
	}
	*a.seen = true
	where := fmt.Sprintf("%s %s: %d", r.Method, r.URL.Path, resp.StatusCode)
	d.checkHeaders(t, where, a, resp.Header)
	d.checkBody(t, where, a, resp.Header.Get("Content-Type"), body)
	if problem := resp.StatusCode >= 400; problem {
		checkProblem(t, where, resp, body)
	}
}

func (d *document) checkHeaders(t *testing.T, where string, a answer, got http.Header) {
	t.Helper()
	described, _ := a.body["headers"].(map[string]any)
	for name, node := range described {
		at, h := d.resolve(t, a.at+"/headers/"+name, node)
		values := got.Values(name)
		if len(values) == 0 && h["required"] == true {
			t.Errorf("%s: header %s is missing", where, name)
		}
		for _, v := range values {
			d.validate(t, where+": "+name, at+"/schema", v)
		}
	}
	for _, name := range []string{"Set-Cookie", "Location", "WWW-Authenticate", "Retry-After", "Allow"} {
		if _, ok := described[name]; !ok && got.Get(name) != "" {
			t.Errorf("%s: header %s: %q is not described", where, name, got.Get(name))
		}
	}
}

func (d *document) checkBody(t *testing.T, where string, a answer, contentType string, body []byte) {
	t.Helper()
	content, ok := a.body["content"].(map[string]any)
	if !ok {
		if len(body) > 0 {
			t.Errorf("%s: body %.300q; want none", where, body)
		}
		return
	}
	if _, ok := content[contentType]; !ok {
		t.Errorf("%s: Content-Type %q is not described", where, contentType)
		return
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(body)))
	if err != nil {
		t.Errorf("%s: body %.300q: %v", where, body, err)
		return
	}
	d.validate(t, where, a.at+"/content/"+escape(contentType)+"/schema", v)
}

func (d *document) validate(t *testing.T, where, at string, v any) {
	t.Helper()
	s, err := d.compiler.Compile("openapi.json#" + at)
	if err != nil {
		t.Fatalf("%s: the schema at %s is none: %v", where, at, err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s: %v: %v", where, v, err)
	}
}

// checkProblem checks what no schema can say: that the parts of a problem agree.
func checkProblem(t *testing.T, where string, resp *http.Response, body []byte) {
	t.Helper()
	var p struct {
		Title, URL string
		Status     int
	}
	if err := json.Unmarshal(body, &p); err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	if p.Status != resp.StatusCode || p.Title != http.StatusText(resp.StatusCode) {
		t.Errorf("%s: problem says %d %q", where, p.Status, p.Title)
	}
	if want := fmt.Sprintf("url=%q", p.URL); p.URL != "" && !strings.HasSuffix(resp.Header.Get("WWW-Authenticate"), want) {
		t.Errorf("%s: WWW-Authenticate = %q; want it to end in %s", where, resp.Header.Get("WWW-Authenticate"), want)
	}
}

// unseen lists what of the document no request has met.
func (d *document) unseen() (missing []string) {
	add := func(name string, answers map[string]answer) {
		for status, a := range answers {
			if !*a.seen {
				missing = append(missing, name+": "+status)
			}
		}
	}
	for _, o := range d.operations {
		add(o.String(), o.answers)
	}
	add("other requests", d.others)
	slices.Sort(missing)
	return missing
}
