package pages

import "net/http"

// policy lets a page load its own files and post to its own host, and nothing
// else; nothing inline runs (CSP Level 3, ASVS 5.0 3.4.3).
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// SetHeaders sets what every answer of the gate's own carries, be it a page,
// JSON or plain text, except for its type and language. It replaces headers of
// the same names.
func SetHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// Not no-referrer, with which browsers send "Origin: null" with a form,
	// and the gate could not tell a post of its own from a stranger's.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "publickey-credentials-get=(self), publickey-credentials-create=(self), "+
		"clipboard-write=(self), camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Vary", "Accept-Language, Cookie")
}
