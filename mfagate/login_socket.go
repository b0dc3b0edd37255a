package mfagate

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// Some apps want the token of their session in a message of a WebSocket, too. There it opens
// in its own session only, as anywhere else.

// openSocket has tokens opened in what a script sends through a WebSocket and, where the
// operator says in which messages the app looks for one, everything else refused.
func (v *visit) openSocket(w *sealingWriter, boxes []*loginform.Box) {
	if v.login.Form.Config().Bearer == nil || !upgrade(v.r) {
		return
	}
	v.r.Header.Del("Sec-Websocket-Extensions") // compressed messages cannot be read
	open := func(sealed string) (string, bool) { return unsealToken(boxes, sealed) }
	if v.login.Form.JudgesSocket(v.r) {
		w.taken = func(conn net.Conn, r io.Reader) net.Conn {
			return &judgedSocket{Conn: conn, judged: v.login.Form.JudgeTokens(r, open), told: v.socketRefused}
		}
		return
	}
	w.taken = func(conn net.Conn, r io.Reader) net.Conn {
		return &socket{conn, loginform.OpenTokens(r, open)}
	}
	if v.r.Method == http.MethodConnect { // HTTP/2 and 3 have no connection to take over
		v.r.Body = struct {
			io.Reader
			io.Closer
		}{loginform.OpenTokens(v.r.Body, open), v.r.Body}
	}
}

// evadesJudgement tells whether an upgrade could bring the app messages that nobody has judged:
// some servers, Node's for one, take the body of such a request for the first of them. An
// upgrade by HTTP/2 or 3 has no connection in which one could be told why it ends.
func (v *visit) evadesJudgement() bool {
	if !v.login.Form.JudgesSocket(v.r) {
		return false
	}
	return v.r.Method == http.MethodConnect || v.r.ContentLength != 0
}

// socketRefused logs that a WebSocket ends for what was sent in it.
func (v *visit) socketRefused(fault *loginform.SocketError) {
	v.gate.log.Warn("credentials outside of the login form", "site", v.site.Name, "path", v.loggedPath(), "user", v.Name, "error", fault)
}

// A socket is a connection that was taken over, whose tokens are opened.
type socket struct {
	net.Conn
	opened io.Reader
}

// Read implements net.Conn.
func (s *socket) Read(p []byte) (int, error) { return s.opened.Read(p) }

// What is sent into a connection that ends is read for a while: otherwise the system
// resets it, and the browser may never see why.
const (
	lingerLimit = 2 * time.Second
	lingerBytes = 4 * loginform.MaxSocketMessage
)

// A judgedSocket is a connection that was taken over, which ends with the first message that is
// refused.
type judgedSocket struct {
	net.Conn
	judged io.Reader
	told   func(*loginform.SocketError)

	mu    sync.Mutex // for what the app sends
	track loginform.FrameTrack
	over  bool // nothing of the app's is sent any more
}

// Read implements net.Conn.
func (s *judgedSocket) Read(p []byte) (int, error) {
	n, err := s.judged.Read(p)
	if fault, ok := errors.AsType[*loginform.SocketError](err); ok {
		s.end(fault)
	}
	return n, err
}

// Write implements net.Conn.
func (s *judgedSocket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return len(p), nil // an error would cut the connection off before its end was read
	}
	n, err := s.Conn.Write(p)
	s.track.Follow(p[:n])
	return n, err
}

// end tells the browser why the connection ends, if the app is not in the midst of a frame.
func (s *judgedSocket) end(fault *loginform.SocketError) {
	_ = s.SetDeadline(time.Now().Add(lingerLimit)) // also of a Write that waits
	s.mu.Lock()
	first := !s.over
	s.over = true
	if first && s.track.Between() {
		_, _ = s.Conn.Write(fault.CloseFrame())
	}
	s.mu.Unlock()
	if !first {
		return
	}
	s.told(fault)
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_, _ = io.CopyN(io.Discard, s.Conn, lingerBytes)
}
