// Command bench tells what the gate costs on the path that every request takes:
// one with a live session. It runs a bare reverse_proxy and a gated one, both the
// same binary with the same settings, in turn against one upstream:
//
//	go run ./tests/bench
//
// Time and CPU per request swing widely on a busy machine, and the upstream's
// CPU swings with them. So the figure to go by is the gateway's CPU divided by
// the upstream's in the same run, and the ratio of that between the two gateways:
// the median over the pairs, with an interval of at least 95 %.
//
// There are two more comparisons:
//
//	go run ./tests/bench -what login_form
//	go run ./tests/bench -what sign-in -c 4
//
// With login_form the gate stands before an app with a login form that sets three cookies
// at the sign-in, of 40, 120 and 400 bytes, and wants all of them on each page. The gated
// gateway opens them on each request, the bare one gets the same in clear. With sign-in what
// counts as one request is a whole sign-in by a new user: the page with the form and the form
// itself, to which the gate adds its probe; the second factor is left out. The wall time of one
// is the connections divided by the rate.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "upstream" {
		fail(upstream(os.Args[2]))
	}
	o := options{what: session}
	flag.Func("what", "what is compared: session, login_form, or sign-in", o.choose)
	flag.IntVar(&o.pairs, "pairs", 12, "pairs of runs, bare and gated in turn")
	flag.IntVar(&o.connections, "c", 64, "connections")
	flag.DurationVar(&o.run, "d", 3*time.Second, "length of a run")
	flag.StringVar(&o.gogc, "gogc", "100", "GOGC of both gateways")
	flag.BoolVar(&o.wrk, "wrk", true, "use wrk if it is installed")
	flag.Parse()
	fail(o.measure())
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// What is compared.
const (
	session   = "session"
	loginForm = "login_form"
	signIns   = "sign-in"
)

func (o *options) choose(what string) error {
	if what != session && what != loginForm && what != signIns {
		return fmt.Errorf("%s, %s or %s would do", session, loginForm, signIns)
	}
	o.what = what
	return nil
}

type options struct {
	what               string
	pairs, connections int
	run                time.Duration
	gogc               string
	wrk                bool
	binary             string // of both gateways; empty means to build it
}

// measure starts everything, measures, and prints.
func (o options) measure() error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var all processes
	defer all.stop()
	up, bare, gated, err := o.start(dir, &all)
	if err != nil {
		return err
	}
	loads, generate, err := o.prepare(bare, gated)
	if err != nil {
		return fmt.Errorf("getting a session: %w", err)
	}
	fmt.Printf("%d pairs of %v, %d connections, GOGC=%s\n\n", o.pairs, o.run, o.connections, o.gogc)
	fmt.Printf("%4s  %-6s %9s %14s %17s %9s\n", "pair", "", "req/s", "CPU us/req", "gateway/upstream", "RSS MiB")
	return o.pairsOf(func(g *gateway) (result, error) { return g.run(up, loads[g], generate) }, bare, gated)
}

// prepare returns what to send to each gateway, and by what.
func (o options) prepare(bare, gated *gateway) (map[*gateway]load, generator, error) {
	to := func(g *gateway, path, cookie string) load { return load{g.url + path, cookie, o.connections, o.run} }
	generate := ownLoad
	if path, err := exec.LookPath("wrk"); err == nil && o.wrk {
		generate = wrk(path)
	}
	switch o.what {
	case signIns:
		return map[*gateway]load{bare: to(bare, "", ""), gated: to(gated, "", "")}, signInLoad, nil
	case loginForm:
		sealed, err := signInByForm(gated.url)
		return map[*gateway]load{bare: to(bare, formPage, clearCookies()), gated: to(gated, formPage, sealed)}, generate, err
	}
	cookie, err := signIn(gated.url)
	return map[*gateway]load{bare: to(bare, "/", cookie), gated: to(gated, "/", cookie)}, generate, err
}

func (o options) start(dir string, all *processes) (up *process, bare, gated *gateway, err error) {
	binary := o.binary
	if binary == "" {
		binary = filepath.Join(dir, "gateway")
		build := exec.Command("go", "build", "-o", binary, "github.com/mfagate/caddy-mfagate")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, nil, nil, fmt.Errorf("building: %w\n%s", err, out)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, nil, nil, err
	}
	if up, err = all.start(address, "", self, "upstream", address); err != nil {
		return nil, nil, nil, err
	}
	if bare, err = startGateway(all, filepath.Join(dir, "bare"), binary, address, o.gogc, ""); err != nil {
		return nil, nil, nil, err
	}
	gated, err = startGateway(all, filepath.Join(dir, "gated"), binary, address, o.gogc, o.gate())
	return up, bare, gated, err
}

// pairsOf runs the two in turn, the order of each pair being that of the other
// one before it reversed.
func (o options) pairsOf(run func(*gateway) (result, error), bare, gated *gateway) error {
	for _, g := range []*gateway{bare, gated} { // to warm up
		if _, err := run(g); err != nil {
			return err
		}
	}
	var ratios, raw []float64
	for i := range o.pairs {
		var b, g result
		var err error
		if i%2 == 0 {
			if b, err = run(bare); err == nil {
				g, err = run(gated)
			}
		} else if g, err = run(gated); err == nil {
			b, err = run(bare)
		}
		if err != nil {
			return err
		}
		b.print(i+1, "bare")
		g.print(i+1, "gated")
		ratios = append(ratios, g.relative()/b.relative())
		raw = append(raw, g.cpu/b.cpu)
	}
	fmt.Println()
	report("gateway CPU / upstream CPU, gated over bare", ratios)
	report("gateway CPU per request, gated over bare", raw)
	return nil
}
