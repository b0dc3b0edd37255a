package main

import (
	"os"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// TestMain is the upstream, too, as main is.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "upstream" {
		fail(upstream(os.Args[2]))
	}
	os.Exit(gatetest.Main(m))
}

// Each comparison gets answers from both gateways, to requests that are let through.
// What they take is no matter here.
func TestEveryComparisonRuns(t *testing.T) {
	for _, what := range []string{session, loginForm, signIns} {
		o := options{pairs: 1, connections: 2, run: 200 * time.Millisecond, gogc: "100", binary: gatetest.PlainBinary(t)}
		if err := o.choose(what); err != nil {
			t.Fatal(err)
		}
		if err := o.measure(); err != nil {
			t.Errorf("%s: %v; want figures", what, err)
		}
	}
	if err := new(options).choose("nothing"); err == nil {
		t.Error("an unknown comparison is taken; want an error")
	}
}
