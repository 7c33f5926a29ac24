package metrics

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rustbucket/alerts/models"
)

// How long the answers of the database are good for, and how long it has to give all of them.
const (
	freshFor      = 5 * time.Second
	sourceTimeout = 3 * time.Second
)

// Source is where the gauges come from. A function that is nil has none to give, and its gauges are left out. Those with a
// context ask the database: they are called one after the other, at most once in five seconds, and have three seconds
// together. When one fails its gauges are left out and source_errors_total rises.
type Source struct {
	// Backlog gives, for each type of channel, how many deliveries are PENDING and when the oldest of them was created.
	Backlog func(context.Context) (map[models.ChannelType]models.Backlog, error)
	// Channels gives how many active channels there are of each type in each state of health.
	Channels func(context.Context) (map[ChannelGroup]int, error)
	// EventsLag gives how many committed events have no position yet, and when the oldest of them was committed.
	EventsLag func(context.Context) (models.Backlog, error)
	// Rustbuckets gives how many rustbuckets there are in each state of their heartbeats.
	Rustbuckets func(context.Context) (map[models.HeartbeatState]int, error)
	// Paused reports whether nobody is told anything at present.
	Paused func(context.Context) (bool, error)

	// Subscribers gives how many readers the feed has in this process.
	Subscribers func() int
	// InFlight gives how many sends this process has under way, by type of channel.
	InFlight func() map[models.ChannelType]int
}

// ChannelGroup is channels that are counted together.
type ChannelGroup struct {
	Type  models.ChannelType
	State models.HealthState
}

// The gauges. Those of the database are the same in every process on it.
var (
	waiting     = gauge("deliveries_waiting", "Deliveries that wait to be made, in the whole database.", "type")
	oldest      = gauge("oldest_waiting_age_seconds", "Age of the oldest delivery that waits, in the whole database; 0 when none does.", "type")
	channels    = gauge("channels", "Active channels by state of health: ok, failing, paused and broken, the last two out of service.", "type", "state")
	unplaced    = gauge("events_unplaced", "Committed events that subscribers cannot see yet because they have no position.")
	oldestEvent = gauge("oldest_unplaced_event_age_seconds", "Age of the oldest such event; 0 when there is none.")
	rustbuckets = gauge("rustbuckets", "Rustbuckets by what their heartbeats say: unwatched (none is expected), online and offline.", "state")
	paused      = gauge("notifications_paused", "1 while notifications are paused, otherwise 0.")
	subscribers = gauge("subscribers", "Open readers of the event feed in this process.")
	inFlight    = gauge("sends_in_flight", "Sends under way in this process.", "type")
)

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
}

// sources reads the gauges when Prometheus scrapes.
type sources struct {
	now    func() time.Time
	log    *slog.Logger
	failed *prometheus.CounterVec

	mu      sync.Mutex // held while the database is asked: who comes meanwhile shares the answer
	from    Source
	answers answers
	until   time.Time // answers are good until then
}

// answers is what the database said. What is nil was not to be had.
type answers struct {
	backlog  *map[models.ChannelType]models.Backlog
	channels *map[ChannelGroup]int
	lag      *models.Backlog
	buckets  *map[models.HeartbeatState]int
	paused   *bool
}

func newSources(now func() time.Time, log *slog.Logger) *sources {
	s := &sources{now: now, log: log, failed: counters("source_errors_total", "Failures to read gauges from the database; they are left out then.", "source")}
	for _, name := range []string{"backlog", "channels", "events_lag", "rustbuckets", "paused"} {
		s.failed.WithLabelValues(name)
	}
	return s
}

func (s *sources) watch(from Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from, s.until = from, time.Time{}
}

// Describe is part of prometheus.Collector.
func (s *sources) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{waiting, oldest, channels, unplaced, oldestEvent, rustbuckets, paused, subscribers, inFlight} {
		ch <- d
	}
	s.failed.Describe(ch)
}

// Collect is part of prometheus.Collector.
func (s *sources) Collect(ch chan<- prometheus.Metric) {
	from, a := s.read()
	set := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if a.backlog != nil {
		for _, t := range models.ChannelTypes() {
			set(waiting, float64((*a.backlog)[t].Waiting), typeLabel(t))
			set(oldest, s.age((*a.backlog)[t].Oldest), typeLabel(t))
		}
	}
	if a.channels != nil {
		for _, t := range models.ChannelTypes() {
			for _, state := range models.HealthStates {
				set(channels, float64((*a.channels)[ChannelGroup{t, state}]), typeLabel(t), stateLabel(state))
			}
		}
	}
	if a.lag != nil {
		set(unplaced, float64(a.lag.Waiting))
		set(oldestEvent, s.age(a.lag.Oldest))
	}
	if a.buckets != nil {
		for _, state := range models.HeartbeatStates {
			set(rustbuckets, float64((*a.buckets)[state]), strings.ToLower(string(state)))
		}
	}
	if a.paused != nil {
		v := 0.0
		if *a.paused {
			v = 1
		}
		set(paused, v)
	}
	if from.Subscribers != nil {
		set(subscribers, float64(from.Subscribers()))
	}
	if from.InFlight != nil {
		sends := from.InFlight()
		for _, t := range models.ChannelTypes() {
			set(inFlight, float64(sends[t]), typeLabel(t))
		}
	}
	s.failed.Collect(ch)
}

// age is that of something in seconds; the clocks of the database and of this process may differ a little.
func (s *sources) age(since *time.Time) float64 {
	if since == nil {
		return 0
	}
	return max(0, s.now().Sub(*since).Seconds())
}

// read gives the answers of the database, asking it anew when they are no longer fresh. A failure is kept as long as an
// answer: a database in trouble is not asked more often.
func (s *sources) read() (Source, answers) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now().Before(s.until) {
		return s.from, s.answers
	}
	ctx, cancel := context.WithTimeout(context.Background(), sourceTimeout)
	defer cancel()
	s.answers = answers{
		backlog:  ask(ctx, s, "backlog", s.from.Backlog),
		channels: ask(ctx, s, "channels", s.from.Channels),
		lag:      ask(ctx, s, "events_lag", s.from.EventsLag),
		buckets:  ask(ctx, s, "rustbuckets", s.from.Rustbuckets),
		paused:   ask(ctx, s, "paused", s.from.Paused),
	}
	s.until = s.now().Add(freshFor)
	return s.from, s.answers
}

// ask gives what f answers, or nil when it fails or there is no f.
func ask[T any](ctx context.Context, s *sources, name string, f func(context.Context) (T, error)) *T {
	if f == nil {
		return nil
	}
	answer, err := f(ctx)
	if err != nil {
		s.failed.WithLabelValues(name).Inc()
		s.log.Warn("a gauge could not be read and is left out", "source", name, "error", err)
		return nil
	}
	return &answer
}
