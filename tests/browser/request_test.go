package browser_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// TestRequestsAndSettings leads people who ask for a reset and find their phone
// again, and the administrators who decide, count, and choose for all.
func TestRequestsAndSettings(t *testing.T) {
	s := gatetest.Start(t, gatetest.Config{
		Plain: true,
		Users: []string{"alice", "bob", "carol", "dora", "erin", "fred"}, Options: config.Options, Block: "reset_delay 72h\nadmins dora erin fred",
	})
	for _, v := range visitors {
		t.Run(v.look.name, func(t *testing.T) {
			phone := enrolled(t, s, v.user)
			b := open(t, s, v.user, v.look.of("request"))
			b.askForReset()
			a := open(t, s, v.admin, v.look.of("admin-pages"))
			p := a.enrolAsRootSays()
			a.approve(v.user, p)
			b.signInTo(phone, "/.mfa/reset-request")
			b.judge("own request")
			b.press("button[value=cancel]")
			b.wantAt(gatetest.PathSecurity)
			b.judge("request cancelled")

			a.exportReport(v.user)
			a.visit(pathUsers)
			a.press(`a[href="/.mfa/admin/settings"]`)
			a.judge("settings")
			a.chooseForAll("make optional")
			a.switchOffFor(v.user)
			a.visit(pathUsers + "settings")
			a.chooseForAll("make mandatory")
			b.visit(want)
			b.wantAt(gatetest.PathEnrol)
		})
	}
}

// askForReset goes from the challenge to the page for help, and asks there.
func (b *tab) askForReset() {
	b.Helper()
	b.visit(want)
	b.wantAt(gatetest.PathChallenge)
	b.click("details:has(#recovery) > summary")
	b.press(`details a[href^="/.mfa/help"]`)
	b.judge("help")
	b.press("form:not(:has(#message)) button.secondary")
	b.judge("help with case")
	b.fill("#message", "My phone fell into the lake <on Monday>")
	b.press("button[value=request]")
	b.wantAt("/.mfa/help")
	b.judge("help filed")
	if b.count("#message") > 0 {
		b.Error("one can ask again while a request is open")
	}
}

// approve goes to the request of a user by way of the list, and approves it.
func (b *tab) approve(user string, p *phone) {
	b.Helper()
	b.visit(pathUsers)
	b.judge("users")
	b.press(`a[href="/.mfa/admin/requests"]`)
	b.judge("requests")
	b.press(`.people a[href$="user=` + user + `"]`)
	if !strings.Contains(b.text("main"), "<on Monday>") {
		b.Errorf("the person's words are not on the page:\n%s", b.text("main"))
	}
	b.judge("request")
	b.press("#decide ~ p a.primary")
	b.wantAt(gatetest.PathChallenge)
	b.fill("#code", p.code(b.T))
	b.press("form:has(#code) button.primary")
	b.wantAt("/.mfa/admin/requests")
	b.judge("request to decide")
	eval[bool](b, "document.querySelector('#reason').required = false; true")
	b.wantStatus(b.press("button[value=approve]"), 422)
	b.judge("request without a reason")
	b.fill("#reason", "called back, case number read out")
	b.press("button[value=approve]")
	b.wantAt("/.mfa/admin/requests")
	b.judge("request approved")
}

// exportReport looks at the report, and takes it as a file.
func (b *tab) exportReport(user string) {
	b.Helper()
	b.visit(pathUsers)
	b.press(`a[href="/.mfa/admin/report"]`)
	b.judge("report")
	b.click("form[action='/.mfa/admin/report'] button")
	rows := b.table()
	if len(rows) < 2 || len(rows[0]) < 5 {
		b.Fatalf("the file has %d rows; want one for every user, below their names", len(rows))
	}
	var found bool
	for _, row := range rows {
		for _, cell := range row {
			found = found || cell == user
		}
	}
	if !found {
		b.Errorf("the file lacks %s: %q", user, rows)
	}
	// A download leaves the page as it is: it can be taken again.
	b.click("form[action='/.mfa/admin/report'] button")
	if again := b.table(); len(again) < len(rows) {
		b.Errorf("the second file has %d rows; want at least the %d of the first", len(again), len(rows))
	}
}

// table waits for the file that was downloaded, and reads it.
func (b *tab) table() [][]string {
	b.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		files, _ := filepath.Glob(filepath.Join(b.downloads, "*.csv"))
		if len(files) != 1 {
			continue
		}
		data, err := os.ReadFile(files[0])
		b.check(err)
		if len(data) == 0 {
			continue
		}
		b.check(os.Remove(files[0]))
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(data), "\ufeff"))).ReadAll()
		b.check(err)
		return rows
	}
	b.Fatal("no file was downloaded")
	return nil
}

// chooseForAll makes the second factor optional, or mandatory again.
func (b *tab) chooseForAll(state string) {
	b.Helper()
	b.click("input[name=mandatory]")
	b.press("form:has(input[name=mandatory]) button")
	b.wantAt("/.mfa/admin/mode")
	b.judge(state)
	eval[bool](b, "document.querySelector('#reason').required = false; true")
	b.wantStatus(b.press("form:has(#reason) button.primary"), 422)
	b.fill("#reason", "decided on Monday")
	b.press("form:has(#reason) button.primary")
	b.wantAt("/.mfa/admin/settings")
	b.judge(state + " done")
}

// switchOffFor switches another user's second factor off.
func (b *tab) switchOffFor(user string) {
	b.Helper()
	b.visit(pathUsers + "user?user=" + user)
	b.press(`a[href*="action=disable"]`)
	b.wantAt(pathUsers + "order")
	b.judge("switch off")
	b.fill("#reason", "left the company")
	b.press("form:has(#reason) button.primary")
	b.judge("switched off")
	if !strings.Contains(b.text("main"), "left the company") {
		b.Errorf("the history lacks the reason:\n%s", b.text("main"))
	}
}
