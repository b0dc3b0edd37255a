package caddymodule

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// client tells what Caddy knows of a request.
func client(r *http.Request) mfagate.Client {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		addr = netip.Addr{}
	}
	return mfagate.Client{Addr: addr, Secure: secure(r), Sent: sentURL(r)}
}

// secure tells whether the person's device came by HTTPS. Only a trusted proxy
// is believed when it says so, and only if it says nothing else.
func secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); !trusted {
		return false
	}
	values := r.Header["X-Forwarded-Proto"]
	if len(values) != 1 {
		return false
	}
	for proto := range strings.SplitSeq(values[0], ",") {
		if !strings.EqualFold(strings.TrimSpace(proto), "https") {
			return false
		}
	}
	return true
}

// sentURL returns the URL as the device sent it.
func sentURL(r *http.Request) *url.URL {
	if sent, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && sent.URL != nil {
		return sent.URL
	}
	return r.URL
}
