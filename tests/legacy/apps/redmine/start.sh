# Redmine with SQLite; only those who signed in may read. The package wants its
# instances below /var/lib/redmine: a link there is removed at the end.
# Sourced by ../../start.

INSTANCE=legacy$$
LINK=/var/lib/redmine/$INSTANCE
export REDMINE_INSTANCE=$INSTANCE RAILS_ENV=production SCHEMA=/dev/null RAILS_SERVE_STATIC_FILES=1

on_exit() { rm -f "$LINK"; }

folders() {
	mkdir -p "$DIR"/instance/{config,files,log,tmp/cache,tmp/pids,public/plugin_assets}
	printf 'production:\n  adapter: sqlite3\n  database: %s/instance/redmine.db\n  timeout: 5000\n' "$DIR" >"$DIR/instance/config/database.yml"
	cp "$APP/seed.rb" "$DIR/" # the repository may be out of www-data's reach
	printf '0123456789abcdef%.0s' 1 2 3 4 >"$DIR/instance/config/secret_key.txt"
	give www-data "$DIR/instance"
}

# The package pins the gems at its own installation, and others may have come since.
pin_gems() {
	bundle check >/dev/null 2>&1 && return 0
	rm -f /var/lib/redmine/Gemfile.lock
	bundle install --local --quiet && chown www-data: /var/lib/redmine/Gemfile.lock
}

prepare() {
	pin_gems && run_as www-data bundle exec rake db:migrate &&
		run_as www-data bundle exec ruby bin/rails runner "$DIR/seed.rb"
}

need_root 'the package has its instances below /var/lib/redmine'
new=
[ -e "$DIR/instance" ] || { folders; new=1; }
give www-data "$DIR"
ln -sfn "$DIR/instance" "$LINK"
cd /usr/share/redmine
[ -z "$new" ] || prepare >"$DIR/install.log" 2>&1 || die 'preparing'
daemon_as www-data puma -q -e production -t 2:5 -b "tcp://$BIND:$PORT" --dir /usr/share/redmine config.ru
wait_http /login
announce /
three_users
