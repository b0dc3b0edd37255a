<?php
// Tells what an app in PHP reads in this very request. Served by php -S, so that it is
// PHP itself that has read the form.
$all = [];
function said($v) { return $v === null ? [] : (is_string($v) ? [base64_encode($v)] : [base64_encode('not a text: ' . json_encode($v))]); }
function reading($how, $user, $pass) {
	global $all;
	$all[] = ['how' => $how, 'user' => said($user), 'pass' => said($pass)];
}
if (isset($_FILES['user']) || isset($_FILES['pass'])) {
	reading('$_FILES', isset($_FILES['user']) ? 'a file' : null, isset($_FILES['pass']) ? 'a file' : null);
}
$type = $_SERVER['CONTENT_TYPE'] ?? '';
if (stripos($type, 'json') === false) {
	reading('$_POST', $_POST['user'] ?? null, $_POST['pass'] ?? null);
	reading('$_REQUEST', $_REQUEST['user'] ?? null, $_REQUEST['pass'] ?? null);
}
if (strpos($type, 'multipart/') !== 0) {
	$json = json_decode(file_get_contents('php://input'), true);
	$auth = is_array($json) ? ($json['auth'] ?? null) : null;
	if (is_array($auth) || stripos($type, 'json') !== false) {
		reading('json_decode', $auth['name'] ?? null, $auth['secret'] ?? null);
	}
}
$cookies = [];
foreach ($_COOKIE as $name => $value) {
	$cookies[] = [base64_encode((string) $name), base64_encode(is_string($value) ? $value : json_encode($value))];
}
header('Content-Type: application/json');
echo json_encode(['readings' => $all, 'cookies' => [['how' => '$_COOKIE', 'pairs' => $cookies]]]);
