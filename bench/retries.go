package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Every tenth alert is refused once, by its number. The callers create alerts in about the order of their numbers, so that
// successes lie between any two failures: a server that takes a channel out of service after some failures in a row, as
// ours does after five, never does so here.
const (
	refuseEvery  = 10
	retryCallers = 8
	firstPause   = 5 * time.Second // before the second attempt, varied by a fifth: docs/delivery.md
)

// retried is what came of alerts whose first attempt was refused now and then.
type retried struct {
	accepted    int
	refused     int // alerts whose first attempt was refused
	attempts    int64
	pause       quantiles // from a refused attempt to the arrival
	recorded    int
	allRecorded time.Duration // from the first call until the server showed all as DELIVERED
	lost        int
	twice       int64
}

// flaky refuses the first attempt for some alerts, and counts attempts.
type flaky struct {
	ledger   *ledger
	refused  []atomic.Int64 // when each was refused, in time since the ledger's start; 0 = never
	attempts atomic.Int64
}

func newFlaky(l *ledger) *flaky {
	return &flaky{ledger: l, refused: make([]atomic.Int64, len(l.called))}
}

// treat is the receiver's manner.
func (f *flaky) treat(message []byte) (time.Duration, string) {
	f.attempts.Add(1)
	seq, ok := seqIn(message)
	if ok && seq < len(f.refused) && seq%refuseEvery == refuseEvery-1 && f.refused[seq].CompareAndSwap(0, int64(f.ledger.now())) {
		return 0, receiverBusy
	}
	return 0, receiverAnswer
}

// pauses gives the times from a refused attempt to the arrival, and the number of refused ones.
func (f *flaky) pauses() (quantiles, int) {
	var samples []time.Duration
	refused := 0
	for seq := range f.refused {
		at := f.refused[seq].Load()
		if at == 0 {
			continue
		}
		refused++
		if arrived := f.ledger.arrived[seq].Load(); arrived > 0 {
			samples = append(samples, time.Duration(arrived-at))
		}
	}
	return newQuantiles(samples), refused
}

// retriesOf measures how failed attempts are made up for.
func retriesOf(ctx context.Context, u *under, res *result) error {
	say("%s: %d alerts from %d callers, the first attempt of every %dth is refused", u.what, u.retried, retryCallers, refuseEvery)
	l := u.ledger
	f := newFlaky(l)
	u.receiver.note(l, f.treat)
	stop := progress(u.what, func() string { return fmt.Sprintf("%d of %d delivered", l.first.Load(), u.retried) })
	defer stop()
	overloaded, err := u.load(retryCallers).send(ctx, l, 0, u.retried)
	if err != nil {
		return err
	}
	r := retried{accepted: u.retried - overloaded}
	if err := await(ctx, l.first.Load, int64(r.accepted)); err != nil {
		return err
	}
	r.lost = l.lost(0, u.retried)
	if r.recorded, err = u.awaitRecorded(ctx, r.accepted-r.lost); err != nil {
		return err
	}
	r.allRecorded = l.now() - l.called[0]
	r.pause, r.refused = f.pauses()
	r.attempts, r.twice = f.attempts.Load(), l.again.Load()
	res.retries = &r
	stop()
	say("%s: %d refused once, all recorded after %.1f s", u.what, r.refused, r.allRecorded.Seconds())
	return u.verdict(r.accepted, r.lost, r.recorded)
}
