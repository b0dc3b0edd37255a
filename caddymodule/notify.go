package caddymodule

import (
	"context"
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

// What messages reach.
const (
	ReachEmail = "email"
	ReachPhone = "phone"
)

// A Reacher is a [SenderProvider] that says what its sender brings messages to,
// ReachEmail or ReachPhone. Those that do not say so reach e-mail addresses.
type Reacher interface{ Reach() string }

func reach(p SenderProvider) string {
	if r, ok := p.(Reacher); ok {
		return r.Reach()
	}
	return ReachEmail
}

// provider returns the sender that reaches what is wanted: the one of the given name or,
// if there is none, the only one.
func (a *App) provider(name, want string) (SenderProvider, error) {
	var fit []string
	for have, p := range a.senders {
		if reach(p) == want && (name == "" || name == have) {
			fit = append(fit, have)
		}
	}
	slices.Sort(fit)
	switch {
	case len(fit) == 1:
		return a.senders[fit[0]], nil
	case len(fit) > 1:
		return nil, fmt.Errorf("want one sender, not several: %s; say which: sender %s", strings.Join(fit, ", "), fit[0])
	case name != "":
		return nil, fmt.Errorf("sender %s: there is none that reaches %s", name, reachWords[want])
	}
	return nil, fmt.Errorf("there is no sender that reaches %s; write one: sender %s", reachWords[want], map[string]string{ReachEmail: "smtp", ReachPhone: "http"}[want])
}

var reachWords = map[string]string{ReachEmail: "e-mail addresses", ReachPhone: "phones"}

// sender makes the sender that provider returns.
func (a *App) sender(name, want string) (mfagate.Sender, error) {
	p, err := a.provider(name, want)
	if err != nil {
		return nil, err
	}
	s, err := p.Sender()
	if err != nil {
		return nil, fmt.Errorf("sender %s: %w", a.nameOf(p), err)
	}
	return s, nil
}

func (a *App) nameOf(p SenderProvider) string {
	for name, have := range a.senders {
		if have == p {
			return name
		}
	}
	return ""
}

// Notify says that people are told what happened to their account: by e-mail and, where
// no mail can tell them, on the pages after their next sign-in.
type Notify struct {
	// The address of users whose first factor tells none, with {user} for their
	// name. Default: these are told nothing.
	Address string `json:"address,omitempty"`

	// Addresses by user name, of users whose first factor tells none. A name is in the
	// form that the pages show.
	Addresses map[string]string `json:"addresses,omitempty"`

	// A file with more of them: a name and an address on each line.
	AddressFile string `json:"address_file,omitempty"`

	// People for whom nothing above tells an address can enter one on the security
	// page; a code that is mailed there confirms it.
	AskAddress bool `json:"ask_address,omitempty"`

	// The sender of the notices, such as smtp. Needed only if several reach e-mail
	// addresses.
	Sender string `json:"sender,omitempty"`
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
	if err := a.checkCodes(); err != nil {
		return err
	}
	if a.Notify == nil {
		return nil
	}
	if _, err := a.provider(a.Notify.Sender, ReachEmail); err != nil && !a.onPageOnly() {
		return fmt.Errorf("notify: %w", err)
	}
	return a.Notify.validate()
}

// onPageOnly tells whether notices are told on the pages only: nothing reaches e-mail
// addresses, and nothing says that it should.
func (a *App) onPageOnly() bool {
	return a.Notify.isZero() && !slices.ContainsFunc(slices.Collect(maps.Values(a.senders)), func(p SenderProvider) bool { return reach(p) == ReachEmail })
}

// notifyBy makes c send notices, if they are on.
func (a *App) notifyBy(c *mfagate.Config) (err error) {
	if a.Notify == nil {
		return nil
	}
	c.NotifyAddress, c.NotifyAsk, c.NotifyOnPage = a.Notify.Address, a.Notify.AskAddress, true
	if c.NotifyAddresses, err = a.Notify.table(); err != nil {
		return err
	}
	if a.onPageOnly() {
		return nil
	}
	c.Notify, err = a.sender(a.Notify.Sender, ReachEmail)
	return err
}

func (n *Notify) isZero() bool {
	return n.Address == "" && n.AddressFile == "" && len(n.Addresses) == 0 && !n.AskAddress && n.Sender == ""
}

func (n *Notify) validate() error {
	if _, err := n.table(); err != nil {
		return err
	}
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
	if _, err := a.provider("smtp", ReachEmail); a.Notify == nil && err == nil && !a.sendCodesTo(ReachEmail) {
		a.logger.Warn("there is a sender, and nothing is sent; to tell people what happens to their account write: notify")
	}
	if a.Notify != nil && a.onPageOnly() {
		a.logger.Info("notices are told on the pages after the next sign-in, and not by e-mail, since there is no sender; to mail them write: sender smtp")
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
//	    address      <template>
//	    addresses    [<file>] { <name> <address> ... }
//	    ask_address
//	    sender       <name>
//	}
func (a *App) parseNotify(d *caddyfile.Dispenser) error {
	a.Notify = new(Notify)
	if d.NextArg() {
		return d.Errf("notify: unexpected value %q; want nothing, or a block", d.Val())
	}
	return options{
		"address":     {parse: a.Notify.parseAddress},
		"addresses":   {parse: a.Notify.parseAddresses},
		"ask_address": toggle(&a.Notify.AskAddress),
		"sender":      text(&a.Notify.Sender, "the name of a sender, such as smtp"),
	}.parse(d, guests{})
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
