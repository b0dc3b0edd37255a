package mfagate_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// A taken connection is one that the app takes over, after what the browser has sent.
type taken struct {
	*httptest.ResponseRecorder
	sent []byte
}

func (t *taken) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	ours, theirs := net.Pipe()
	go func() {
		_, _ = theirs.Write(t.sent[len(t.sent)/2:])
		theirs.Close()
	}()
	early := io.MultiReader(bytes.NewReader(t.sent[:len(t.sent)/2]), ours) // came with the request
	return ours, bufio.NewReadWriter(bufio.NewReader(early), bufio.NewWriter(ours)), nil
}

// Node-RED wants its token once more in the first message of a WebSocket. It opens there in
// its own session, and nowhere else: not in that of somebody who has copied it.
func TestTokenInASocketOpensInItsOwnSessionOnly(t *testing.T) {
	var heard string
	var acts []string
	plain := tokenApp(&acts)
	w := loginWorld(t, tokenConfig(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/comms" {
			plain.ServeHTTP(w, r)
			return
		}
		if got := r.Header.Get("Sec-Websocket-Extensions"); got != "" {
			t.Errorf("the app may agree to %s, with which nobody can read messages", got)
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		b, _ := io.ReadAll(conn)
		heard = string(b)
	}))
	tokens := make(map[string]string)
	enrolled := func(user string) *person {
		p := w.person("")
		tokens[user] = p.tokenFor(user)
		p.last.Header().Set("Location", "/.mfa/enroll")
		p.enrolHere()
		return p
	}
	vic, eve := enrolled("vic"), enrolled("eve")
	say := func(p *person, text string) string {
		r := p.request("GET", "/comms", "", "")
		for name, value := range map[string]string{
			"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Fetch-Mode": "websocket", "Sec-Websocket-Extensions": "permessage-deflate",
		} {
			r.Header.Set(name, value)
		}
		head := binary.BigEndian.AppendUint16([]byte{0x81, 0x80 | 126}, uint16(len(text)))
		heard = ""
		w.handler.ServeHTTP(&taken{httptest.NewRecorder(), append(append(head, 0, 0, 0, 0), text...)}, r)
		return heard
	}
	if got := say(vic, `{"auth":"`+tokens["vic"]+`"}`); !strings.HasSuffix(got, `{"auth":"token-of-vic"}`) {
		t.Errorf("in its own session the app hears %q; want the token itself", got)
	}
	if got := say(eve, `{"auth":"`+tokens["vic"]+`"}`); strings.Contains(got, "token-of") || !strings.Contains(got, tokens["vic"]) {
		t.Errorf("in another's session the app hears %q; want the token as it was sent", got)
	}
	if got := say(w.person(""), `{"auth":"`+tokens["vic"]+`"}`); got != "" {
		t.Errorf("without a session the app hears %q", got)
	}
}

// tokenFor signs in by script, and returns the token as the browser has it.
func (p *person) tokenFor(user string) string {
	t := p.w.t
	t.Helper()
	p.get("/").want(200)
	p.fetch("POST", "/auth/token", "", fmt.Sprintf(`{"username":%q,"password":%q}`, user, formPassword)).want(200)
	var told struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(p.body), &told); err != nil {
		t.Fatal(err)
	}
	return told.Token
}

// socketRequest is a request for a WebSocket.
func (p *person) socketRequest(method, body string) *http.Request {
	r := p.request(method, "/comms", "", body)
	for name, value := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Fetch-Mode": "websocket"} {
		r.Header.Set(name, value)
	}
	return r
}

// judgedWorld has an app that reads its token in messages of WebSockets. It sends begin, takes what comes
// to the end, and sends end.
func judgedWorld(t *testing.T, begin, end string) (w *world, heard *string) {
	c := tokenConfig()
	c.WebSocketToken = &loginform.WebSocketToken{JSON: []string{"/auth"}}
	var acts []string
	plain := tokenApp(&acts)
	heard = new(string)
	return loginWorld(t, c, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/comms" {
			plain.ServeHTTP(w, r)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, begin)
		b, err := io.ReadAll(conn)
		if *heard = string(b); err == nil {
			return
		}
		if n, err := io.WriteString(conn, end); n != len(end) || err != nil {
			t.Errorf("after the refusal the app writes %d bytes: %v; want its bytes to be dropped", n, err)
		}
	})), heard
}

// A held connection is that of a browser that goes on reading.
type held struct {
	*httptest.ResponseRecorder
	sent []byte
	got  chan string
}

func (h *held) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		go func() { _, _ = theirs.Write(h.sent) }()
		var got []byte
		for b := make([]byte, 512); ; {
			n, err := theirs.Read(b)
			if got = append(got, b[:n]...); err != nil || bytes.Contains(got, []byte{0x88}) {
				h.got <- string(got)
				return
			}
		}
	}()
	return ours, bufio.NewReadWriter(bufio.NewReader(ours), bufio.NewWriter(ours)), nil
}

// A stolen token in clear ends the connection of whoever sends it. The close frame comes
// where a frame of the app's ends, and not within one.
func TestStolenTokenEndsASocketWithAFrame(t *testing.T) {
	const whole, half = "\x81\x02hi", "\x81\x05hi"
	for begin, want := range map[string]string{whole: whole + "\x88", half: half} {
		w, heard := judgedWorld(t, begin, " you")
		vic := w.person("")
		token := vic.tokenFor("vic")
		vic.last.Header().Set("Location", "/.mfa/enroll")
		vic.enrolHere()
		message := func(text string) []byte {
			return append(binary.BigEndian.AppendUint16([]byte{0x81, 0x80 | 126}, uint16(len(text))), "\x00\x00\x00\x00"+text...)
		}
		pad := strings.Repeat(" ", 126)
		h := &held{httptest.NewRecorder(), append(message(`{"auth":"`+token+`"}`+pad), message(`{"auth":"token-of-vic"}`+pad)...), make(chan string, 1)}
		w.handler.ServeHTTP(h, vic.socketRequest("GET", ""))
		if !strings.HasSuffix(*heard, `{"auth":"token-of-vic"}`) || strings.Contains(*heard, pad) {
			t.Errorf("the app hears %q; want the token that was opened, and no other", *heard)
		}
		if got := <-h.got; !strings.HasPrefix(got, want) || strings.Contains(got, "you") || strings.Contains(got, "\x88") != strings.Contains(want, "\x88") {
			t.Errorf("the browser gets %q; want %q at first, and nothing of the app's after the refusal", got, want)
		}
	}
}

// Node reads the body of an upgrade as the first frames of the WebSocket.
func TestUpgradeThatNobodyCouldJudgeIsRefused(t *testing.T) {
	w, heard := judgedWorld(t, "", "")
	vic := w.person("")
	vic.tokenFor("vic")
	vic.last.Header().Set("Location", "/.mfa/enroll")
	vic.enrolHere()
	const frame = "\x81\x97\x00\x00\x00\x00{\"auth\":\"token-of-vic\"}"
	chunked := vic.socketRequest("GET", frame)
	chunked.ContentLength, chunked.TransferEncoding = -1, []string{"chunked"}
	for what, r := range map[string]*http.Request{
		"a body": vic.socketRequest("GET", frame), "one in chunks": chunked, "a posted one": vic.socketRequest("POST", frame), "a stream of HTTP/2": vic.socketRequest("CONNECT", ""),
	} {
		vic.send(r)
		if vic.last.Code != http.StatusForbidden || *heard != "" {
			t.Errorf("%s: got %d and the app hears %q; want 403 and nothing", what, vic.last.Code, *heard)
		}
	}
}
