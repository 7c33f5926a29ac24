// Package heartbeat takes signs of life of rustbuckets, and says so when one is missed.
//
// It promises: a heartbeat that was answered is stored; a rustbucket that was not heard of for its interval is said to be offline
// once, by one alert, whatever number of servers look, and its return resolves that. Time in which no server looked does not
// count: nobody took heartbeats then, and everyone has a whole interval again. It tells nobody itself: its alerts go the way of
// all others.
package heartbeat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/rustbucket/alerts/batch"
	"github.com/rustbucket/alerts/dispatch"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// Bounds of the work.
const (
	apart        = 50 * time.Millisecond // between two batches: who waits for the answer to a heartbeat is in no hurry, alerts are
	maxBatch     = 500                   // heartbeats stored in one transaction
	maxQueue     = 8192                  // waiting to be stored; beyond that callers get OVERLOADED
	sweepEvery   = time.Second
	maxSweep     = 100 // alerts raised in one transaction
	storeTimeout = 10 * time.Second
)

// Monitor takes heartbeats and looks for missed ones.
type Monitor struct {
	store      *store.Store
	dispatcher *dispatch.Dispatcher
	log        *slog.Logger
	batches    *batch.Batcher[models.Beat, *models.Rustbucket]
}

// New makes a monitor whose alerts the dispatcher sends.
func New(s *store.Store, d *dispatch.Dispatcher, log *slog.Logger) *Monitor {
	m := &Monitor{store: s, dispatcher: d, log: log}
	m.batches = batch.New(batch.Options[models.Beat, *models.Rustbucket]{
		Work: m.storeBatch, What: "heartbeats", Size: func(models.Beat) int { return 1 }, Max: maxBatch, Room: maxQueue, Apart: apart,
	})
	return m
}

// Run takes heartbeats, and looks for missed ones, until stop is closed and every heartbeat that was accepted is answered.
func (m *Monitor) Run(ctx context.Context, stop <-chan struct{}) {
	looking, end := context.WithCancel(ctx)
	var sweeping sync.WaitGroup
	sweeping.Go(func() { m.look(looking) })
	m.batches.Run(ctx, stop)
	end()
	sweeping.Wait()
}

// Beat stores a valid sign of life, and answers with the rustbucket as it is then. OVERLOADED when too many wait.
func (m *Monitor) Beat(ctx context.Context, b models.Beat) (*models.Rustbucket, error) {
	return m.batches.Do(ctx, b)
}

// Expect says how often a rustbucket is to be heard of.
func (m *Monitor) Expect(ctx context.Context, w models.Watch) (*models.Rustbucket, error) {
	rustbucket, told, err := m.store.ExpectHeartbeat(ctx, w)
	if err != nil {
		return nil, err
	}
	m.dispatcher.Wake(told)
	return rustbucket, nil
}

// storeBatch stores heartbeats together. When the database refuses that, each is stored by itself, so that one which cannot be
// stored harms no other.
func (m *Monitor) storeBatch(ctx context.Context, beats []models.Beat) ([]*models.Rustbucket, []error) {
	answers, err := m.storeTogether(ctx, beats)
	errs := make([]error, len(beats))
	if err == nil {
		return answers, errs
	}
	answers = make([]*models.Rustbucket, len(beats))
	for i, b := range beats {
		if errs[i] = err; len(beats) > 1 && store.Refused(err) {
			one, alone := m.storeTogether(ctx, []models.Beat{b})
			if errs[i] = alone; alone == nil {
				answers[i] = one[0]
			}
		}
	}
	return answers, errs
}

func (m *Monitor) storeTogether(ctx context.Context, beats []models.Beat) ([]*models.Rustbucket, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	rustbuckets, told, err := m.store.Heartbeats(ctx, beats)
	if err == nil && len(told) > 0 {
		m.dispatcher.Wake(told)
	}
	return rustbuckets, err
}

// look looks for missed heartbeats until ctx ends.
func (m *Monitor) look(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for more := true; more && ctx.Err() == nil; {
			more = m.sweep(ctx)
		}
		m.remind(ctx)
	}
}

// sweep raises an alert for each of a number of rustbuckets that were not heard of in time, and reports whether there may be more.
func (m *Monitor) sweep(ctx context.Context) bool {
	within, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	recorded, more, err := m.store.Sweep(within, maxSweep, func(r *models.Rustbucket) store.AlertInsert { return m.dispatcher.Announce(offline(r)) })
	if errors.Is(err, store.ErrOutdated) { // another server has a new silence or pause
		err = m.dispatcher.Relearn(within)
	}
	if err != nil {
		if ctx.Err() == nil {
			m.log.Warn("looking for missed heartbeats failed, trying again", "error", err)
		}
		return false
	}
	if n := len(recorded.Raised); n > 0 {
		m.log.Info("rustbuckets were not heard of in time", "rustbuckets", n)
		m.dispatcher.Settled(recorded)
	}
	return more
}

// remind reports once more that rustbuckets are offline which went so during a silence, when that is over: it tells those who would have
// been told then. Of another alert whoever has reported it does that.
func (m *Monitor) remind(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for after, first := int64(0), true; first || after > 0; first = false {
		recorded, last, err := m.store.Outlasted(within, after, maxSweep, func(open *models.Alert) store.AlertInsert {
			again := open.Again(new(models.NewAlert))
			again.DedupKey = open.DedupKey
			return m.dispatcher.Announce(again)
		})
		if errors.Is(err, store.ErrOutdated) {
			err = m.dispatcher.Relearn(within)
		}
		if err != nil {
			if ctx.Err() == nil {
				m.log.Warn("looking for rustbuckets that are offline longer than a silence failed, trying again", "error", err)
			}
			return
		}
		if n := len(recorded.Raised); n > 0 {
			m.log.Info("rustbuckets are offline longer than a silence", "rustbuckets", n)
			m.dispatcher.Settled(recorded)
		}
		after = last
	}
}

// offline is the alert that a rustbucket, as it was before, has missed a heartbeat.
func offline(r *models.Rustbucket) *models.NewAlert {
	h, name, key := r.Heartbeat, r.ID, models.OfflineKey(r.ID)
	details := map[string]any{"intervalSeconds": h.IntervalSeconds, "lastSeenAt": h.LastSeenAt}
	if r.Name != r.ID {
		name = fmt.Sprintf("%s (%s)", r.Name, r.ID)
	}
	since := fmt.Sprintf("none has come since %s", h.DueAt.Add(-h.Interval()).Format(time.RFC3339))
	if h.LastSeenAt != nil {
		since = fmt.Sprintf("the last one came at %s", h.LastSeenAt.Format(time.RFC3339))
	}
	text, _ := json.Marshal(details) // numbers and times only
	return &models.NewAlert{
		Type: models.RustbucketOffline, Severity: h.Severity, Details: text, DedupKey: &key, Notify: true, CreatedBy: models.ServerItself,
		Message:    fmt.Sprintf("Rustbucket %s is offline: a heartbeat is expected every %d s, and %s", name, *h.IntervalSeconds, since),
		Rustbucket: &models.Rustbucket{ID: r.ID, Name: r.Name},
	}
}
