package caddymodule

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Handler lets requests pass to the next handler only if their user has proved a
// second factor. It answers everything under /.mfa/ itself.
type Handler struct {
	// The requests to protect, both as the browser sent them and as they were
	// rewritten. Default: all.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// Where the user of a request comes from. Default: the source "user".
	SourceRaw json.RawMessage `json:"identity,omitempty" caddy:"namespace=mfa.identity inline_key=source"`

	// Serve the pages under /.mfa/ and protect nothing.
	PagesOnly bool `json:"pages_only,omitempty"`

	// The name of the site. Sessions are good on one site only. The Caddyfile
	// adapter fills in the addresses of the site block. Required.
	Site string `json:"site,omitempty"`

	// The addresses of the site, for links to it.
	Addresses []string `json:"addresses,omitempty"`

	SiteOptions

	// The factors of which one must have been proved. Default: any.
	Factors []string `json:"factors,omitempty"`

	// How long ago that may have been. Default: as long as the session lasts.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	// The word of the first factor that makes a proof unnecessary. Default: none.
	Trust *TrustOptions `json:"trust,omitempty"`

	matchers caddyhttp.MatcherSets
	source   mfagate.Source
	login    *mfagate.Login // in place of source
	usual    bool           // nobody said where the user comes from
	guard    headerGuard
	app      *App
	block    func() (*mfagate.Block, error)
	logger   *slog.Logger
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.mfa",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision sets up h.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Slogger()
	app, err := ctx.App("mfa")
	if err != nil {
		return err
	}
	h.app = app.(*App)
	if err := h.loadMatchers(ctx); err != nil {
		return err
	}
	if err := h.Trust.provision(); err != nil {
		return err
	}
	if err := h.loadSource(ctx); err != nil {
		return err
	}
	if h.Site == "" {
		return fmt.Errorf("the name of the site is missing: write \"site NAME\" in the mfa block")
	}
	h.block = sync.OnceValues(h.newBlock)
	return h.app.sites.join(h)
}

func (h *Handler) loadMatchers(ctx caddy.Context) error {
	sets, err := ctx.LoadModule(h, "MatcherSetsRaw")
	if err != nil {
		return fmt.Errorf("loading matchers: %w", err)
	}
	return h.matchers.FromInterface(sets)
}

func (h *Handler) loadSource(ctx caddy.Context) error {
	if h.usual = h.SourceRaw == nil; h.usual {
		h.SourceRaw = json.RawMessage(`{"source": "user"}`)
	}
	mod, err := ctx.LoadModule(h, "SourceRaw")
	if err != nil {
		return fmt.Errorf("loading identity source: %w", err)
	}
	switch m := mod.(type) {
	case LoginProvider:
		h.login = m.Login()
		h.login.Learner = h.app.learner(h.Site)
	case mfagate.Source:
		h.source = m
	default:
		return fmt.Errorf("identity source %T tells no identities", mod)
	}
	if s, ok := mod.(*PlaceholderSource); ok {
		h.guard = newHeaderGuard(append(s.headers(), h.Trust.headers()...), s.trusted)
	}
	return nil
}

// Validate checks h as far as that goes without the other handlers of its site.
func (h *Handler) Validate() error {
	if err := h.checkMode(); err != nil {
		return err
	}
	if err := h.checkTimes(); err != nil {
		return err
	}
	if err := h.app.checkFactors(h.Factors); err != nil {
		return err
	}
	if err := h.checkGroups(); err != nil {
		return err
	}
	if err := h.checkAsk(); err != nil {
		return err
	}
	if err := h.checkTrust(); err != nil {
		return err
	}
	if err := h.checkLogin(); err != nil {
		return err
	}
	config, err := h.config()
	if err != nil {
		return err
	}
	if err := config.Validate(); err != nil {
		return err
	}
	return h.checkEarlier()
}

func (h *Handler) config() (mfagate.BlockConfig, error) {
	site, err := h.app.sites.config(h.Site)
	if err != nil {
		return mfagate.BlockConfig{}, err
	}
	source, login := h.source, h.login
	if h.asks() {
		source = nil
	}
	if form := h.app.sites.login(h.Site); h.usual && form != nil {
		source, login = nil, &mfagate.Login{Form: form.Form, Subrequest: form.Subrequest, Follow: true}
	}
	return mfagate.BlockConfig{
		Site:   site,
		Source: source, Login: login,
		Ask: h.asks(), AskLifetime: time.Duration(h.asking().Lifetime), AskIdle: time.Duration(h.asking().Idle),
		Policy: mfagate.Policy{Factors: h.Factors, MaxAge: time.Duration(h.MaxAge)},
		Trust:  h.Trust.trust(),
	}, nil
}

// newBlock is called at the first request, when all handlers of the site have
// said what they have to say.
func (h *Handler) newBlock() (*mfagate.Block, error) {
	gate, err := h.app.Gate()
	if err != nil {
		return nil, err
	}
	config, err := h.config()
	if err != nil {
		return nil, err
	}
	return gate.Block(config)
}

// ServeHTTP implements caddyhttp.MiddlewareHandler. Its errors are those of next:
// the gate answers its own, so that no error route can lead to the app.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	walk := walkOf(r)
	h.guard.clean(r)
	path := sentURL(r).Path
	if own(path) {
		if other := h.app.sites.serving(h, path); other != h {
			other.guard.clean(r)
			h = other
		}
	} else {
		protected, err := h.protects(r)
		if err != nil {
			h.refuse(w, r, http.StatusInternalServerError, "matching the request", err)
			return nil
		}
		if !protected {
			return next.ServeHTTP(w, r)
		}
	}
	walk.met()
	block, err := h.block()
	if err != nil {
		h.refuse(w, r, http.StatusServiceUnavailable, "opening the gate", err)
		return nil
	}
	return block.Serve(w, r, func(w http.ResponseWriter, r *http.Request, d mfagate.Decision) error {
		setPlaceholders(r, &d)
		walk.passed(r)
		return next.ServeHTTP(w, r)
	})
}

// own tells whether a path, as sent, is the gate's. The gate judges by the same rule.
func own(path string) bool {
	return strings.HasPrefix(path, mfagate.Prefix) || path+"/" == mfagate.Prefix
}

func (h *Handler) protects(r *http.Request) (bool, error) {
	if h.PagesOnly {
		return false, nil
	}
	return protects(h.matchers, r)
}

// refuse answers when there is no gate to do so. The reason is for the log only.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, status int, doing string, err error) {
	h.logger.ErrorContext(r.Context(), doing, "site", h.Site, "error", err)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, "%d %s\n\nThe second factor could not be checked, so the request was not let through.\nPlease try again in a moment.\n", status, http.StatusText(status))
}

// setPlaceholders offers what the gate knows of the user to the handlers that
// follow. The values are made only if somebody asks for them.
func setPlaceholders(r *http.Request, d *mfagate.Decision) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	repl.Map(func(key string) (any, bool) {
		name, ok := strings.CutPrefix(key, "http.mfa.")
		if !ok {
			return nil, false
		}
		switch name {
		case "user":
			return d.Subject.Name, true
		case "factor":
			return d.Factor, true
		case "proved_at":
			if d.Proved.IsZero() { // passed without, as the mode allows
				return "", true
			}
			return d.Proved.UTC().Format(time.RFC3339), true
		case "session_age":
			return int64(d.Age / time.Second), true
		}
		return nil, false
	})
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
