package caddymodule

import (
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// protects tells whether r matches as it is now or as the device sent it: a
// rewrite that runs before us must not be a way around the gate. Either is
// enough, which errs to the safe side for "not" too.
func protects(matchers caddyhttp.MatcherSets, r *http.Request) (bool, error) {
	match, err := matchers.AnyMatchWithError(r)
	if match || err != nil {
		return match, err
	}
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || original.URL == nil || unchanged(r, &original) {
		return false, nil
	}
	return matchers.AnyMatchWithError(asSent(r, &original))
}

func unchanged(r, original *http.Request) bool {
	return r.Method == original.Method && r.RequestURI == original.RequestURI && *r.URL == *original.URL
}

// asSent clones r as it was before any rewriting. It gets a replacer and vars of
// its own, because matchers such as expression, vars and file read and write
// these, and those of r know the rewritten request.
func asSent(r, original *http.Request) *http.Request {
	sent := r.Clone(r.Context())
	sent.Method, sent.RequestURI = original.Method, original.RequestURI
	sent.URL = new(url.URL)
	*sent.URL = *original.URL
	sent.Body = http.NoBody // for placeholders such as {http.request.body}, which must not eat the real one
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return caddyhttp.PrepareRequest(sent, caddy.NewReplacer(), nil, server)
}
