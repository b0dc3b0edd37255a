package caddymodule

import (
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// subrequest makes a request of the gate's own that goes the way of r, with a
// replacer and vars of its own.
func subrequest(r *http.Request, method string, target *url.URL) *http.Request {
	own := r.Clone(r.Context())
	own.Method, own.URL, own.RequestURI, own.Body = method, target, target.RequestURI(), http.NoBody
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	own = caddyhttp.PrepareRequest(own, caddy.NewReplacer(), nil, server)
	copyVars(own, r)
	return own
}
