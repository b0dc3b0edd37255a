package browser_test

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A watch notes what goes wrong in a tab behind the person's back: what a page asks for
// and does not get, and what its scripts complain about.
type watch struct {
	mu     sync.Mutex
	faults map[string]bool
	asked  map[network.RequestID]string // paths
}

// watch begins to watch a tab.
func (b *tab) watch() *watch {
	b.Helper()
	w := &watch{faults: make(map[string]bool), asked: make(map[network.RequestID]string)}
	b.check(chromedp.Listen(b.ctx, w.saw))
	b.check(call(b, log.Enable, cdp.Empty{}))
	return w
}

// saw is told of each event. What a person navigates to is theirs to judge.
func (w *watch) saw(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if own(e.Request.URL) {
			w.asked[e.RequestID] = pathOf(e.Request.URL)
		}
	case *network.EventResponseReceived:
		if e.Type != network.ResourceTypeDocument && e.Response.Status >= 400 {
			w.note("%d %s", e.Response.Status, pathOf(e.Response.URL))
		}
	case *network.EventLoadingFailed:
		if asked := w.asked[e.RequestID]; asked != "" && !e.Canceled && e.ErrorText != "net::ERR_ABORTED" { // by the next page
			w.note("%s %s", e.ErrorText, asked)
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text, _, _ = strings.Cut(x.Description, "\n")
		}
		w.note("script of %s: %s", pathOf(e.ExceptionDetails.URL), text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			w.note("%s: %s", e.Entry.Source, e.Entry.Text)
		}
	}
}

func (w *watch) note(format string, args ...any) { w.faults[fmt.Sprintf(format, args...)] = true }

// seen returns what was noted, and forgets it.
func (w *watch) seen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := slices.Sorted(maps.Keys(w.faults))
	clear(w.faults)
	return seen
}

// own tells whether an address is of this machine. What an app wants from the outside does
// not come here, with or without a gate.
func own(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1")
}

func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Path
}

// answerDialogs says yes to whatever a script of the page asks.
func (b *tab) answerDialogs() {
	b.Helper()
	b.check(chromedp.Listen(b.ctx, func(event any) {
		if _, ok := event.(*page.EventJavascriptDialogOpening); ok {
			go func() { _ = call(b, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true}) }()
		}
	}))
}
