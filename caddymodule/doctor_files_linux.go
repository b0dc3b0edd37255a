package caddymodule

import (
	"io/fs"
	"os"
	"syscall"
)

// foreign tells whether a file belongs to somebody else than who runs the server.
func foreign(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) != os.Geteuid()
}

// freeSpace tells how many bytes may be written beside a file.
func freeSpace(file string) (bytes uint64, known bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(file, &s); err != nil {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}
