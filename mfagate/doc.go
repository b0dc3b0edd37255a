// Package mfagate puts a second factor in front of web apps that cannot be
// changed.
package mfagate
