package browser_test

import (
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// What the keyboard reaches, each with what it is and where it stands.
type stop struct {
	Name, Key string
	Shown     bool // whether one sees that it is the one
}

const (
	// The page as it is before anything on it has the focus.
	startOver = `window.stood = document.activeElement; document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute("tabindex"); true`

	// All that a person with a mouse could use, in the order of the document. A
	// group of radio buttons would be one stop, but there is none.
	reachable = `[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")]
		.filter(e => !e.disabled && e.type != "hidden" && e.tabIndex >= 0 && e.checkVisibility({visibilityProperty: true}))
		.map((e, i) => { e.dataset.stop = i; return {Name: e.outerHTML.slice(0, 100), Key: String(i), Shown: true}; })`

	focused = `(e => { const s = getComputedStyle(e); return {Name: e.outerHTML.slice(0, 100), Key: e.dataset.stop || "", 
		Shown: s.outlineStyle != "none" && parseFloat(s.outlineWidth) >= 2 || e == document.body}; })(document.activeElement)`

	// Pairs of neighbours of which the later one stands higher, or more to the left
	// in the same line.
	jumps = `(all => all.slice(1).map((e, i) => [all[i], e]).filter(([a, b]) => {
			const x = a.getBoundingClientRect(), y = b.getBoundingClientRect();
			return y.bottom <= x.top || (y.top < x.bottom && y.right <= x.left);
		}).map(([a, b]) => a.outerHTML.slice(0, 100) + " before " + b.outerHTML.slice(0, 100)))([...document.querySelectorAll("[data-stop]")])`
)

// tabThrough goes over the page with the tabulator key: it must come by all that
// can be used, in the order in which one reads, and one must see where it is.
func (b *tab) tabThrough(state string) {
	b.Helper()
	want := eval[[]stop](b, reachable)
	for _, j := range eval[[]string](b, jumps) {
		b.Errorf("%s: the keyboard jumps back: %s", state, j)
	}
	eval[bool](b, startOver)
	defer func() { eval[bool](b, `window.stood.focus(); true`) }()
	for _, w := range want {
		b.do(chromedp.KeyEvent(kb.Tab))
		switch got := eval[stop](b, focused); {
		case got.Key != w.Key:
			b.Errorf("%s: the tabulator leads to %s; want %s", state, got.Name, w.Name)
			return
		case !got.Shown:
			b.Errorf("%s: one does not see that the keyboard is at %s", state, got.Name)
		}
	}
}
