package loginform

import "strings"

// cookieName tells whether browsers keep a cookie with a name, and the app reads it under
// that. Apps use more than tokens, such as express:sess.
func cookieName(s string) bool { return ends(s) && brackets(s) }

// ends tells whether s is a name that in a header Cookie ends where all readers think it does.
func ends(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`=;,"\`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// brackets tells whether those of a name are as in pref[lang], an array to PHP. Any other [ is
// a _ to it, so the name would be another.
func brackets(name string) bool {
	base, keys, found := strings.Cut(name, "[")
	if !found {
		return true
	}
	keys, closed := strings.CutSuffix(keys, "]")
	return closed && base != "" && !strings.ContainsAny(strings.ReplaceAll(keys, "][", ""), "[]")
}

// token tells whether s is a token as RFC 9110 section 5.6.2 has it, which all
// readers of cookies take for the same name. What goes in clear has one: anybody may plant
// it, and PHP takes theme[x for theme_x.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// plain tells whether a cookie's value may go out again as it is.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == ';' || c == 0x7f {
			return false
		}
	}
	return true
}

// octets tells whether s is a value as RFC 6265 section 4.1.1 has it, perhaps in quotes.
// In any other some readers see several cookies: they split at commas or blanks, or go on
// to the next quote.
func octets(s string) bool {
	s = unquote(s)
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\' {
			return false
		}
	}
	return true
}
