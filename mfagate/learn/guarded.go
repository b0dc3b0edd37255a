package learn

import (
	"net/http"
	"slices"
	"strings"
)

// A Guarded is a place where the app answers 401 and asks for credentials in the header
// Authorization. One without a path stands for all others that took such credentials.
type Guarded struct {
	Place
	Scheme string `json:"scheme"` // Basic, Digest, Negotiate, NTLM or other
	Asked  int    `json:"asked"`  // requests without credentials that were refused
	Pages  int    `json:"pages"`  // those of them by which a browser wanted a page
	Wrong  int    `json:"wrong"`  // with credentials, and refused
	Right  int    `json:"right"`  // with credentials, and answered
}

// guarded learns from answers that ask for credentials, and from requests that carry some.
func (v *visit) guarded() {
	refused := v.w.status == http.StatusUnauthorized
	scheme := schemeOf(v.r)
	bare := scheme == ""
	if refused {
		scheme = wanted(v.w.Header())
	}
	if scheme == "" || scheme == "Bearer" || scheme == "Token" {
		return
	}
	if !refused && (bare || v.w.status >= 500) {
		return
	}
	at := v.at
	if v.places.all[scheme+" "+at.URI()] == nil && !refused {
		at = Place{}
	}
	row, _ := v.places.see(scheme+" "+at.URI(), func() *Guarded { return &Guarded{Place: at, Scheme: scheme} })
	g := row.value
	switch {
	case !refused:
		g.Right++
	case !bare:
		g.Wrong++
	default:
		g.Asked++
		if v.r.Method == http.MethodGet && agent(v.r) == "" && strings.Contains(v.r.Header.Get("Accept"), "text/html") {
			g.Pages++
		}
	}
}

// wanted is the scheme of the credentials that an answer asks for, the simplest of several.
func wanted(h http.Header) string {
	var all []string
	for _, line := range h.Values("WWW-Authenticate") {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		i := slices.IndexFunc(schemes, func(s string) bool { return strings.EqualFold(s, word) })
		if i < 0 {
			all = append(all, "other")
			continue
		}
		all = append(all, schemes[i])
	}
	for _, s := range append(slices.Clone(schemes), "other") {
		if slices.Contains(all, s) {
			return s
		}
	}
	return ""
}
