package loginform

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// cookies returns the values of the cookies that an answer leaves, by name, as
// far as the names match. Of several with a name the last one counts.
func (a *Answer) cookies(name glob) map[string]string {
	found := make(map[string]string)
	for _, line := range a.Header.Values("Set-Cookie") {
		pair, attributes, _ := strings.Cut(line, ";")
		key, value, ok := strings.Cut(pair, "=")
		key, value = strings.TrimSpace(key), unquote(strings.TrimSpace(value))
		switch {
		case !ok || !name.match(key):
		case deletes(value, attributes):
			delete(found, key)
		default:
			found[key] = value
		}
	}
	return found
}

func unquote(value string) string {
	if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		return value[1 : len(value)-1]
	}
	return value
}

// deletes tells whether a Set-Cookie deletes: by what browsers know (RFC 6265
// section 5.2), or by a value that apps write in such a case.
func deletes(value, attributes string) bool {
	if value == "" || value == "deleted" || value == "-del-" {
		return true
	}
	for attribute := range strings.SplitSeq(attributes, ";") {
		name, value, _ := strings.Cut(attribute, "=")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "max-age":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil && n <= 0 || strings.HasPrefix(value, "-") {
				return true
			}
		case "expires":
			if at, ok := cookieTime(value); ok && !at.After(time.Now()) {
				return true
			}
		}
	}
	return false
}

// cookieTime reads the forms of a date that apps write.
func cookieTime(text string) (time.Time, bool) {
	if at, err := http.ParseTime(text); err == nil {
		return at, true
	}
	for _, layout := range []string{"Mon, 02-Jan-2006 15:04:05 MST", "Mon, 2 Jan 2006 15:04:05 MST", "Mon, 02-Jan-06 15:04:05 MST", "Mon, 2-Jan-2006 15:04:05 MST"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// deletion tells whether a value is one with which apps take a cookie back.
func deletion(value string) bool {
	switch strings.Trim(value, `"`) {
	case "", "deleted", "-del-":
		return true
	}
	return false
}

// parseTime reads a date as apps write it.
func parseTime(s string) (time.Time, error) {
	at, err := http.ParseTime(s)
	for _, layout := range []string{"Mon, 02-Jan-2006 15:04:05 MST", "Mon, 2 Jan 2006 15:04:05 MST", "Monday, 02-Jan-2006 15:04:05 MST"} {
		if err != nil {
			at, err = time.Parse(layout, s)
		}
	}
	return at, err
}
