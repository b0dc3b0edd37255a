package gatetest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports for programs that the tests start lie below those that the kernel gives to
// whoever asks for any: no connection takes one by chance before its program does.
const (
	firstPort = 20000
	manyPorts = 5000
)

// FreePort returns a TCP port of 127.0.0.1 that nothing listens on, for a program that a
// test starts, and no other test gets it until this one has ended, of whatever process:
// so the program may end and start again. It ends the test if there is none.
func FreePort(t testing.TB) int {
	t.Helper()
	port, release, err := ClaimPort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port
}

// ClaimPort is [FreePort] for what is no test. The port is the caller's until it calls
// release, or its process ends.
func ClaimPort() (port int, release func(), err error) {
	for range 1000 {
		port = firstPort + rand.IntN(manyPorts)
		// Whoever listens here has claimed the port. It needs no file that somebody must remove.
		claim, err := net.Listen("tcp", address(port+manyPorts))
		if err != nil {
			continue
		}
		if l, err := net.Listen("tcp", address(port)); err == nil {
			l.Close()
			return port, func() { claim.Close() }, nil
		}
		claim.Close()
	}
	return 0, nil, fmt.Errorf("no free port between %d and %d", firstPort, firstPort+manyPorts)
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
