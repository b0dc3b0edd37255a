package caddymodule

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// A way is a route to an app: a reverse_proxy in the configuration.
type way struct {
	upstream string // address, in one spelling
	route    string // for people: hosts, paths and the server's port
	guard    guarding
	site     string // of the mfa block before it
}

// guarding says whether a mfa block stands before a route.
type guarding int

const (
	unguarded guarding = iota
	perhaps            // a block that a matcher leads some requests past
	guarded
)

// maxWays and maxNesting bound what is read of a configuration.
const (
	maxWays    = 2000
	maxNesting = 32
)

// ways finds the routes to apps in the servers of a configuration.
func ways(app *caddyhttp.App) []way {
	var all []way
	for _, name := range slices.Sorted(maps.Keys(app.Servers)) {
		s := app.Servers[name]
		at := place{server: s, listen: strings.Join(s.Listen, " ")}
		at.routes(s.Routes, &all)
		if s.Errors != nil {
			at.where = "errors"
			at.routes(s.Errors.Routes, &all)
		}
	}
	return all
}

// A place is where in a server one stands.
type place struct {
	server *caddyhttp.Server
	listen string
	where  string
	guard  guarding
	site   string
	depth  int
}

// routes follows a list of routes, and returns who guards what comes after it.
func (p place) routes(list caddyhttp.RouteList, all *[]way) place {
	if p.depth++; p.depth > maxNesting {
		return p
	}
	for _, r := range list {
		p = p.route(&r, all)
	}
	p.depth--
	return p
}

func (p place) route(r *caddyhttp.Route, all *[]way) place {
	in := p
	in.where = strings.TrimSpace(p.where + " " + matched(r.MatcherSets))
	for _, h := range r.Handlers {
		in = in.handler(h, all)
	}
	switch sure := len(r.MatcherSets) == 0 && r.Group == ""; {
	case sure:
		p.guard, p.site = in.guard, in.site
	case in.guard > p.guard:
		p.guard, p.site = perhaps, in.site
	}
	return p
}

// handler follows what one handler leads to.
func (p place) handler(h caddyhttp.MiddlewareHandler, all *[]way) place {
	switch h := h.(type) {
	case *Handler:
		if !h.PagesOnly {
			p.guard, p.site = guarded, h.Site
		}
	case *caddyhttp.Subroute:
		where := p.where
		p = p.routes(h.Routes, all)
		p.where = where
	case *caddyhttp.Invoke:
		if r := p.server.NamedRoutes[h.Name]; r != nil && p.depth < maxNesting {
			p.depth++
			p = p.route(r, all)
			p.depth--
		}
	case *reverseproxy.Handler:
		for _, u := range h.Upstreams {
			if len(*all) < maxWays {
				*all = append(*all, way{spell(u.Dial), cmp.Or(p.where, "everything") + " on " + p.listen, p.guard, p.site})
			}
		}
	}
	return p
}

// matched tells the hosts and paths of a route's matchers; of others that there are some.
func matched(sets caddyhttp.MatcherSets) string {
	var parts []string
	for _, set := range sets {
		for _, m := range set {
			switch v := reflect.Indirect(reflect.ValueOf(m)); {
			case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String:
				for i := range v.Len() {
					parts = append(parts, v.Index(i).String())
				}
			default:
				parts = append(parts, "(some requests)")
			}
		}
	}
	return strings.Join(parts, " ")
}

// spell writes an address so that equal ones look equal.
func spell(dial string) string {
	dial = strings.ToLower(dial)
	a, err := caddy.ParseNetworkAddress(dial)
	if err != nil || a.IsUnixNetwork() || a.StartPort != a.EndPort {
		return dial
	}
	if ip := net.ParseIP(a.Host); loopbackHost(a.Host) || ip != nil && ip.IsUnspecified() || a.Host == "" {
		a.Host = "localhost"
	}
	return a.JoinHostPort(0)
}

// A bypass is a route that reaches an app which another one protects, without the gate.
type bypass struct {
	site string // that protects the app
	text string
}

// bypasses finds them: O-39.
func bypasses(all []way) []bypass {
	protected := make(map[string]string)
	for _, w := range all {
		if w.guard == guarded {
			protected[w.upstream] = w.site
		}
	}
	var found []bypass
	for _, w := range all {
		site, ok := protected[w.upstream]
		if !ok || w.guard != unguarded {
			continue
		}
		b := bypass{site, fmt.Sprintf("%s goes to %s, too, without the gate: whoever comes that way needs no second factor; write mfa there as well, or take the route away", w.route, w.upstream)}
		if !slices.Contains(found, b) {
			found = append(found, b)
		}
	}
	return found
}

// waysOf finds the routes of the configuration to which ctx belongs.
func waysOf(ctx caddy.Context) []way {
	mod, err := ctx.AppIfConfigured("http")
	if err != nil {
		return nil
	}
	app, ok := mod.(*caddyhttp.App)
	if !ok || app == nil {
		return nil
	}
	return ways(app)
}

// logBypasses warns of them at the start, and when a configuration was only validated.
func (a *App) logBypasses() {
	if a.bypasses {
		return
	}
	a.bypasses = true
	for _, b := range bypasses(waysOf(a.ctx)) {
		a.logger.Warn("a route goes around the gate", "site", b.site, "route", b.text)
	}
}
