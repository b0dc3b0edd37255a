<?php
// Fills the empty database of WordPress, as its own installer would.
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = getenv('H');
$_SERVER['SERVER_NAME'] = '127.0.0.1';
$_SERVER['REQUEST_METHOD'] = 'GET';
require getenv('W') . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';

wp_install('Legacy WordPress', 'admin', 'admin@example.test', false, '', getenv('PASSWORD_ADMIN'));
foreach (['alice', 'bob'] as $name) {
	$id = wp_create_user($name, getenv('PASSWORD_' . strtoupper($name)), "$name@example.test");
	(new WP_User($id))->set_role('editor');
}
if ($themes = array_keys(wp_get_themes())) {
	switch_theme($themes[0]);
}
update_option('permalink_structure', '');
wp_insert_post(['post_title' => 'Private note', 'post_content' => getenv('MARKER'), 'post_status' => 'private', 'post_author' => 1]);
