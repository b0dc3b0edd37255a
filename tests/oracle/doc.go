// Package oracle is a legacy app with every way in that such apps have, which
// remembers as whom each request acted.
//
// The zero [Options] make a plain app: a form, a session cookie that changes at
// the sign-in, a redirect on success, and no side door. Each option opens
// one more way, or copies one more habit, that was seen on real apps.
// [Everything] opens all ways at once.
//
//	GET  /login          the form; POST signs in
//	POST /login/password the second step, with TwoSteps
//	GET  /               a page for people who signed in, as are /notes, /notes/export and /files/…
//	POST /notes          adds a note; PUT /files/NAME stores a file
//	GET  /whoami         the name as JSON, or 401
//	ANY  /logout         ends the session
//	GET  /static/…       style, script and picture of the login page
//	GET  /stream, /ws    lines that go on until the connection ends
//	ANY  /api/login, /api/notes, /xmlrpc, /reset, /switch   side doors; 404 unless opened
//
// Whom each answer was made for can be told from its bytes: see [App.Shown].
// A [Ledger] holds the log to the invariants of a gate in front of the app.
//
// An App may be used by several goroutines at once.
package oracle
