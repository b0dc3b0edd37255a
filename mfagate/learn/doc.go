// Package learn finds out what the login form of an app looks like, from the requests
// that pass while nothing is asked of anybody.
//
// A [Learner] sees requests and answers and changes neither. It keeps names and
// never values: of fields, cookies and JSON keys, and paths whose parts do not look like
// an id or a secret. What it keeps is bounded, whatever comes: each of its tables
// drops what was seen least, so that a flood of noise crowds out noise.
package learn
