# A private MariaDB on PORT2. Sourced by ../start.

# sql ARGUMENT…: as root, over the socket.
sql() { mariadb --no-defaults -uroot -S "$DIR/mysql/s.sock" "$@"; }

serve_mariadb() {
	if [ ! -d "$DIR/mysql/mysql" ]; then
		mkdir -p "$DIR/mysql"
		give mysql "$DIR/mysql"
		run_as mysql mariadb-install-db --no-defaults --force --datadir="$DIR/mysql" \
			--auth-root-authentication-method=normal --skip-test-db >"$DIR/mariadb-install.log" 2>&1 || die 'making the database'
	fi
	daemon_as mysql /usr/sbin/mariadbd --no-defaults --datadir="$DIR/mysql" --socket="$DIR/mysql/s.sock" \
		--bind-address="$BIND" --port="$PORT2" --pid-file="$DIR/mysql/m.pid" --skip-name-resolve \
		--innodb-buffer-pool-size=64M --innodb-log-file-size=16M --innodb-flush-log-at-trx-commit=0 --performance-schema=OFF
	wait_until mariadb-admin --no-defaults -uroot -S "$DIR/mysql/s.sock" ping
}
