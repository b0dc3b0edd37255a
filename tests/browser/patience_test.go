package browser_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// How long anything on a page may take on a machine that has much else to do.
const patience = time.Minute

// The pages of apps are built by scripts, at whatever time these come to it. So a tab of
// an app looks before it acts, as a person does: at whether a thing is there, at rest and
// in reach, and at whether what was typed has arrived.

// reach tells where an element is that a person could click on now, and nothing if there is
// none: it is out of sight or disabled, or something else is over it.
const reach = `(() => {
	const e = document.querySelector(%q);
	if (!e || !e.checkVisibility({visibilityProperty: true}) || e.disabled || e.getAttribute("aria-disabled") === "true") return "";
	e.scrollIntoViewIfNeeded();
	const box = e.getClientRects()[0];
	if (!box) return "";
	const over = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
	if (!over || !e.contains(over) && !over.contains(e) && over.control !== e) return "";
	return [box.x, box.y, box.width, box.height].join(" ");
})()`

// steady waits until an element is in reach, and where it was a moment ago.
func (b *tab) steady(selector string) {
	b.Helper()
	last := ""
	b.until(selector+" within reach", func() bool {
		if b.inTheWay != "" {
			eval[bool](b, "document.querySelector("+quote(b.inTheWay)+")?.click(); true")
		}
		at := ask[string](b, fmt.Sprintf(reach, selector))
		rests := at != "" && at == last
		last = at
		return rests
	})
}

// patiently does something to an element of an app's page, again if a script has just put
// another one in its place.
func (b *tab) patiently(selector string, do func(ctx context.Context) error) error {
	b.Helper()
	var err error
	for range 3 {
		if b.app {
			b.steady(selector)
		}
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		err = do(ctx)
		cancel()
		if err == nil || !b.app {
			return err
		}
	}
	return err
}

// typed returns what a field holds, or the words of what is no field but can be written in.
func (b *tab) typed(selector string) string {
	b.Helper()
	return ask[string](b, fmt.Sprintf("(e => e === null ? '' : e.value === undefined ? e.innerText.trim() : e.value)(document.querySelector(%q))", selector))
}

// write types into a field of an app until it holds that and no more: scripts empty fields,
// and move the cursor from one to another.
func (b *tab) write(selector, text string) {
	b.Helper()
	for range 5 {
		b.keys(selector, text)
		if b.typed(selector) == text {
			return
		}
		eval[bool](b, fmt.Sprintf("(e => { if (!e) return; if (e.value === undefined) e.textContent = ''; else e.value = '' })(document.querySelector(%q)); true", selector))
	}
	b.shoot("stuck")
	b.Fatalf("%s holds %q at %s after %q was typed into it", selector, b.typed(selector), b.at(), text)
}

// keys types, and does not look at what comes of it.
func (b *tab) keys(selector, text string) {
	b.Helper()
	err := b.patiently(selector, func(ctx context.Context) error {
		return chromedp.Do(ctx, chromedp.SendKeys(chromedp.CSS(selector), text))
	})
	if err != nil {
		b.Fatalf("typing into %s at %s: %v", selector, b.at(), err)
	}
}

// ask asks the page for something that changes nothing, until it answers: a page that
// gives way to the next one does not.
func ask[T any](b *tab, expression string) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for {
		v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
		var thrown *chromedp.ExceptionError
		switch {
		case err == nil:
			return v
		case ctx.Err() != nil, errors.As(err, &thrown), errors.Is(err, chromedp.ErrJSNull), errors.Is(err, chromedp.ErrJSUndefined):
			b.Fatalf("asking the page for %.100s: %v", expression, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// waitFor waits until a script, or the next page, shows an element.
func (b *tab) waitFor(selector string) {
	b.Helper()
	b.until(selector, func() bool { return b.count(selector) > 0 })
}

// waitAt waits until a script has led to a path.
func (b *tab) waitAt(path string) {
	b.Helper()
	b.until(path, func() bool { return strings.HasPrefix(b.at(), path) && b.count("main") > 0 })
}

// wantText waits for words in an element.
func (b *tab) wantText(selector, words string) {
	b.Helper()
	b.until(words, func() bool { return strings.Contains(b.text(selector), words) })
}

func (b *tab) until(what string, f func() bool) {
	b.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.shoot("stuck")
			b.Fatalf("%s does not come: at %s the page says:\n%.800s", what, b.at(), b.text("body"))
		}
	}
}

// settle lets a page follow a click, until it has not changed for half a second. What never
// rests is left at its work.
func (b *tab) settle() {
	b.Helper()
	last, same := "", 0
	for deadline := time.Now().Add(10 * time.Second); same < 10 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		now := b.at() + ask[string](b, "document.readyState + document.documentElement?.outerHTML.length")
		same++
		if now != last {
			last, same = now, 0
		}
	}
}
