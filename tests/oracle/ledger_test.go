package oracle_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// TestLedgerWantsProof: what is done as alice needs her proof, while it is live.
func TestLedgerWantsProof(t *testing.T) {
	app := oracle.Start(t, oracle.Options{})
	ledger := oracle.NewLedger(app)
	b := open(t, app)
	b.signIn("alice")
	b.send("GET", "/whoami", "")
	if !ledger.Check(t) {
		t.Fatal("the login and the question who that is are called wrong")
	}
	wrong := func(what string) {
		t.Helper()
		if r := new(recorder); ledger.Check(r) || len(r.errs) != 1 {
			t.Errorf("%s: %d errors; want 1", what, len(r.errs))
		}
	}
	b.send("GET", "/notes", "")
	wrong("a page before the proof")
	ended := ledger.Proved("bob")
	b.send("POST", "/notes", "note=x")
	wrong("a change under bob's proof")
	ended()
	ended = ledger.Proved("alice")
	b.send("GET", "/notes", "")
	if !ledger.Check(t) {
		t.Error("a page after the proof is called wrong")
	}
	ended()
	ended() // twice is once
	b.send("GET", "/notes", "")
	wrong("a page after the end")
	ledger.Grace = time.Hour
	b.send("GET", "/notes", "")
	if !ledger.Check(t) {
		t.Error("an act within the grace is called wrong")
	}
}

// TestLoginSurfaceIsExact: the same login by another spelling needs a proof.
func TestLoginSurfaceIsExact(t *testing.T) {
	for _, uri := range []string{"//login", "/login?x=1", "/login;x", "/LOGIN", "/login.css", "/login/"} {
		app := oracle.Start(t, oracle.Everything())
		open(t, app).send("POST", uri, form(app, "alice"))
		if last(t, app).User != "alice" {
			t.Errorf("%s does not sign in", uri)
		}
		if oracle.NewLedger(app).Check(new(recorder)) {
			t.Errorf("%s is called a part of the login", uri)
		}
	}
}

// TestDelivered: what was made for alice is hers only, and her session is for no browser.
func TestDelivered(t *testing.T) {
	app := oracle.Start(t, oracle.Options{Remember: true})
	ledger := oracle.NewLedger(app)
	b := open(t, app)
	signIn := b.send("POST", "/login", form(app, "alice")+"&remember=1").dump
	b.send("PUT", "/files/x", "content")
	page, who, file := b.send("GET", "/notes", "").dump, b.send("GET", "/whoami", "").dump, b.send("GET", "/files/x", "").dump
	style, missing := b.send("GET", "/static/app.css", "").dump, b.send("GET", "/no-such", "").dump
	for _, text := range []string{page, who, file, style, missing} {
		if !ledger.Delivered(t, "alice", text) {
			t.Errorf("alice may not see her own:\n%s", text)
		}
		for _, other := range []string{"", "bob"} {
			if ledger.Delivered(new(recorder), other, text) {
				t.Errorf("%q may see what is alice's:\n%s", other, text)
			}
		}
	}
	r := new(recorder)
	if ledger.Delivered(r, "alice", signIn); len(r.errs) != 2 {
		t.Errorf("a session and a remember-me cookie in clear make %d errors; want 2", len(r.errs))
	}
	stranger := open(t, app)
	for _, uri := range []string{"/login", "/", "/notes", "/whoami", "/static/app.css", "/static/no-such"} {
		ledger.Delivered(t, "", stranger.send("GET", uri, "").dump)
	}
}

func TestAcceptedOnce(t *testing.T) {
	ledger := oracle.NewLedger(oracle.New(oracle.Options{}))
	if !ledger.Accepted(t, "code", "123456") || !ledger.Accepted(t, "code", "654321") || !ledger.Accepted(t, "ticket", "123456") {
		t.Error("values that are not the same are called so")
	}
	if r := new(recorder); ledger.Accepted(r, "code", "123456") || len(r.errs) != 1 {
		t.Error("a second acceptance is not found")
	}
}

// TestStream: each line is an act, and ends with the connection.
func TestStream(t *testing.T) {
	app := oracle.Start(t, oracle.Options{})
	b := open(t, app)
	b.signIn("alice")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", app.URL+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for n := 0; n < 3 && lines.Scan(); {
		if line := lines.Text(); line != "" {
			n++
			if got := app.Shown(line); len(got) != 1 || got[0].User != "alice" {
				t.Errorf("%q shows %v", line, got)
			}
		}
	}
	if act := last(t, app); act.Action != oracle.Line || act.User != "alice" || app.Open() != 1 {
		t.Errorf("%+v, %d open", act, app.Open())
	}
	cancel()
	waitClosed(t, app)
}

func TestSocket(t *testing.T) {
	app := oracle.Start(t, oracle.Options{})
	b := open(t, app)
	b.signIn("alice")
	conn, err := net.Dial("tcp", app.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nCookie: sid=%s\r\n\r\nhello\n", b.cookie("sid"))
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(line, "hello\n") {
			if got := app.Shown(line); len(got) != 1 || got[0].User != "alice" {
				t.Errorf("%q shows %v", line, got)
			}
			break
		}
	}
	if act := last(t, app); act.Action != oracle.Line || act.User != "alice" || app.Open() != 1 {
		t.Errorf("%+v, %d open", act, app.Open())
	}
	conn.Close()
	waitClosed(t, app)
}

func waitClosed(t *testing.T, app *oracle.App) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); app.Open() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still open after its connection ended")
		}
	}
}

// TestManyAtOnce: people do not get into each other's sessions.
func TestManyAtOnce(t *testing.T) {
	options := oracle.Everything()
	options.Rotation = oracle.RotateAlways
	app := oracle.Start(t, options)
	var wg sync.WaitGroup
	for _, u := range app.Users() {
		for range 3 {
			b := open(t, app)
			wg.Go(func() {
				b.send("POST", "/login", form(app, u.Name))
				for range 10 {
					if text := b.send("GET", "/notes", "").dump; !strings.Contains(text, `id="user">`+u.Name+"<") {
						t.Errorf("%s sees %q", u.Name, text)
					}
				}
			})
		}
	}
	wg.Wait()
}
