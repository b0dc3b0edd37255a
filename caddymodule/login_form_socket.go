package caddymodule

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// unjudgedSockets is what the log, also that of caddy validate, and the doctor say of an app
// whose token could be carried into somebody else's WebSocket.
const unjudgedSockets = "what browsers send through WebSockets is not judged: if the app takes its token there, it takes one that was stolen, too; write where its messages have it: websocket_token"

// parseSocketToken takes where a WebSocket's messages have the token, and which WebSockets have none.
func parseSocketToken(d *caddyfile.Dispenser, c *loginform.Config) error {
	pointers, paths := d.RemainingArgs(), []string(nil)
	if at := slices.Index(pointers, "except"); at >= 0 {
		pointers, paths = pointers[:at], pointers[at+1:]
		if len(paths) == 0 {
			return d.Errf("websocket_token: except is followed by no path")
		}
	}
	except, err := patterns(paths, "GET", false)
	if err != nil || len(pointers) == 0 {
		return d.Errf("websocket_token: want JSON pointers such as /auth and, after except, paths such as /chat%s", reason(err))
	}
	c.WebSocketToken = &loginform.WebSocketToken{JSON: pointers, Except: except}
	return nil
}
