package loginform

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Names of session ids that frameworks write into addresses, in the path or the query, as
// long as they do not know whether a browser takes cookies: Servlet containers, PHP,
// ColdFusion. With an id that somebody has seen there before a sign-in, that sign-in is his.
var sessionIDs = []string{"jsessionid", "phpsessid", "cftoken"}

// Names of tokens in a query (RFC 6750 section 2.3), and of keys that do without a session. Words
// such as token, key, sid and session_id are not among them: they have other meanings as well.
var tokenKeys = []string{"access_token", "private_token", "api_key", "apikey"}

// cookieless is the name here of what ASP.NET writes into a path: sessions, tickets of
// forms, and anonymous users, as in /(S(x4hjz5)F(Tk2))/page.aspx.
const cookieless = "cookieless"

var cookielessSegment = regexp.MustCompile(`(?i)^\((?:[a-z]\([^()]*\))+\)$`)

// compileURLKeys tells which of the names that are known anyway count, and adds the operator's.
func (f *Form) compileURLKeys() (bad []string) {
	var allowed []string
	for _, k := range f.config.QueryKeys {
		name, allows := strings.CutPrefix(k, "-")
		if name == "" || strings.ContainsAny(name, "=&;?*") || !printable(name) {
			bad = append(bad, k)
		}
		if allows {
			allowed = append(allowed, foldName(name))
		} else {
			f.queryKeys = append(f.queryKeys, foldName(name))
		}
	}
	counts := func(name string) bool { return !slices.Contains(allowed, name) }
	for _, name := range sessionIDs {
		if counts(name) {
			f.sessionIDs = append(f.sessionIDs, name)
			f.queryKeys = append(f.queryKeys, name)
		}
	}
	for _, name := range tokenKeys {
		if counts(name) {
			f.queryKeys = append(f.queryKeys, name)
		}
	}
	f.cookieless = counts(cookieless)
	return bad
}

// WithoutSessionID returns the request URI of a URL without the session ids that an app
// has written into it in the plain way. found is false if there is none. The app finds the
// same session by its cookie.
func (f *Form) WithoutSessionID(u *url.URL) (uri string, found bool) {
	if u.RawQuery == "" && !strings.Contains(u.Path, ";") {
		return "", false
	}
	is := func(parameter string) bool {
		name, _, valued := strings.Cut(parameter, "=")
		it := valued && slices.Contains(f.sessionIDs, strings.ToLower(name))
		found = found || it
		return it
	}
	segments := strings.Split(u.EscapedPath(), "/")
	for i, s := range segments {
		segments[i] = strings.Join(slices.DeleteFunc(strings.Split(s, ";"), is), ";")
	}
	query := strings.Split(u.RawQuery, "&")
	query = slices.DeleteFunc(query, is)
	if found && !slices.ContainsFunc(strings.Split(u.RawQuery, "&"), isCFToken) {
		return joinURI(segments, query), true
	}
	return joinURI(segments, slices.DeleteFunc(query, isCFID)), found
}

// isCFToken tells whether a pair of a query is half of ColdFusion's id, of which CFID is the
// other half: alone that may be anything.
func isCFToken(pair string) bool { return strings.HasPrefix(strings.ToLower(pair), "cftoken=") }
func isCFID(pair string) bool    { return strings.HasPrefix(strings.ToLower(pair), "cfid=") }

func joinURI(segments, query []string) string {
	uri := strings.Join(segments, "/")
	if q := strings.Join(query, "&"); q != "" {
		uri += "?" + q
	}
	return uri
}

// inPath tells whether a path has a session id that is no parameter of a segment: that of
// ASP.NET or, as PHP takes it, any segment that is one.
func (f *Form) inPath(r *http.Request) bool {
	if !strings.ContainsAny(r.URL.Path, "(=") {
		return false
	}
	for segment := range strings.SplitSeq(r.URL.Path, "/") {
		name, _, valued := strings.Cut(segment, "=")
		if f.cookieless && cookielessSegment.MatchString(segment) || valued && slices.Contains(f.sessionIDs, foldName(name)) {
			return true
		}
	}
	return false
}

// withoutSessionIDs takes session ids out of a form: the app finds them in its cookie.
func (f *Form) withoutSessionIDs(b *body) {
	b.fields = slices.DeleteFunc(b.fields, func(field field) bool {
		return slices.ContainsFunc(f.sessionIDs, spell(field.name).like)
	})
}
