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
		p.get("/").want(200)
		p.fetch("POST", "/auth/token", "", fmt.Sprintf(`{"username":%q,"password":%q}`, user, formPassword)).want(200)
		var told struct {
			Token string `json:"access_token"`
		}
		if err := json.Unmarshal([]byte(p.body), &told); err != nil {
			t.Fatal(err)
		}
		tokens[user] = told.Token
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
