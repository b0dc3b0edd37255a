package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// A SenderProvider is a module in the namespace mfa.senders that can bring
// notices to people.
type SenderProvider interface {
	// Sender returns the sender as the module configures it. It is called once,
	// at the start: what the configuration alone shows to be wrong belongs in
	// Validate. It connects to nothing.
	Sender() (mfagate.Sender, error)
}

// Notify says that people are told by e-mail what happened to their account.
type Notify struct {
	// The address of users whose first factor tells none, with {user} for their
	// name. Default: these are told nothing.
	Address string `json:"address,omitempty"`
}

func (a *App) loadSenders(ctx caddy.Context) error {
	if len(a.SendersRaw) > 0 {
		mods, err := ctx.LoadModule(a, "SendersRaw")
		if err != nil {
			return fmt.Errorf("loading senders: %w", err)
		}
		a.senders = make(map[string]SenderProvider)
		for name, mod := range mods.(map[string]any) {
			if provider, ok := mod.(SenderProvider); ok { // others send something else than notices
				a.senders[name] = provider
			}
		}
	}
	switch {
	case a.Notify == nil:
		return nil
	case len(a.senders) == 0:
		return errors.New("notify: there is no sender; write one: sender smtp")
	case len(a.senders) > 1:
		return fmt.Errorf("notify: want one sender, not several: %s", strings.Join(slices.Sorted(maps.Keys(a.senders)), ", "))
	}
	return a.Notify.validate()
}

// notifyBy makes c send notices, if they are on.
func (a *App) notifyBy(c *mfagate.Config) (err error) {
	if a.Notify == nil {
		return nil
	}
	c.NotifyAddress = a.Notify.Address
	for name, provider := range a.senders { // there is one
		if c.Notify, err = provider.Sender(); err != nil {
			return fmt.Errorf("sender %s: %w", name, err)
		}
	}
	return nil
}

func (n *Notify) validate() error {
	if n.Address == "" {
		return nil
	}
	if err := mfagate.ValidateAddress(n.Address); err != nil {
		return fmt.Errorf("notify: address %q: want one such as {user}@example.com", n.Address)
	}
	return nil
}

// endWithConfig ends what the gate does in the background when the configuration
// is replaced: the next one goes on with it.
func (a *App) endWithConfig(g *mfagate.Gate) { context.AfterFunc(a.ctx, g.Close) }

// logUnnotified tells what was probably forgotten, or what the profile asks for.
func (a *App) logUnnotified() {
	if a.Notify == nil && len(a.senders) > 0 {
		a.logger.Warn("there is a sender, and nothing is sent; to tell people what happens to their account write: notify")
	}
	if a.Notify == nil && a.Profile == profileNIST {
		a.logger.Warn("nobody is told when a recovery code is used or a factor is reset, as SP 800-63B section 4.2.3 wants; write: notify")
	}
}

func (a *App) parseSender(d *caddyfile.Dispenser) error {
	name, mod, err := guest(d, "mfa.senders", "sender")
	if err != nil {
		return err
	}
	if _, twice := a.SendersRaw[name]; twice {
		return d.Errf("sender %s is given twice", name)
	}
	if a.SendersRaw == nil {
		a.SendersRaw = make(caddy.ModuleMap)
	}
	a.SendersRaw[name] = caddyconfig.JSON(mod, nil)
	return nil
}

// parseNotify sets up the notices from Caddyfile tokens. Syntax:
//
//	notify {
//	    address  <template>
//	}
func (a *App) parseNotify(d *caddyfile.Dispenser) error {
	a.Notify = new(Notify)
	if d.NextArg() {
		return d.Errf("notify: unexpected value %q; want nothing, or a block", d.Val())
	}
	return options{"address": {parse: a.Notify.parseAddress}}.parse(d, guests{})
}

func (n *Notify) parseAddress(d *caddyfile.Dispenser) error {
	if err := text(&n.Address, "a template, such as {user}@example.com").parse(d); err != nil {
		return err
	}
	if err := n.validate(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}
