package gatetest

import (
	"net"
	"sync"
	"testing"
)

// Nobody else gets a port while a test has it, though nothing listens there.
func TestPortIsClaimed(t *testing.T) {
	const tests = 20
	var mu sync.Mutex
	var all sync.WaitGroup
	taken := make(map[int]int)
	for range tests {
		all.Go(func() {
			for range 50 {
				port := FreePort(t)
				mu.Lock()
				taken[port]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for port, times := range taken {
		if times != 1 {
			t.Errorf("port %d was given away %d times", port, times)
		}
	}
	if len(taken) != 50*tests {
		t.Errorf("got %d ports; want %d", len(taken), 50*tests)
	}
}

// After the test the port is free for the next.
func TestPortIsReleased(t *testing.T) {
	port, release, err := ClaimPort()
	if err != nil {
		t.Fatal(err)
	}
	if l, err := net.Listen("tcp", address(port+manyPorts)); err == nil {
		l.Close()
		t.Error("another process could claim the port")
	}
	release()
	for _, p := range []int{port, port + manyPorts} {
		l, err := net.Listen("tcp", address(p))
		if err != nil {
			t.Errorf("after the release: %v", err)
			continue
		}
		l.Close()
	}
}
