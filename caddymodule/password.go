package caddymodule

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// CheckPassword compares a password with that of the very request, which
// basic_auth has just verified. Behind anything else it cannot tell.
func (s *PlaceholderSource) CheckPassword(r *http.Request, password string) (right, known bool) {
	if s.user.key != "http.auth.user.id" {
		return false, false
	}
	name, verified, ok := r.BasicAuth()
	if !ok {
		return false, false
	}
	if user, err := s.user.value(r); err != nil || user != name {
		return false, false
	}
	a, b := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(verified))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1, true
}

var _ mfagate.PasswordChecker = (*PlaceholderSource)(nil)
