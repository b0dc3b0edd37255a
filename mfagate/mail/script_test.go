package mail_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/mail"
)

// scripted is a server that answers each line of the client that begins with a
// key, and hangs up where the answer is empty. It tells on the channel whether the client
// hung up soon after the last line.
func scripted(t *testing.T, answers map[string]string) (s *mail.Sender, ended chan bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	ended = make(chan bool, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "220 localhost\r\n")
		lines := bufio.NewScanner(conn)
		for {
			conn.SetReadDeadline(time.Now().Add(patience))
			if !lines.Scan() {
				ended <- lines.Err() == nil
				return
			}
			for key, answer := range answers {
				if !strings.HasPrefix(lines.Text(), key) {
					continue
				}
				if answer == "" {
					return
				}
				io.WriteString(conn, answer+"\r\n")
			}
		}
	}()
	return &mail.Sender{
		Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, From: "mfa@example.com", TLS: mail.None, Timeout: patience,
	}, ended
}

// A message that the server has taken is sent, however the conversation ends: it
// must not be sent again.
func TestServerHangsUpAfterTheMessage(t *testing.T) {
	s, _ := scripted(t, map[string]string{
		"EHLO": "250 localhost", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on", ".": "250 taken", "QUIT": "",
	})
	if err := s.Send(t.Context(), "alice@example.com", message); err != nil {
		t.Errorf("err = %v; want none, since the message was taken", err)
	}
}

// After an error no connection is left open.
func TestConnectionIsClosed(t *testing.T) {
	for name, tt := range map[string]struct {
		way     mail.TLS
		answers map[string]string
	}{
		"no STARTTLS": {mail.StartTLS, map[string]string{"EHLO": "250 localhost"}},
		"refused":     {mail.None, map[string]string{"EHLO": "250 localhost", "MAIL": "550 no", "RSET": "250 ok", "QUIT": "221 bye"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, ended := scripted(t, tt.answers)
			s.TLS = tt.way
			if err := s.Send(t.Context(), "alice@example.com", message); err == nil {
				t.Error("err = nil; want one")
			}
			if !<-ended {
				t.Error("the connection is open still")
			}
		})
	}
}
