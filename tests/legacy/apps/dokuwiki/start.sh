# DokuWiki: flat files; only those who signed in may read. Sourced by ../../start.

settings() {
	cat <<-PHP
		<?php
		\$conf['title'] = 'Legacy DokuWiki';
		\$conf['lang'] = 'en';
		\$conf['useacl'] = 1;
		\$conf['superuser'] = '@admin';
		\$conf['disableactions'] = 'register';
		\$conf['savedir'] = '$DIR/data';
		\$conf['remote'] = 1;
		\$conf['remoteuser'] = '';
		\$conf['mailfrom'] = 'wiki@example.test';
		\$conf['updatecheck'] = 0;
	PHP
}

accounts() {
	printf '# <?php exit()?>\n'
	printf 'alice:%s:Alice Example:alice@example.test:user\n' "$(php_hash "$PASSWORD_ALICE")"
	printf 'bob:%s:Bob Example:bob@example.test:user\n' "$(php_hash "$PASSWORD_BOB")"
	printf 'admin:%s:Ada Example:admin@example.test:admin,user\n' "$(php_hash "$PASSWORD_ADMIN")"
}

prepare() {
	cp -aL /usr/share/dokuwiki "$DIR/www" 2>/dev/null || true # the package has links that lead nowhere
	mkdir -p "$DIR/conf" "$DIR"/data/{attic,cache,index,locks,log,media,media_attic,media_meta,meta,pages,tmp}
	cp -rL /etc/dokuwiki/*.conf /etc/dokuwiki/*.php "$DIR/conf/" 2>/dev/null || true
	printf "<?php\ndefine('DOKU_CONF', '%s/conf/');\n" "$DIR" >"$DIR/www/inc/preload.php"
	rm -rf "$DIR/www/conf" "$DIR/www/install.php" "$DIR/conf/install.php"
	ln -s "$DIR/conf" "$DIR/www/conf" # where a part of it looks all the same
	settings >"$DIR/conf/local.php"
	printf '# <?php exit()?>\n*\t@ALL\t0\n*\t@user\t8\n*\t@admin\t255\n' >"$DIR/conf/acl.auth.php"
	accounts >"$DIR/conf/users.auth.php"
	printf '====== Secret ======\n%s only for those who signed in.\n' "$MARKER" >"$DIR/data/pages/start.txt"
	give www-data "$DIR/conf" "$DIR/data"
}

[ -e "$DIR/conf" ] || prepare
serve_php "$DIR/www" '$HTTP["url"] =~ "^/(bin|data|inc|conf|vendor)/" { url.access-deny = ( "" ) }'
wait_http /doku.php
announce /
three_users
