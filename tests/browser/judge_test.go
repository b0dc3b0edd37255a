package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// judge looks at the page in one of its states: a picture, what axe-core says,
// and whether it fits the screen.
func (b *tab) judge(state string) {
	b.Helper()
	b.shoot(state)
	if wide := eval[int](b, "document.documentElement.scrollWidth - window.innerWidth"); wide > 0 {
		b.Errorf("%s (%s): the page is %d pixels wider than the screen", state, b.look.name, wide)
	}
	if want := b.look.language; want != "" {
		if got := eval[string](b, "document.documentElement.lang"); got != want {
			b.Errorf("%s: the page is in %q; want %q", state, got, want)
		}
	}
	b.Run("axe "+state, b.runAxe)
	if !b.look.phone && !b.look.dark && !b.look.noScript { // it is the same page
		b.tabThrough(state)
	}
}

// A violation is a rule of axe-core that the page breaks.
type violation struct {
	ID, Help string
	Targets  []string
}

const axeScript = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r =>
	r.violations.map(v => ({ID: v.id, Help: v.help, Targets: v.nodes.map(n => n.html + " " + n.failureSummary)})))`

func (b *tab) runAxe(t *testing.T) {
	if b.axe == nil {
		b.axe = gatetest.RequireFile(t, "MFAGATE_AXE", "axe-core")
	}
	script := *b
	script.T = t
	if b.look.noScript {
		// axe-core waits by the page's timers, which stand still with its scripts.
		script.check(call(&script, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{}))
		defer func() {
			script.check(call(&script, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
		}()
	}
	eval[bool](&script, string(b.axe)+";true")
	for _, v := range eval[[]violation](&script, axeScript, chromedp.EvalAwaitPromise) {
		t.Errorf("%s (%s): %s\n\t%s", b.at(), v.ID, v.Help, strings.Join(v.Targets, "\n\t"))
	}
}
