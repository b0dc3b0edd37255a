# Transmission's web page: HTTP Basic with every request. Sourced by ../../start.

settings() {
	cat <<-JSON
		{ "rpc-enabled": true, "rpc-bind-address": "$BIND", "rpc-port": $PORT, "rpc-authentication-required": true,
		  "rpc-username": "alice", "rpc-password": "$PASSWORD_ALICE", "rpc-whitelist-enabled": false,
		  "rpc-host-whitelist-enabled": false, "download-dir": "$DIR/$MARKER", "dht-enabled": false, "lpd-enabled": false,
		  "pex-enabled": false, "port-forwarding-enabled": false, "utp-enabled": false, "peer-port": $PORT2,
		  "bind-address-ipv4": "127.0.0.1", "bind-address-ipv6": "::1", "blocklist-enabled": false }
	JSON
}

if [ ! -e "$DIR/conf" ]; then
	mkdir -p "$DIR/conf" "$DIR/$MARKER"
	settings >"$DIR/conf/settings.json"
fi
daemon transmission-daemon -f -g "$DIR/conf"
wait_http /transmission/web/ 401
announce /transmission/web/
user alice "$PASSWORD_ALICE"
