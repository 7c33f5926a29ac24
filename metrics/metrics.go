// Package metrics counts and measures what the server does, for Prometheus to read.
//
// It promises: a method never blocks, never fails and, on a nil *Metrics, does nothing, so that whoever counts need not ask
// whether anybody reads; every label has a small fixed set of values, and one that is not in it is shown as "other", so that
// no caller and no channel can fill Prometheus; what must be asked of the database at a scrape is asked at most once in five
// seconds, however many scrape. It never shows the name, the address or the content of anything.
package metrics

import (
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/rustbucket/alerts/models"
)

const namespace = "rustbucket_alerts"

// Bounds of the histograms' buckets, in seconds. An attempt lasts up to DELIVERY_TIMEOUT (at most 5 min); a delivery may
// arrive a day after its alert.
var (
	attemptBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
	latencyBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600}
)

// Metrics is what one process counts, in a registry of its own.
type Metrics struct {
	registry *prometheus.Registry
	log      *slog.Logger
	sources  *sources

	created      *prometheus.CounterVec // source
	deduplicated prometheus.Counter
	silenced     prometheus.Counter
	refused      prometheus.Counter
	attempts     *prometheus.CounterVec   // type, result
	attemptTook  *prometheus.HistogramVec // type
	ended        *prometheus.CounterVec   // type, status, reason
	latency      *prometheus.HistogramVec // type
	digests      *prometheus.CounterVec   // type
	digested     *prometheus.CounterVec   // type
	reclaimed    prometheus.Counter
	metaAlerts   *prometheus.CounterVec // kind
	transitions  *prometheus.CounterVec // type, to
	requests     *prometheus.CounterVec // reason
	kinds        kinds
}

// New makes the metrics of a process. version is the program's; log gets what cannot be read.
func New(version string, log *slog.Logger) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		log:      log,
		sources:  newSources(time.Now, log),

		created:      counters("created_total", "Alerts that were stored, by who raised them: api, or server about itself.", "source"),
		deduplicated: counter("deduplicated_total", "Alerts that were counted up on an open alert with the same dedupKey instead of being stored anew."),
		silenced:     counter("silenced_total", "Alerts that were stored while a silence held for them: nobody was told."),
		refused:      counter("refused_total", "Alerts that were refused with OVERLOADED because too many waited to be stored."),
		attempts:     counters("attempts_total", "Attempts to tell a channel, by what came of them.", "type", "result"),
		attemptTook:  histograms("attempt_duration_seconds", "How long an attempt to tell a channel took.", attemptBuckets),
		ended:        counters("deliveries_ended_total", "Deliveries that came to their end, by final status and why.", "type", "status", "reason"),
		latency:      histograms("delivery_latency_seconds", "Time from the creation of a delivery until the channel has taken it; only DELIVERED ones.", latencyBuckets),
		digests:      counters("digests_sent_total", "Messages that told of several alerts at once because the channel's rate limit was reached.", "type"),
		digested:     counters("digested_deliveries_total", "Deliveries that were told in such a message.", "type"),
		reclaimed:    counter("leases_reclaimed_total", "Deliveries taken over from a process that was gone before it had made them."),
		metaAlerts:   counters("meta_alerts_total", "Alerts that the server raised itself, by kind.", "kind"),
		requests:     counters("requests_refused_total", "Requests to the API that were refused before anything was done for them, by the limit that they broke.", "reason"),
		transitions:  counters("channel_transitions_total", "Changes of a channel's health, by the state it came to.", "type", "to"),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; its labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	info.Set(1)
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), info, m.sources,
		m.created, m.deduplicated, m.silenced, m.refused, m.attempts, m.attemptTook, m.ended, m.latency, m.digests, m.digested, m.reclaimed,
		m.metaAlerts, m.transitions, m.requests,
	)
	m.begin()
	return m
}

// begin makes the counters stand at 0 from the start: Prometheus does not see the step of one that appears with 1.
func (m *Metrics) begin() {
	for _, source := range []models.AlertSource{models.FromAPI, models.FromServer} {
		m.created.WithLabelValues(strings.ToLower(string(source)))
	}
	for _, reason := range requestReasons {
		m.requests.WithLabelValues(reason)
	}
	for _, t := range models.ChannelTypes() {
		name := typeLabel(t)
		for _, r := range results {
			m.attempts.WithLabelValues(name, r)
		}
		for reason, status := range reasons {
			m.ended.WithLabelValues(name, statusLabel(status), reason)
		}
		for _, s := range models.HealthStates {
			m.transitions.WithLabelValues(name, stateLabel(s))
		}
		m.digests.WithLabelValues(name)
		m.digested.WithLabelValues(name)
	}
}

// AlertsCreated counts n alerts that were stored.
func (m *Metrics) AlertsCreated(source models.AlertSource, n int) {
	if m == nil || n <= 0 {
		return
	}
	name := other
	if source == models.FromAPI || source == models.FromServer {
		name = strings.ToLower(string(source))
	}
	m.created.WithLabelValues(name).Add(float64(n))
}

// AlertsDeduplicated counts n alerts that only counted up an open one.
func (m *Metrics) AlertsDeduplicated(n int) {
	if m != nil && n > 0 {
		m.deduplicated.Add(float64(n))
	}
}

// AlertsSilenced counts n alerts that were stored while a silence held for them.
func (m *Metrics) AlertsSilenced(n int) {
	if m != nil && n > 0 {
		m.silenced.Add(float64(n))
	}
}

// AlertsRefused counts n alerts that were refused with OVERLOADED.
func (m *Metrics) AlertsRefused(n int) {
	if m != nil && n > 0 {
		m.refused.Add(float64(n))
	}
}

// RequestRefused counts a request to the API that broke a limit. reason is one of the Request constants.
func (m *Metrics) RequestRefused(reason string) {
	if m == nil {
		return
	}
	if !slices.Contains(requestReasons, reason) {
		reason = other
	}
	m.requests.WithLabelValues(reason).Inc()
}

// Attempt counts an attempt to tell a channel. result is one of the Result constants.
func (m *Metrics) Attempt(t models.ChannelType, result string, took time.Duration) {
	if m == nil {
		return
	}
	name := typeLabel(t)
	m.attempts.WithLabelValues(name, resultLabel(result)).Inc()
	m.attemptTook.WithLabelValues(name).Observe(took.Seconds())
}

// DeliveryEnded counts a delivery that came to a final status. reason is one of the Reason constants; sinceCreated is its
// age, which is measured when the status is DELIVERED.
func (m *Metrics) DeliveryEnded(t models.ChannelType, status models.DeliveryStatus, reason string, sinceCreated time.Duration) {
	if m == nil {
		return
	}
	name := typeLabel(t)
	m.ended.WithLabelValues(name, statusLabel(status), reasonLabel(reason)).Inc()
	if status == models.Delivered {
		m.latency.WithLabelValues(name).Observe(max(0, sinceCreated.Seconds()))
	}
}

// DigestSent counts a message that told of this many deliveries at once.
func (m *Metrics) DigestSent(t models.ChannelType, deliveries int) {
	if m == nil {
		return
	}
	m.digests.WithLabelValues(typeLabel(t)).Inc()
	m.digested.WithLabelValues(typeLabel(t)).Add(float64(max(0, deliveries)))
}

// LeasesReclaimed counts n deliveries taken over from a process that is gone.
func (m *Metrics) LeasesReclaimed(n int) {
	if m != nil && n > 0 {
		m.reclaimed.Add(float64(n))
	}
}

// MetaAlert counts an alert that the server raised itself. kind is its type; only the first few distinct ones get a
// label of their own.
func (m *Metrics) MetaAlert(kind string) {
	if m != nil {
		m.metaAlerts.WithLabelValues(m.kinds.label(kind)).Inc()
	}
}

// MetaAlertKinds makes the counters of these kinds of alerts stand at 0 from the start, as those of everything else do.
func (m *Metrics) MetaAlertKinds(kinds ...string) {
	if m == nil {
		return
	}
	for _, kind := range kinds {
		m.metaAlerts.WithLabelValues(m.kinds.label(kind))
	}
}

// ChannelTransition counts a channel that came to another state of health.
func (m *Metrics) ChannelTransition(t models.ChannelType, to models.HealthState) {
	if m != nil {
		m.transitions.WithLabelValues(typeLabel(t), stateLabel(to)).Inc()
	}
}

// Watch says where the gauges are read from. What s leaves out is not shown.
func (m *Metrics) Watch(s Source) {
	if m != nil {
		m.sources.watch(s)
	}
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histograms(name, help string, buckets []float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, []string{"type"})
}

// kinds lets a bounded number of strings be labels.
type kinds struct {
	mu    sync.Mutex
	known map[string]bool
}

func (k *kinds) label(kind string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known[kind] {
		return kind
	}
	if kind == "" || len(k.known) >= maxKinds {
		return other
	}
	if k.known == nil {
		k.known = make(map[string]bool)
	}
	k.known[kind] = true
	return kind
}
