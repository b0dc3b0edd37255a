# Node-RED: a login by script whose answer holds a bearer token and no cookie.
# Sourced by ../../start.

MODULE=$HERE/../../node_modules/.legacy-$(cat "$APP/npm")
[ -e "$MODULE/installed" ] || die "not installed: tests/legacy/install $NAME"

if [ ! -e "$DIR/user" ]; then
	mkdir -p "$DIR/user"
	cp "$APP/settings.js" "$APP/flows.json" "$DIR/user/"
fi
cd "$MODULE"
NODE_OPTIONS="--require $APP/loopback.js" daemon node node_modules/node-red/red.js --userDir "$DIR/user" -s "$DIR/user/settings.js"
wait_http /auth/login
announce /
user alice "$PASSWORD_ALICE"
user bob "$PASSWORD_BOB"
