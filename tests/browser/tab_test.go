// Package browser_test drives a real Chromium through the pages, with scripts
// and without, and has axe-core judge each of them.
package browser_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

func TestMain(m *testing.M) { os.Exit(gatetest.Main(m)) }

// A look is how a person's device shows pages.
type look struct {
	name     string
	noScript bool
	dark     bool
	phone    bool
	language string
}

// A tab is one person's browser.
type tab struct {
	*testing.T
	look      look
	user      string
	server    *gatetest.Server
	base      string // where paths begin: the gate, or an app without it
	ctx       context.Context
	downloads string
	axe       []byte
	shots     int
	app       bool   // see patience_test.go
	inTheWay  string // what a person closes first, wherever it appears
}

// open starts a browser for a person whose password it knows.
func open(t *testing.T, s *gatetest.Server, user string, l look) *tab {
	t.Helper()
	path := gatetest.Require(t, "chromium")
	profile := folder(t, "profile")
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.DisableGPU, chromedp.UserDataDir(profile),
		// From its cache the way back ends without the event that chromedp waits for.
		chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,BackForwardCache"),
		chromedp.Flag("ignore-certificate-errors", true), // they are made for a test
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		// What it writes of its own accord is of no interest here.
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) { cmd.Env = append(os.Environ(), "HOME="+profile) }),
	)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	parent, stop := context.WithTimeout(context.Background(), 15*time.Minute)
	t.Cleanup(stop)
	allocator, cancel := chromedp.NewExecAllocator(parent, options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := &tab{T: t, look: l, user: user, server: s, base: s.URL, ctx: ctx, downloads: folder(t, "downloads")}
	b.setUp()
	return b
}

// folder is t.TempDir for programs that still write when they are told to end.
func folder(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 50 {
			if os.RemoveAll(dir) == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	return dir
}

func (b *tab) setUp() {
	b.Helper()
	b.do(chromedp.Steps()) // starts it
	language := b.look.language
	if language == "" {
		language = "en"
	}
	b.check(call(b, network.Enable, network.EnableParams{}))
	headers := network.Headers{"Accept-Language": language}
	if b.user != "" {
		headers["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(b.user+":"+gatetest.Password))
	}
	b.check(call(b, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: headers}))
	b.check(call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: b.look.noScript}))
	screen := emulation.SetDeviceMetricsOverrideParams{Width: 1100, Height: 900, DeviceScaleFactor: 1}
	if b.look.phone {
		screen = emulation.SetDeviceMetricsOverrideParams{Width: 375, Height: 740, DeviceScaleFactor: 2, Mobile: true}
		b.check(call(b, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{
			UserAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
		}))
	}
	b.check(call(b, emulation.SetDeviceMetricsOverride, screen))
	b.media("")
	yes := true
	_, err := chromedp.CallBrowser(b.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: "allow", DownloadPath: b.downloads, EventsEnabled: &yes,
	})
	b.check(err)
}

func call[P, R any](b *tab, cmd cdp.Command[P, R], params P) error {
	_, err := chromedp.Call(b.ctx, cmd, params)
	return err
}

// media switches between "print" and the screen.
func (b *tab) media(media string) {
	b.Helper()
	scheme := "light"
	if b.look.dark {
		scheme = "dark"
	}
	b.check(call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media: media,
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"}, // pictures must not catch a page between two states
		},
	}))
}

func (b *tab) check(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	b.check(chromedp.Do(b.ctx, steps...))
}

// visit opens a path and returns the status of the page that it leads to.
func (b *tab) visit(path string) int64 {
	b.Helper()
	for again := b.app; ; again = false { // once more where a script led elsewhere meanwhile
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		resp, err := chromedp.Run(ctx, chromedp.NavigateResponse(b.base+path))
		cancel()
		if err == nil {
			return resp.Status
		}
		if !again {
			b.Fatalf("visiting %s: %v", path, err)
		}
	}
}

// press clicks on something that leads to another page, and returns its status.
func (b *tab) press(selector string) (status int64) {
	b.Helper()
	err := b.patiently(selector, func(ctx context.Context) error {
		resp, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector)))
		if err == nil {
			status = resp.Status
		}
		return err
	})
	if err != nil {
		b.Fatalf("pressing %s at %s: %v", selector, b.at(), err)
	}
	return status
}

// click clicks on something that stays on the page.
func (b *tab) click(selector string) {
	b.Helper()
	err := b.patiently(selector, func(ctx context.Context) error {
		return chromedp.Do(ctx, chromedp.Click(chromedp.CSS(selector)))
	})
	if err != nil {
		b.Fatalf("clicking %s at %s: %v", selector, b.at(), err)
	}
}

// fill types into a field that is empty.
func (b *tab) fill(selector, text string) {
	b.Helper()
	if b.app {
		b.write(selector, text)
		return
	}
	b.keys(selector, text)
}

// retype replaces what is in a field.
func (b *tab) retype(selector, text string) {
	b.Helper()
	eval[bool](b, fmt.Sprintf("document.querySelector(%q).value = ''; true", selector))
	b.fill(selector, text)
}

func (b *tab) wantStatus(got, want int64) {
	b.Helper()
	if got != want {
		b.Errorf("at %s: got %d; want %d; the page says:\n%s", b.at(), got, want, b.text("main"))
	}
}

// at returns path and query of the page.
func (b *tab) at() string {
	b.Helper()
	u, err := url.Parse(ask[string](b, "document.location.toString()"))
	b.check(err)
	return u.RequestURI()
}

func (b *tab) wantAt(path string) {
	b.Helper()
	if at := b.at(); at != path && !strings.HasPrefix(at, path+"?") {
		b.Fatalf("at %s; want %s; the page says:\n%s", at, path, b.text("body"))
	}
}

// text returns the words that an element shows.
func (b *tab) text(selector string) string {
	b.Helper()
	return ask[string](b, fmt.Sprintf("(document.querySelector(%q) || {innerText: ''}).innerText", selector))
}

// count returns how many elements there are.
func (b *tab) count(selector string) int {
	b.Helper()
	return ask[int](b, fmt.Sprintf("document.querySelectorAll(%q).length", selector))
}

// eval asks the page as a developer's tools do; the page's own policy against
// inline scripts does not matter to it.
func eval[T any](b *tab, expression string, options ...chromedp.EvaluateOption) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, options...))
	if err != nil {
		b.Fatalf("asking the page for %.100s: %v", expression, err)
	}
	return v
}

// shoot leaves a picture in the folder that MFAGATE_SHOTS names.
func (b *tab) shoot(state string) {
	b.Helper()
	dir := os.Getenv("MFAGATE_SHOTS")
	if dir == "" {
		return
	}
	b.check(os.MkdirAll(dir, 0o755))
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.Logf("no picture of %s: %v", state, err) // which is to hide no failure behind it
		return
	}
	b.shots++
	name := fmt.Sprintf("%s-%02d-%s.png", b.look.name, b.shots, strings.ReplaceAll(state, " ", "-"))
	b.check(os.WriteFile(filepath.Join(dir, name), picture, 0o644))
}
