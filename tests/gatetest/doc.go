// Package gatetest runs the real gateway in front of a recording app, and
// plays the people who use it: for tests of the whole server.
//
// The binary is built once in each test process. Everything listens on
// loopback, on ports of its own, and ends with the test.
package gatetest
