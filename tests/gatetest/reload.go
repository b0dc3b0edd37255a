package gatetest

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"
)

// AwaitReload waits until at most one socket listens on a TCP port; it is an error if more
// still do after a minute. Each of Caddy's configurations has a socket of its own, and
// a reload is said to be done shortly before the older one is closed: who connects
// in between may get its answer from the configuration before.
func AwaitReload(port int) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		sockets, known := listening(port)
		if !known {
			time.Sleep(200 * time.Millisecond) // a system that does not tell
			return nil
		}
		if sockets <= 1 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d sockets still listen on port %d", sockets, port)
		}
	}
}

// listening counts the sockets that listen on a TCP port, if the system tells.
func listening(port int) (sockets int, known bool) {
	const stateListen = "0A"
	suffix := fmt.Sprintf(":%04X", port)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		known = true
		for line := range bytes.Lines(text) {
			columns := strings.Fields(string(line))
			if len(columns) > 3 && columns[3] == stateListen && strings.HasSuffix(columns[1], suffix) {
				sockets++
			}
		}
	}
	return sockets, known
}
