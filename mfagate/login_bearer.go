package mfagate

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// Some apps answer a login with a token, which their scripts send as Authorization:
// Bearer. It is treated as a cookie is: it reaches the browser sealed, and opens in
// its own binding only.

const (
	bearerPrefix = "Bearer "
	tokenName    = "bearer" // under which tokens are sealed
)

// takeToken takes the token of an answer, for the gate's own requests.
func (v *visit) takeToken(answer *loginform.Answer) {
	b := v.login.Form.Config().Bearer
	if b == nil || answer.Truncated {
		return
	}
	if token, ok := loginform.TextAt(answer.Body, b.JSON); ok {
		v.vouching = bearerPrefix + token
	}
}

// sealedToken is what a script is told that has signed in: the app's answer, with the
// token sealed, and without any other text, since that may be about the user. nil
// means that the app gives no token.
func (v *visit) sealedToken(binding string, answer *loginform.Answer) map[string]any {
	b := v.login.Form.Config().Bearer
	if b == nil || v.vouching == "" {
		return nil
	}
	box, err := v.box(loginform.ForSession, binding)
	if err != nil {
		v.gate.log.Error("sealing a token of the app", "site", v.site.Name, "error", err)
		return nil
	}
	var given map[string]any
	if json.Unmarshal(answer.Body, &given) != nil {
		return nil
	}
	told := make(map[string]any)
	for name, value := range given {
		switch value.(type) {
		case float64, bool:
			told[name] = value
		}
	}
	if kind, ok := given["token_type"].(string); ok && strings.EqualFold(kind, "bearer") {
		told["token_type"] = kind // RFC 6749 section 5.1 wants it there
	}
	sealed := box.Seal(tokenName, strings.TrimPrefix(v.vouching, bearerPrefix))
	if loginform.PutText(told, b.JSON, sealed) != nil {
		return nil
	}
	return told
}

// openToken opens the token of a request. One that does not open is left out.
func (v *visit) openToken(boxes []*loginform.Box) {
	if v.login.Form.Config().Bearer == nil {
		return
	}
	given := v.r.Header["Authorization"]
	if len(given) != 1 {
		return
	}
	sealed, ok := strings.CutPrefix(given[0], bearerPrefix)
	if !ok {
		return
	}
	for _, b := range boxes {
		if token, ok := b.Open(tokenName, sealed); ok && validToken(token) {
			v.vouching = bearerPrefix + token
			return
		}
	}
}

// validToken tells whether a token may stand in a header.
func validToken(token string) bool {
	return token != "" && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// openSocket has tokens opened in what a script sends through a WebSocket: some apps want theirs
// there once more, in a message.
func (v *visit) openSocket(w *sealingWriter, boxes []*loginform.Box) {
	if v.login.Form.Config().Bearer == nil || !upgrade(v.r) {
		return
	}
	v.r.Header.Del("Sec-Websocket-Extensions") // compressed messages cannot be read
	w.open = func(sealed string) (string, bool) {
		for _, b := range boxes {
			if token, ok := b.Open(tokenName, sealed); ok && validToken(token) {
				return token, true
			}
		}
		return "", false
	}
	if v.r.Method == http.MethodConnect { // HTTP/2 and 3 have no connection to take over
		v.r.Body = struct {
			io.Reader
			io.Closer
		}{loginform.OpenTokens(v.r.Body, w.open), v.r.Body}
	}
}

// A socket is a connection that was taken over, whose tokens are opened.
type socket struct {
	net.Conn
	opened io.Reader
}

// Read implements net.Conn.
func (s *socket) Read(p []byte) (int, error) { return s.opened.Read(p) }
