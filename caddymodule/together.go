package caddymodule

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// Bounds of durations. Those above idle and lifetime are the gate's own.
const (
	leastIdle, mostIdle         = time.Minute, time.Hour
	leastLifetime, mostLifetime = time.Minute, 24 * time.Hour
	leastMaxAge, mostMaxAge     = 10 * time.Second, 24 * time.Hour
)

// checkTimes refuses durations by which people would be asked for a proof that is too
// old before they are through: JSON may hold what no Caddyfile can say.
func (h *Handler) checkTimes() error {
	for _, d := range []struct {
		name        string
		value       caddy.Duration
		least, most time.Duration
	}{
		{"idle", h.Idle, leastIdle, mostIdle},
		{"lifetime", h.Lifetime, leastLifetime, mostLifetime},
		{"max_age", h.MaxAge, leastMaxAge, mostMaxAge},
	} {
		if v := time.Duration(d.value); v != 0 && (v < d.least || v > d.most) {
			return fmt.Errorf("%s %s: want %s to %s", d.name, short(v), short(d.least), short(d.most))
		}
	}
	return nil
}

// checkEarlier looks once more at the handlers that came before h, if h says of people
// what holds for the whole realm: they were judged without knowing it.
func (h *Handler) checkEarlier() error {
	o := h.SiteOptions
	if len(o.Admins)+len(o.Auditors)+len(o.Aliases) == 0 && !o.CaseSensitive {
		return nil
	}
	for _, other := range h.app.sites.earlier(h) {
		config, err := other.config()
		if err == nil {
			err = config.Validate()
		}
		if err != nil {
			return fmt.Errorf("site %q: %w", other.Site, err)
		}
	}
	return nil
}

// earlier lists the handlers that came before h.
func (all *sites) earlier(h *Handler) (list []*Handler) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, other := range all.joined {
		if other == h {
			break
		}
		list = append(list, other)
	}
	return list
}
