package legacygate_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// endsWithin is how long something may go on after its session: a second, and what a busy
// machine needs to say so, and to read what was on its way.
const endsWithin = 20 * time.Second

// whatEnds has somebody in the midst of a download, an upload or a talk when the session ends.
func whatEnds(p *person) {
	w := p.w
	ways := []struct {
		what string
		end  func(p *person)
	}{
		{"the app's own sign-out", func(q *person) { q.app.SignOut() }},
		{"the gate's sign-out", func(q *person) {
			q.Submit(q.w, q.Navigate(q.w, gatetest.PathSecurity), gatetest.PathSignOut, nil)
		}},
		{"an administrator", func(q *person) { q.w.admin("sign-out", q.w.account(q)) }},
	}
	for _, way := range ways {
		w.Run(way.what, func(t *testing.T) {
			if w.uses.basic && way.what == "the app's own sign-out" {
				return // it has none
			}
			q := p.elsewhere(w.in(t))
			q.signIn(gatetest.PathChallenge)
			q.wantWithheld(q.app.Get(w.uses.pages[0].path))
			q.recover()
			p.Codes = q.Codes // one is used up
			ended := make(chan struct{})
			hanging, what := q.hang(ended)
			time.Sleep(100 * time.Millisecond)
			select {
			case err := <-hanging:
				t.Fatalf("%s is over before the session is: %v", what, err)
			default:
			}
			began := time.Now()
			way.end(q)
			close(ended)
			select {
			case err := <-hanging:
				if err == nil {
					t.Errorf("%s came to its end although the session ended in its midst", what)
				}
				t.Logf("%s ends %v after the sign-out began: %v", what, time.Since(began).Round(time.Millisecond), err)
			case <-time.After(endsWithin):
				t.Errorf("%s goes on for more than %v after the sign-out", what, endsWithin)
			}
		})
	}
}

// account is the name by which the gate knows the person.
func (w *world) account(p *person) string {
	if w.uses.account != "" {
		return w.uses.account
	}
	return p.user.Name + w.uses.domain
}

// admin runs a command of the administrator's.
func (w *world) admin(args ...string) {
	w.Helper()
	args = append(append([]string{"mfa"}, args...), "--yes", "--address", "unix/"+w.gate.AdminSocket)
	if out, err := w.gate.Command(args...).CombinedOutput(); err != nil {
		w.Fatalf("%q: %v\n%s", args, err, out)
	}
}

// hang begins something that goes on for as long as the session does, and returns how it ends.
// Closing ended tells it that the session is over.
func (p *person) hang(ended <-chan struct{}) (end <-chan error, what string) {
	p.w.Helper()
	c := channelsOf[p.w.app.Name]
	switch {
	case c.talk != nil:
		return p.listen(), "a WebSocket"
	case c.lacks["download"] == "":
		return p.download(c.upload(p, "hanging.zip", noise(c.size)), ended), "a download"
	}
	return p.neverSent(), "an upload"
}

// listen waits for a socket to be closed.
func (p *person) listen() <-chan error {
	s := channelsOf[p.w.app.Name].talk(p)
	end := make(chan error, 1)
	go func() {
		for {
			if _, err := s.Receive(); err != nil {
				end <- err
				return
			}
		}
	}()
	return end
}

// download reads a file so slowly that it takes longer than any sign-out does, and after that
// fast enough to come soon to where it is cut off, though not to its end within a second.
func (p *person) download(at string, ended <-chan struct{}) <-chan error {
	p.w.Helper()
	resp, err := p.app.Client.Do(p.app.Request(http.MethodGet, at, "", nil))
	if err != nil {
		p.w.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, resp.Body, 64<<10); err != nil || resp.StatusCode != http.StatusOK {
		p.w.Fatalf("%s answers %d: %v", at, resp.StatusCode, err)
	}
	end := make(chan error, 1)
	go func() {
		defer resp.Body.Close()
		for {
			n, err := io.CopyN(io.Discard, resp.Body, 8<<10)
			if errors.Is(err, io.EOF) && n < 8<<10 {
				err = nil
			}
			if err != nil || n < 8<<10 {
				end <- err
				return
			}
			select {
			case <-ended:
				time.Sleep(5 * time.Millisecond)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return end
}

// errRefused is how an upload ends that is answered before it is whole.
var errRefused = errors.New("refused")

// neverSent begins an upload that goes on slowly.
func (p *person) neverSent() <-chan error {
	p.w.Helper()
	body, typing := io.Pipe()
	path := p.w.uses.pages[len(p.w.uses.pages)-1].path
	r := p.app.Request(http.MethodPost, path, "application/json", body)
	r.ContentLength = small + 1<<20
	before := p.w.wire.received()
	end := make(chan error, 1)
	go func() {
		resp, err := p.app.Client.Do(r)
		if err == nil {
			resp.Body.Close()
			err = fmt.Errorf("%w: %d", errRefused, resp.StatusCode)
		}
		typing.CloseWithError(err)
		end <- err
	}()
	go func() {
		_, err := typing.Write([]byte(`{"x": "` + strings.Repeat("x", small)))
		for ; err == nil; time.Sleep(20 * time.Millisecond) { // until it is refused
			_, err = typing.Write([]byte("xxxx"))
		}
	}()
	for deadline := time.Now().Add(time.Minute); p.w.wire.received() < before+small/2; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.w.Error("the upload does not reach the app")
			break
		}
	}
	return end
}
