package caddymodule

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/recovery"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

func init() {
	caddy.RegisterModule(PasswordCode{})
	httpcaddyfile.RegisterHandlerDirective("mfa_password_code", parsePasswordCode)
	httpcaddyfile.RegisterDirectiveOrder("mfa_password_code", httpcaddyfile.Before, "basic_auth")
}

// PasswordCode takes the code off a password such as secret,123456, for programs
// that can show no page. It must run before basic_auth, which then judges the
// password, and leaves the code to the handler mfa behind that: so nobody learns
// whether a code is right, or uses up anybody's attempts, who has not the password.
type PasswordCode struct{}

// CaddyModule returns the Caddy module information.
func (PasswordCode) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.mfa_password_code",
		New: func() caddy.Module { return new(PasswordCode) },
	}
}

// parsePasswordCode sets up the handler. Syntax:
//
//	mfa_password_code [<matcher>]
func parsePasswordCode(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next() // consume directive name
	if h.NextArg() || h.NextBlock(0) {
		return nil, h.Errf("mfa_password_code: unexpected %q; it has no options, and a path as matcher begins with a slash", h.Val())
	}
	return new(PasswordCode), nil
}

// codeVar is the variable of a request with what was taken off its password. A
// client has no way to set a variable.
const codeVar = "mfa_password_code"

// An appendedCode is what was taken off the password of a request.
type appendedCode struct {
	user string
	mfagate.AppendedCode
}

// String hides the password, should somebody show the variable.
func (*appendedCode) String() string { return "" }

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (PasswordCode) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	user, password, ok := r.BasicAuth()
	if ok && len(r.Header["Authorization"]) == 1 {
		if c, ok := cutCode(password); ok {
			caddyhttp.SetVar(r.Context(), codeVar, &appendedCode{user, c})
			r.SetBasicAuth(user, c.Password)
		}
	}
	return next.ServeHTTP(w, r)
}

var (
	digits     = regexp.MustCompile(`^(?:[0-9]{6}|[0-9]{8})$`)
	backupCode = regexp.MustCompile(`^(?i:[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){3})$`)
)

// cutCode takes the code after the last comma off a password. What has not the
// shape of a code belongs to the password.
func cutCode(password string) (c mfagate.AppendedCode, ok bool) {
	i := strings.LastIndexByte(password, ',')
	if i < 0 {
		return c, false
	}
	c.Password, c.Code = password[:i], password[i+1:]
	switch {
	case digits.MatchString(c.Code):
		c.Method = totp.Name
	case backupCode.MatchString(c.Code):
		c.Method = recovery.Name
	default:
		return mfagate.AppendedCode{}, false
	}
	return c, true
}

// Appended implements mfagate.CodeCarrier: a code counts behind basic_auth only,
// and for the user whose password came with it.
func (s *PlaceholderSource) Appended(r *http.Request) (c mfagate.AppendedCode, ok bool) {
	a, _ := caddyhttp.GetVar(r.Context(), codeVar).(*appendedCode)
	if a == nil || s.user.key != "http.auth.user.id" {
		return c, false
	}
	name, password, ok := r.BasicAuth()
	if !ok || name != a.user || password != a.Password {
		return c, false // what was judged is not what was taken off
	}
	if user, err := s.user.value(r); err != nil || user != name {
		return c, false
	}
	return a.AppendedCode, true
}

// Interface guards
var (
	_ caddyhttp.MiddlewareHandler = (*PasswordCode)(nil)
	_ mfagate.CodeCarrier         = (*PlaceholderSource)(nil)
)
