package caddymodule

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// What becomes of an event for the webhook.
const (
	postDelivered = "delivered"
	postRetried   = "retried"
	postDropped   = "dropped"
)

// The bounds of a webhook.
const (
	hookWaiting  = 1024             // events that wait; further ones are dropped
	hookTimeout  = 10 * time.Second // of one attempt
	hookFirst    = time.Second      // the pause after the first failure, doubled each time
	hookLongest  = time.Minute      // the longest pause
	hookPatience = time.Hour        // from the event on, after which it is dropped
	hookFarewell = 2 * time.Second  // for what still waits when the server stops
)

// A hook sends events one after the other, in a goroutine of its own: whoever
// adds one never waits. What it drops is counted and logged; the record in the
// store is the truth.
type hook struct {
	name   string // in the pool
	url    string
	secret []byte
	client *http.Client

	farewell time.Duration // for what still waits when the server stops

	waiting chan mfagate.Event
	dropped atomic.Int64 // and not yet logged
	closing chan struct{}
	cancel  context.CancelFunc
	done    sync.WaitGroup

	failing bool // used by run only
}

func newHook(name, url string, secret []byte) *hook {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = 1
	h := &hook{
		name: name, url: url, secret: secret,
		client: &http.Client{
			Transport: transport, Timeout: hookTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		farewell: hookFarewell,
		waiting:  make(chan mfagate.Event, hookWaiting),
		closing:  make(chan struct{}),
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	h.done.Go(func() { h.run(ctx) })
	return h
}

// add puts e into the queue, or drops it if that is full. A nil hook ignores it.
func (h *hook) add(e mfagate.Event) {
	if h == nil {
		return
	}
	select {
	case h.waiting <- e:
	default:
		h.drop()
	}
}

func (h *hook) drop() {
	h.dropped.Add(1)
	countedPosts.WithLabelValues(postDropped).Inc()
}

// logger is the one of the running configuration, which is not always that of
// the hook's making.
func (h *hook) logger() *zap.Logger { return caddy.Log().Named("mfa.webhook") }

// logDropped tells how many were dropped since it last did: one line for many.
func (h *hook) logDropped() {
	if n := h.dropped.Swap(0); n > 0 {
		h.logger().Error("webhook: events were dropped; they are in the store, see caddy mfa audit", zap.Int64("events", n))
	}
}

func (h *hook) run(ctx context.Context) {
	for {
		select {
		case e := <-h.waiting:
			h.deliver(ctx, e)
			continue
		default:
		}
		select {
		case e := <-h.waiting:
			h.deliver(ctx, e)
		case <-h.closing:
			return
		}
	}
}

// deliver sends e until it is taken, refused for good, or too old.
func (h *hook) deliver(ctx context.Context, e mfagate.Event) {
	defer h.logDropped()
	body, err := json.Marshal(e)
	if err != nil {
		h.drop() // unreachable: events hold plain data
		return
	}
	for pause := hookFirst; ; pause = min(2*pause, hookLongest) {
		again, err := h.post(ctx, body)
		h.logChange(err)
		if err == nil {
			countedPosts.WithLabelValues(postDelivered).Inc()
			return
		}
		if !again || time.Since(e.Time) > hookPatience || !h.wait(pause) {
			h.drop()
			return
		}
		countedPosts.WithLabelValues(postRetried).Inc()
		h.logDropped()
	}
}

// wait tells whether the pause is over, rather than the server about to stop.
func (h *hook) wait(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-h.closing:
		return false
	}
}

// logChange tells when the receiver begins to fail and when it is well again.
func (h *hook) logChange(err error) {
	switch {
	case err != nil && !h.failing:
		h.logger().Warn("webhook: the receiver does not take events; they wait", zap.Error(err))
	case err == nil && h.failing:
		h.logger().Info("webhook: the receiver takes events again")
	}
	h.failing = err != nil
}

// post sends one attempt, and tells after an error whether another one may help.
func (h *hook) post(ctx context.Context, body []byte) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return false, withoutURL(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "mfagate")
	req.Header.Set("X-Mfagate-Signature", signature(h.secret, time.Now(), body))
	resp, err := h.client.Do(req)
	if err != nil {
		return true, withoutURL(err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	switch s := resp.StatusCode; {
	case s >= 200 && s < 300:
		return false, nil
	case s >= 500, s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests:
		return true, fmt.Errorf("it answers %d", s)
	default:
		return false, fmt.Errorf("it answers %d", s)
	}
}

// withoutURL takes the URL, which may hold a secret of the receiver's, out of an
// error of package http.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// signature is the value of X-Mfagate-Signature: the time of the attempt in Unix
// seconds, and the HMAC-SHA256 (RFC 2104) of that time, a dot and the body.
func signature(secret []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	_, _ = io.WriteString(mac, t+".") // a hash never fails
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// Destruct implements caddy.Destructor: the last configuration is gone. What
// waits gets one more attempt each, for two seconds in all.
func (h *hook) Destruct() error {
	close(h.closing)
	timer := time.AfterFunc(h.farewell, h.cancel)
	h.done.Wait()
	timer.Stop()
	h.cancel()
	h.client.CloseIdleConnections()
	for range len(h.waiting) {
		h.drop()
	}
	h.logDropped()
	return nil
}
