package loginform

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxFields is the number of fields of a form, and of values in JSON.
const maxFields = 1000

// The media types that a login form can have.
const (
	mediaForm      = "application/x-www-form-urlencoded"
	mediaMultipart = "multipart/form-data"
	mediaJSON      = "application/json"
)

// A field is a field of a form.
type field struct {
	name, value string
}

// A body is one that there is a single way to read.
type body struct {
	media  string
	fields []field
	json   *node // nil if it is a form
}

// ambiguous says in what way.
func ambiguous(reason string) error {
	return fmt.Errorf("%w: %s", ErrAmbiguous, reason)
}

// parseBody reads a body strictly. Fields of one name are left to the caller.
func parseBody(h http.Header, data []byte) (*body, error) {
	media, params, err := bodyType(h)
	if err != nil {
		return nil, err
	}
	b := &body{media: media}
	switch media {
	case mediaForm:
		b.fields, err = parseForm(string(data))
	case mediaMultipart:
		b.fields, err = parseMultipart(string(data), params["boundary"])
	case mediaJSON:
		b.json, err = parseJSON(data, maxFields)
	default:
		err = ambiguous("the media type is none of a login form")
	}
	if err != nil {
		return nil, err
	}
	return b, distinct(b.fields)
}

func bodyType(h http.Header) (media string, params map[string]string, err error) {
	given := h["Content-Type"]
	if len(given) != 1 {
		return "", nil, ambiguous("it has no single media type")
	}
	if media, params, err = mime.ParseMediaType(given[0]); err != nil {
		return "", nil, ambiguous("its media type is malformed")
	}
	for name, value := range params {
		utf := name == "charset" && strings.EqualFold(value, "utf-8")
		if !utf && (name != "boundary" || media != mediaMultipart) {
			return "", nil, ambiguous("its media type has unusual parameters")
		}
	}
	return media, params, nil
}

// distinct refuses names that are different and that PHP makes the same of.
func distinct(fields []field) error {
	if len(fields) > maxFields {
		return ambiguous("there are too many fields")
	}
	seen := make(map[string]string)
	for _, f := range fields {
		folded := phpName(f.name)
		if other, ok := seen[folded]; ok && other != f.name {
			return ambiguous("two names of fields can be taken for each other")
		}
		seen[folded] = f.name
	}
	return nil
}

// parseForm reads name=value pairs (WHATWG URL section 5.1), strictly. Empty
// pairs are left out.
func parseForm(text string) ([]field, error) {
	if strings.Contains(text, ";") {
		return nil, ambiguous("some take a semicolon for a separator")
	}
	var fields []field
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		if !printable(pair) {
			return nil, ambiguous("there are signs that must be escaped")
		}
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, ambiguous("there is a bad escape")
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, ambiguous("there is a bad escape")
		}
		if err := checkField(name, value); err != nil {
			return nil, err
		}
		if fields = append(fields, field{name, value}); len(fields) > maxFields {
			return nil, ambiguous("there are too many fields")
		}
	}
	return fields, nil
}

func checkField(name, value string) error {
	if name == "" || len(name) > maxName || !printable(name) {
		return ambiguous("the name of a field is unusual")
	}
	if !utf8.ValidString(value) || strings.Contains(value, "\x00") {
		return ambiguous("a value is no text")
	}
	if strings.HasPrefix(name, "\ufeff") || strings.HasPrefix(value, "\ufeff") {
		return ambiguous("some drop a mark of the order of bytes")
	}
	return nil
}

// partHead is what browsers put before a field that is no file (RFC 7578 section
// 4.2), and nothing more.
var partHead = regexp.MustCompile(`^(?i:Content-Disposition): form-data; name="([^"\\%\r\n]+)"(?:\r\n(?i:Content-Type): *(?i:text/plain)(?:; *(?i:charset)="?(?i:utf-8)"?)?)?$`)

// parseMultipart reads fields that are no files, strictly.
func parseMultipart(text, boundary string) ([]field, error) {
	text, ok := strings.CutPrefix(text, "--"+boundary+"\r\n")
	if !ok || boundary == "" || len(boundary) > 70 || !printable(boundary) {
		return nil, ambiguous("there is something before the first part")
	}
	parts := strings.Split(text, "\r\n--"+boundary)
	last := len(parts) - 1
	if end := parts[last]; last == 0 || end != "--" && end != "--\r\n" {
		return nil, ambiguous("there is no end, or something after it")
	}
	if last > maxFields {
		return nil, ambiguous("there are too many fields")
	}
	var fields []field
	for i, part := range parts[:last] {
		if i > 0 {
			if part, ok = strings.CutPrefix(part, "\r\n"); !ok {
				return nil, ambiguous("a part begins in an unusual way")
			}
		}
		head, value, found := strings.Cut(part, "\r\n\r\n")
		match := partHead.FindStringSubmatch(head)
		if match == nil || !found {
			return nil, ambiguous("the head of a part is unusual")
		}
		if err := checkField(match[1], value); err != nil {
			return nil, err
		}
		fields = append(fields, field{match[1], value})
	}
	return fields, nil
}

// only returns the value of the only field that could be taken for one of this
// name.
func (b *body) only(name string) (string, error) {
	folded := foldName(name)
	at := -1
	for i, f := range b.fields {
		if !spell(f.name).like(folded) && !within(folded, foldName(f.name)) {
			continue
		}
		if at >= 0 || f.name != name {
			return "", ambiguous("a field is there twice, or has an unusual name")
		}
		at = i
	}
	if at < 0 {
		return "", ambiguous("a field is missing")
	}
	return b.fields[at].value, nil
}

// meet tells whether all conditions hold.
func (b *body) meet(conditions []condition) bool {
	return !slices.ContainsFunc(conditions, func(c condition) bool {
		if c.json != nil {
			n := b.json.at(c.json)
			return n == nil || n.kind == '{' || n.kind == '[' || !c.value.match(n.text)
		}
		value, err := b.only(c.form)
		return err != nil || !c.value.match(value)
	})
}

// encode writes the body anew, and nothing that was not read.
func (b *body) encode() (data []byte, contentType string) {
	switch b.media {
	case mediaJSON:
		return b.json.append(nil), mediaJSON
	case mediaMultipart:
		return encodeMultipart(b.fields)
	}
	var out bytes.Buffer
	for i, f := range b.fields {
		if i > 0 {
			out.WriteByte('&')
		}
		out.WriteString(url.QueryEscape(f.name) + "=" + url.QueryEscape(f.value))
	}
	return out.Bytes(), mediaForm
}

func encodeMultipart(fields []field) (data []byte, contentType string) {
	boundary := rand.Text() + rand.Text() // which no value can know
	var out bytes.Buffer
	for _, f := range fields {
		fmt.Fprintf(&out, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", boundary, f.name, f.value)
	}
	fmt.Fprintf(&out, "--%s--\r\n", boundary)
	return out.Bytes(), mediaMultipart + "; boundary=" + boundary
}
