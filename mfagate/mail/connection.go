package mail

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// A connection is the one over which a message is sent. It can be closed from
// outside, also while the server is waited for.
type connection struct {
	mu     sync.Mutex
	conn   net.Conn
	closed bool
}

// dial returns a function that dials the server of s.
func (c *connection) dial(s *Sender) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil && s.TLS == Implicit {
			raw := conn
			secured := tls.Client(raw, s.tlsConfig())
			if err = secured.HandshakeContext(ctx); err != nil {
				_ = raw.Close() // the handshake's error says more
			}
			conn = secured
		}
		if err != nil {
			return nil, err
		}
		c.keep(conn)
		return conn, nil
	}
}

func (c *connection) keep(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
	if c.closed {
		_ = conn.Close() // the next read tells
	}
}

func (c *connection) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.conn != nil {
		_ = c.conn.Close() // it may be closed already
	}
}
