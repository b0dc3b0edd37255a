package legacy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"
)

// A Socket is a WebSocket (RFC 6455) as a browser holds it, for texts only. One goroutine
// may send while another receives.
type Socket struct {
	conn io.ReadWriteCloser
	in   *bufio.Reader
}

// errClosed is what Receive returns after the other side has closed the socket.
var errClosed = errors.New("the socket is closed")

// longestText is the length in bytes up to which a text is taken.
const longestText = 1 << 22

// Dial opens a WebSocket with the cookies of the browser. The socket is nil if the answer
// is no 101, and ends with the test otherwise.
func (v *Visitor) Dial(path string) (*Socket, Answer) {
	v.t.Helper()
	return v.dial(path, nil)
}

// dial sends a body with the request, which browsers do not, and which Node takes for the first frames.
func (v *Visitor) dial(path string, body []byte) (*Socket, Answer) {
	v.t.Helper()
	r := v.Request(http.MethodGet, path, "", bytes.NewReader(body))
	maps.Copy(r.Header, http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Origin": {v.Base}, "Sec-Fetch-Mode": {"websocket"}, "Sec-Fetch-Dest": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	})
	client := *v.Client
	client.Timeout = 0 // it would end the socket
	resp, err := client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // of a refusal, what there is
		return nil, Answer{resp.StatusCode, resp.Header, string(body)}
	}
	v.t.Cleanup(func() { conn.Close() })
	return &Socket{conn, bufio.NewReader(conn)}, Answer{Status: resp.StatusCode, Header: resp.Header}
}

// Say opens a WebSocket, sends a text, and returns the first that is sent back within two seconds.
func (v *Visitor) Say(path, text string) Answer {
	v.t.Helper()
	s, a := v.Dial(path)
	if s == nil {
		return a
	}
	if err := s.Send(text); err == nil {
		a.Body = s.first()
	}
	return a
}

// sayEarly is Say with the text in the request that opens the WebSocket.
func (v *Visitor) sayEarly(path, text string) Answer {
	v.t.Helper()
	s, a := v.dial(path, frame(0x81, text))
	if s != nil {
		a.Body = s.first()
	}
	return a
}

// first returns the text that comes within two seconds, or nothing, and closes the socket.
func (s *Socket) first() string {
	defer s.conn.Close()
	defer time.AfterFunc(2*time.Second, func() { s.conn.Close() }).Stop()
	text, _ := s.Receive() // nothing, if nothing comes
	return text
}

// Send sends a text. The mask is that of zeros, which the standard's chapter 5.3 forbids to
// those who have something to hide, and servers take.
func (s *Socket) Send(text string) error {
	return s.frame(0x81, text)
}

func (s *Socket) frame(first byte, text string) error {
	if _, err := s.conn.Write(frame(first, text)); err != nil {
		return fmt.Errorf("sending over a socket: %w", err)
	}
	return nil
}

func frame(first byte, text string) []byte {
	head := []byte{first, 0}
	switch n := len(text); {
	case n < 126:
		head[1] = 0x80 | byte(n)
	case n < 1<<16:
		head[1] = 0x80 | 126
		head = binary.BigEndian.AppendUint16(head, uint16(n))
	default:
		head[1] = 0x80 | 127
		head = binary.BigEndian.AppendUint64(head, uint64(n))
	}
	head = append(head, 0, 0, 0, 0)
	return append(head, text...)
}

// Receive returns the next text, waiting for it. It fails when the socket has been closed.
func (s *Socket) Receive() (string, error) {
	var text strings.Builder
	for {
		first, payload, err := s.next()
		if err != nil {
			return "", err
		}
		switch first & 0x0f {
		case 0x8:
			return "", errClosed
		case 0x9:
			if err := s.frame(0x8a, string(payload)); err != nil {
				return "", err
			}
		case 0x0, 0x1, 0x2:
			text.Write(payload)
			if first&0x80 != 0 {
				return text.String(), nil
			}
		}
	}
}

// next reads one frame.
func (s *Socket) next() (first byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errClosed, err)
	}
	length := uint64(head[1] & 0x7f)
	if more := map[uint64]int{126: 2, 127: 8}[length]; more > 0 {
		long := make([]byte, 8)
		if _, err := io.ReadFull(s.in, long[8-more:]); err != nil {
			return 0, nil, fmt.Errorf("%w: %w", errClosed, err)
		}
		length = binary.BigEndian.Uint64(long)
	}
	if length > longestText {
		return 0, nil, fmt.Errorf("a frame of %d bytes", length)
	}
	payload = make([]byte, length)
	if _, err := io.ReadFull(s.in, payload); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errClosed, err)
	}
	return head[0], payload, nil
}
