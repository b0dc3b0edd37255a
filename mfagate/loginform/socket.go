package loginform

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"regexp"
)

// Bounds of what is looked at in a WebSocket: apps ask for their token first.
const (
	socketMessages = 16
	socketMessage  = 16 << 10 // bytes
)

// sealedText finds what may be a sealed token in a text, also one with claims before it.
var sealedText = regexp.MustCompile(`(?:[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.)?[A-Za-z0-9_-]{40,}`)

// OpenTokens returns what a browser sends through a WebSocket as the app is to read it: tokens
// that open are in their place in the first text messages. All else passes as it is, and so
// do messages in parts or of more than 16 KiB. The extensions that would compress messages must
// not have been agreed upon (RFC 6455, section 5.2).
func OpenTokens(r io.Reader, open func(sealed string) (token string, ok bool)) io.Reader {
	return &socketReader{r: bufio.NewReader(r), open: open, left: socketMessages}
}

type socketReader struct {
	r     *bufio.Reader
	open  func(string) (string, bool)
	left  int    // messages that are still looked at
	ready []byte // is read next
	pass  uint64 // bytes after that are not looked at
}

// Read implements io.Reader.
func (s *socketReader) Read(p []byte) (int, error) {
	for len(s.ready) == 0 && s.pass == 0 && s.left > 0 && len(p) > 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	switch {
	case len(s.ready) > 0:
		n := copy(p, s.ready)
		s.ready = s.ready[n:]
		return n, nil
	case s.pass > 0:
		n, err := s.r.Read(p[:min(uint64(len(p)), s.pass)])
		s.pass -= uint64(n)
		return n, err
	}
	return s.r.Read(p)
}

// next reads the head of a frame, and a whole text message.
func (s *socketReader) next() error {
	head := make([]byte, 2, 14)
	if _, err := io.ReadFull(s.r, head); err != nil {
		return err
	}
	size, extended := uint64(head[1]&0x7f), 0
	switch size {
	case 126:
		extended = 2
	case 127:
		extended = 8
	}
	masked := head[1]&0x80 != 0
	rest := extended
	if masked {
		rest += 4
	}
	head = head[:2+rest]
	if _, err := io.ReadFull(s.r, head[2:]); err != nil {
		return err
	}
	if extended > 0 {
		size = binary.BigEndian.Uint64(append(make([]byte, 8-extended, 8), head[2:2+extended]...))
	}
	if head[0]&0x0f < 8 { // no ping
		s.left--
	}
	const wholeText = 0x81
	if head[0] != wholeText || !masked || size > socketMessage {
		s.ready, s.pass = head, size
		return nil
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(s.r, text); err != nil {
		return err
	}
	s.ready = s.message(head, text)
	return nil
}

// message is a text message with its tokens opened.
func (s *socketReader) message(head, masked []byte) []byte {
	mask := head[len(head)-4:]
	flip(masked, mask)
	text := sealedText.ReplaceAllFunc(masked, func(sealed []byte) []byte {
		if token, ok := s.open(string(sealed)); ok {
			return []byte(token)
		}
		return sealed
	})
	if !bytes.Equal(text, masked) {
		head = textHead(len(text), mask)
	}
	flip(text, mask)
	return append(head, text...)
}

// textHead is the head of a text message of fewer than 64 KiB: an opened token is shorter
// than a sealed one.
func textHead(size int, mask []byte) []byte {
	head := []byte{0x81, 0x80 | byte(size)}
	if size > 125 {
		head = binary.BigEndian.AppendUint16([]byte{0x81, 0x80 | 126}, uint16(size))
	}
	return append(head, mask...)
}

func flip(text, mask []byte) {
	for i := range text {
		text[i] ^= mask[i%4]
	}
}
