package caddymodule

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// A modeKeeper is what the routes of the stored mode need of a gate.
type modeKeeper interface {
	StoredMode(ctx context.Context, realm string) (mfagate.StoredMode, error)
	Require(ctx context.Context, actor, realm string, required bool, reason string) error
	Tally(ctx context.Context, realm string) mfagate.Tally
}

// A realmMode tells whether the users of a realm need a second factor.
type realmMode struct {
	Realm      string         `json:"realm"`
	Required   bool           `json:"required"`             // on the sites that write no mode
	Unreadable bool           `json:"unreadable,omitempty"` // what is stored, so that it counts as required
	Actor      string         `json:"actor,omitempty"`      // of the last change
	Reason     string         `json:"reason,omitempty"`
	Changed    time.Time      `json:"changed,omitzero"`
	Known      *mfagate.Tally `json:"known,omitempty"` // missing while they are being counted
	Sites      []sitePolicy   `json:"sites"`
}

// showMode answers GET /mfa/realms/{realm}/mode.
func showMode(a administration, r *http.Request) (any, error) {
	realm := r.PathValue("realm")
	if err := a.app.sites.knows(realm); err != nil {
		return nil, failed(http.StatusNotFound, err)
	}
	m := realmMode{Realm: realm, Sites: a.app.sites.policies(realm)}
	s, err := a.gate.StoredMode(r.Context(), realm)
	if err != nil {
		a.app.logger.Error("the second factor counts as required", "error", err)
		m.Unreadable = true
	}
	m.Required, m.Actor, m.Reason, m.Changed = s.Mode == mfagate.Required, s.Actor, s.Reason, s.Changed
	if t := a.gate.Tally(r.Context(), realm); !t.At.IsZero() {
		m.Known = &t
	}
	return m, nil
}

// A modeBody is the body of a change of the stored mode.
type modeBody struct {
	Required *bool  `json:"required"` // must be there
	Actor    string `json:"actor"`    // who says so; default: cli
	Reason   string `json:"reason"`   // for the record
}

// changeMode answers POST /mfa/realms/{realm}/mode.
func changeMode(a administration, r *http.Request) (any, error) {
	realm := r.PathValue("realm")
	if err := a.app.sites.knows(realm); err != nil {
		return nil, failed(http.StatusNotFound, err)
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return nil, failed(http.StatusUnsupportedMediaType, errors.New("want Content-Type: application/json"))
	}
	b := modeBody{}
	d := json.NewDecoder(io.LimitReader(r.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		return nil, failed(http.StatusBadRequest, fmt.Errorf("reading body: %w", err))
	}
	if b.Required == nil {
		return nil, failed(http.StatusBadRequest, errors.New("required: want true or false"))
	}
	if err := a.gate.Require(r.Context(), cmp.Or(b.Actor, "cli"), realm, *b.Required, b.Reason); err != nil {
		return nil, err
	}
	return showMode(a, r)
}

// requires tells whether nobody may be without a second factor in a realm. What
// cannot be read is required.
func (a administration) requires(ctx context.Context, realm string) bool {
	written, stored := a.app.sites.requires(realm)
	if written || !stored {
		return written
	}
	s, err := a.gate.StoredMode(ctx, realm)
	return err != nil || s.Mode == mfagate.Required
}
