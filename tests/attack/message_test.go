package attack_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// A phoneCompany takes text messages and keeps the numbers.
type phoneCompany struct {
	*httptest.Server
	mu      sync.Mutex
	numbers []string
}

func newPhoneCompany(t *testing.T) *phoneCompany {
	c := new(phoneCompany)
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.numbers = append(c.numbers, r.FormValue("to"))
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *phoneCompany) sent() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.numbers...)
}

// Numbers that cost somebody money get nothing, and nobody is sent a second
// message by pressing the button many times at once.
func TestTextMessagesThatCost(t *testing.T) {
	t.Parallel()
	company := newPhoneCompany(t)
	s := gatetest.Start(t, gatetest.Config{Options: "factor totp\n\tfactor sms {\n\t\tcountries DE AT\n\t}\n\tsender http " + company.URL + " {\n\t\tform to {to}\n\t\tform text {text}\n\t}"})
	const path = "/.mfa/enroll/sms"
	p := s.Person("alice")
	page := p.Submit(t, p.Navigate(t, "/"), path, nil)
	for _, number := range []string{
		"+49 900 1234567", "+49 180 5123456", "+49 137 1234567", "+43 900 123456", "+44 909 8790123", "+882 16 1234567", "+979 123456789", "+1 900 555 0123",
		"+371 2 1234567", "+48512345678", "+4915112345678,+4990012345", "+4915112345678\r\nTo: +4990012345", "110", "",
	} {
		if got := p.Post(t, page, path, url.Values{"to": {number}}); got.Status != http.StatusUnprocessableEntity {
			t.Errorf("%q: got %d; want 422", number, got.Status)
		}
	}
	if sent := company.sent(); len(sent) != 0 {
		t.Fatalf("messages went to %q; want none", sent)
	}
	page = p.Submit(t, page, path, url.Values{"to": {"+49 1511 2345678"}})
	resend := page.Form(t, path)
	resend.Values.Set("action", "resend")
	resend.Values.Del("code")
	var all sync.WaitGroup
	for range 20 {
		r := p.PostRequest(t, path, resend.Values)
		all.Go(func() {
			if page, err := p.Try(r); err != nil || page.Status != http.StatusTooManyRequests {
				t.Errorf("once more at once: got %+v, %v; want 429", page, err)
			}
		})
	}
	all.Wait()
	if sent := company.sent(); len(sent) != 1 || sent[0] != "+4915112345678" {
		t.Errorf("messages went to %q; want one to the phone", sent)
	}
	if page := p.Open(t, path); strings.Contains(page.Body, "15112345678") {
		t.Error("the page shows the whole number")
	}
}

// What people call their devices, and administrators their reasons, makes no
// line of the log, and commands no terminal.
func TestLinesInTheLog(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{Block: "admins dora", Users: []string{"alice", "dora"}})
	const forged = "x\n{\"level\":\"info\",\"logger\":\"mfa\",\"event\":\"reset\",\"user\":\"forged\"}\r\n\x1b[2J\u2028forged"
	run := func(args ...string) string {
		t.Helper()
		out, err := s.Command(append(append([]string{"mfa"}, args...), "--address", "unix/"+s.AdminSocket)...).CombinedOutput()
		if err != nil {
			t.Fatalf("mfa %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	alice := s.Person("alice")
	page := alice.StartEnrol(t, "/")
	page = alice.Submit(t, page, gatetest.PathTOTP, url.Values{"code": {alice.Phone.Code(t)}, "label": {forged}})
	alice.Submit(t, page, gatetest.PathCodes, url.Values{"saved": {"yes"}})
	dora := s.Person("dora")
	enrolBy(t, dora, run("enroll", "dora"))
	confirm(t, dora)
	if page := dora.Post(t, dora.Navigate(t, pathOrder+"?action=unlock&user=alice"), pathOrder, url.Values{"reason": {forged}}); page.Status != http.StatusSeeOther {
		t.Fatalf("unlock: got %d; want 303", page.Status)
	}
	told := run("audit") + run("show", "alice") + run("users")
	if strings.Contains(told, "\x1b") || strings.Contains(told, "\n{") || strings.Contains(told, "\nforged") || !strings.Contains(told, "forged") {
		t.Errorf("the commands print %q; want what was typed in its own line, without escapes", told)
	}
	s.Stop()
	seen := 0
	for line := range strings.Lines(s.Logs()) {
		if !strings.Contains(line, "forged") {
			continue
		}
		seen++
		var entry struct{ Event, User string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.User == "forged" {
			t.Errorf("the log has the line %q, %v; want none that a label or a reason made", line, err)
		}
	}
	if seen == 0 {
		t.Error("the log tells neither label nor reason; want what was typed, in its place")
	}
}

// The lists for spreadsheets have no cell that one of them would run.
func TestFormulasInTheReport(t *testing.T) {
	t.Parallel()
	names := []string{"=1+1", "+491511", "-2+3", "@sum(a1)"}
	s := gatetest.Start(t, gatetest.Config{Block: "admins dora", Users: append([]string{"dora"}, names...)})
	run := func(args ...string) string {
		out, err := s.Command(append(append([]string{"mfa"}, args...), "--address", "unix/"+s.AdminSocket)...).Output()
		if err != nil {
			t.Fatalf("mfa %q: %v", args, err)
		}
		return string(out)
	}
	for _, name := range names {
		enrolled(t, s, name)
	}
	dora := s.Person("dora")
	enrolBy(t, dora, run("enroll", "dora"))
	list := dora.Post(t, dora.Navigate(t, pathReport), pathReport, nil)
	if list.Status != http.StatusOK || !strings.HasPrefix(list.Header.Get("Content-Type"), "text/csv") {
		t.Fatalf("the download: got %d, %q; want 200, text/csv", list.Status, list.Header.Get("Content-Type"))
	}
	for what, text := range map[string]string{"the page": list.Body, "the command": run("report", "--csv")} {
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || len(rows) != 6 {
			t.Fatalf("%s: %d rows, %v; want a head and 5 users:\n%s", what, len(rows), err, text)
		}
		for _, row := range rows {
			for _, cell := range row {
				if strings.ContainsAny(cell[:min(1, len(cell))], "=+-@\t\r") {
					t.Errorf("%s has the cell %q", what, cell)
				}
			}
		}
	}
}

// A mail server that takes the connection and says nothing holds up nobody, and
// loses no event. Who waited for it would wait for a minute, which no request here may take.
func TestMailServerThatHangs(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := gatetest.Start(t, gatetest.Config{Options: fmt.Sprintf("sender smtp %s {\n\t\tfrom mfa@example.com\n\t\ttls none\n\t}\n\tnotify {\n\t\taddress {user}@example.com\n\t}", l.Addr())})
	p := enrolled(t, s, "alice")
	p.Elsewhere().SignIn(t, "/")
	conn, err := l.Accept() // so that there was something to hang
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if page := p.Elsewhere().Answer(t, "recovery", p.UseCode(t)); page.Status != http.StatusSeeOther {
		t.Errorf("a recovery code while the mail server hangs: got %d; want 303", page.Status)
	}
	out, err := s.Command("mfa", "audit", "--json", "--address", "unix/"+s.AdminSocket).Output()
	if err != nil || !strings.Contains(string(out), `"enrolled"`) || strings.Count(string(out), `"proved"`)+strings.Count(string(out), `"passed"`) < 2 {
		t.Errorf("events = %s, %v; want the enrolment and both sign-ins", out, err)
	}
}
