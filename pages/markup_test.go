package pages

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// A document is what a page says of itself, gathered in one pass.
type document struct {
	all  []*html.Node
	ids  map[string]*html.Node
	page string
}

func parse(t *testing.T, page []byte) *document {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	d := &document{ids: map[string]*html.Node{}, page: string(page)}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		d.all = append(d.all, n)
		if id := attr(n, "id"); id != "" {
			if d.ids[id] != nil {
				t.Errorf("the id %q is there twice", id)
			}
			d.ids[id] = n
		}
	}
	return d
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

func (d *document) named(tag string) (nodes []*html.Node) {
	for _, n := range d.all {
		if n.Data == tag {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

func TestMarkup(t *testing.T) {
	s := newSet(t, Options{})
	for _, c := range s.languages {
		for _, st := range states() {
			t.Run(st.name+"."+c.tag.String(), func(t *testing.T) {
				page := s.html(t, c, st)
				balanced(t, page)
				d := parse(t, page)
				d.checkFrame(t, c.tag.String())
				d.checkForms(t)
				d.checkReferences(t)
				d.checkPolicy(t)
			})
		}
	}
}

// balanced checks that every element that is opened is closed, in order; a
// browser would mend it silently.
func balanced(t *testing.T, page []byte) {
	t.Helper()
	void := strings.Fields("meta link img input br hr")
	var open []string
	for z := html.NewTokenizer(bytes.NewReader(page)); ; {
		kind := z.Next()
		name, _ := z.TagName()
		switch kind {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("not closed: %v", open)
			}
			return
		case html.StartTagToken:
			if !slices.Contains(void, string(name)) {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Fatalf("</%s> closes %v", name, open)
			}
			open = open[:len(open)-1]
		}
	}
}

func (d *document) checkFrame(t *testing.T, language string) {
	t.Helper()
	root := d.named("html")[0]
	if got := attr(root, "lang"); got != language {
		t.Errorf("lang: got %q; want %q", got, language)
	}
	if got := attr(root, "dir"); got != "ltr" {
		t.Errorf("dir: got %q; want ltr", got)
	}
	for _, tag := range []string{"title", "h1", "main"} {
		if got := d.named(tag); len(got) != 1 || text(got[0]) == "" {
			t.Errorf("<%s>: got %d; want one with text", tag, len(got))
		}
	}
	for _, words := range []string{"ZgotmplZ", "%!", "<no value>"} {
		if strings.Contains(d.page, words) {
			t.Errorf("the page holds %q, the sign of a broken template", words)
		}
	}
	for _, n := range d.all {
		if strings.Contains("h2 h3 summary button a label dt li", n.Data) && n.Data != "a" && text(n) == "" && n.FirstChild == nil {
			t.Errorf("<%s> is empty", n.Data)
		}
	}
}

func (d *document) checkForms(t *testing.T) {
	t.Helper()
	for _, form := range d.named("form") {
		if attr(form, "method") == "get" && (attr(form, "action") == "/.mfa/admin/" || attr(form, "action") == "/.mfa/admin/mode") { // a search, and a question
			if hidden(form, "form_token") {
				t.Error("the search would put the form_token into the URL")
			}
			continue
		}
		if got := attr(form, "method"); got != "post" {
			t.Errorf("method of a form: got %q; want post", got)
		}
		if got := attr(form, "action"); !strings.HasPrefix(got, "/.mfa/") {
			t.Errorf("action of a form: got %q; want one under /.mfa/", got)
		}
		if !hidden(form, "form_token") {
			t.Errorf("the form for %s has no form_token", attr(form, "action"))
		}
	}
	allowed := strings.Fields("code method saved set action ticket label return form_token everywhere purpose without id replace password user reason seen q show message mandatory to enrollment credential email")
	for _, n := range d.all {
		if name := attr(n, "name"); name != "" && n.Data != "meta" && !slices.Contains(allowed, name) {
			t.Errorf("field %q: want one of %v", name, allowed)
		}
		if (n.Data == "input" && attr(n, "type") != "hidden" || n.Data == "textarea" || n.Data == "select") && !d.labelled(n) {
			t.Errorf("<%s name=%q> has no label", n.Data, attr(n, "name"))
		}
	}
}

func hidden(form *html.Node, name string) bool {
	for n := range form.Descendants() {
		if n.Data == "input" && attr(n, "type") == "hidden" && attr(n, "name") == name {
			return true
		}
	}
	return false
}

func (d *document) labelled(field *html.Node) bool {
	for n := range field.Ancestors() {
		if n.Data == "label" {
			return text(n) != ""
		}
	}
	return slices.ContainsFunc(d.named("label"), func(l *html.Node) bool {
		return attr(field, "id") != "" && attr(l, "for") == attr(field, "id") && text(l) != ""
	})
}

func (d *document) checkReferences(t *testing.T) {
	t.Helper()
	for _, n := range d.all {
		for _, name := range []string{"for", "aria-labelledby", "aria-describedby", "data-copy", "data-done"} {
			for id := range strings.FieldsSeq(attr(n, name)) {
				if d.ids[id] == nil {
					t.Errorf("<%s %s=%q>: there is no such id", n.Data, name, id)
				}
			}
		}
		if has(n, "aria-invalid") && attr(n, "aria-describedby") == "" {
			t.Errorf("<%s> is invalid and does not say why", n.Data)
		}
	}
}

// checkPolicy looks for what the pages' own policy would forbid.
func (d *document) checkPolicy(t *testing.T) {
	t.Helper()
	for _, n := range d.all {
		if n.Data == "style" || n.Data == "script" && (text(n) != "" || attr(n, "src") == "") {
			t.Errorf("<%s> inline", n.Data)
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s %s=%q> inline", n.Data, a.Key, a.Val)
			}
			if a.Key == "src" || n.Data == "link" && a.Key == "href" {
				if !strings.HasPrefix(a.Val, staticRoot) {
					t.Errorf("<%s %s=%q>: want a file of the gate's own", n.Data, a.Key, a.Val)
				}
			}
		}
	}
}

// TestHostileValues puts what an attacker might choose into every place where
// a page shows a value, and looks for an element, attribute or address that
// the same page with harmless values has not.
func TestHostileValues(t *testing.T) {
	s := newSet(t, Options{})
	values := map[string]string{
		"script":    `"><script>alert(1)</script><img src=x onerror=alert(1)>`,
		"quotes":    `'" onfocus='x' autofocus="x`,
		"template":  `{{.Token}}{{template "layout"}}{0}`,
		"address":   `javascript:alert(1)//`,
		"end":       `</title></textarea></svg></style>--><script>`,
		"direction": "\u202egnp.exe\u2066\u2069",
		"bytes":     "\x00\xff\xfe<\x00script>",
		"long":      strings.Repeat("x<b>&", 2000),
	}
	for name, value := range values {
		for i, st := range hostile(value) {
			t.Run(fmt.Sprint(name, "/", st.name), func(t *testing.T) {
				page := s.html(t, s.in("en"), st)
				got := parse(t, page)
				got.checkPolicy(t)
				balanced(t, page)
				want := parse(t, s.html(t, s.in("en"), hostile("harmless")[i]))
				if g, w := got.outline(), want.outline(); g != w {
					t.Errorf("elements and attributes: got\n%s\nwant\n%s", g, w)
				}
				for _, n := range got.all {
					if href := strings.ToLower(attr(n, "href")); strings.HasPrefix(href, "javascript:") {
						t.Errorf("href: got %q", href)
					}
				}
			})
		}
	}
}

func (d *document) outline() string {
	var b strings.Builder
	for _, n := range d.all {
		b.WriteString(n.Data)
		for _, a := range n.Attr {
			b.WriteString(" " + a.Key)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// hostile is every page with one value in all its places.
func hostile(v string) []state {
	f := Frame{Site: v, User: v, Token: v, Return: v, SignOut: true, Support: Support{Text: v}}
	view := totpFixture()
	view.Account, view.Issuer, view.Groups = v, v, []string{v}
	view.QR.Path = v
	view.Apps = []app{{v, v, v, v}}
	return []state{
		{"choose", f, Choose{First: true, Factors: []string{"totp"}}},
		{"enrol", f, Enrol{Factor: "totp", View: view}},
		{"challenge", f, Challenge{Method: v, Methods: []string{v, "sms", "recovery"}, Purpose: v}},
		{"recovery-codes", f, RecoveryCodes{Codes: []string{v, v}, Set: v, Made: made}},
		{"security", f, Security{Credentials: []Credential{{v, v, v, made, made}}, HasCodes: true, Continue: v}},
		{"message", f, Message{Title: Text{Key: v}, Text: Text{Key: v, Args: []any{v}}, Link: v, Label: Text{Key: v}}},
		{"admin-users", f, AdminUsers{Search: v, Users: []AdminEntry{{Name: v}}, Next: "/.mfa/admin/", Unknown: v}},
		{"admin-report", f, AdminReport{Users: []AdminEntry{{Name: v, Enrolled: true, Kinds: []string{v}}}, Next: "/.mfa/admin/report"}},
		{"admin-user", f, AdminUser{AdminAccount: AdminAccount{Name: v, Credentials: []Credential{{v, v, v, made, made}}},
			Actions: []string{"reset"}, History: []History{{Activity{v, v, v, v, made}, v, v, v}}}},
		{"admin-order", f, AdminOrder{AdminAccount: AdminAccount{Name: v, Known: true, Credentials: []Credential{{v, v, v, made, made}}},
			Action: "reset", Reason: v, Seen: v}},
		{"admin-ticket", f, AdminTicket{Name: v, Link: v}},
		{"help-request", f, Help{Case: v, Offer: true, Message: v, Request: Request{State: "filed"}}},
		{"reset-request", f, OwnRequest{Request: Request{State: "filed", Remote: v, App: v}, Seen: v, Continue: v}},
		{"admin-requests", f, AdminRequests{Requests: []AdminRequest{{Name: v, Case: v}}, Next: "/.mfa/admin/requests"}},
		{"admin-request", f, AdminRequest{Request: Request{State: "approved", Remote: v, App: v}, Name: v, Case: v, Message: v,
			Actor: v, Reason: v, Seen: v, Proved: true, Given: v}},
		{"admin-settings", f, AdminSettings{AdminMode{Actor: v, Reason: v, Seen: v}}},
		{"admin-mode", f, AdminModeOrder{AdminMode: AdminMode{Seen: v}, Because: v}},
	}
}
