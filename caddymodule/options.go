package caddymodule

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// An option parses what follows its name in a Caddyfile block. The dispenser
// stands on the name.
type option struct {
	parse func(d *caddyfile.Dispenser) error
	many  bool // may be given more than once
}

// options are those of one block, by name.
type options map[string]option

// guests are the modules of a namespace whose names are options too.
type guests struct {
	namespace string
	parse     func(d *caddyfile.Dispenser, id string) error
}

// parse reads the block that d stands before. A name that is not among o must be
// that of a guest.
func (o options) parse(d *caddyfile.Dispenser, g guests) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if seen[name] && !o[name].many {
			return d.Errf("%s is given twice", name)
		}
		seen[name] = true
		if err := o.parseOne(d, g); err != nil {
			return err
		}
		if d.NextArg() {
			return d.Errf("%s: unexpected value %q", name, d.Val())
		}
	}
	return nil
}

func (o options) parseOne(d *caddyfile.Dispenser, g guests) error {
	name := d.Val()
	if known, ok := o[name]; ok {
		return known.parse(d)
	}
	id := g.namespace + "." + name
	if _, err := caddy.GetModule(id); err == nil && g.parse != nil {
		return g.parse(d, id)
	}
	return d.Errf("unknown option %q; known here: %s", name, o.names(g))
}

func (o options) names(g guests) string {
	names := slices.Collect(maps.Keys(o))
	if g.parse != nil {
		names = append(names, modules(g.namespace)...)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// text takes one value that is not empty. what says what it should be.
func text(to *string, what string) option {
	return option{parse: func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if !d.NextArg() || d.Val() == "" {
			return d.Errf("%s: want %s", name, what)
		}
		*to = d.Val()
		return nil
	}}
}

// oneOf takes one of a few words.
func oneOf(to *string, values ...string) option {
	return option{parse: func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if !d.NextArg() || !slices.Contains(values, d.Val()) {
			return d.Errf("%s: want one of: %s", name, strings.Join(values, ", "))
		}
		*to = d.Val()
		return nil
	}}
}

// toggle takes no value.
func toggle(to *bool) option {
	return option{parse: func(*caddyfile.Dispenser) error {
		*to = true
		return nil
	}}
}

// duration takes a duration within bounds.
func duration(to *caddy.Duration, least, most time.Duration, example string) option {
	return option{parse: func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if !d.NextArg() {
			return d.Errf("%s: want a duration, such as %s", name, example)
		}
		v, err := caddy.ParseDuration(d.Val())
		if err != nil || v < least || v > most {
			return d.Errf("%s %q: want a duration from %s to %s, such as %s", name, d.Val(), short(least), short(most), example)
		}
		*to = caddy.Duration(v)
		return nil
	}}
}

// short writes a duration without the zeros that its String method adds.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// words takes one or more values. what says what they should be.
func words(to *[]string, what string) option {
	return option{parse: func(d *caddyfile.Dispenser) error {
		name := d.Val()
		*to = d.RemainingArgs()
		if len(*to) == 0 {
			return d.Errf("%s: want %s", name, what)
		}
		return nil
	}}
}

// ranges takes networks and addresses; private_ranges stands for all private ones.
func ranges(to *[]string) option {
	return option{parse: func(d *caddyfile.Dispenser) error {
		name := d.Val()
		args := d.RemainingArgs()
		if len(args) == 0 {
			return d.Errf("%s: want networks such as 10.0.0.0/8, addresses, or private_ranges", name)
		}
		*to = expandRanges(args)
		if _, err := parseRanges(*to); err != nil {
			return d.Errf("%s: %v", name, err)
		}
		return nil
	}}
}

func expandRanges(args []string) []string {
	var all []string
	for _, arg := range args {
		if arg == "private_ranges" {
			all = append(all, caddyhttp.PrivateRangesCIDR()...)
			continue
		}
		all = append(all, arg)
	}
	return all
}

// number takes a whole number within bounds.
func number(to *int, least, most int) option {
	return option{parse: func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if !d.NextArg() {
			return d.Errf("%s: want a number from %d to %d", name, least, most)
		}
		n, err := strconv.Atoi(d.Val())
		if err != nil || n < least || n > most {
			return d.Errf("%s %q: want a number from %d to %d", name, d.Val(), least, most)
		}
		*to = n
		return nil
	}}
}

// choice takes one of some words.
func choice(to *string, of ...string) option {
	return option{parse: func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if !d.NextArg() {
			return d.Errf("%s: want one of: %s", name, strings.Join(of, ", "))
		}
		if !slices.Contains(of, d.Val()) {
			return d.Errf("%s %q: want one of: %s", name, d.Val(), strings.Join(of, ", "))
		}
		*to = d.Val()
		return nil
	}}
}

// modules lists the names of the modules in a namespace.
func modules(namespace string) []string {
	var names []string
	for _, m := range caddy.GetModules(namespace) {
		names = append(names, m.ID.Name())
	}
	return names
}
