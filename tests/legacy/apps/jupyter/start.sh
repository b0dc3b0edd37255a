# Jupyter Notebook: a form with a password and no name, a token against forgery,
# WebSockets for terminals and kernels. Sourced by ../../start.

hash() {
	python3 - <<-'PY'
		import hashlib, os
		salt = os.urandom(6).hex()
		print("sha1:%s:%s" % (salt, hashlib.sha1((os.environ["PASSWORD_ALICE"] + salt).encode()).hexdigest()))
	PY
}

settings() {
	cat <<-PY
		c.NotebookApp.ip = '$BIND'
		c.NotebookApp.port = $PORT
		c.NotebookApp.port_retries = 0
		c.NotebookApp.open_browser = False
		c.NotebookApp.password = '$(hash)'
		c.NotebookApp.token = ''
		c.NotebookApp.notebook_dir = '$DIR/notebooks'
		c.NotebookApp.allow_root = True
		c.NotebookApp.allow_remote_access = True
		c.NotebookApp.quit_button = False
		c.NotebookApp.trust_xheaders = True
	PY
}

if [ ! -e "$DIR/conf" ]; then
	mkdir -p "$DIR/conf" "$DIR/notebooks" "$DIR/runtime"
	echo "$MARKER" >"$DIR/notebooks/secret.txt"
	settings >"$DIR/conf/jupyter_notebook_config.py"
fi
export JUPYTER_CONFIG_DIR=$DIR/conf JUPYTER_DATA_DIR=$DIR/data JUPYTER_RUNTIME_DIR=$DIR/runtime
daemon jupyter-notebook
wait_http /login
announce /
user - "$PASSWORD_ALICE"
