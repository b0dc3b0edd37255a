package learn

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxBody is the length in bytes of the longest body that is looked at.
const maxBody = 64 << 10

// maxFields is how many fields of a body are looked at.
const maxFields = 64

// A sent is what a request carried: names in order, and what stood beside them for
// as long as the request lasts.
type sent struct {
	encoding string // form, multipart or json
	names    []string
	values   []string // never kept
}

func (s *sent) add(name, value string) {
	if len(s.names) < maxFields {
		s.names, s.values = append(s.names, name), append(s.values, value)
	}
}

// encodingOf returns how a request carries fields, empty if it carries none.
func encodingOf(r *http.Request) string {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
	default:
		return ""
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil:
		return ""
	case media == "application/x-www-form-urlencoded":
		return "form"
	case media == "multipart/form-data":
		return "multipart"
	case media == "application/json" || strings.HasSuffix(media, "+json"):
		return "json"
	}
	return ""
}

// read finds the fields of a body. What cannot be read has none.
func read(encoding, contentType string, body []byte) *sent {
	s := &sent{encoding: encoding}
	switch encoding {
	case "form":
		s.form(string(body))
	case "multipart":
		s.multipart(contentType, body)
	case "json":
		var v any
		if json.Unmarshal(body, &v) == nil {
			s.json("", v, 0)
		}
	}
	return s
}

func (s *sent) form(text string) {
	for pair := range strings.SplitSeq(text, "&") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok { // a value alone, perhaps
			continue
		}
		key, keyErr := url.QueryUnescape(key)
		value, valueErr := url.QueryUnescape(value)
		if keyErr == nil && valueErr == nil {
			s.add(key, value)
		}
	}
}

func (s *sent) multipart(contentType string, body []byte) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return
	}
	for m := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
		part, err := m.NextPart()
		if err != nil {
			return
		}
		if part.FileName() != "" {
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return
		}
		s.add(part.FormName(), string(value))
	}
}

// json tells fields by their JSON pointers.
func (s *sent) json(at string, v any, depth int) {
	if depth > 4 {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			s.json(at+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(key), v[key], depth+1)
		}
	case []any:
		for i, item := range v[:min(len(v), 8)] {
			s.json(at+"/"+strconv.Itoa(i), item, depth+1)
		}
	case string:
		s.add(at, v)
	}
}

var (
	passwordName = regexp.MustCompile(`(?i)(^|[_.:\[-])(p|pw|pwd|pass|passwd|passwort|password|passphrase|kennwort|mot_de_passe|contrasena|secret|pin)\]?$|^[a-z_]{0,12}(passwd|password|passwort|kennwort|_pass|pwd)$|^(user|login)pass$`)
	userName     = regexp.MustCompile(`(?i)(^|[_.:\[-])(u|un|user|usr|uid|userid|user_id|username|user_name|user-name|login|loginname|login_name|log|account|accountname|name|benutzer|benutzername|email|e_mail|e-mail|mail|identity|principal)\]?$|^[a-z_]{0,12}(username|user|login|email)$`)
)

// last is the part of a field's name that says what it is.
func last(field string) string {
	return field[strings.LastIndex(field, "/")+1:]
}

// credentials returns the field with the password and that with the name of the user
// beside it, which may be missing.
func (s *sent) credentials() (user, password string) {
	for i, n := range s.names {
		if s.secret(i) && fieldName(n) != "" {
			password = n
			break
		}
	}
	if password == "" {
		return "", ""
	}
	for _, n := range s.names {
		if n != password && userName.MatchString(last(n)) && fieldName(n) != "" {
			return n, password
		}
	}
	return "", password
}

// fieldName returns a field that may be kept: of a form by its name, of JSON by its pointer.
func fieldName(n string) string {
	if !strings.HasPrefix(n, "/") {
		return name(n)
	}
	for part := range strings.SplitSeq(n[1:], "/") {
		if _, err := strconv.Atoi(part); err != nil && name(part) == "" {
			return ""
		}
	}
	return n
}

// secret tells whether a field is named like one for a password, and holds no mere switch, as the field
// does that tells phpLDAPadmin how the password beside it is encoded.
func (s *sent) secret(i int) bool {
	return passwordName.MatchString(last(s.names[i])) && !slices.Contains([]string{"0", "1", "on", "true", "false"}, s.values[i])
}

// doubled tells whether there are several fields for a password, as where one is
// chosen or changed: no login looks so.
func (s *sent) doubled() bool {
	n := 0
	for i := range s.names {
		if s.secret(i) {
			n++
		}
	}
	return n > 1
}

// hide puts a star in place of what the request has told in s, or a part of it: the name in an
// address of e-mail, for example. What is short counts only as a word of its own.
func (s *sent) hide(text string) string {
	for _, v := range s.values {
		parts := strings.FieldsFunc(v, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
		for _, part := range append(parts, strings.TrimSpace(v), url.QueryEscape(v), url.PathEscape(v)) {
			text = hidePart(text, part)
		}
	}
	return text
}

func hidePart(text, part string) string {
	if part == "" || len(part) > len(text) || word(strings.ToLower(part)) {
		return text
	}
	pattern := regexp.QuoteMeta(part)
	if len(part) < 4 {
		pattern = `\b` + pattern + `\b`
	}
	re, err := regexp.Compile("(?i)" + pattern)
	if err != nil { // bytes that are no letters
		return "*"
	}
	return re.ReplaceAllLiteralString(text, "*")
}
