package caddymodule

import (
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// metric reads a value off Caddy's page of metrics; one that is not there is zero.
func (g *gateway) metric(name string) float64 {
	g.t.Helper()
	for line := range strings.Lines(g.admin("GET", "/metrics", "").body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				g.t.Fatal(err)
			}
			return f
		}
	}
	return 0
}

// dropped reads how many events the webhooks of this process dropped.
func dropped(t *testing.T) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(countedPosts)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range families[0].GetMetric() {
		if m.GetLabel()[0].GetValue() == postDropped {
			return m.GetCounter().GetValue()
		}
	}
	t.Fatal("dropped events are not counted")
	return 0
}

// Requests that a site lets pass because it observes are counted, and no others.
func TestObservedRequestsAreCounted(t *testing.T) {
	const observed = `mfagate_observed_total{app="wiki"}`
	g := serveAdmin(t, "PASSWORD\nmfa {\nsite wiki\nmode observe\n}")
	before := g.metric(observed)
	for range 3 {
		if a := g.get("/orders"); !a.reachedApp() {
			t.Fatalf("status = %d; want the app", a.status)
		}
	}
	g.get("/.mfa/static/style.css")
	g.as("alice", "guess") // the first factor refuses that
	if got := g.metric(observed) - before; got != 3 {
		t.Errorf("%v requests were counted; want 3", got)
	}
}

// Each configuration has a registry of its own: counters must go on all the same.
func TestMetricsSurviveReloads(t *testing.T) {
	g := serveAdmin(t, "PASSWORD\nmfa {\nsite wiki\n}")
	const (
		enrolled = `mfagate_events_total{app="wiki",factor="totp",kind="enrolled"}`
		unlocked = `mfagate_events_total{app="",factor="",kind="unlocked"}`
	)
	before := g.metric(unlocked)
	begun := g.metric(enrolled)
	enrol(g)
	for i := range 3 {
		if got := g.metric(enrolled) - begun; got != 1 {
			t.Errorf("after %d reloads enrolments = %v; want 1", i, got)
		}
		if got := g.metric("mfagate_sessions"); got != 1 {
			t.Errorf("after %d reloads sessions = %v; want 1", i, got)
		}
		if got := g.admin("POST", "/mfa/users/default/alice/unlock", "{}"); got.status != 200 {
			t.Fatalf("unlock = %d %s", got.status, got.body)
		}
		if got := g.metric(unlocked) - before; got != float64(i+1) {
			t.Errorf("after %d reloads unlocks = %v; want %d", i, got, i+1)
		}
		if err := g.load("issuer "+strconv.Itoa(i), "PASSWORD\nmfa {\nsite wiki\n}"); err != nil {
			t.Fatal(err)
		}
	}
	page := g.admin("GET", "/metrics", "").body
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "mfagate") && strings.Contains(line, "alice") {
			t.Errorf("a label names a user: %s", line)
		}
	}
	if !strings.Contains(page, `mfagate_webhook_events_total{result="dropped"}`) {
		t.Error("there is no counter of dropped events before the first one")
	}
}

// A factor that the configuration does not name must not make a series.
func TestUnknownFactorsShareALabel(t *testing.T) {
	g := serveAdmin(t, "PASSWORD\nmfa")
	const other = `mfagate_events_total{app="",factor="other",kind="passed"}`
	before := g.metric(other)
	for _, factor := range []string{"one", "two"} {
		app(t).count(mfagate.Event{Kind: mfagate.EventPassed, Factor: factor})
	}
	if got := g.metric(other) - before; got != 2 {
		t.Errorf("%s = %v; want 2", other, got)
	}
}
