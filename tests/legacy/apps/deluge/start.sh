# Deluge's web page: JSON-RPC with a password and no name, and 200 whether it
# succeeds or fails. Sourced by ../../start.

settings() {
	python3 - <<-'PY'
		import hashlib, json, os
		e = os.environ
		salt = hashlib.sha1(os.urandom(32)).hexdigest()
		print('{"file": 2, "format": 1}' + json.dumps({
		    "port": int(e["PORT"]), "interface": e["BIND"], "https": False, "base": "/",
		    "pwd_salt": salt, "pwd_sha1": hashlib.sha1((salt + e["PASSWORD_ALICE"]).encode()).hexdigest(),
		    "session_timeout": 3600, "sessions": {}, "first_login": False, "enabled_plugins": [],
		    "show_session_speed": False, "show_sidebar": True, "theme": "gray", "default_daemon": e["MARKER"],
		    "sidebar_show_zero": False, "sidebar_multiple_filters": True, "language": ""}))
	PY
}

if [ ! -e "$DIR/conf" ]; then
	mkdir -p "$DIR/conf"
	settings >"$DIR/conf/web.conf"
fi
# It makes a folder there for uploads, and leaves it behind when it is killed.
mkdir -p "$DIR/tmp"
TMPDIR=$DIR/tmp daemon deluge-web -d -c "$DIR/conf" -i "$BIND" -p "$PORT" -L warning
wait_http /
announce /
user - "$PASSWORD_ALICE"
