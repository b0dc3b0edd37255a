package loginform

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Some apps have a form whose script sends name and password in a header of one request, as HTTP Basic
// credentials, and know their users by a cookie from then on.

// checkCredentials wants one place for name and password.
func checkCredentials(c *Config) error {
	switch {
	case c.Basic:
		return nil
	case c.Credentials == InHeader && (c.User != (Field{}) || c.Password != (Field{})):
		return errors.New("credentials basic: name and password are in a header then; leave out user, but for const, and password")
	case c.Credentials == InHeader && (c.Elsewhere == ElsewhereUser || c.Elsewhere == ElsewherePassword || len(c.Accounts) > 0):
		return errors.New("credentials basic: no fields are refused elsewhere, since none are known; leave out forbid_elsewhere and accounts")
	case c.Credentials != InFields && c.Credentials != InHeader:
		return fmt.Errorf("credentials: %q is unknown; basic, or nothing, would do", c.Credentials)
	case c.Credentials == InFields && c.Password == (Field{}):
		return errors.New(`password: missing; write the name of the field, or a JSON pointer, or "credentials basic" if it is in a header`)
	}
	return nil
}

// shows tells whether a request to where the form goes may carry name and password. Without such a header it
// is any other request: scripts ask so whether somebody is signed in already. Another scheme alone is none of the form's,
// and is taken off.
func (f *Form) shows(r *http.Request) bool {
	if f.config.Credentials != InHeader {
		return true
	}
	given := r.Header["Authorization"]
	return len(given) > 1 || slices.ContainsFunc(given, likeBasic)
}

// likeBasic tells whether some reader may take a header for Basic credentials.
func likeBasic(value string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimLeft(value, " \t\v\f,;\"'")), "basic")
}

// readHeader reads a submission whose name and password are in the header. A body goes on as it was judged, and
// only where the app itself says who has signed in: of a name that is in it, too, nobody knows which one counts.
func (f *Form) readHeader(r *http.Request) (*Submission, error) {
	s := new(Submission)
	var err error
	if s.User, s.Password, err = basicPair(r.Header); err != nil {
		return nil, err
	}
	if s.read, err = f.bodyBeside(r); err != nil {
		return nil, err
	}
	if r.Method == http.MethodHead || !f.submitted(r, s.read) {
		return nil, ambiguous("it is not what a login form sends")
	}
	if s.read != nil {
		s.Body, s.ContentType = s.read.encode()
	}
	s.Authorization = basicHeader(s.User, s.Password)
	return s, nil
}

// basicPair reads the credentials of a header (RFC 7617 section 2) that there is a single way to read.
func basicPair(h http.Header) (user, password string, err error) {
	given := h["Authorization"]
	if len(given) != 1 {
		return "", "", ambiguous("it has no single header Authorization")
	}
	scheme, text, _ := strings.Cut(given[0], " ")
	pair, err := base64.StdEncoding.Strict().DecodeString(text)
	if !strings.EqualFold(scheme, "Basic") || err != nil || base64.StdEncoding.EncodeToString(pair) != text {
		return "", "", ambiguous("its header Authorization holds no Basic credentials, or unusual ones")
	}
	user, password, found := strings.Cut(string(pair), ":")
	if !found || user == "" {
		return "", "", ambiguous("its Basic credentials hold no name")
	}
	for _, value := range []string{user, password} {
		if !printable(value) || strings.HasPrefix(value, "\ufeff") {
			return "", "", ambiguous("its Basic credentials are no text in UTF-8, or have control characters")
		}
	}
	return user, password, nil
}

func basicHeader(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// bodyBeside reads what stands beside the credentials; nil if there is nothing.
func (f *Form) bodyBeside(r *http.Request) (*body, error) {
	if noBody(r) {
		return nil, nil
	}
	data, err := readForm(r)
	if err != nil || len(data) == 0 {
		return nil, err
	}
	defer clear(data)
	if f.identify == nil || r.Method == http.MethodGet {
		return nil, ambiguous("it has a body beside its header Authorization")
	}
	b, err := parseBody(r.Header, data)
	if err == nil {
		f.withoutSessionIDs(b)
	}
	return b, err
}

// fillHeader makes the request that the form's script sends.
func (f *Form) fillHeader(user, password string) (*Filled, error) {
	p := f.submit.all[0]
	uri, ok := p.plain()
	if !ok || strings.Contains(user, ":") {
		return nil, ErrNoForm
	}
	out := &Filled{Method: http.MethodPost, URI: uri, Authorization: basicHeader(user, password)}
	if len(p.methods) > 0 && !slices.Contains(p.methods, http.MethodPost) {
		out.Method = p.methods[0]
	}
	return out, nil
}
