package retention

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/seal"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Run(m)) }

// trimmer is a store that fails when it is told to.
type trimmer func(before time.Time, after int64) (store.Trimmed, error)

func (trimmer) Now() time.Time { return time.Now() }

func (f trimmer) Trim(_ context.Context, before time.Time, after int64, _ int) (store.Trimmed, error) {
	return f(before, after)
}

// run lets a keeper work without waiting for a minute, until the test ends or stop is called.
func run(t *testing.T, k *Keeper) (stop func()) {
	k.first, k.every = 0, 20*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { k.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return stop
}

func TestKeeper_GoesOnWhereTheLastBatchEndedAndTriesAgainAfterAnError(t *testing.T) {
	var log bytes.Buffer
	var calls []string
	done := make(chan struct{})
	k := New(trimmer(func(before time.Time, after int64) (store.Trimmed, error) {
		if age := time.Since(before); age < time.Hour || age > time.Hour+time.Minute {
			t.Errorf("what is %v old is removed", age)
		}
		calls = append(calls, fmt.Sprint(after))
		switch len(calls) {
		case 1, 3:
			return store.Trimmed{Alerts: 200, Events: 300, After: after + 200, More: true}, nil
		case 2:
			return store.Trimmed{After: after}, errors.New("the database is away")
		case 5:
			close(done)
		}
		return store.Trimmed{After: after}, nil
	}), time.Hour, slog.New(slog.NewTextHandler(&log, nil)))
	stop := run(t, k)
	<-done
	stop()
	if got := strings.Join(calls[:5], " "); got != "0 200 0 200 0" {
		t.Errorf("went on behind alerts %s", got)
	}
	if got := strings.Count(log.String(), "alerts=200"); got != 2 || strings.Count(log.String(), "level=WARN") != 1 || !strings.Contains(log.String(), "the database is away") {
		t.Errorf("the log says\n%s", log.String())
	}
}

// TestKeeper_TablesStayFlat creates alerts in many rounds, of which the last few are kept.
func TestKeeper_TablesStayFlat(t *testing.T) {
	const (
		round    = 50 // alerts
		kept     = 4  // rounds, the present one included
		warmedUp = 3 * kept
		rounds   = 3 * warmedUp
	)
	path := filepath.Join(t.TempDir(), "alerts.db")
	for name, c := range map[string]struct{ url, driver, dsn, pages string }{
		"SQLite":     {"sqlite:" + path, "sqlite", "file:" + path, "(SELECT page_count FROM pragma_page_count)"},
		"PostgreSQL": {url: testkit.NewDatabase(t), driver: "pgx", pages: "0"}, // where space is used again when vacuum comes by, once a minute
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, c.url)
			db, err := sql.Open(c.driver, cmp.Or(c.dsn, c.url))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			channel := &models.Channel{Name: "hook", IsActive: true, Config: &models.WebhookConfig{URL: "https://example.com/"}}
			if err := s.CreateChannel(t.Context(), channel); err != nil {
				t.Fatal(err)
			}
			k := New(s, time.Hour, slog.New(slog.DiscardHandler))
			k.pause = 0
			var began []time.Time // of each round
			var peak size         // when it was warmed up
			for len(began) < rounds {
				began = append(began, s.Now())
				deliver(t, s, channel, round)
				if len(began) < kept {
					continue
				}
				k.now = func() time.Time { return began[len(began)-kept].Add(k.keep) }
				if _, err := k.sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
				now := measure(t, db, c.pages)
				if most := kept * round; now.alerts > most || now.deliveries > most || now.attempts > most || now.events > 2*kept {
					t.Fatalf("round %d leaves %+v", len(began), now)
				}
				if len(began) == warmedUp {
					peak = now
				}
			}
			last := measure(t, db, c.pages)
			t.Logf("%d rounds of %d alerts leave %+v", len(began), round, last)
			if last.pages > peak.pages+peak.pages/10 {
				t.Errorf("%d pages, then %d: freed ones are not used again", peak.pages, last.pages)
			}
		})
	}
}

// size is how much of a database there is.
type size struct{ alerts, deliveries, attempts, events, pages int }

func measure(t *testing.T, db *sql.DB, pages string) (now size) {
	t.Helper()
	err := db.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM alerts), (SELECT count(*) FROM deliveries),
		(SELECT count(*) FROM attempts), (SELECT count(*) FROM events), `+pages).
		Scan(&now.alerts, &now.deliveries, &now.attempts, &now.events, &now.pages)
	if err != nil {
		t.Fatal(err)
	}
	return now
}

// deliver creates n alerts in a transaction and tells them to the channel in another.
func deliver(t *testing.T, s *store.Store, c *models.Channel, n int) {
	t.Helper()
	batch := make([]store.AlertInsert, n)
	for i := range batch {
		batch[i] = store.AlertInsert{
			New:        &models.NewAlert{Type: "error", Message: strings.Repeat("long ", 50), Notify: true},
			Deliveries: []store.NewDelivery{{ChannelID: c.ID, Leased: true}},
		}
	}
	results, err := s.CreateAlerts(t.Context(), batch, "me")
	if err != nil {
		t.Fatal(err)
	}
	outcomes := make([]store.Outcome, n)
	for i, r := range results {
		d := r.Deliveries[0]
		outcomes[i] = store.Outcome{Delivery: d, Status: models.Delivered, Attempt: &models.DeliveryAttempt{DeliveryID: d.ID, Number: 1, StartedAt: time.Now()}}
	}
	if _, err := s.Record(t.Context(), "me", outcomes, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Place(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func openStore(t *testing.T, url string) *store.Store {
	t.Helper()
	keys, err := seal.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Options{URL: url, Keyring: keys, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}
