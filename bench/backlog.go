package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	maxAtOnce       = 1000 // alerts in one createAlerts
	overloadedPause = 100 * time.Millisecond
)

// drained is what came of deliveries that waited.
type drained struct {
	created                time.Duration // until all were stored, by one caller
	early                  int64         // arrived while everything was paused
	arrived                time.Duration // from the resume to the last arrival
	recorded               int           // deliveries that the server shows as DELIVERED
	allRecorded            time.Duration // from the resume until the server showed them
	lost                   int
	twice                  int64
	before, waiting, after memory // of a server that has just started, with everything waiting, and at the end
	cpu                    cpu    // from the resume on
}

// backlogOf measures how fast many deliveries are made that wait at once. They are created while notifications are paused:
// a channel that cannot be reached would be tried ever more seldom, and the figure would be about that.
func backlogOf(ctx context.Context, u *under, res *result) error {
	say("%s: %d deliveries that wait", u.what, u.waiting)
	l := u.ledger
	d := drained{before: memoryOf(u.server.pid())}
	if err := u.server.pause(ctx); err != nil {
		return err
	}
	if err := u.fill(ctx, l, alertType); err != nil {
		return err
	}
	d.created, d.early = l.times(0, u.waiting).allAnswered, l.first.Load()
	d.waiting = memoryOf(u.server.pid())

	stop := progress(u.what, func() string { return fmt.Sprintf("%d of %d delivered", l.first.Load(), u.waiting) })
	defer stop()
	before, resumed := u.cpu(), l.now()
	if err := u.server.resume(ctx); err != nil {
		return err
	}
	if err := await(ctx, l.first.Load, int64(u.waiting)); err != nil {
		return err
	}
	d.arrived = l.times(0, u.waiting).allArrived - (resumed - l.called[0])
	d.lost = l.lost(0, u.waiting)
	var err error
	if d.recorded, err = u.awaitRecorded(ctx, u.waiting-d.lost); err != nil {
		return err
	}
	d.allRecorded = l.now() - resumed
	d.cpu = u.cpu().since(before)
	d.after = memoryOf(u.server.pid())
	d.twice = l.again.Load()
	res.backlog = &d
	stop()
	say("%s: %s/s delivered, %s at most", u.what, perSecond(u.waiting-d.lost, d.arrived), megabytes(d.after.peak))
	return u.verdict(u.waiting, d.lost, d.recorded)
}

// fill creates the alerts of a ledger, as many in a call as the API takes, one call after another. OVERLOADED is tried
// again: nothing was stored.
func (u *under) fill(ctx context.Context, led *ledger, kind string) error {
	all := len(led.called)
	var stored atomic.Int64
	defer progress(u.what, func() string { return fmt.Sprintf("%d of %d created", stored.Load(), all) })()
	for from := 0; from < all; {
		to := min(from+maxAtOnce, all)
		inputs := make([]map[string]any, 0, to-from)
		called := led.now()
		for seq := from; seq < to; seq++ {
			led.called[seq] = called
			inputs = append(inputs, map[string]any{"type": kind, "severity": "HIGH", "message": fmt.Sprintf("%s%0*d: waits", marker, seqDigits, seq)})
		}
		err := u.server.create(ctx, inputs)
		if errors.Is(err, errOverloaded) {
			if err := sleep(ctx, overloadedPause); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("creating alerts %d to %d: %w", from, to-1, err)
		}
		answered := led.now()
		for seq := from; seq < to; seq++ {
			led.answered[seq] = answered
		}
		stored.Store(int64(to))
		from = to
	}
	return nil
}
