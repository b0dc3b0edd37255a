package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

func init() {
	caddy.RegisterModule(AskSource{})
}

// AskSource is for what people reach before they sign in, such as a link that
// resets a password: no first factor names them, so the gate asks for the name and a
// code. With a lifetime it stands before a whole app whose own login cannot be watched.
type AskSource struct {
	// How long the answer opens the app: 1m to 24h. Then the gate has pages to sign out
	// and to enrol with a ticket, too. Default: 15 minutes, and no such pages.
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// How long it does so without requests: 1m to 1h. Takes a lifetime. Default: that of the site.
	Idle caddy.Duration `json:"idle,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (AskSource) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "mfa.identity.ask",
		New: func() caddy.Module { return new(AskSource) },
	}
}

// Identify implements mfagate.Source: no request names anybody.
func (*AskSource) Identify(*http.Request) (mfagate.Identity, error) {
	return mfagate.Identity{}, mfagate.ErrNoIdentity
}

// UnmarshalCaddyfile sets up s from Caddyfile tokens. Syntax:
//
//	ask {
//	    lifetime <duration>
//	    idle     <duration>
//	}
func (s *AskSource) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume module name
	if d.NextArg() {
		return d.Errf("ask: unexpected value %q", d.Val())
	}
	known := options{
		"lifetime": duration(&s.Lifetime, leastLifetime, mostLifetime, "8h"),
		"idle":     duration(&s.Idle, leastIdle, mostIdle, "30m"),
	}
	if err := known.parse(d, guests{}); err != nil {
		return err
	}
	if s.Idle != 0 && s.Lifetime == 0 {
		return d.Errf("ask: idle goes with lifetime, for a whole app: write, for example: lifetime 8h")
	}
	return nil
}

// asks tells whether h asks for names.
func (h *Handler) asks() bool {
	_, ok := h.source.(*AskSource)
	return ok
}

// asking returns the source of a handler that asks for names, or what asks for nothing.
func (h *Handler) asking() AskSource {
	if s, ok := h.source.(*AskSource); ok {
		return *s
	}
	return AskSource{}
}

// checkAsking refuses blocks of one site that ask in different ways, since they share one page and one
// session, and beside one for the whole app those that know the user, whose pages stand in its place.
func (s *site) checkAsking() error {
	var asking AskSource
	for i, h := range s.asked() {
		if i > 0 && h.asking() != asking {
			return fmt.Errorf("the mfa blocks of site %q differ: ask has %s in one and %s in another; write the same in each", s.name, asking.times(), h.asking().times())
		}
		asking = h.asking()
	}
	if others := len(s.handlers) - len(s.asked()); asking.Lifetime != 0 && others > 0 {
		return fmt.Errorf("site %q: ask with a lifetime signs people in for the whole site, and serves its pages; leave out the mfa blocks without ask, and mfa_pages", s.name)
	}
	return nil
}

// asked are the site's handlers that ask.
func (s *site) asked() (all []*Handler) {
	for _, h := range s.handlers {
		if h.asks() {
			all = append(all, h)
		}
	}
	return all
}

func (s AskSource) times() string {
	if s.Lifetime == 0 {
		return "no lifetime"
	}
	text := "lifetime " + short(time.Duration(s.Lifetime))
	if s.Idle != 0 {
		text += ", idle " + short(time.Duration(s.Idle))
	}
	return text
}

// checkAsk refuses pages that ask and protect nothing.
func (h *Handler) checkAsk() error {
	if h.asks() && h.PagesOnly {
		return errors.New("ask goes with the requests that it protects; write it in a mfa block with a matcher, such as: mfa /reset-password/*")
	}
	return nil
}

const (
	askPath    = mfagate.Prefix + "ask"
	staticPath = mfagate.Prefix + "static/"
)

// pagesOf are the two handlers of a site that serve its pages: those for people whom
// a first factor names, and the one for people whom it does not. Whichever handler
// of the site a request comes to first hands it on.
type pagesOf struct{ telling, asking *Handler }

func (p *pagesOf) add(h *Handler) {
	switch {
	case h.asks():
		if p.asking == nil {
			p.asking = h
		}
	case p.telling == nil || p.telling.PagesOnly && !h.PagesOnly:
		p.telling = h
	}
}

// typed tells whether nobody but people themselves says who they are, on a login form.
func (p *pagesOf) typed() bool {
	return p.telling != nil && p.telling.login != nil && p.telling.login.Form.Config().Identify == nil
}

// serving returns the handler that serves one of the gate's own paths, which is h
// if the site has no other for it.
func (all *sites) serving(h *Handler, path string) *Handler {
	if strings.HasPrefix(path, staticPath) {
		return h
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	p := all.site(h.Site).pages
	switch {
	case path == askPath && !h.asks() && p.asking != nil:
		return p.asking
	case path != askPath && h.asks() && p.telling != nil:
		return p.telling
	}
	return h
}

// Interface guards
var (
	_ mfagate.Source        = (*AskSource)(nil)
	_ caddyfile.Unmarshaler = (*AskSource)(nil)
)
