package caddymodule

import (
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("mfa", parseApp)
}

// parseApp sets up the app from the global option. Syntax:
//
//	mfa {
//	    store           <engine> ...
//	    keyset          <file>
//	    issuer          <name>
//	    realm           <name>
//	    factor          <name> ...
//	    recovery_codes  off|{ ... }
//	    sender          <name> ...
//	    notify          [{ ... }]
//	    support         <text> [<url>]
//	    theme           <dir>
//	    languages       <tags...>
//	    retention       <duration>
//	    webhook         <url> { ... }
//	    profile         nist
//	}
func parseApp(d *caddyfile.Dispenser, prev any) (any, error) {
	d.Next() // consume option name
	if prev != nil {
		return nil, d.Err("the global option mfa is given twice")
	}
	if d.NextArg() {
		return nil, d.Errf("mfa: unexpected value %q", d.Val())
	}
	app := new(App)
	err := options{
		"store":          {parse: app.parseStore},
		"keyset":         text(&app.Keyset, "the path of a file"),
		"issuer":         text(&app.Issuer, "a name, such as \"Example Corp\""),
		"realm":          text(&app.Realm, "a name, such as intranet"),
		"factor":         {parse: app.parseFactor, many: true},
		"recovery_codes": {parse: app.parseRecovery},
		"sender":         {parse: app.parseSender, many: true},
		"notify":         {parse: app.parseNotify},
		"support":        {parse: app.parseSupport},
		"theme":          text(&app.Theme, "the path of a folder"),
		"languages":      words(&app.Languages, "tags of languages, such as en de"),
		"retention":      duration(&app.Retention, leastRetention, mostRetention, "180d"),
		"webhook":        {parse: app.parseWebhook},
		"profile":        choice(&app.Profile, profileNIST),
	}.parse(d, guests{})
	if err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "mfa", Value: caddyconfig.JSON(app, nil)}, nil
}

// guest reads the module that the next value names, of a namespace.
func guest(d *caddyfile.Dispenser, namespace, what string) (string, caddyfile.Unmarshaler, error) {
	if !d.NextArg() {
		return "", nil, d.Errf("%s: want one of: %s", what, strings.Join(modules(namespace), ", "))
	}
	name := d.Val()
	if _, err := caddy.GetModule(namespace + "." + name); err != nil {
		return "", nil, d.Errf("%s %q is not known; want one of: %s", what, name, strings.Join(modules(namespace), ", "))
	}
	mod, err := caddyfile.UnmarshalModule(d, namespace+"."+name)
	return name, mod, err
}

func (a *App) parseStore(d *caddyfile.Dispenser) error {
	name, mod, err := guest(d, "mfa.stores", "store")
	if err != nil {
		return err
	}
	a.StoreRaw = caddyconfig.JSONModuleObject(mod, "engine", name, nil)
	return nil
}

func (a *App) parseFactor(d *caddyfile.Dispenser) error {
	name, mod, err := guest(d, "mfa.factors", "factor")
	if err != nil {
		return err
	}
	if _, twice := a.FactorsRaw[name]; twice {
		return d.Errf("factor %s is given twice", name)
	}
	if a.FactorsRaw == nil {
		a.FactorsRaw = make(caddy.ModuleMap)
	}
	a.FactorsRaw[name] = caddyconfig.JSON(mod, nil)
	return nil
}

func (a *App) parseRecovery(d *caddyfile.Dispenser) error {
	a.RecoveryCodes = new(RecoveryCodes)
	return a.RecoveryCodes.UnmarshalCaddyfile(d)
}

func (a *App) parseSupport(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 1 || len(args) > 2 {
		return d.Errf("support: want a text in quotes and perhaps a URL")
	}
	a.Support = &Support{Text: args[0]}
	if len(args) == 2 {
		a.Support.URL = args[1]
	}
	if err := a.Support.validate(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}
