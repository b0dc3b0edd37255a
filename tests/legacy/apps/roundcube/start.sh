# Roundcube with SQLite and an IMAP server of its own. It sends no mail.
# Sourced by ../../start.

settings() {
	cat <<-PHP
		<?php
		\$config = [];
		\$config['db_dsnw'] = 'sqlite:///$DIR/db/rc.db?mode=0640';
		\$config['imap_host'] = ['$BIND:$PORT2'];
		\$config['imap_auth_type'] = 'PLAIN';
		\$config['username_domain'] = 'example.test';
		\$config['des_key'] = 'legacytestdeskey24charss';
		\$config['product_name'] = 'Legacy Roundcube';
		\$config['support_url'] = '';
		\$config['plugins'] = [];
		\$config['skin'] = 'elastic';
		\$config['enable_spellcheck'] = false;
		\$config['log_dir'] = '$DIR/logs';
		\$config['temp_dir'] = '$DIR/rctemp';
		\$config['language'] = 'en_US';
		\$config['log_logins'] = true;
		\$config['login_rate_limit'] = 1000; // each minute; tests fail often
	PHP
}

prepare() {
	mkdir -p "$DIR/conf" "$DIR/db" "$DIR/logs" "$DIR/rctemp"
	cp -L /etc/roundcube/defaults.inc.php /etc/roundcube/mimetypes.php "$DIR/conf/"
	settings >"$DIR/conf/config.inc.php"
	sqlite3 "$DIR/db/rc.db" </usr/share/roundcube/SQL/sqlite.initial.sql
	give www-data "$DIR/db" "$DIR/logs" "$DIR/rctemp"
}

need_root 'its mail server changes to other users'
serve_dovecot
[ -e "$DIR/conf" ] || prepare
serve_php /var/lib/roundcube/public_html "setenv.add-environment = ( \"ROUNDCUBE_CONFIG_DIR\" => \"$DIR/conf\" )"
wait_http /
announce /
user alice "$PASSWORD_ALICE"
user bob "$PASSWORD_BOB"
