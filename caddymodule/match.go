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
// these. What handlers told of r, such as the root of the files or the user, is
// told of the clone too; what follows from the URL is made anew.
func asSent(r, original *http.Request) *http.Request {
	sent := r.Clone(r.Context())
	sent.Method, sent.RequestURI = original.Method, original.RequestURI
	sent.URL = new(url.URL)
	*sent.URL = *original.URL
	sent.Body = http.NoBody // for placeholders such as {http.request.body}, which must not eat the real one
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	repl := caddy.NewReplacer()
	sent = caddyhttp.PrepareRequest(sent, repl, nil, server)
	if told, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(told.Get)
	}
	copyVars(sent, r)
	return sent
}

// copyVars sets the vars of from that to has not.
func copyVars(to, from *http.Request) {
	vars, _ := from.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	own, _ := to.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	for key, value := range vars {
		if _, set := own[key]; !set {
			own[key] = value
		}
	}
}
