package caddymodule

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// A checkBody is a request that somebody asks about.
type checkBody struct {
	Method string      `json:"method"`
	URL    string      `json:"url"`
	User   string      `json:"user"` // as whom the first factor takes it; empty: as it tells
	Header http.Header `json:"header"`
}

// A verdict is what a request would get.
type verdict struct {
	Method string         `json:"method"`
	URL    string         `json:"url"`
	Sites  []verdictSite  `json:"sites"`
	Blocks []verdictBlock `json:"blocks"` // in no order that Caddy knows: all must let it pass

	// Of all blocks together: pass, challenge, enrol, refuse, or "unprotected" if none matches.
	Verdict string `json:"verdict"`
}

type verdictSite struct {
	Name  string `json:"name"`
	Realm string `json:"realm"`
	Mode  string `json:"mode"`
}

type verdictBlock struct {
	Site    string   `json:"site"`
	Matches bool     `json:"matches"`
	Source  string   `json:"source"`
	Factors []string `json:"factors,omitempty"` // empty: any
	MaxAge  string   `json:"max_age,omitempty"`
	User    string   `json:"user,omitempty"`
	Verdict string   `json:"verdict,omitempty"`
	Why     string   `json:"why,omitempty"`
}

// checkRequest answers POST /mfa/check. Nothing is sent to the app, and nothing changes.
func checkRequest(a administration, r *http.Request) (any, error) {
	var body checkBody
	if err := readBody(r, 64<<10, &body); err != nil {
		return nil, err
	}
	req, err := body.request(r)
	if err != nil {
		return nil, failed(http.StatusBadRequest, err)
	}
	out := verdict{Method: body.Method, URL: body.URL, Sites: []verdictSite{}, Blocks: []verdictBlock{}, Verdict: "unprotected"}
	for _, s := range a.app.sites.at(req) {
		out.Sites = append(out.Sites, verdictSite{s.name, s.realm, a.modeOf(r, s)})
		for _, h := range s.handlers {
			if h.PagesOnly {
				continue
			}
			b, err := h.check(req, body.User)
			if err != nil {
				return nil, err
			}
			out.Blocks = append(out.Blocks, b)
			if b.Matches {
				out.Verdict = stricter(out.Verdict, b.Verdict)
			}
		}
	}
	return out, nil
}

// request is what the body describes, as if it came from this machine.
func (b *checkBody) request(from *http.Request) (*http.Request, error) {
	u, err := url.Parse(b.URL)
	switch {
	case err != nil:
		return nil, err
	case u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("url: want a whole one, such as https://app.example.com/path")
	case b.Method == "" || strings.Trim(b.Method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "":
		return nil, errors.New("method: want one such as GET")
	}
	if u.Path == "" {
		u.Path = "/"
	}
	r, err := http.NewRequestWithContext(from.Context(), b.Method, u.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	for name, values := range b.Header {
		for _, v := range values {
			r.Header.Add(name, v)
		}
	}
	r.RequestURI, r.RemoteAddr = u.RequestURI(), "127.0.0.1:0"
	r.URL = &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}
	if u.Scheme == "https" {
		r.TLS = &tls.ConnectionState{ServerName: u.Hostname(), HandshakeComplete: true}
	}
	return r, nil
}

// check tells what one handler would make of a request.
func (h *Handler) check(r *http.Request, user string) (verdictBlock, error) {
	b := verdictBlock{Site: h.Site, Source: h.sourceName(), Factors: h.Factors}
	if h.MaxAge > 0 {
		b.MaxAge = short(time.Duration(h.MaxAge))
	}
	r = caddyhttp.PrepareRequest(r.Clone(r.Context()), caddy.NewReplacer(), nil, new(caddyhttp.Server))
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, "127.0.0.1")
	h.guard.clean(r)
	var err error
	if b.Matches, err = h.protects(r); err != nil || !b.Matches && !own(r.URL.Path) {
		return b, err
	}
	block, err := h.block()
	if err != nil {
		return b, err
	}
	var who *mfagate.Identity
	if user != "" {
		who = &mfagate.Identity{Name: user}
	}
	e := block.Explain(r, who)
	b.User, b.Verdict, b.Why = e.Subject.Name, e.Verdict.String(), e.Why
	return b, nil
}

// sourceName tells where the user of a request comes from.
func (h *Handler) sourceName() string {
	switch p, place := h.source.(*PlaceholderSource); {
	case h.asks():
		return "ask"
	case h.login != nil:
		return "login_form"
	case h.usual && h.app.sites.login(h.Site) != nil:
		return "login_form of the site"
	case place:
		return "user " + p.User
	}
	return fmt.Sprintf("%T", h.source)
}

// modeOf tells the mode that holds at a site now.
func (a administration) modeOf(r *http.Request, s *site) string {
	if s.options.Mode != "" {
		return s.options.Mode
	}
	stored, err := a.gate.StoredMode(r.Context(), s.realm)
	if err != nil {
		return mfagate.Required.String()
	}
	return stored.Mode.String()
}

// stricter returns the stricter of two verdicts.
func stricter(a, b string) string {
	order := []string{"unprotected", "pass", "challenge", "enrol", "refuse"}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

// at returns copies of the sites that a request is for, in order. One without addresses could
// be for any.
func (all *sites) at(r *http.Request) []*site {
	all.mu.Lock()
	defer all.mu.Unlock()
	var found []*site
	for _, name := range slices.Sorted(maps.Keys(all.byName)) {
		s := *all.byName[name]
		if len(s.addresses) == 0 || slices.ContainsFunc(s.addresses, func(a string) bool { return addresses(a, r) }) {
			found = append(found, &s)
		}
	}
	return found
}

// addresses tells whether the address of a site block is that of a request.
func addresses(address string, r *http.Request) bool {
	a, err := httpcaddyfile.ParseAddress(address)
	if err != nil {
		return false
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = strings.Trim(r.Host, "[]"), standardPort(scheme)
	}
	own := a.Scheme
	if own == "" {
		own = impliedScheme(a.Host, a.Port)
	}
	wanted := a.Port
	if wanted == "" {
		wanted = standardPort(own)
	}
	return own == scheme && wanted == port && namesHost(strings.Trim(a.Host, "[]"), host)
}

// namesHost tells whether the host of an address, empty for all or with a star for its first label,
// is that of a request.
func namesHost(pattern, host string) bool {
	if rest, ok := strings.CutPrefix(pattern, "*."); ok {
		_, domain, _ := strings.Cut(host, ".")
		return strings.EqualFold(rest, domain)
	}
	return pattern == "" || strings.EqualFold(pattern, host)
}
