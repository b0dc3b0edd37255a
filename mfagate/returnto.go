package mfagate

import (
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxReturn is the length in bytes of the longest path that is gone back to.
const maxReturn = 2000

// localPath returns path if it is a path of this very site that a person can be
// sent to, and the empty string otherwise. What a browser could read as another
// host, or as more than one line, is refused, and so are the gate's own pages
// but those of settings and of administrators.
func localPath(path string) string {
	if len(path) > maxReturn || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return ""
	}
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return ""
		}
	}
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "//") ||
		strings.ContainsAny(u.Path, "\\\r\n\t") {
		return ""
	}
	if strings.HasPrefix(u.Path, Prefix) && !returnable(u.Path) || u.Path+"/" == Prefix {
		return ""
	}
	return path
}

// returnable tells whether one of the gate's own pages may be gone back to.
func returnable(path string) bool {
	return path == Prefix || path == Prefix+"enroll" || path == Prefix+"disable" || path == addressPath || strings.HasPrefix(path, adminPrefix)
}

// wanted is the path to go to after the pages: that of a stopped navigation, or
// where a form that cannot be sent again came from.
func (v *visit) wanted() string {
	if v.r.Method == http.MethodGet || v.r.Method == http.MethodHead {
		return orRoot(localPath(v.client.Sent.RequestURI()))
	}
	if ref, err := url.Parse(v.r.Referer()); err == nil && ref.Host == v.r.Host {
		return orRoot(localPath(ref.RequestURI()))
	}
	return "/"
}

func orRoot(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// page is the path of one of the gate's pages, with the way back.
func page(name, back string, more ...string) string {
	q := url.Values{}
	if back != "" {
		q.Set("return", back)
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	if len(q) == 0 {
		return Prefix + name
	}
	return Prefix + name + "?" + q.Encode()
}

// navigation tells whether a browser would show the answer to a person.
func navigation(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		dest := r.Header.Get("Sec-Fetch-Dest") // frames cannot show the gate's pages
		return mode == "navigate" && (dest == "" || dest == "document")
	}
	if r.Header.Get("X-Requested-With") != "" {
		return false
	}
	html, other := preference(r.Header.Values("Accept"))
	return html > 0 && html >= other
}

// preference tells the quality (RFC 9110 section 12.5.1) of text/html in an Accept
// header, and the highest of a JSON type. Wild cards count for neither: programs
// send them without a thought.
func preference(accept []string) (html, json float64) {
	for item := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, params, err := mime.ParseMediaType(item)
		if err != nil {
			continue
		}
		q := 1.0
		if given, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(given, 64); err != nil {
				continue
			}
		}
		switch {
		case media == "text/html":
			html = max(html, q)
		case media == "application/json", strings.HasSuffix(media, "+json"):
			json = max(json, q)
		}
	}
	return html, json
}

// upgrade tells whether r wants to become something other than a request, such as
// a WebSocket, by HTTP/1.1, HTTP/2 or HTTP/3.
func upgrade(r *http.Request) bool {
	return r.Header.Get("Upgrade") != "" || r.Method == http.MethodConnect
}
