package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// straight measures the same callers sending straight to the receiver, with nothing between them. Both are in this
// process, so no call wakes another one: it is a ceiling for the bench itself, which no server can come near.
func (b *bench) straight(ctx context.Context) (baseline, error) {
	say("straight: %d callers to the receiver, no server between", b.callers)
	one := newLedger(warmUp + b.single)
	many := newLedger(b.alerts)
	to := load{addr: b.receiver.addr(), path: receiverPath, kind: alertType, accept: taken, notify: true}
	for _, l := range []struct {
		*ledger
		callers int
	}{{one, 1}, {many, b.callers}} {
		b.receiver.note(l.ledger, nil)
		to.callers = l.callers
		if _, err := to.send(ctx, l.ledger, 0, len(l.called)); err != nil {
			return baseline{}, fmt.Errorf("sending straight to the receiver: %w", err)
		}
		if n := l.lost(0, len(l.called)); n > 0 {
			return baseline{}, fmt.Errorf("the receiver missed %d of %d messages sent straight to it", n, len(l.called))
		}
	}
	return baseline{one: one.times(warmUp, warmUp+b.single), many: many.times(0, b.alerts)}, nil
}

// latencyOf measures one caller, one call after another.
func latencyOf(ctx context.Context, u *under, res *result) error {
	say("%s: %d alerts one after another, after %d to warm up", u.what, u.single, warmUp)
	all := warmUp + u.single
	defer progress(u.what, func() string { return fmt.Sprintf("%d of %d delivered", u.ledger.first.Load(), all) })()
	for _, part := range [][2]int{{0, warmUp}, {warmUp, all}} {
		if _, err := u.load(1).send(ctx, u.ledger, part[0], part[1]); err != nil {
			return err
		}
		if err := await(ctx, u.ledger.first.Load, int64(part[1])); err != nil {
			return err
		}
	}
	if n := u.ledger.lost(0, all); n > 0 {
		return fmt.Errorf("%d of %d acknowledged alerts did not arrive", n, all)
	}
	t := u.ledger.times(warmUp, all)
	res.latency = &t
	say("%s: call to arrival p50 %s, p99 %s", u.what, show(t.arrival.p50), show(t.arrival.p99))
	return nil
}

// flood is what came of many alerts from many callers.
type flood struct {
	times
	accepted    int // acknowledged
	refused     int // OVERLOADED
	lost        int
	twice       int64
	recorded    int           // deliveries that the server shows as DELIVERED
	allRecorded time.Duration // from the first call until the server showed them
	memory      memory
	cpu         cpu
}

// throughputOf measures many callers at once, and looks for every alert.
func throughputOf(ctx context.Context, u *under, res *result) error {
	say("%s: %d alerts from %d callers", u.what, u.alerts, u.callers)
	l := u.ledger
	before := u.cpu()
	stop := progress(u.what, func() string { return fmt.Sprintf("%d of %d delivered", l.first.Load(), u.alerts) })
	defer stop()
	refused, err := u.load(u.callers).send(ctx, l, 0, u.alerts)
	if err != nil {
		return err
	}
	accepted := int64(u.alerts - refused)
	if err := await(ctx, l.first.Load, accepted); err != nil {
		return err
	}
	f := flood{accepted: int(accepted), refused: refused, times: l.times(0, u.alerts), lost: l.lost(0, u.alerts)}
	if f.recorded, err = u.awaitRecorded(ctx, f.accepted-f.lost); err != nil {
		return err
	}
	f.allRecorded = l.now() - l.called[0]
	f.cpu = u.cpu().since(before)
	f.memory = memoryOf(u.server.pid())
	f.twice = l.again.Load()
	res.throughput = &f
	stop()
	say("%s: %s alerts/s accepted, %s/s delivered, %s resident", u.what,
		perSecond(f.accepted, f.allAnswered), perSecond(f.accepted-f.lost, f.allArrived), megabytes(f.memory.resident))
	return u.verdict(f.accepted, f.lost, f.recorded)
}

// awaitRecorded waits until the API shows so many deliveries of the channel as DELIVERED, and gives the number that it shows.
func (u *under) awaitRecorded(ctx context.Context, want int) (int, error) {
	for deadline := time.Now().Add(stallTimeout); ; {
		n, err := u.server.count(ctx, u.channel, delivered)
		if err != nil || n >= want || time.Now().After(deadline) {
			return n, err
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return n, err
		}
	}
}

// verdict is an error when the server has broken its promise for the alerts of the ledger.
func (u *under) verdict(accepted, lost, recorded int) error {
	var errs []error
	if lost > 0 {
		errs = append(errs, fmt.Errorf("%d of %d acknowledged alerts did not arrive", lost, accepted))
	}
	if strange := u.ledger.strange.Load(); strange > 0 {
		errs = append(errs, fmt.Errorf("%d messages arrived that belong to no alert", strange))
	}
	if recorded != accepted {
		errs = append(errs, fmt.Errorf("%d deliveries are recorded as DELIVERED for %d acknowledged alerts", recorded, accepted))
	}
	return errors.Join(errs...)
}
