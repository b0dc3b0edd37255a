package loginform

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// MaxSocketMessage is the length in bytes of the longest message of a browser's that a judged
// WebSocket takes, fragments put together.
const MaxSocketMessage = 1 << 20

// socketValues is how many values a message may hold, so that reading one takes a few MB at most.
const socketValues = 1 << 15

// Status codes of WebSockets (RFC 6455, section 7.4.1).
const (
	closeProtocol = 1002
	closePolicy   = 1008
	closeTooBig   = 1009
)

// A SocketError is why a judged WebSocket must end. It tells no value that was sent.
type SocketError struct {
	Code   uint16 // of the close frame: 1002, 1008 or 1009
	Reason string
}

// Error implements error.
func (f *SocketError) Error() string {
	return fmt.Sprintf("loginform: a WebSocket's message is refused with %d: %s", f.Code, f.Reason)
}

// CloseFrame is what a server sends to end the connection (RFC 6455, section 5.5.1).
func (f *SocketError) CloseFrame() []byte {
	payload := append(binary.BigEndian.AppendUint16(nil, f.Code), f.Reason...)
	return append([]byte{0x80 | opClose, byte(len(payload))}, payload...)
}

func unframed(reason string) error { return &SocketError{closeProtocol, reason} }
func unfit(reason string) error    { return &SocketError{closePolicy, reason} }

func (f *Form) compileSocketToken() error {
	c := f.config.WebSocketToken
	switch {
	case c == nil:
		return nil
	case f.config.Bearer == nil:
		return errors.New("websocket_token: only scripts with a token of their own show one; write session bearer, too")
	case len(c.JSON) == 0:
		return errors.New("websocket_token: missing; write a JSON pointer such as /auth")
	}
	for _, text := range c.JSON {
		p, err := parsePointer(text)
		if err != nil {
			return fmt.Errorf("websocket_token: %w", err)
		}
		f.socketTokens = append(f.socketTokens, p)
	}
	return f.unjudged.fill("websocket_token: except", c.Except, []string{http.MethodGet}, false, false)
}

// JudgesSocket tells whether what a browser sends through the WebSocket that r opens is to be
// read by JudgeTokens. It looks at method and URL only.
func (f *Form) JudgesSocket(r *http.Request) bool {
	if f.config.WebSocketToken == nil {
		return false
	}
	path, ok := strictPath(r.URL)
	return !ok || !f.unjudged.strict(r, path)
}

// LeavesSockets tells whether WebSockets may be opened in which the app could take a token
// that nobody has judged.
func (f *Form) LeavesSockets() bool {
	c := &f.config
	return c.Bearer != nil && c.WebSocketToken == nil && (len(c.WebSocket) > 0 || c.Identify != nil && c.Identify.Probe != "")
}

// JudgeTokens returns what a browser sends through a WebSocket as the app is to read it: whole
// messages, each in one frame, that are JSON in which there is one way to read, and in which
// open has opened what stands at the pointers of WebSocketToken. A token that does not
// open, a message that is something else or too long, and a frame that RFC 6455 forbids
// end the stream with a *SocketError, and nothing of that message is read. Control frames pass as they come.
func (f *Form) JudgeTokens(r io.Reader, open func(sealed string) (token string, ok bool)) io.Reader {
	return &socketJudge{r: bufio.NewReader(r), message: func(text []byte) ([]byte, error) {
		return openMessage(text, f.socketTokens, open)
	}}
}

// openMessage opens the tokens of a message.
func openMessage(text []byte, at []pointer, open func(string) (string, bool)) ([]byte, error) {
	root, err := parseJSON(text, socketValues)
	if err != nil {
		return nil, unfit("a message is no JSON that there is one way to read")
	}
	if root.count("__proto__") > 0 { // scripts that copy such an object find its members in the one around it
		return nil, unfit("a message names the prototype of an object")
	}
	found := false
	for _, p := range at {
		token, err := root.only(p)
		if err != nil {
			return nil, err
		}
		if token == nil {
			continue
		}
		opened, ok := "", false
		if token.kind == '"' {
			opened, ok = open(token.text)
		}
		if !ok {
			return nil, unfit("a token is not the session's own")
		}
		token.text, found = opened, true
	}
	if !found {
		return text, nil
	}
	return root.append(nil), nil
}

// only is at, in a document in which no reader finds another value there: some take AUTH for auth.
func (n *node) only(p pointer) (*node, error) {
	for _, token := range p {
		for _, key := range n.keys {
			if key != token && foldName(key) == foldName(token) {
				return nil, unfit("a message has the token's name in another spelling")
			}
		}
		if n = n.at(pointer{token}); n == nil {
			return nil, nil
		}
	}
	return n, nil
}

// Opcodes of frames (RFC 6455, section 5.2); those of control frames are at least opClose.
const (
	opContinued = 0x0
	opText      = 0x1
	opBinary    = 0x2
	opClose     = 0x8
	opPong      = 0xa

	maxControl = 125 // bytes
)

// A socketFrame is the head of one that a browser sends.
type socketFrame struct {
	final bool
	op    byte
	size  uint64
	mask  [4]byte
}

// append writes a frame with its payload, masked.
func (f *socketFrame) append(out, payload []byte) []byte {
	first := f.op
	if f.final {
		first |= 0x80
	}
	switch size := len(payload); {
	case size < 126:
		out = append(out, first, 0x80|byte(size))
	case size < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, first, 0x80|126), uint16(size))
	default:
		out = binary.BigEndian.AppendUint64(append(out, first, 0x80|127), uint64(size))
	}
	out = append(out, f.mask[:]...)
	start := len(out)
	out = append(out, payload...)
	flip(out[start:], f.mask[:])
	return out
}

// A socketJudge holds each message back until it is whole.
type socketJudge struct {
	r       *bufio.Reader
	message func(text []byte) ([]byte, error)

	kind  byte // of the message that is under way; opContinued is none
	text  bytes.Buffer
	ready []byte // is read next
	err   error  // after that
}

// Read implements io.Reader.
func (s *socketJudge) Read(p []byte) (int, error) {
	for len(s.ready) == 0 && len(p) > 0 {
		if s.err == nil {
			s.err = s.next()
		}
		if s.err != nil {
			return 0, s.err
		}
	}
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

// next reads a frame.
func (s *socketJudge) next() error {
	f, err := s.head()
	if err != nil {
		return err
	}
	if f.op >= opClose {
		return s.control(f)
	}
	switch {
	case f.op == opContinued && s.kind == opContinued:
		return unframed("a message goes on that has not begun")
	case f.op != opContinued && s.kind != opContinued:
		return unframed("a message begins within another one")
	case f.size > MaxSocketMessage-uint64(s.text.Len()):
		return &SocketError{closeTooBig, "a message is too long"}
	case f.op != opContinued:
		s.kind = f.op
	}
	if err := s.payload(f); err != nil || !f.final {
		return err
	}
	text, err := s.message(s.text.Bytes())
	if err != nil {
		return err
	}
	f.op = s.kind
	s.ready = f.append(make([]byte, 0, len(text)+14), text)
	s.kind, s.text = opContinued, bytes.Buffer{} // a long one is not kept while the socket is idle
	return nil
}

// payload adds that of a frame to the message. It takes memory only for what has come.
func (s *socketJudge) payload(f *socketFrame) error {
	start := s.text.Len()
	if _, err := io.CopyN(&s.text, s.r, int64(f.size)); err != nil {
		return cutShort(err)
	}
	flip(s.text.Bytes()[start:], f.mask[:])
	return nil
}

// control lets a control frame pass, be it between the fragments of a message (RFC 6455, section 5.4).
func (s *socketJudge) control(f *socketFrame) error {
	switch {
	case f.op > opPong:
		return unframed("an unknown frame")
	case !f.final || f.size > maxControl || f.op == opClose && f.size == 1:
		return unframed("a control frame that is none")
	}
	payload := make([]byte, f.size)
	if _, err := io.ReadFull(s.r, payload); err != nil {
		return cutShort(err)
	}
	flip(payload, f.mask[:])
	s.ready = f.append(nil, payload)
	return nil
}

// head reads the head of a frame.
func (s *socketJudge) head() (*socketFrame, error) {
	var b [8]byte
	if _, err := io.ReadFull(s.r, b[:2]); err != nil {
		return nil, err
	}
	f := &socketFrame{final: b[0]&0x80 != 0, op: b[0] & 0x0f, size: uint64(b[1] & 0x7f)}
	switch {
	case b[0]&0x70 != 0: // an extension's, of which there is none
		return nil, unframed("a reserved bit is set")
	case b[1]&0x80 == 0:
		return nil, unframed("a frame is not masked")
	case f.op > opBinary && f.op < opClose:
		return nil, unframed("an unknown frame")
	}
	if err := s.length(f); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(s.r, f.mask[:]); err != nil {
		return nil, cutShort(err)
	}
	return f, nil
}

// length reads that of a longer frame, which there is one way to write.
func (s *socketJudge) length(f *socketFrame) error {
	var b [8]byte
	var size int
	var least uint64
	switch f.size {
	case 126:
		size, least = 2, 126
	case 127:
		size, least = 8, 1<<16
	default:
		return nil
	}
	if _, err := io.ReadFull(s.r, b[8-size:]); err != nil {
		return cutShort(err)
	}
	if f.size = binary.BigEndian.Uint64(b[:]); f.size < least || f.size > 1<<63-1 {
		return unframed("a length is written as none is")
	}
	return nil
}

// cutShort is the end of a stream within a frame.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// A FrameTrack follows the frames of a WebSocket, as bytes of them are written. The zero value is at the beginning
// of one.
type FrameTrack struct {
	head []byte
	left uint64 // bytes of the payload
}

// Between tells whether the next byte begins a frame.
func (t *FrameTrack) Between() bool { return len(t.head) == 0 && t.left == 0 }

// Follow takes the bytes that are written next.
func (t *FrameTrack) Follow(p []byte) {
	for len(p) > 0 {
		if t.left > 0 {
			n := min(t.left, uint64(len(p)))
			t.left, p = t.left-n, p[n:]
			continue
		}
		t.head, p = append(t.head, p[0]), p[1:]
		if size, whole := payloadSize(t.head); whole {
			t.head, t.left = t.head[:0], size
		}
	}
}

// payloadSize reads the head of a frame, if it is whole.
func payloadSize(head []byte) (size uint64, whole bool) {
	if len(head) < 2 {
		return 0, false
	}
	size, extended := uint64(head[1]&0x7f), 0
	switch size {
	case 126:
		extended = 2
	case 127:
		extended = 8
	}
	rest := extended
	if head[1]&0x80 != 0 {
		rest += 4
	}
	if len(head) < 2+rest {
		return 0, false
	}
	if extended > 0 {
		size = binary.BigEndian.Uint64(append(make([]byte, 8-extended, 8), head[2:2+extended]...))
	}
	return size, true
}
