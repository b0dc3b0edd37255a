package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

const hookSecret = "0123456789abcdef"

// A receiver is what a webhook tells of events. It can be broken.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status []int // of the next answers; then 204
	posts  []post
	hang   chan struct{} // if not nil, answers wait until it is closed
}

type post struct {
	header http.Header
	body   string
}

func newReceiver(t *testing.T, status ...int) *receiver {
	t.Helper()
	r := &receiver{status: status}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	r.posts = append(r.posts, post{req.Header, string(body)})
	status, hang := http.StatusNoContent, r.hang
	if len(r.status) > 0 {
		status, r.status = r.status[0], r.status[1:]
	}
	r.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-req.Context().Done():
		}
	}
	w.WriteHeader(status)
}

// got waits until there were n posts.
func (r *receiver) got(t *testing.T, n int) []post {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		r.mu.Lock()
		posts := append([]post(nil), r.posts...)
		r.mu.Unlock()
		if len(posts) >= n {
			return posts
		}
	}
	t.Fatalf("no %d posts came", n)
	return nil
}

// each waits until there were posts of n events, and returns the first of each. On a busy
// machine one may be given up while the receiver hangs, and sent again.
func (r *receiver) each(t *testing.T, n int) (first []post) {
	t.Helper()
	for all := n; len(first) < n; all++ {
		seen := make(map[string]bool)
		first = first[:0]
		for _, p := range r.got(t, all) {
			if id := strings.Split(p.body, `"`)[3]; !seen[id] {
				seen[id] = true
				first = append(first, p)
			}
		}
	}
	return first
}

func eventOf(i int) mfagate.Event {
	return mfagate.Event{ID: strconv.Itoa(i), Kind: mfagate.EventPassed, Time: time.Now(), Subject: mfagate.Subject{Realm: "default", Name: "alice"}}
}

// startHook starts a hook, and checks at the end that nothing of it is left.
func startHook(t *testing.T, url string) *hook {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	h := newHook("test", url, []byte(hookSecret))
	t.Cleanup(func() {
		begun := time.Now()
		if err := h.Destruct(); err != nil {
			t.Error(err)
		}
		if d := time.Since(begun); d > h.farewell+hookTimeout/2 {
			t.Errorf("stopping took %s; want at most %s", d, h.farewell)
		}
		for deadline := time.Now().Add(time.Minute); goleak.Find(leaks) != nil && time.Now().Before(deadline); {
			// Both ends of a connection take their time to notice that it is closed.
		}
		goleak.VerifyNone(t, leaks)
	})
	return h
}

func TestWebhookIsSigned(t *testing.T) {
	r := newReceiver(t)
	h := startHook(t, r.URL)
	h.add(eventOf(1))
	got := r.got(t, 1)[0]
	if !strings.HasPrefix(got.body, `{"id":"1","kind":"passed","time":"`) || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("body = %s (%s); want the event as JSON", got.body, got.header.Get("Content-Type"))
	}
	sent := got.header.Get("X-Mfagate-Signature")
	stamp, _, _ := strings.Cut(strings.TrimPrefix(sent, "t="), ",")
	at, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time.Since(time.Unix(at, 0)).Abs() > time.Minute {
		t.Errorf("signature %q is of no time near now (%v)", sent, err)
	}
	if want := signature([]byte(hookSecret), time.Unix(at, 0), []byte(got.body)); sent != want {
		t.Errorf("signature = %q; want %q", sent, want)
	}
}

// The value was computed with: printf '%s' '1700000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef
func TestSignature(t *testing.T) {
	want := "t=1700000000,v1=e4f8e2ecae2295b2ddb2f0b5584c8275e226c0ebe9b3b819e70156bb67122e3e"
	if got := signature([]byte(hookSecret), time.Unix(1700000000, 0), []byte("{}")); got != want {
		t.Errorf("signature = %s; want %s", got, want)
	}
}

// What may help is tried again, in order; what will not help is dropped.
func TestWebhookTriesAgain(t *testing.T) {
	r := newReceiver(t, 503, 204, 400, 302, 429)
	h := startHook(t, r.URL)
	for i := 1; i <= 4; i++ {
		h.add(eventOf(i))
	}
	var ids []string
	for _, p := range r.got(t, 6) {
		ids = append(ids, strings.Split(p.body, `"`)[3])
	}
	if got, want := strings.Join(ids, " "), "1 1 2 3 4 4"; got != want {
		t.Errorf("posts were of %s; want %s", got, want)
	}
}

// An event of long ago is tried once more and then dropped.
func TestWebhookGivesUp(t *testing.T) {
	r := newReceiver(t, 503)
	h := startHook(t, r.URL)
	old := eventOf(1)
	old.Time = time.Now().Add(-hookPatience - time.Second)
	h.add(old)
	h.add(eventOf(2))
	if got := r.got(t, 2)[1].body; !strings.Contains(got, `"id":"2"`) {
		t.Errorf("after a failure with an old event came %s; want the next event", got)
	}
}

// A receiver that hangs delays nobody, and not the stop of the server either.
func TestWebhookHangs(t *testing.T) {
	r := newReceiver(t)
	r.hang = make(chan struct{})
	h := startHook(t, r.URL)
	h.add(eventOf(0))
	r.got(t, 1)
	const n = hookWaiting + 100
	before := dropped(t)
	begun := time.Now()
	for i := range n {
		h.add(eventOf(i + 1))
	}
	if d := time.Since(begun); d >= hookTimeout {
		t.Errorf("adding %d events took %s", n, d)
	}
	if got := dropped(t) - before; got != n-hookWaiting {
		t.Errorf("%v events were counted as dropped; want %d", got, n-hookWaiting)
	}
}

// What waits when the server stops is sent, if the receiver takes it.
func TestWebhookSendsWhatWaits(t *testing.T) {
	r := newReceiver(t)
	t.Run("", func(t *testing.T) {
		h := startHook(t, r.URL)
		h.farewell = time.Minute // for a busy machine
		for i := range 10 {
			h.add(eventOf(i))
		}
	})
	if got := len(r.got(t, 10)); got != 10 {
		t.Errorf("%d posts came; want 10", got)
	}
}

func TestWebhookErrorsHideTheURL(t *testing.T) {
	h := startHook(t, "http://127.0.0.1:1/token-of-the-receiver")
	_, err := h.post(t.Context(), nil)
	if err == nil || strings.Contains(err.Error(), "token") {
		t.Errorf("error = %v; want one without the path", err)
	}
}

// People sign in as fast as ever while the receiver hangs, and after a reload
// what waited is delivered.
func TestWebhookOfAGateway(t *testing.T) {
	r := newReceiver(t)
	r.hang = make(chan struct{})
	g := newGateway(t)
	g.socket = filepath.Join(g.dir, "admin.sock")
	g.file("webhook.key", hookSecret+"\n")
	global := fmt.Sprintf("webhook %s {\nsecret {file.DIR/webhook.key}\n}", r.URL)
	if err := g.load(global, "PASSWORD\nmfa"); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	enrol(g)
	if d := time.Since(begun); d >= 2*hookTimeout {
		t.Errorf("enrolling beside a receiver that hangs took %s", d)
	}
	hook := app(t).hook
	if err := g.load(global+"\nissuer other", "PASSWORD\nmfa"); err != nil {
		t.Fatal(err)
	}
	if app(t).hook != hook {
		t.Error("a reload made another queue; want the one with what waits")
	}
	close(r.hang)
	posts := r.each(t, 2)
	for i, kind := range []string{"enrolled", "codes_made"} {
		if !strings.Contains(posts[i].body, `"kind":"`+kind+`"`) || !strings.Contains(posts[i].body, `"user":"alice"`) {
			t.Errorf("post %d = %s; want that alice's %s", i, posts[i].body, kind)
		}
	}
	if err := g.load("", "PASSWORD\nmfa"); err != nil {
		t.Fatal(err)
	}
	if n, _ := hooks.References(hook.name); n != 0 {
		t.Errorf("the webhook that is gone has %d users; want 0", n)
	}
	if got := g.admin("GET", "/config/", ""); strings.Contains(got.body, hookSecret) {
		t.Error("the configuration shows the secret")
	}
	log, err := os.ReadFile(filepath.Join(g.dir, "log"))
	if err != nil || strings.Contains(string(log), hookSecret) {
		t.Errorf("the log holds the secret (%v)", err)
	}
}

func TestShortWebhookSecret(t *testing.T) {
	t.Setenv("MFA_SHORT", "short")
	_, err := (&Webhook{Secret: "{env.MFA_SHORT}"}).key()
	if err == nil || strings.Contains(err.Error(), `"short"`) || !strings.Contains(err.Error(), "at least 16") {
		t.Errorf("a secret of five bytes: %v; want an error that does not show it", err)
	}
}
