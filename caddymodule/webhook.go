package caddymodule

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Webhook tells another server of every event, as JSON by POST.
type Webhook struct {
	// Where to: an https or http URL.
	URL string `json:"url"`

	// The key of the signature: a placeholder {env.NAME} or {file./path}, so
	// that the key itself is not in the configuration. It has at least 16
	// bytes; an end of line after it does not count.
	Secret string `json:"secret"`
}

const leastSecret = 16

// UnmarshalCaddyfile sets up w from Caddyfile tokens. Syntax:
//
//	webhook <url> {
//	    secret  <placeholder>
//	}
func (w *Webhook) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("webhook: want a URL, such as https://siem.example.com/mfa")
	}
	w.URL = d.Val()
	err := options{
		"secret": text(&w.Secret, "a placeholder, such as {env.MFA_WEBHOOK_SECRET} or {file./etc/caddy/webhook.key}"),
	}.parse(d, guests{})
	if err != nil {
		return err
	}
	if err := w.validate(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

func (a *App) parseWebhook(d *caddyfile.Dispenser) error {
	a.Webhook = new(Webhook)
	return a.Webhook.UnmarshalCaddyfile(d)
}

func (w *Webhook) validate() error {
	u, err := url.Parse(w.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("webhook: want a URL of https or http, without a password, such as https://siem.example.com/mfa")
	}
	name, open := strings.CutPrefix(w.Secret, "{")
	name, closed := strings.CutSuffix(name, "}")
	outside := strings.HasPrefix(name, "env.") || strings.HasPrefix(name, "file.")
	if !open || !closed || !outside || strings.ContainsAny(name, "{}") {
		return errors.New("webhook: secret: want a placeholder, {env.NAME} or {file./path}, and not the secret itself, for a configuration is shown and saved")
	}
	return nil
}

// key reads the key of the signature.
func (w *Webhook) key() ([]byte, error) {
	value, err := caddy.NewReplacer().ReplaceOrErr(w.Secret, true, true)
	if err != nil {
		return nil, fmt.Errorf("webhook: secret %s: %w", w.Secret, err)
	}
	key := bytes.TrimRight([]byte(value), "\r\n")
	if len(key) < leastSecret {
		return nil, fmt.Errorf("webhook: secret %s: it has %d bytes; want at least %d", w.Secret, len(key), leastSecret)
	}
	return key, nil
}

// hooks are the webhooks that configurations of this process use. A reload that
// leaves one as it is leaves its queue as it is too.
var hooks = caddy.NewUsagePool()

// loadWebhook takes a share in the queue of the webhook, which Cleanup gives back.
func (a *App) loadWebhook(caddy.Context) error {
	if a.Webhook == nil {
		return nil
	}
	if err := a.Webhook.validate(); err != nil {
		return err
	}
	secret, err := a.Webhook.key()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s %x", a.Webhook.URL, sha256.Sum256(secret))
	v, _, err := hooks.LoadOrNew(name, func() (caddy.Destructor, error) {
		return newHook(name, a.Webhook.URL, secret), nil
	})
	if err != nil {
		return err
	}
	a.hook = v.(*hook)
	return nil
}

// release gives back a share; a nil hook has none.
func (h *hook) release() error {
	if h == nil {
		return nil
	}
	_, err := hooks.Delete(h.name)
	return err
}
