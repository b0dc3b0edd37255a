package caddymodule

import (
	"errors"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

func init() {
	caddy.RegisterModule(AskSource{})
}

// AskSource is for what people reach before they sign in, such as a link that
// resets a password: no first factor names them, so the gate asks for the name and a
// code.
type AskSource struct{}

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
//	ask
func (*AskSource) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume module name
	if d.NextArg() {
		return d.Errf("ask: unexpected value %q", d.Val())
	}
	return nil
}

// asks tells whether h asks for names.
func (h *Handler) asks() bool {
	_, ok := h.source.(*AskSource)
	return ok
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
