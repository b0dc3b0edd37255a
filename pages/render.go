package pages

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shared are the templates that all pages use.
var shared = []string{"layout", "parts", "sent_code"}

// tried are the pages that New renders once, so that a template that cannot
// work is found before the first person asks for it.
var tried = []Page{
	Choose{Factors: []string{"totp"}}, Choose{TicketNeeded: true},
	Challenge{Method: "totp", Methods: []string{"totp", "recovery"}}, Challenge{Method: "recovery", Wait: 1},
	RecoveryCodes{Codes: []string{"0"}, First: true}, RecoveryCodes{},
	Security{Credentials: []Credential{{}}, HasCodes: true}, Security{},
	Address{}, Address{Asked: "a"}, Address{Given: true},
	Security{Missed: Missed{Notices: []Activity{{}}}}, Missed{Notices: []Activity{{}}},
	Message{Status: 1, Link: "/"}, Message{},
	AdminUsers{Users: []AdminEntry{{}}, Next: "/", Unknown: "x"}, AdminUser{History: []History{{}}, Actions: []string{"reset"}},
	AdminOrder{Action: "reset"}, AdminTicket{},
	AdminRequests{Requests: []AdminRequest{{}}}, AdminRequest{Proved: true}, OwnRequest{}, Help{Offer: true},
	Reminder{}, Reminder{Until: time.Unix(1, 0)}, AdminSettings{}, AdminModeOrder{},
}

var factorTemplate = regexp.MustCompile(`^factor_([a-z0-9_]+)_(enrol|challenge)\.html$`)

func (s *Set) loadTemplates(files overlay) error {
	base := template.New("")
	for _, name := range shared {
		if err := s.parse(base, files, name+".html", name); err != nil {
			return err
		}
	}
	names, err := files.names("templates")
	if err != nil {
		return err
	}
	s.templates = map[string]*template.Template{}
	for name := range names {
		if err := s.compile(base, files, name); err != nil {
			return err
		}
	}
	return s.try()
}

// compile makes a page's template or, for a factor's file, that of the page
// that the file is a part of.
func (s *Set) compile(base *template.Template, files overlay, name string) error {
	page, part := strings.TrimSuffix(name, ".html"), ""
	if m := factorTemplate.FindStringSubmatch(name); m != nil {
		page, part = m[2], m[1]
	}
	if path.Ext(name) != ".html" || slices.Contains(shared, page) {
		return nil
	}
	t, err := base.Clone()
	if err != nil {
		return fmt.Errorf("preparing the template %s: %w", name, err)
	}
	if err := s.parse(t, files, page+".html", "page"); err != nil {
		return err
	}
	key := page
	if part != "" {
		key = page + "/" + part
		if err := s.parse(t, files, name, "factor"); err != nil {
			return err
		}
	}
	s.templates[key] = t
	return nil
}

var textKey = regexp.MustCompile(`\.T\s+"([^"]*)"`)

func (s *Set) parse(t *template.Template, files overlay, file, name string) error {
	data, err := files.read("templates/" + file)
	if err != nil {
		return fmt.Errorf("reading templates/%s: %w", file, err)
	}
	for _, m := range textKey.FindAllStringSubmatch(string(data), -1) {
		if !s.Has(m[1]) {
			return fmt.Errorf("templates/%s: there is no message %q", file, m[1])
		}
	}
	if _, err := t.New(name).Parse(string(data)); err != nil {
		return fmt.Errorf("templates/%s: %w", file, err)
	}
	return nil
}

func (s *Set) try() error {
	for _, p := range tried {
		if err := s.execute(io.Discard, Frame{Support: Support{Text: "x", URL: "/"}}, p); err != nil {
			return err
		}
	}
	for name, t := range s.templates {
		// What a factor shows is its own affair, so that only what can be
		// told without it counts: html/template's look at the contexts.
		err := t.ExecuteTemplate(io.Discard, "layout", s.view(Frame{}, s.blank(name)))
		if _, ok := errors.AsType[*template.Error](err); ok {
			return fmt.Errorf("the template of %s: %w", name, err)
		}
	}
	return nil
}

// blank returns an empty page for a key of s.templates.
func (s *Set) blank(key string) Page {
	page, factor, _ := strings.Cut(key, "/")
	if page == "enrol" {
		return Enrol{Factor: factor}
	}
	return Challenge{Method: factor}
}

// Render writes a page with its headers. If it cannot be made, nothing is
// written, and the caller still has the whole answer to give.
func (s *Set) Render(w http.ResponseWriter, status int, f Frame, p Page) error {
	var body bytes.Buffer
	if err := s.execute(&body, f, p); err != nil {
		return err
	}
	h := w.Header()
	SetHeaders(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", s.in(f.Language).tag.String())
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	if _, err := w.Write(body.Bytes()); err != nil {
		return fmt.Errorf("sending the page %s: %w", p.template(), err)
	}
	return nil
}

func (s *Set) execute(w io.Writer, f Frame, p Page) error {
	t, err := s.lookup(p)
	if err != nil {
		return err
	}
	if err := t.ExecuteTemplate(w, "layout", s.view(f, p)); err != nil {
		return fmt.Errorf("rendering the page %s: %w", p.template(), err)
	}
	return nil
}

func (s *Set) lookup(p Page) (*template.Template, error) {
	key := p.template()
	switch p := p.(type) {
	case Enrol:
		key += "/" + p.Factor
	case Challenge:
		if t := s.templates[key+"/"+p.Method]; t != nil {
			return t, nil
		}
	}
	if t := s.templates[key]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("there is no template for the page %s", key)
}
