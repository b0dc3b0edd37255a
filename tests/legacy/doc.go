// Package legacy runs real web apps that nobody here wrote, each with a login
// of another kind, for tests of the gate in front of them.
//
// The apps come from Debian's packages and from npm; "tests/legacy/install NAME"
// installs what one needs. Each runs on loopback, on free ports, with all that
// it writes in a temporary folder, and ends with the test. [Chosen] lists those
// that a test of all apps should try.
package legacy
