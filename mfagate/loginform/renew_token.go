package loginform

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// leastToken is the length of the shortest value that is taken for a token.
const leastToken = 8

// renewTokens changes what was the value of a cookie that scripts may read to that of the
// fresh page's cookie. Scripts send it, perhaps unescaped, in a header or a field.
func (f *Form) renewTokens(s *Submission, h http.Header, page *Answer) (found bool) {
	old, err := pairs(nil, h)
	if err != nil {
		return false
	}
	for _, c := range ReadSetCookies(page.Header, time.Now()) {
		before, once := old.only(c.Name)
		if !once || c.Deleted || len(before) < leastToken || !f.Passes(c.Name) && !matchesAny(f.config.BoundCookies, c.Name) {
			continue
		}
		found = renewToken(s, h, before, c.Value) || found
		if plainBefore, err := url.PathUnescape(before); err == nil && plainBefore != before {
			plainNow, err := url.PathUnescape(c.Value)
			found = err == nil && printable(plainNow) && renewToken(s, h, plainBefore, plainNow) || found
		}
	}
	return found
}

func renewToken(s *Submission, h http.Header, before, now string) (found bool) {
	for name, values := range h {
		for i, v := range values {
			if v == before && name != "Cookie" {
				values[i], found = now, true
			}
		}
	}
	if before == s.User || before == s.Password || s.read == nil {
		return found
	}
	for i, field := range s.read.fields {
		if field.value == before {
			s.read.fields[i].value, found = now, true
		}
	}
	return s.read.json.replaceText(before, now) || found
}

// replaceText changes all strings of a document that are a given one.
func (n *node) replaceText(before, now string) (found bool) {
	if n == nil {
		return false
	}
	if n.kind == '"' && n.text == before {
		n.text, found = now, true
	}
	for _, item := range n.items {
		found = item.replaceText(before, now) || found
	}
	return found
}

// renewMeta changes headers whose token is in a meta element of the page: one with a name
// like the header's, as csrf-token for X-CSRF-Token, or one whose header another
// element names, as _csrf_header does for _csrf.
func renewMeta(h http.Header, root *html.Node) (found bool) {
	metas := make(map[string]string)
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "meta" {
			metas[strings.ToLower(attribute(n, "name"))] = attribute(n, "content")
		}
	}
	for name, token := range metas {
		if !strings.Contains(name, "csrf") && !strings.Contains(name, "xsrf") || len(token) < leastToken || !octets(token) {
			continue
		}
		for header := range h {
			if header == metaHeader(metas, name) || tokenName(header) == tokenName(name) {
				h[header], found = []string{token}, true
			}
		}
	}
	return found
}

func metaHeader(metas map[string]string, name string) string {
	return http.CanonicalHeaderKey(metas[name+"_header"])
}

// tokenName is the same for a header and for what tells its token.
func tokenName(s string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.TrimPrefix(strings.ToLower(s), "x-"))
}
