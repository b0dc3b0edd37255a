package learn

import (
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Bounds of what is kept of one request.
const (
	maxSegments = 8
	maxSegment  = 40 // bytes
	maxQuery    = 8  // keys
	maxName     = 64 // bytes of a field, cookie or key
)

var (
	plainSegment = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)
	plainName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.:\[\]-]*$`)
	manyDigits   = regexp.MustCompile(`[0-9]{5}|[0-9a-fA-F]{12}`)
)

// name returns the name of a field or cookie, or an empty string if it is none that an
// app would choose: it could be a value that somebody sent in place of one.
func name(s string) string {
	if len(s) > maxName || !plainName.MatchString(s) {
		return ""
	}
	return s
}

// shape returns a path with a star for each part that may differ between people.
func shape(p string) string {
	if p == "" || p[0] != '/' {
		return "/"
	}
	clean := path.Clean(p)
	segments := strings.Split(clean[1:], "/")
	for i, s := range segments {
		if i >= maxSegments {
			return "/" + strings.Join(segments[:i], "/") + "/*"
		}
		if s != "" && (len(s) > maxSegment || !plainSegment.MatchString(s) || manyDigits.MatchString(s)) {
			segments[i] = "*"
		}
	}
	out := "/" + strings.Join(segments, "/")
	if strings.HasSuffix(p, "/") && out != "/" {
		out += "/"
	}
	return out
}

// Words by which apps with one entry for everything say what they are asked for. Only these
// values of a query are ever kept.
var (
	loginWords  = []string{"login", "logon", "signin", "sign-in", "sign_in", "auth", "authenticate"}
	logoutWords = []string{"logout", "logoff", "log-out", "log_out", "signout", "sign-out", "sign_out"}
	resetWords  = []string{
		"lostpassword", "lost_password", "lost-password", "resendpwd", "forgot", "forgotpassword", "forgot_password", "forgot-password",
		"forgotpass", "retrievepassword", "rp", "resetpass", "reset", "resetpassword", "reset_password", "reset-password", "password_reset", "passwordreset",
	}
)

// A Place is where requests go, without what differs between people.
type Place struct {
	Path  string   `json:"path"`
	Query []string `json:"query,omitempty"` // keys, as key=* or, for what selects a page, key=login
}

func placeOf(u *url.URL) Place {
	return Place{shape(u.Path), queryOf(u.RawQuery)}
}

func queryOf(raw string) []string {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil
	}
	var keys []string
	for key, v := range values {
		if name(key) == "" || len(v) != 1 {
			continue
		}
		value := "*"
		if word(v[0]) {
			value = v[0]
		}
		keys = append(keys, key+"="+value)
	}
	slices.Sort(keys)
	return keys[:min(maxQuery, len(keys))]
}

func word(s string) bool {
	return slices.Contains(loginWords, s) || slices.Contains(logoutWords, s) || slices.Contains(resetWords, s)
}

// URI writes a place as in a Caddyfile.
func (p Place) URI() string {
	if len(p.Query) == 0 {
		return p.Path
	}
	return p.Path + "?" + strings.Join(p.Query, "&")
}

// says tells whether a word of the list is a part of the path, or a value of the query.
func (p Place) says(words []string) bool {
	for part := range strings.FieldsFuncSeq(strings.ToLower(p.Path), func(c rune) bool { return c == '/' || c == '.' }) {
		if slices.Contains(words, part) {
			return true
		}
	}
	return slices.ContainsFunc(p.Query, func(pair string) bool {
		_, value, _ := strings.Cut(pair, "=")
		return slices.Contains(words, value)
	})
}

// keyed tells whether a word of the list is a key of the query, as in ?logout=1.
func (p Place) keyed(words []string) bool {
	return slices.ContainsFunc(p.Query, func(pair string) bool {
		key, _, _ := strings.Cut(pair, "=")
		return slices.Contains(words, strings.ToLower(key))
	})
}

// agent returns the family of a program, such as curl, or an empty string for a browser.
func agent(r *http.Request) string {
	family, _, _ := strings.Cut(r.UserAgent(), "/")
	switch {
	case family == "Mozilla" || family == "Opera":
		return ""
	case family == "":
		return "unnamed"
	case len(family) > 32 || !plainSegment.MatchString(family):
		return "other"
	}
	return family
}
