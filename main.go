// Command caddy-mfagate is the Caddy web server with mfagate in it.
//
//	go run . run --config Caddyfile.example
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/mfagate/caddy-mfagate/caddymodule"
)

func main() { caddycmd.Main() }
