package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/pages"
)

func init() {
	caddy.RegisterModule(App{})
}

// App holds what all mfa handlers of a configuration share: the records, the
// factors and the pages.
type App struct {
	// Where records are kept. Default: a Badger database in Caddy's data folder.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=mfa.stores inline_key=engine"`

	// The file of the keys that seal the records. It is made, readable by its
	// owner only, beside a Badger database that is empty. Default: beside the
	// database's folder, with .keyset.json added to its name.
	Keyset string `json:"keyset,omitempty"`

	// The name that authenticator apps show. Default: the host of the app.
	Issuer string `json:"issuer,omitempty"`

	// The realm of sites that name none.
	Realm string `json:"realm,omitempty"`

	// The factors that people can enrol. Default: totp.
	FactorsRaw caddy.ModuleMap `json:"factors,omitempty" caddy:"namespace=mfa.factors"`

	// The recovery codes that people get. Default: ten.
	RecoveryCodes *RecoveryCodes `json:"recovery_codes,omitempty"`

	// What brings messages to people.
	SendersRaw caddy.ModuleMap `json:"senders,omitempty" caddy:"namespace=mfa.senders"`

	// People are told by e-mail what happened to their account. Default: they are
	// not.
	Notify *Notify `json:"notify,omitempty"`

	// Whom a person asks who is stuck.
	Support *Support `json:"support,omitempty"`

	// A folder with files that replace those of the built-in pages.
	Theme string `json:"theme,omitempty"`

	// The languages to offer, the first being the default. Default: all.
	Languages []string `json:"languages,omitempty"`

	// How long events are kept: 24h to ten years. Default: 365 days.
	Retention caddy.Duration `json:"retention,omitempty"`

	// Another server that is told of every event.
	Webhook *Webhook `json:"webhook,omitempty"`

	// "nist" follows SP 800-63B where the defaults are kinder.
	Profile string `json:"profile,omitempty"`

	sites    *sites
	resource *resource
	hook     *hook // nil: there is no webhook
	factors  []mfagate.Factor
	codes    []CodeProvider // of those that send codes
	recovery mfagate.Recovery
	senders  map[string]SenderProvider
	pages    *pages.Set
	gate     func() (*mfagate.Gate, error)
	ctx      caddy.Context
	events   *caddyevents.App
	bypasses bool // were logged
	logger   *slog.Logger
}

// Support tells a person who is stuck whom to ask.
type Support struct {
	Text string `json:"text"`
	URL  string `json:"url,omitempty"` // https, http, mailto or tel
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "mfa",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision loads the app's guest modules. It changes nothing on disk and opens
// no database, so that "caddy validate" works beside a running server.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx, a.logger = ctx, ctx.Slogger()
	a.sites = &sites{realm: a.Realm}
	a.gate = sync.OnceValues(a.newGate)
	events, err := ctx.App("events")
	if err != nil {
		return err
	}
	a.events = events.(*caddyevents.App)
	for _, load := range []func(caddy.Context) error{a.loadFactors, a.loadRecovery, a.loadSenders, a.loadPages, a.loadStore, a.loadWebhook} {
		if err := load(ctx); err != nil {
			return err
		}
	}
	return a.register(ctx.GetMetricsRegistry())
}

// loadStore takes a share in the store that must be given back by Cleanup.
func (a *App) loadStore(ctx caddy.Context) error {
	if a.StoreRaw == nil {
		a.StoreRaw = json.RawMessage(`{"engine": "badger"}`)
	}
	mod, err := ctx.LoadModule(a, "StoreRaw")
	if err != nil {
		return fmt.Errorf("loading store: %w", err)
	}
	opener, ok := mod.(StoreOpener)
	if !ok {
		return fmt.Errorf("store %T opens no store", mod)
	}
	keyset, err := keysetPath(a.Keyset, opener)
	if err != nil {
		return err
	}
	a.resource, err = acquire(opener, keyset)
	return err
}

func (a *App) loadPages(caddy.Context) (err error) {
	options := pages.Options{Languages: a.Languages}
	if options.Overlay, err = theme(a.Theme); err != nil {
		return err
	}
	if a.pages, err = pages.New(options); err != nil {
		return fmt.Errorf("loading pages: %w", err)
	}
	return nil
}

// How long events may be kept.
const leastRetention, mostRetention = 24 * time.Hour, 10 * 365 * 24 * time.Hour

// Validate checks what can be checked without opening the store.
func (a *App) Validate() error {
	if a.Profile != "" && a.Profile != profileNIST {
		return fmt.Errorf("profile %q: want %s", a.Profile, profileNIST)
	}
	if r := time.Duration(a.Retention); r != 0 && (r < leastRetention || r > mostRetention) {
		return fmt.Errorf("retention %s: want %s to %s", short(r), short(leastRetention), short(mostRetention))
	}
	if a.Support == nil {
		return nil
	}
	return a.Support.validate()
}

func (s *Support) validate() error {
	if s.Text == "" {
		return fmt.Errorf("support: the text is missing")
	}
	if s.URL == "" {
		return nil
	}
	scheme, _, ok := strings.Cut(s.URL, ":")
	if !ok || !slices.Contains([]string{"https", "http", "mailto", "tel"}, scheme) {
		return fmt.Errorf("support %q: want a URL of https, http, mailto or tel", s.URL)
	}
	return nil
}

// Gate returns the gate of this configuration. Apps start in no certain order,
// so a request can come before Start was called: whoever comes first opens the
// store.
func (a *App) Gate() (*mfagate.Gate, error) { return a.gate() }

func (a *App) newGate() (*mfagate.Gate, error) {
	records, err := a.resource.open(context.Background())
	if err != nil {
		return nil, err
	}
	config := mfagate.Config{
		Records:   records,
		Factors:   a.factors,
		Recovery:  a.recovery,
		Pages:     a.pages,
		Issuer:    a.Issuer,
		OnEvent:   a.emit,
		OnObserve: countObserved,
		Logger:    a.logger,

		Retention: time.Duration(a.Retention),
	}
	if a.RecoveryCodes != nil {
		config.Order = orders[a.RecoveryCodes.Order]
	}
	if a.Support != nil {
		config.Support = pages.Support{Text: a.Support.Text, URL: a.Support.URL}
	}
	if err := a.notifyBy(&config); err != nil {
		return nil, err
	}
	if err := a.openCodes(); err != nil {
		return nil, err
	}
	gate, err := mfagate.New(config)
	if err == nil {
		a.endWithConfig(gate)
	}
	return gate, err
}

// emit tells the counters, the webhook, Caddy's event handlers and the log of e. Events of a configuration
// that a reload replaced are dropped by Caddy; the record in the store is the truth.
func (a *App) emit(_ context.Context, e mfagate.Event) {
	a.count(e)
	a.hook.add(e)
	a.events.Emit(a.ctx, "mfa_"+e.Kind, map[string]any{
		"realm": e.Realm, "user": e.Name, "app": e.App, "factor": e.Factor,
		"remote": e.Remote, "actor": e.Actor, "detail": e.Detail,
	})
	a.logger.Info("second factor", "event", e.Kind, "realm", e.Realm, "user", e.Name,
		"app", e.App, "factor", e.Factor, "remote", e.Remote, "actor", e.Actor, "detail", e.Detail)
}

// Start opens the store, so that one which cannot be opened stops Caddy from
// starting, and a reload from taking place.
func (a *App) Start() error {
	if _, err := a.Gate(); err != nil {
		return err
	}
	a.sites.logOpenEnrolment(a.logger)
	a.sites.logLeaves(a.logger, time.Now())
	a.logUnnotified()
	a.logDailyLimits()
	a.logBypasses()
	return nil
}

// Stop implements caddy.App. The store is given back by Cleanup.
func (a *App) Stop() error { return nil }

// Cleanup gives back the shares in the store and the webhook. Caddy calls it also after Provision
// or Validate failed.
func (a *App) Cleanup() error {
	if a.sites != nil {
		a.logBypasses() // unless Start did: "caddy validate" starts nothing
	}
	err := a.hook.release()
	if a.resource == nil {
		return err
	}
	return errors.Join(err, a.resource.release())
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.Validator    = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
