package loginform

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// A Submission is a login request as read.
type Submission struct {
	// User is the name as typed: "" if the app has no user names. It tells nothing about
	// who signs in.
	User string

	Password string

	// Body is what must go to the app in place of the request's own body: the
	// fields as they were judged, in their order, and nothing else. The caller sets
	// Content-Length and Content-Type and removes Transfer-Encoding.
	Body        []byte
	ContentType string

	// Authorization must stand in that header, in place of the request's own, if Config.Credentials
	// says that name and password are there. It is empty otherwise.
	Authorization string

	read *body // what Body was made of; nil if there was none
}

// Wipe overwrites Body and forgets the password. Copies that Go made of strings stay
// until they are collected.
func (s *Submission) Wipe() {
	clear(s.Body)
	s.Body, s.Password, s.Authorization, s.read = nil, "", "", nil
}

// overrides are headers by which a request asks for another method.
var overrides = map[string]bool{"X-Http-Method-Override": true, "X-Http-Method": true, "X-Method-Override": true}

// overridden tells whether a request asks for another method, perhaps by an alias of such a header.
func overridden(h http.Header) bool {
	for name := range h {
		if overrides[name] || strings.ContainsAny(name, "_.") && overrides[dashed(name)] {
			return true
		}
	}
	return false
}

// StripMethod takes off the headers by which some frameworks take a request for one of another
// method than was judged. Within a session they may stay.
func StripMethod(h http.Header) {
	for name := range h {
		if overrides[name] || overrides[dashed(name)] {
			delete(h, name)
		}
	}
}

// ReadSubmission reads a request that is Submit: its body or, with Config.Credentials, its header. The error is
// ErrTooLong if the body is longer than MaxForm, ErrAmbiguous if there is more than one way
// to read it, or none, and otherwise that of the body. The body is gone afterwards.
func (f *Form) ReadSubmission(r *http.Request) (*Submission, error) {
	if err := f.checkHead(r); err != nil {
		return nil, err
	}
	if f.config.Credentials == InHeader {
		return f.readHeader(r)
	}
	data, err := readForm(r)
	if err != nil {
		return nil, err
	}
	b, err := parseBody(r.Header, data)
	clear(data)
	if err != nil {
		return nil, err
	}
	f.withoutSessionIDs(b)
	s := new(Submission)
	if s.User, s.Password, err = f.credentials(b); err != nil {
		return nil, err
	}
	if !f.submitted(r, b) {
		return nil, ambiguous("it is not what a login form sends")
	}
	s.read = b
	s.Body, s.ContentType = b.encode()
	return s, nil
}

func (f *Form) checkHead(r *http.Request) error {
	if coding := r.Header.Values("Content-Encoding"); len(coding) > 0 {
		return ambiguous("its body is encoded")
	}
	if len(r.Trailer) > 0 || r.Header.Get("Content-Range") != "" {
		return ambiguous("it is not whole")
	}
	if overridden(r.Header) {
		return ambiguous("it asks for another method")
	}
	w := f.watch()
	w.query(r.URL.RawQuery)
	if w.user || w.password || f.guardKeys(r) != nil {
		return ambiguous("there are credentials in the query, too")
	}
	return nil
}

func readForm(r *http.Request) ([]byte, error) {
	if r.ContentLength > MaxForm {
		return nil, ErrTooLong
	}
	if r.Body == nil {
		return nil, ambiguous("it has no body")
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, MaxForm+1))
	if err != nil {
		return nil, fmt.Errorf("reading the login request: %w", err)
	}
	if len(data) > MaxForm {
		return nil, ErrTooLong
	}
	return data, nil
}

// submitted tells whether one of the patterns of Submit holds in full.
func (f *Form) submitted(r *http.Request, b *body) bool {
	path, ok := strictPath(r.URL)
	if !ok {
		return false
	}
	for _, p := range f.submit.all {
		if p.path.match(path, false) && p.admits(r) && (len(p.conditions) == 0 || b != nil && b.meet(p.conditions)) {
			return true
		}
	}
	return false
}

// credentials reads name and password from a body that is a form or JSON, as the
// app has them.
func (f *Form) credentials(b *body) (user, password string, err error) {
	hasUser, hasPassword := f.config.User.Form != "", f.config.Password.Form != ""
	if b.json != nil {
		hasUser, hasPassword = f.userJSON != nil, f.passwordJSON != nil
	}
	if !hasPassword {
		return "", "", ambiguous("the media type is none that the form has")
	}
	if password, err = b.value(f.config.Password.Form, f.passwordJSON); err != nil || !hasUser {
		return "", password, err
	}
	if user, err = b.value(f.config.User.Form, f.userJSON); err == nil && !printable(user) {
		err = ambiguous("the name has control characters")
	}
	return user, password, err
}

// value returns the value of a field of a form or, in JSON, the string that a
// pointer points to, if no other key in the document could be taken for it.
func (b *body) value(name string, at pointer) (string, error) {
	if b.json == nil {
		return b.only(name)
	}
	n := b.json.at(at)
	if n == nil || n.kind != '"' {
		return "", ambiguous("a field is missing, or is no text")
	}
	if last := at[len(at)-1]; !number(last) && b.json.count(foldName(last)) != 1 {
		return "", ambiguous("a field is there twice")
	}
	return n.text, nil
}
