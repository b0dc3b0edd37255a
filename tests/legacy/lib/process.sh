# Starting, watching and ending the processes of an app. Sourced by ../start.

STARTED=()

say() { printf '%s: %s\n' "$NAME" "$*" >&2; }
die() { say "$@"; tail -n 15 "$DIR"/*.log >&2 2>/dev/null || true; exit 1; }

# daemon COMMAND…: runs it in the background, in a process group of its own.
daemon() {
	setsid "$@" >>"$DIR/$(basename "$1").log" 2>&1 3<&- </dev/null &
	started $!
}

# started PID: told on standard output, too, for whoever has to clean up after us.
started() {
	STARTED+=("$1")
	printf 'group=%s\n' "$1"
}

# run_as USER COMMAND…: root gives up its rights; anybody else keeps the own.
run_as() {
	local user=$1
	shift
	if [ "$(id -u)" = 0 ]; then setpriv --reuid="$user" --regid="$user" --init-groups "$@"; else "$@"; fi
}

# daemon_as USER COMMAND…
daemon_as() {
	local user=$1
	shift
	if [ "$(id -u)" = 0 ]; then
		setsid setpriv --reuid="$user" --regid="$user" --init-groups "$@" >>"$DIR/$(basename "$1").log" 2>&1 3<&- </dev/null &
	else
		setsid "$@" >>"$DIR/$(basename "$1").log" 2>&1 3<&- </dev/null &
	fi
	started $!
}

# give USER PATH…: hands files to the user that the app runs as.
give() {
	[ "$(id -u)" = 0 ] || return 0
	chown -R "$1": "${@:2}"
}

need_root() { [ "$(id -u)" = 0 ] || die "only root can start it: $1"; }

# running tells whether all that was started still runs.
running() {
	local pid
	for pid in "${STARTED[@]}"; do
		kill -0 "$pid" 2>/dev/null || return 1
	done
}

# end stops what was started, the last first: asked, and after ten seconds made to.
end() {
	local status=$? i pid
	trap - EXIT TERM INT HUP
	for ((i = ${#STARTED[@]} - 1; i >= 0; i--)); do
		pid=${STARTED[i]}
		kill -TERM "$pid" 2>/dev/null || true
		for _ in $(seq 100); do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL -- "-$pid" 2>/dev/null || true
	done
	on_exit
	[ -z "$OWN_DIR" ] || rm -rf "$DIR"
	exit "$status"
}

# wait_http PATH [STATUS]: waits until the app answers, for at most 90 seconds.
wait_http() {
	local code
	for _ in $(seq 450); do
		code=$(curl -s -o "$DIR/answer" -m 20 -w '%{http_code}' "http://$BIND:$PORT$1") || true
		[[ $code =~ ^(${2:-200})$ ]] && return 0
		running || die 'a process ended at its start'
		sleep 0.2
	done
	die "no answer from $1 (last status $code)"
}

# wait_until COMMAND…: waits until it succeeds, for at most 30 seconds.
wait_until() {
	for _ in $(seq 150); do
		"$@" >"$DIR/wait.log" 2>&1 && return 0
		sleep 0.2
	done
	die "$* does not succeed"
}

# announce PATH: where the app is.
announce() { printf 'url=http://%s:%s%s\n' "$BIND" "$PORT" "$1"; }

# user NAME PASSWORD: who may sign in; an app without names has the name -.
user() { printf 'user=%s %s\n' "$1" "$2"; }

three_users() {
	user alice "$PASSWORD_ALICE"
	user bob "$PASSWORD_BOB"
	user admin "$PASSWORD_ADMIN"
}
