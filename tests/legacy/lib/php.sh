# A private lighttpd with PHP. Sourced by ../start.

# php_settings: the mails of PHP's mail() become files in $DIR/mail.
php_settings() {
	mkdir -p "$DIR/run" "$DIR/sessions" "$DIR/tmp" "$DIR/mail"
	give www-data "$DIR/run" "$DIR/sessions" "$DIR/tmp" "$DIR/mail"
	printf '#!/bin/sh\ncat > "%s/$(date +%%s%%N).eml"\n' "$DIR/mail" >"$DIR/sendmail"
	chmod 755 "$DIR/sendmail"
	cat >"$DIR/php.ini" <<-INI
		session.save_path = "$DIR/sessions"
		session.gc_probability = 0
		sendmail_path = "$DIR/sendmail -t -i"
		upload_tmp_dir = "$DIR/tmp"
		sys_temp_dir = "$DIR/tmp"
		error_log = "$DIR/run/php-error.log"
		log_errors = On
		display_errors = Off
		memory_limit = 256M
		max_execution_time = 120
		post_max_size = 64M
		upload_max_filesize = 48M
		date.timezone = UTC
		cgi.fix_pathinfo = 1
	INI
}

# lighttpd_settings ROOT
lighttpd_settings() {
	if [ "$(id -u)" = 0 ]; then
		printf 'server.username = "www-data"\nserver.groupname = "www-data"\n'
	fi
	cat <<-CONF
		server.modules = ( "mod_access", "mod_setenv", "mod_fastcgi" )
		server.bind = "$BIND"
		server.port = $PORT
		server.document-root = "$1"
		server.errorlog = "$DIR/run/lighttpd.log"
		server.upload-dirs = ( "$DIR/tmp" )
		server.follow-symlink = "enable"
		index-file.names = ( "index.php", "index.html" )
		url.access-deny = ( "~", ".inc" )
		include_shell "/usr/share/lighttpd/create-mime.conf.pl"
		fastcgi.server = ( ".php" => (( "bin-path" => "$(command -v php-cgi) -c $DIR/php.ini",
		  "socket" => "$DIR/run/php.sock", "max-procs" => 1, "broken-scriptfilename" => "enable",
		  "bin-environment" => ( "PHP_FCGI_CHILDREN" => "3", "PHP_FCGI_MAX_REQUESTS" => "10000" ) )) )
	CONF
}

# serve_php ROOT [SETTING…]: further lines for lighttpd.
serve_php() {
	php_settings
	{
		lighttpd_settings "$1"
		shift
		[ $# = 0 ] || printf '%s\n' "$@"
	} >"$DIR/lighttpd.conf"
	daemon /usr/sbin/lighttpd -D -f "$DIR/lighttpd.conf"
}

php_hash() { P=$1 php -r 'echo password_hash(getenv("P"), PASSWORD_BCRYPT);'; }
