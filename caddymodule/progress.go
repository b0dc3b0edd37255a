package caddymodule

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"
)

// A progress tells a person at a terminal how far long work has come. Where nobody
// looks it is silent.
type progress struct {
	verb, what string
	done, all  int64 // all is zero if unknown
	begun      time.Time
	told       time.Time
	silent     bool
}

// Work that is done sooner needs no bar.
const (
	quickWork = time.Second
	tellEvery = 200 * time.Millisecond
)

func newProgress(verb, what string, all int64) *progress {
	return &progress{verb: verb, what: what, all: all, begun: time.Now(), silent: !term.IsTerminal(int(os.Stderr.Fd()))}
}

func (p *progress) add(n int64) { p.set(p.done + n) }

func (p *progress) set(done int64) {
	p.done = done
	now := time.Now()
	if p.silent || now.Sub(p.begun) < quickWork || now.Sub(p.told) < tellEvery {
		return
	}
	p.told = now
	fmt.Fprintf(os.Stderr, "\r%s\x1b[K", p)
}

// String draws the bar.
func (p *progress) String() string {
	if p.all <= 0 {
		return fmt.Sprintf("%s %d %s", p.verb, p.done, p.what)
	}
	const width = 30
	filled := int(min(p.done, p.all) * width / p.all)
	bar := make([]byte, width)
	for i := range bar {
		bar[i] = ' '
		if i < filled {
			bar[i] = '#'
		}
	}
	return fmt.Sprintf("[%s] %s %d of %d %s", bar, p.verb, p.done, p.all, p.what)
}

// end leaves the line to what follows.
func (p *progress) end() {
	if !p.told.IsZero() {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}
