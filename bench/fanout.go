package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The parts of the fan-out. Alerts of different parts have sequence numbers of different ranges.
const (
	maxProbes     = 100                    // until every subscriber has seen one
	probeEvery    = 100 * time.Millisecond // between two of them
	pacedEvents   = 300                    // alerts at a pace that leaves the machine idle in between
	pacedEvery    = 20 * time.Millisecond
	fanoutCallers = 8
)

// fan is what came of the fan-out.
type fan struct {
	paced  quantiles // from call to arrival at a subscriber, alerts at a steady pace
	burst  quantiles // the same, alerts as fast as the callers can
	took   time.Duration
	alerts int // of the burst
	events int // of the burst, over all subscribers
	missed int
	twice  int64
	memory memory
	cpu    cpu // of the burst
}

// fanoutOf measures subscribers who all see every alert. Nobody is told of these alerts by webhook: the figures are those
// of the subscriptions alone.
func fanoutOf(ctx context.Context, u *under, res *result) error {
	say("%s: %d subscribers, %d alerts at a steady pace, %d from %d callers", u.what, u.subscribers, pacedEvents, u.events, fanoutCallers)
	all, err := u.subscribe(ctx)
	defer closeAll(all)
	if err != nil {
		return err
	}
	counts := func() (n int64) {
		for _, s := range all {
			n += s.seen.Load()
		}
		return n
	}
	l := u.load(1)
	l.notify = false
	if err := u.probe(ctx, l, all); err != nil {
		return err
	}
	base := counts()
	want := base + int64(pacedEvents*u.subscribers)
	defer progress(u.what, func() string {
		return fmt.Sprintf("%d of %d events arrived", counts()-base, (pacedEvents+u.events)*u.subscribers)
	})()
	var f fan
	from, to := maxProbes, maxProbes+pacedEvents
	l.callers, l.every = fanoutCallers, pacedEvery
	if err := u.fanOut(ctx, l, from, to, counts, want); err != nil {
		return err
	}
	f.paced, _, f.missed = gather(u.ledger, all, from, to)

	from, to = to, to+u.events
	want += int64(u.events * u.subscribers)
	l.every = 0
	before := u.cpu()
	if err := u.fanOut(ctx, l, from, to, counts, want); err != nil {
		return err
	}
	f.cpu = u.cpu().since(before)
	f.memory = memoryOf(u.server.pid())
	missed := 0
	f.burst, f.took, missed = gather(u.ledger, all, from, to)
	f.missed += missed
	f.alerts, f.events = u.events, u.events*u.subscribers-missed
	for _, s := range all {
		f.twice += s.again.Load()
		err = errors.Join(err, s.failure())
	}
	res.fanout = &f
	say("%s: %s events/s", u.what, perSecond(f.events, f.took))
	if f.missed > 0 {
		err = errors.Join(err, fmt.Errorf("subscribers missed %d of %d events", f.missed, (pacedEvents+u.events)*u.subscribers))
	}
	return err
}

// subscribe gives the subscribers, who are to be closed also when it fails.
func (u *under) subscribe(ctx context.Context) ([]*subscriber, error) {
	var all []*subscriber
	for i := range u.subscribers {
		s, err := newSubscriber(ctx, u.server, u.ledger)
		if err != nil {
			return all, fmt.Errorf("subscriber %d: %w", i, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// probe creates alerts until every subscriber has seen one and has come to rest: the protocol does not say when a
// subscription has begun.
func (u *under) probe(ctx context.Context, l load, all []*subscriber) error {
	for seq := range maxProbes {
		if _, err := l.send(ctx, u.ledger, seq, seq+1); err != nil {
			return err
		}
		time.Sleep(probeEvery)
		ready := 0
		for _, s := range all {
			if s.at[seq].Load() > 0 {
				ready++
			}
		}
		if ready == len(all) {
			return nil
		}
	}
	return fmt.Errorf("not all of %d subscriptions began within %v", len(all), maxProbes*probeEvery)
}

func (u *under) fanOut(ctx context.Context, l load, from, to int, counts func() int64, want int64) error {
	refused, err := l.send(ctx, u.ledger, from, to)
	if err != nil {
		return err
	}
	if refused > 0 {
		return fmt.Errorf("%d of %d alerts were refused: %w", refused, to-from, errOverloaded)
	}
	return await(ctx, counts, want)
}

// gather looks for a range of alerts at every subscriber.
func gather(l *ledger, all []*subscriber, from, to int) (_ quantiles, took time.Duration, missed int) {
	samples := make([]time.Duration, 0, len(all)*(to-from))
	first, last := l.called[from], time.Duration(0)
	for seq := from; seq < to; seq++ {
		first = min(first, l.called[seq])
		for _, s := range all {
			at := time.Duration(s.at[seq].Load())
			if at == 0 {
				missed++
				continue
			}
			samples = append(samples, at-l.called[seq])
			last = max(last, at)
		}
	}
	return newQuantiles(samples), last - first, missed
}
