# WordPress with a MariaDB of its own. Its address follows the Host header, so
# that it works behind a proxy that keeps Host. Sourced by ../../start.

settings() {
	cat <<-PHP
		<?php
		define('DB_NAME', 'wp'); define('DB_USER', 'wp'); define('DB_PASSWORD', 'wp-db-pass');
		define('DB_HOST', '$BIND:$PORT2'); define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
		foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as \$k) {
		  define(\$k . '_KEY', "legacy-test-key-\$k-0123456789abcdef0123456789abcdef");
		  define(\$k . '_SALT', "legacy-test-salt-\$k-0123456789abcdef0123456789abcdef");
		}
		\$table_prefix = 'wp_';
		if ((\$_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') == 'https') \$_SERVER['HTTPS'] = 'on';
		\$p = !empty(\$_SERVER['HTTPS']) ? 'https' : 'http'; \$h = \$_SERVER['HTTP_HOST'] ?? '$BIND:$PORT';
		define('WP_HOME', "\$p://\$h"); define('WP_SITEURL', "\$p://\$h");
		define('WP_HTTP_BLOCK_EXTERNAL', true); define('AUTOMATIC_UPDATER_DISABLED', true); define('DISABLE_WP_CRON', true);
		define('WP_ENVIRONMENT_TYPE', 'local'); // allows application passwords over plain HTTP
		define('ABSPATH', __DIR__ . '/');
		require_once ABSPATH . 'wp-settings.php';
	PHP
}

files() {
	cp -aL /usr/share/wordpress "$DIR/www" 2>/dev/null || true # links that lead nowhere, as the package has them
	rm -rf "$DIR/www/wp-content"
	cp -aL /var/lib/wordpress/wp-content "$DIR/www/wp-content" 2>/dev/null || true
	cp -aL /usr/share/wordpress/wp-content/themes/. "$DIR/www/wp-content/themes/" 2>/dev/null || true
	mkdir -p "$DIR/www/wp-content/uploads"
	settings >"$DIR/www/wp-config.php"
	give www-data "$DIR/www/wp-content"
}

prepare() {
	files
	sql -e "CREATE DATABASE wp CHARACTER SET utf8mb4; CREATE USER wp@'127.0.0.1' IDENTIFIED BY 'wp-db-pass'; GRANT ALL ON wp.* TO wp@'127.0.0.1';"
	H="$BIND:$PORT" W="$DIR/www" php -d sendmail_path=/bin/true "$APP/install.php" >"$DIR/install.log" 2>&1 || die 'installing'
}

serve_mariadb
[ -e "$DIR/www" ] || prepare
serve_php "$DIR/www"
wait_http /wp-login.php
announce /
three_users
