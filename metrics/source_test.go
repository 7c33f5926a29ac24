package metrics

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/expfmt"

	"github.com/rustbucket/alerts/models"
)

// full has something for every gauge; what is old is 90 s old at this moment.
func full() Source {
	since := time.Now().Add(-90 * time.Second)
	return Source{
		Backlog: func(context.Context) (map[models.ChannelType]models.Backlog, error) {
			return map[models.ChannelType]models.Backlog{models.Slack: {Waiting: 7, Oldest: &since}}, nil
		},
		Channels: func(context.Context) (map[ChannelGroup]int, error) {
			return map[ChannelGroup]int{{models.Slack, models.HealthPaused}: 2}, nil
		},
		EventsLag: func(context.Context) (models.Backlog, error) { return models.Backlog{Waiting: 3, Oldest: &since}, nil },
		Rustbuckets: func(context.Context) (map[models.HeartbeatState]int, error) {
			return map[models.HeartbeatState]int{models.Offline: 2, models.Unwatched: 1}, nil
		},
		Paused:      func(context.Context) (bool, error) { return true, nil },
		Subscribers: func() int { return 4 },
		InFlight:    func() map[models.ChannelType]int { return map[models.ChannelType]int{models.Email: 5} },
	}
}

func TestSource_GaugesAreReadAtTheScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New("1", slog.New(slog.DiscardHandler))
		m.Watch(full())
		has(t, gathered(t, m),
			`rustbucket_alerts_deliveries_waiting{type="slack"} 7`,
			`rustbucket_alerts_deliveries_waiting{type="email"} 0`,
			`rustbucket_alerts_oldest_waiting_age_seconds{type="slack"} 90`,
			`rustbucket_alerts_oldest_waiting_age_seconds{type="email"} 0`,
			`rustbucket_alerts_channels{state="paused",type="slack"} 2`,
			`rustbucket_alerts_channels{state="ok",type="slack"} 0`,
			`rustbucket_alerts_events_unplaced 3`,
			`rustbucket_alerts_oldest_unplaced_event_age_seconds 90`,
			`rustbucket_alerts_rustbuckets{state="offline"} 2`,
			`rustbucket_alerts_rustbuckets{state="online"} 0`,
			`rustbucket_alerts_rustbuckets{state="unwatched"} 1`,
			`rustbucket_alerts_notifications_paused 1`,
			`rustbucket_alerts_subscribers 4`,
			`rustbucket_alerts_sends_in_flight{type="email"} 5`,
			`rustbucket_alerts_sends_in_flight{type="slack"} 0`,
		)
	})
}

func TestSource_NothingWaitingIsZero(t *testing.T) {
	m := New("1", slog.New(slog.DiscardHandler))
	m.Watch(Source{Backlog: func(context.Context) (map[models.ChannelType]models.Backlog, error) { return nil, nil }})
	has(t, gathered(t, m), `rustbucket_alerts_deliveries_waiting{type="slack"} 0`, `rustbucket_alerts_oldest_waiting_age_seconds{type="slack"} 0`)
}

func TestSource_LeavesOutWhatNobodyGives(t *testing.T) {
	p := gathered(t, New("1", slog.New(slog.DiscardHandler)))
	for _, name := range []string{"deliveries_waiting", "channels{", "events_unplaced", "rustbuckets{", "notifications_paused", "subscribers", "sends_in_flight"} {
		if strings.Contains(p, namespace+"_"+name) {
			t.Errorf("%s is shown", name)
		}
	}
}

func TestSource_ManyScrapesAskTheDatabaseOnceInFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		m := New("1", slog.New(slog.DiscardHandler))
		m.Watch(Source{Paused: func(context.Context) (bool, error) { asked++; return false, nil }})
		var scrapers sync.WaitGroup
		for range 20 {
			scrapers.Go(func() { gathered(t, m) })
		}
		scrapers.Wait()
		if asked != 1 {
			t.Errorf("the database was asked %d times by scrapes at one moment", asked)
		}
		time.Sleep(freshFor)
		gathered(t, m)
		if asked != 2 {
			t.Errorf("the database was asked %d times when the answer was no longer fresh", asked)
		}
	})
}

func TestSource_FailureLeavesItsGaugeOutAndIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := full()
		asked := 0
		from.EventsLag = func(context.Context) (models.Backlog, error) {
			asked++
			return models.Backlog{Waiting: 9}, errors.New("the database is away")
		}
		var log strings.Builder
		m := New("1", slog.New(slog.NewTextHandler(&log, nil)))
		m.Watch(from)
		for range 3 {
			p := gathered(t, m)
			if strings.Contains(p, "events_unplaced") {
				t.Error("the gauge is shown although it is not known")
			}
			has(t, p, `rustbucket_alerts_source_errors_total{source="events_lag"} 1`, `rustbucket_alerts_notifications_paused 1`)
		}
		if asked != 1 {
			t.Errorf("a database in trouble was asked %d times at one moment", asked)
		}
		if !strings.Contains(log.String(), "the database is away") {
			t.Errorf("the log does not say why: %s", log.String())
		}
	})
}

func TestSource_DatabaseThatHangsHoldsAScrapeUpForThreeSecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		m := New("1", slog.New(slog.DiscardHandler))
		m.Watch(Source{
			Backlog:     func(ctx context.Context) (map[models.ChannelType]models.Backlog, error) { return nil, hang(ctx) },
			Channels:    func(ctx context.Context) (map[ChannelGroup]int, error) { return nil, hang(ctx) },
			EventsLag:   func(ctx context.Context) (models.Backlog, error) { return models.Backlog{}, hang(ctx) },
			Paused:      func(ctx context.Context) (bool, error) { return false, hang(ctx) },
			Subscribers: func() int { return 4 },
		})
		began := time.Now()
		p := gathered(t, m)
		if took := time.Since(began); took != sourceTimeout {
			t.Errorf("the scrape took %v", took)
		}
		has(t, p, `rustbucket_alerts_subscribers 4`, `rustbucket_alerts_source_errors_total{source="paused"} 1`)
	})
}

// gathered is the page without a server, for tests with a clock of their own.
func gathered(t *testing.T, m *Metrics) string {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Error(err)
	}
	var b strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			t.Error(err)
		}
	}
	return b.String()
}
