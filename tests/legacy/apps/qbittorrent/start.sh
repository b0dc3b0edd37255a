# qBittorrent's web page: one user; a form sent by script, and 200 whether it
# succeeds or fails. Sourced by ../../start.

derive() {
	P=$1 python3 - <<-'PY'
		import base64, hashlib, os
		salt = os.urandom(16)
		key = hashlib.pbkdf2_hmac("sha512", os.environ["P"].encode(), salt, 100000, 64)
		print(base64.b64encode(salt).decode() + ":" + base64.b64encode(key).decode())
	PY
}

settings() {
	cat <<-CONF
		[LegalNotice]
		Accepted=true
		[BitTorrent]
		Session\\DefaultSavePath=$DIR/$MARKER
		Session\\DHTEnabled=false
		Session\\LSDEnabled=false
		Session\\PeXEnabled=false
		Session\\Interface=lo
		Session\\InterfaceAddress=127.0.0.1
		Session\\Port=$PORT2
		[Network]
		PortForwardingEnabled=false
		[Preferences]
		General\\Locale=en
		WebUI\\Address=$BIND
		WebUI\\Port=$PORT
		WebUI\\Username=alice
		WebUI\\Password_PBKDF2="@ByteArray($(derive "$PASSWORD_ALICE"))"
		WebUI\\LocalHostAuth=true
		WebUI\\CSRFProtection=true
		WebUI\\HostHeaderValidation=true
		WebUI\\ServerDomains=*
		WebUI\\UseUPnP=false
		WebUI\\SecureCookie=true
		WebUI\\MaxAuthenticationFailCount=1000
	CONF
}

if [ ! -e "$DIR/home" ]; then
	mkdir -p "$DIR/home/qBittorrent/config" "$DIR/$MARKER"
	settings >"$DIR/home/qBittorrent/config/qBittorrent.conf"
fi
daemon qbittorrent-nox --profile="$DIR/home" --webui-port="$PORT"
wait_http /
announce /
user alice "$PASSWORD_ALICE"
