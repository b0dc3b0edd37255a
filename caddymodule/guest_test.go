package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

func init() {
	caddy.RegisterModule(testGuest{})
}

// testGuest is an identity source as a third party could add it: no file but
// this one knows its name.
type testGuest struct {
	Name string `json:"name"`
}

func (testGuest) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "mfa.identity.testguest", New: func() caddy.Module { return new(testGuest) }}
}

func (g *testGuest) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.Args(&g.Name) {
		return d.ArgErr()
	}
	return nil
}

func (g *testGuest) Identify(*http.Request) (mfagate.Identity, error) {
	return mfagate.Identity{Name: g.Name}, nil
}
