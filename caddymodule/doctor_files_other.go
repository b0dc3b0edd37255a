//go:build !linux

package caddymodule

import "io/fs"

// foreign does not know outside Linux.
func foreign(fs.FileInfo) bool { return false }

// freeSpace does not know outside Linux.
func freeSpace(string) (bytes uint64, known bool) { return 0, false }
