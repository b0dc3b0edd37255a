package caddymodule

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// table returns the addresses of the configuration and of its file.
func (n *Notify) table() (map[string]string, error) {
	all := maps.Clone(n.Addresses)
	for name, address := range all {
		if err := checkAddress(name, address); err != nil {
			return nil, err
		}
	}
	if n.AddressFile == "" {
		return all, nil
	}
	if all == nil {
		all = make(map[string]string)
	}
	return all, addFile(all, n.AddressFile)
}

func checkAddress(name, address string) error {
	if name == "" || !mfagate.PlainAddress(address) {
		return fmt.Errorf("notify: addresses: %q %q: want the name of a user and an address, such as alice alice@example.com", name, address)
	}
	return nil
}

// addFile adds the lines of a file: the name, which may have spaces in it, and the
// address. Empty ones, and those that begin with #, say nothing.
func addFile(all map[string]string, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("notify: addresses: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		cut := strings.LastIndexAny(line, " \t")
		name, address := strings.TrimSpace(line[:max(cut, 0)]), line[cut+1:]
		if err := checkAddress(name, address); err != nil {
			return fmt.Errorf("%w, at %s:%d", err, path, n)
		}
		if _, twice := all[name]; twice {
			return fmt.Errorf("notify: addresses: %s is given twice, at %s:%d", name, path, n)
		}
		all[name] = address
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("notify: addresses: reading %s: %w", path, err)
	}
	return nil
}

// parseAddresses takes a file, a block of names with their addresses, or both.
func (n *Notify) parseAddresses(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		n.AddressFile = d.Val()
	}
	if d.NextArg() {
		return d.Errf("addresses: unexpected value %q", d.Val())
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name, args := d.Val(), d.RemainingArgs()
		if len(args) != 1 {
			return d.Errf("addresses: want a name and an address on each line, such as alice alice@example.com")
		}
		if err := checkAddress(name, args[0]); err != nil {
			return d.Errf("%v", err)
		}
		if _, twice := n.Addresses[name]; twice {
			return d.Errf("addresses: %s is given twice", name)
		}
		if n.Addresses == nil {
			n.Addresses = make(map[string]string)
		}
		n.Addresses[name] = args[0]
	}
	if n.AddressFile == "" && n.Addresses == nil {
		return d.Errf("addresses: want a file, or a block of names with their addresses")
	}
	return nil
}
