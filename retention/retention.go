// Package retention removes what is older than the operator wants to keep.
//
// It promises: alerts, with their deliveries and attempts, the events of the feed and the silences that are over go in small
// batches, oldest first, and between two batches the database is left to the others for at least as long as the last one took. An
// error ends nothing: it is logged, and the next look tries again. It never removes an alert that somebody is still to be told about,
// a silence that an alert names, a channel or a rustbucket.
package retention

import (
	"context"
	"log/slog"
	"time"

	"github.com/rustbucket/alerts/store"
)

const (
	batch        = 200                   // alerts, or rows of events, removed in one transaction
	minPause     = 50 * time.Millisecond // between two batches
	batchTimeout = 30 * time.Second
	firstLook    = 5 * time.Second // after the start, which has enough to do
	lookEvery    = time.Minute
)

// Trimmer is what can remove a little of what is old: the store.
type Trimmer interface {
	Now() time.Time
	Trim(ctx context.Context, before time.Time, after int64, limit int) (store.Trimmed, error)
}

// Keeper keeps things for a time.
type Keeper struct {
	store Trimmer
	keep  time.Duration
	log   *slog.Logger

	first, every time.Duration // until the first look, and between looks
	pause        time.Duration // between two batches, at least
	now          func() time.Time
}

// New makes a keeper that keeps things for so long; keep is positive.
func New(s Trimmer, keep time.Duration, log *slog.Logger) *Keeper {
	return &Keeper{store: s, keep: keep, log: log, first: firstLook, every: lookEvery, pause: minPause, now: s.Now}
}

// Run removes what has become too old, until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	for wait := k.first; sleep(ctx, wait); wait = k.every {
		began := time.Now()
		removed, err := k.sweep(ctx)
		if err != nil && ctx.Err() == nil {
			k.log.Warn("removing what is older than the retention failed, trying again", "error", err)
		}
		if removed.Alerts > 0 || removed.Events > 0 || removed.Silences > 0 {
			k.log.Info("removed what is older than the retention", "retention", k.keep, "alerts", removed.Alerts,
				"deliveries", removed.Deliveries, "attempts", removed.Attempts, "events", removed.Events, "silences", removed.Silences,
				"took", time.Since(began).Round(time.Millisecond))
		}
	}
}

// sweep removes all that is too old now, and says how much that was, also when it could not go to the end.
func (k *Keeper) sweep(ctx context.Context) (removed store.Trimmed, err error) {
	before := k.now().Add(-k.keep)
	for {
		began := time.Now()
		step, err := k.trim(ctx, before, removed.After)
		removed.Alerts += step.Alerts
		removed.Deliveries += step.Deliveries
		removed.Attempts += step.Attempts
		removed.Events += step.Events
		removed.Silences += step.Silences
		removed.After = step.After
		if err != nil || !step.More || !sleep(ctx, max(k.pause, time.Since(began))) {
			return removed, err
		}
	}
}

func (k *Keeper) trim(ctx context.Context, before time.Time, after int64) (store.Trimmed, error) {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	return k.store.Trim(ctx, before, after, batch)
}

// sleep waits, and reports false when ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
