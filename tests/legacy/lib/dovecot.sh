# A private Dovecot, an IMAP server on PORT2. Sourced by ../start.

mailbox() {
	mkdir -p "$DIR/mailstore/$1/cur" "$DIR/mailstore/$1/new" "$DIR/mailstore/$1/tmp"
	cat >"$DIR/mailstore/$1/new/1.legacy" <<-MAIL
		From: root@example.test
		To: $1@example.test
		Subject: $MARKER
		Date: Sat, 21 Nov 2026 12:00:00 +0000
		Message-ID: <1@example.test>

		$MARKER for $1
	MAIL
}

dovecot_settings() {
	cat <<-CONF
		base_dir = $DIR/dovecot/run
		state_dir = $DIR/dovecot/state
		log_path = $DIR/dovecot.log
		protocols = imap
		listen = $BIND
		ssl = no
		disable_plaintext_auth = no
		auth_mechanisms = plain login
		auth_username_format = %Lu
		auth_failure_delay = 0
		service anvil {
		  unix_listener anvil-auth-penalty {
		    mode = 0
		  }
		}
		mail_location = maildir:$DIR/mailstore/%n
		first_valid_uid = 1
		passdb {
		  driver = passwd-file
		  args = scheme=CRYPT username_format=%u $DIR/dovecot/users
		}
		userdb {
		  driver = static
		  args = uid=mail gid=mail home=$DIR/mailstore/%n
		}
		service imap-login {
		  inet_listener imap {
		    port = $PORT2
		  }
		  inet_listener imaps {
		    port = 0
		  }
		}
	CONF
}

serve_dovecot() {
	if [ ! -e "$DIR/dovecot" ]; then
		mkdir -p "$DIR/dovecot/run" "$DIR/dovecot/state"
		printf '%s:%s\n' alice@example.test "$(doveadm pw -s SHA512-CRYPT -p "$PASSWORD_ALICE")" \
			bob@example.test "$(doveadm pw -s SHA512-CRYPT -p "$PASSWORD_BOB")" >"$DIR/dovecot/users"
		mailbox alice
		mailbox bob
		give mail "$DIR/mailstore"
		dovecot_settings >"$DIR/dovecot/dovecot.conf"
	fi
	daemon dovecot -F -c "$DIR/dovecot/dovecot.conf"
	wait_until curl -s -m 2 "imap://alice%40example.test:$PASSWORD_ALICE@$BIND:$PORT2/"
}
