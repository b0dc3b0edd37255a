package caddymodule

import (
	"errors"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// The counters are made once per process and registered anew for each
// configuration, which has a registry of its own: so they go on after a reload.
// Their labels hold what the program or the configuration names, never a user.
var (
	countedEvents = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "mfagate", Name: "events_total",
		Help: "What happened to users, by kind of event, factor and site.",
	}, []string{"kind", "factor", "app"})

	countedObserved = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "mfagate", Name: "observed_total",
		Help: "Requests that would have been stopped if their site did more than observe.",
	}, []string{"app"})

	countedPosts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "mfagate", Name: "webhook_events_total",
		Help: "Events for the webhook: delivered, to be tried again, dropped.",
	}, []string{"result"})
)

func init() {
	for _, result := range []string{postDelivered, postRetried, postDropped} {
		countedPosts.WithLabelValues(result) // so that they are there, with zero
	}
}

// register adds the collectors to the registry of a configuration.
func (a *App) register(registry prometheus.Registerer) error {
	sessions := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "mfagate", Name: "sessions",
		Help: "Sessions that this process holds as in use.",
	}, a.resource.sessions)
	for _, c := range []prometheus.Collector{countedEvents, countedObserved, countedPosts, sessions} {
		err := registry.Register(c)
		if _, twice := errors.AsType[prometheus.AlreadyRegisteredError](err); err != nil && !twice {
			return err
		}
	}
	return nil
}

// sessions tells how many sessions are in use.
func (r *resource) sessions() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.records == nil {
		return 0
	}
	return float64(r.records.Sessions())
}

// count counts e. Only names of the configuration become labels, so that their
// number has a bound.
func (a *App) count(e mfagate.Event) {
	factor := e.Factor
	if factor != "" && !slices.Contains(a.factorNames(), factor) {
		factor = "other"
	}
	countedEvents.WithLabelValues(e.Kind, factor, e.App).Inc()
}

func countObserved(site string) { countedObserved.WithLabelValues(site).Inc() }

func (a *App) factorNames() []string {
	var names []string
	for _, f := range a.factors {
		names = append(names, f.Name())
	}
	if a.recovery != nil {
		names = append(names, a.recovery.Name())
	}
	return names
}
