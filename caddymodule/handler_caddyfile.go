package caddymodule

import (
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

func init() {
	httpcaddyfile.RegisterDirective("mfa", parseHandler)
	httpcaddyfile.RegisterDirectiveOrder("mfa", httpcaddyfile.After, "forward_auth")
	httpcaddyfile.RegisterDirective("mfa_pages", parsePages)
	httpcaddyfile.RegisterDirectiveOrder("mfa_pages", httpcaddyfile.After, "forward_auth")
}

// parseHandler sets up a handler from the directive. Syntax:
//
//	mfa [<matcher>] {
//	    user           <placeholder>
//	    email          <placeholder>
//	    phone          <placeholder>
//	    groups         <placeholder>
//	    header_from    <ranges...>
//	    site           <name>
//	    realm          <name>
//	    case_sensitive
//	    aliases {
//	        <name> <name>
//	    }
//	    factors        <names...>
//	    max_age        <duration>
//	    trust          <placeholder> <values...> {
//	        auth_time <placeholder>
//	        max_age   <duration>
//	    }
//	    idle           <duration>
//	    lifetime       <duration>
//	    enroll_from    open|ticket|<ranges...>
//	    mode           required|optional|observe
//	    grace          <date|duration>
//	    remind         off|<duration>
//	    exempt         <names and @groups...>
//	    confirm        password|factor|both|none
//	    reset_delay    <duration>
//	    admins         <names and @groups...>
//	    auditors       <names and @groups...>
//	}
//
// In place of user, the name of any other module in the namespace mfa.identity
// may stand, such as ask. The matcher goes into the handler and not, as usual, onto its route,
// because the handler must also see the requests to its own pages.
func parseHandler(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !h.Next() {
		return nil, h.ArgErr()
	}
	set, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	handler := new(Handler)
	if set != nil {
		handler.MatcherSetsRaw = caddyhttp.RawMatcherSets{set}
	}
	return parseSite(h, handler)
}

// parsePages sets up a handler that serves the pages only. Syntax:
//
//	mfa_pages {
//	    ... as mfa, without factors, max_age and trust
//	}
func parsePages(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	return parseSite(h, &Handler{PagesOnly: true})
}

func parseSite(h httpcaddyfile.Helper, handler *Handler) ([]httpcaddyfile.ConfigValue, error) {
	h.Next() // consume directive name
	directive := h.Val()
	if h.NextArg() {
		return nil, h.Errf("%s: unexpected value %q; %s", directive, h.Val(), matcherHint(handler))
	}
	if err := parseBlock(h.Dispenser, handler); err != nil {
		return nil, err
	}
	handler.Addresses = siteAddresses(h)
	if handler.Site == "" {
		handler.Site = siteName(handler.Addresses)
	}
	if handler.Site == "" {
		return nil, h.Errf("%s: it cannot be told which site this belongs to; write: site NAME", directive)
	}
	return h.NewRoute(nil, handler), nil
}

func matcherHint(h *Handler) string {
	if h.PagesOnly {
		return "the pages have no matcher"
	}
	return "a path as matcher begins with a slash"
}

// parseBlock reads the block of the directive.
func parseBlock(d *caddyfile.Dispenser, h *Handler) error {
	source := &sourceOptions{name: "user", module: new(PlaceholderSource)}
	known := source.options()
	known["site"] = text(&h.Site, "a name for the site")
	known["realm"] = text(&h.Realm, "a name for the realm, such as intranet")
	known["case_sensitive"] = toggle(&h.CaseSensitive)
	known["aliases"] = option{parse: func(d *caddyfile.Dispenser) error { return parseAliases(d, h) }}
	maps.Copy(known, h.policyOptions())
	known["idle"] = duration(&h.Idle, leastIdle, mostIdle, "30m")
	known["lifetime"] = duration(&h.Lifetime, leastLifetime, mostLifetime, "12h")
	known["enroll_from"] = option{parse: func(d *caddyfile.Dispenser) error { return parseEnrollFrom(d, h) }}
	known["reset_delay"] = duration(&h.ResetDelay, mfagate.LeastResetDelay, mfagate.MostResetDelay, "72h")
	known["admins"] = words(&h.Admins, "names of users, and of groups such as @helpdesk")
	known["auditors"] = words(&h.Auditors, "names of users, and of groups such as @helpdesk")
	if !h.PagesOnly {
		known["factors"] = words(&h.Factors, "names of factors, such as totp")
		known["trust"] = option{parse: func(d *caddyfile.Dispenser) error { return parseTrust(d, h) }}
		known["max_age"] = duration(&h.MaxAge, leastMaxAge, mostMaxAge, "10m")
	}
	if err := known.parse(d, guests{"mfa.identity", source.parseGuest}); err != nil {
		return err
	}
	return source.finish(d, h)
}

// sourceOptions collect what a block says about the identity source.
type sourceOptions struct {
	name   string
	module any
	given  bool // the block names a source
	place  PlaceholderSource
}

func (s *sourceOptions) options() options {
	return options{
		"email":       placeholderText(&s.place.Email),
		"phone":       placeholderText(&s.place.Phone),
		"groups":      placeholderText(&s.place.Groups),
		"header_from": ranges(&s.place.HeaderFrom),
	}
}

// parseGuest reads an option that is the name of an identity source.
func (s *sourceOptions) parseGuest(d *caddyfile.Dispenser, id string) error {
	name := d.Val()
	if s.given {
		return d.Errf("%s: the user already comes from %q; one block has one source", name, s.name)
	}
	mod, err := caddyfile.UnmarshalModule(d, id)
	if err != nil {
		return err
	}
	s.name, s.module, s.given = name, mod, true
	return nil
}

func (s *sourceOptions) finish(d *caddyfile.Dispenser, h *Handler) error {
	place, ok := s.module.(*PlaceholderSource)
	beside := s.place.Email != "" || s.place.Phone != "" || s.place.Groups != "" || s.place.HeaderFrom != nil
	switch {
	case !ok && beside:
		return d.Errf("email, phone, groups and header_from go with user, not with %s", s.name)
	case !ok:
	case !s.given && !beside:
		return nil // the default needs no words
	default:
		place.Email, place.Phone, place.Groups, place.HeaderFrom = s.place.Email, s.place.Phone, s.place.Groups, s.place.HeaderFrom
		if err := check(*place); err != nil {
			return d.Errf("%v", err)
		}
	}
	h.SourceRaw = caddyconfig.JSONModuleObject(s.module, "source", s.name, nil)
	return nil
}

// check tells what provisioning s would, while the file and line are known.
func check(s PlaceholderSource) error {
	if err := s.Provision(caddy.Context{}); err != nil {
		return err
	}
	return s.Validate()
}

func parseAliases(d *caddyfile.Dispenser, h *Handler) error {
	if d.NextArg() {
		return d.Errf("aliases: want a block with lines such as: DOMAIN\\bob bob")
	}
	h.Aliases = make(map[string]string)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		from := d.Val()
		var to string
		if !d.Args(&to) || d.NextArg() {
			return d.Errf("alias %q: want two names on a line, such as: DOMAIN\\bob bob", from)
		}
		if _, twice := h.Aliases[from]; twice {
			return d.Errf("alias %q is given twice", from)
		}
		h.Aliases[from] = to
	}
	if len(h.Aliases) == 0 {
		return d.Errf("aliases: want a block with lines such as: DOMAIN\\bob bob")
	}
	return nil
}

func parseEnrollFrom(d *caddyfile.Dispenser, h *Handler) error {
	args := d.RemainingArgs()
	word := func(s string) bool { return s == "open" || s == "ticket" }
	if len(args) == 0 || len(args) > 1 && slices.ContainsFunc(args, word) {
		return d.Errf("enroll_from %s: want one of: open, ticket, or networks such as 10.0.0.0/8", strings.Join(args, " "))
	}
	h.EnrollFrom = expandRanges(args)
	if _, err := h.enrolment(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}
