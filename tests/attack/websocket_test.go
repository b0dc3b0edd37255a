package attack_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

const tokenForm = `mfa {
		login_form {
			session bearer /access_token
			websocket_token /auth
			page /
			submit /auth/token
			user /username
			password /password
			success status 200 json /access_token
			failure status 403
			identify probe GET /me json /user
		}
	}
	reverse_proxy `

// A talker has a browser with a session, and the app's token as the browser has it.
type talker struct {
	*gatetest.Person
	t     *testing.T
	token string
}

// signsIn gets the app's token, sealed.
func (p *talker) signsIn(user string) {
	p.t.Helper()
	page := p.Fetch(p.t, http.MethodPost, "/auth/token", map[string]string{"username": user, "password": gatetest.Password})
	var told map[string]string
	if err := json.Unmarshal([]byte(page.Body), &told); err != nil || told["access_token"] == "" {
		p.t.Fatalf("the sign-in is answered with %d %s", page.Status, page.Body)
	}
	if strings.Contains(page.Body, "-of-") {
		p.t.Errorf("before the second factor the browser gets %s", page.Body)
	}
	p.token = told["access_token"]
}

// A wsock is a WebSocket of a browser's.
type wsock struct {
	io.ReadWriteCloser
	t *testing.T
}

// dial opens the WebSocket, perhaps with a body, which browsers do not send.
func (p *talker) dial(body io.Reader) (*wsock, int) {
	p.t.Helper()
	r := p.Request(p.t, http.MethodGet, "/comms", body, nil)
	maps.Copy(r.Header, http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Fetch-Mode": {"websocket"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Dest": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Extensions": {"permessage-deflate"},
	})
	client := *p.Client()
	client.Timeout = 0 // it would end the socket
	resp, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		resp.Body.Close()
		return nil, resp.StatusCode
	}
	slow := time.AfterFunc(2*time.Minute, func() { conn.Close() }) // a test that waits in vain
	p.t.Cleanup(func() { slow.Stop(); conn.Close() })
	return &wsock{conn, p.t}, resp.StatusCode
}

// say sends frames, and returns what the app answers, or the code with which the gate ends the connection.
func (s *wsock) say(frames ...[]byte) (text string, code uint16) {
	s.t.Helper()
	if _, err := s.Write(slices.Concat(frames...)); err != nil {
		s.t.Fatalf("sending over a WebSocket: %v", err)
	}
	first, payload, err := readFrame(s)
	switch {
	case err != nil:
		s.t.Fatalf("a WebSocket ends without a word: %v", err)
	case first == 0x88 && len(payload) >= 2:
		return payload[2:], binary.BigEndian.Uint16([]byte(payload))
	}
	return payload, 0
}

// Whoever has stolen the app's token must not use it in a WebSocket of his own session.
func TestStolenTokenInAWebSocket(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", secure), func(t *testing.T) {
			app := newTokenApp(t)
			s := tokenGate(t, app, secure)
			alice := &talker{Person: person(t, s, secure), t: t}
			alice.signsIn("alice")
			alice.Enrol(t, "/")
			bob := &talker{Person: person(t, s, secure), t: t}
			bob.signsIn("bob")
			bob.Enrol(t, "/")
			again := &talker{Person: alice.Elsewhere(), t: t}
			if secure {
				trustGate(t, again.Person)
			}
			again.signsIn("alice")
			again.Prove(t, "/", "recovery", alice.UseCode(t))
			bob.attacks(app, map[string]string{"raw": "token-of-alice", "of another's session": alice.token})
			alice.attacks(app, map[string]string{"of another session of the same person": again.token})
			if logs := s.Logs(); !strings.Contains(logs, "credentials outside of the login form") || !strings.Contains(logs, `"user":"bob"`) {
				t.Error("the log does not say whose WebSocket was ended")
			} else if strings.Contains(logs, "token-of-") {
				t.Error("a token is in the log")
			}
			bob.upgradesWithABody(app)
			alice.signsOut()
		})
	}
}

// attacks sends tokens that are not the session's own, in all ways, each in a socket that takes its own.
func (p *talker) attacks(app *tokenApp, tokens map[string]string) {
	const text, binary, begun, on, last = 0x81, 0x82, 0x01, 0x00, 0x80
	pad := strings.Repeat(" ", 20<<10)
	for whose, token := range tokens {
		auth := `{"auth":"` + token + `"}`
		f := func(first byte, text string) []byte { return frameOf(first, text, true) }
		for what, c := range map[string]struct {
			code   uint16
			frames [][]byte
		}{
			"at once":             {1008, [][]byte{f(text, auth)}},
			"in fragments":        {1008, [][]byte{f(begun, auth[:4]), f(on, auth[4:10]), f(0x89, "ping"), f(last, auth[10:])}},
			"in binary":           {1008, [][]byte{f(binary, auth)}},
			"padded":              {1008, [][]byte{f(text, auth+pad)}},
			"twice":               {1008, [][]byte{f(text, `{"auth":"`+p.token+`","auth":"`+token+`"}`)}},
			"by an escaped name":  {1008, [][]byte{f(text, `{"\u0061uth":"`+token+`"}`)}},
			"in capitals":         {1008, [][]byte{f(text, strings.Replace(auth, "auth", "Auth", 1))}},
			"in what is no JSON":  {1008, [][]byte{f(text, "\ufeff"+auth)}},
			"in a long message":   {1009, [][]byte{f(text, auth+strings.Repeat(pad, 60))}},
			"in a compressed one": {1002, [][]byte{f(0xc1, auth)}},
			"without a mask":      {1002, [][]byte{frameOf(text, auth, false)}},
			"as an unknown frame": {1002, [][]byte{f(0x83, auth)}},
			"as the rest of none": {1002, [][]byte{f(last, auth)}},
			"before its own":      {1008, [][]byte{f(text, auth), f(text, `{"auth":"`+p.token+`"}`)}},
			"in an object":        {1008, [][]byte{f(text, `{"auth":{"x":"`+token+`"}}`)}},
		} {
			p.t.Run(whose+" "+what, func(t *testing.T) {
				q := *p
				q.t = t
				q.attack(app, c.code, c.frames)
			})
		}
	}
}

// attack is one, after enough of what is right.
func (p *talker) attack(app *tokenApp, want uint16, frames [][]byte) {
	t := p.t
	s, status := p.dial(nil)
	if s == nil {
		t.Fatalf("the WebSocket is answered with %d", status)
	}
	if got, code := s.say(frameOf(0x81, `{"auth":"`+p.token+`"}`, true)); code != 0 || !strings.HasPrefix(got, `heard {"auth":"token-of-`) {
		t.Fatalf("the session's own token is answered with %q (%d); want it opened", got, code)
	}
	for range 17 {
		if got, code := s.say(frameOf(0x81, `{"subscribe":"x"}`, true)); code != 0 || got != `heard {"subscribe":"x"}` {
			t.Fatalf("another message is answered with %q (%d)", got, code)
		}
	}
	before := app.count()
	if got, code := s.say(frames...); code != want {
		t.Errorf("got %d %q; want the connection to end with %d", code, got, want)
	}
	if _, _, err := readFrame(s); err == nil {
		t.Error("after the close frame something comes; want the end of the connection")
	}
	if got := app.took(before); len(got) > 0 {
		t.Errorf("the app hears %.100q", got)
	}
}

// upgradesWithABody sends frames in the request, which Node takes for the first of the WebSocket.
func (p *talker) upgradesWithABody(app *tokenApp) {
	before := app.count()
	frame := string(frameOf(0x81, `{"auth":"token-of-alice"}`, true))
	for what, body := range map[string]io.Reader{"a body": strings.NewReader(frame), "chunks": io.MultiReader(strings.NewReader(frame))} {
		if s, status := p.dial(body); s != nil || status != http.StatusForbidden {
			p.t.Errorf("an upgrade with %s is answered with %d; want %d", what, status, http.StatusForbidden)
		}
	}
	if got := app.count(); got != before {
		p.t.Errorf("the app hears %d messages of a body", got-before)
	}
}

// signsOut leaves while a WebSocket is open, which ends with the session.
func (p *talker) signsOut() {
	s, status := p.dial(nil)
	if s == nil {
		p.t.Fatalf("the WebSocket is answered with %d", status)
	}
	if got, code := s.say(frameOf(0x81, `{"auth":"`+p.token+`"}`, true)); code != 0 {
		p.t.Fatalf("the session's own token is answered with %q (%d)", got, code)
	}
	p.Submit(p.t, p.Navigate(p.t, gatetest.PathSecurity), gatetest.PathSignOut, nil)
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, s)
		ended <- err
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		p.t.Error("the WebSocket goes on after the sign-out")
	}
	if s, status := p.dial(nil); s != nil {
		p.t.Errorf("after the sign-out a WebSocket is answered with %d", status)
	}
}
