package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// The pace of the channel that is measured, and what its neighbours do.
const (
	steadyEvery    = 10 * time.Millisecond
	steadyCallers  = 32                    // so many that one slow call does not hold up the pace
	trickleEvery   = 50 * time.Millisecond // alerts for the hung channel, and for the failing one
	trickleCallers = 8
	hangTime       = 30 * time.Second       // longer than the server waits
	slowAnswer     = 100 * time.Millisecond // so that what waits lasts for longer than the measurement
	settleTime     = 2 * time.Second
	leaveTimeout   = 15 * time.Second
)

// The neighbours, in their order.
const (
	hung = iota
	failing
	slow
	badOnes
)

// neighbourhood is what came of a good channel beside bad ones.
type neighbourhood struct {
	before, with, again   quantiles    // from call to arrival on the good channel
	without               quantiles    // before and again together
	refused               int          // OVERLOADED
	waiting, stillWaiting [badOnes]int // deliveries, at the beginning and at the end of the part with neighbours
	lost                  int
	twice                 int64
	memoryBefore, memory  memory // after the first part, after that with neighbours
}

// neighbour is a bad channel with a receiver of its own. Its name is also the type of the alerts that it alone is told about.
type neighbour struct {
	name     string
	channel  string
	receiver *receiver
	ledger   *ledger
}

// neighboursOf measures a good channel at a steady pace: alone, beside three bad ones, and alone again, on one server. The
// two parts alone show how much the machine varies by itself.
func neighboursOf(ctx context.Context, u *under, res *result) error {
	say("%s: %d alerts at a steady pace for a good channel, three times, with %d deliveries waiting beside it", u.what, u.steady, u.waiting)
	var n neighbourhood
	// Sequence numbers: the parts without neighbours stand together, so that they can be looked at together.
	before, again, with := warmUp, warmUp+u.steady, warmUp+2*u.steady
	if err := u.steadily(ctx, &n, "to warm up", 0, warmUp); err != nil {
		return err
	}
	if err := u.steadily(ctx, &n, "without neighbours", before, u.steady); err != nil {
		return err
	}
	n.memoryBefore = memoryOf(u.server.pid())
	all, err := u.moveIn(ctx)
	defer closeNeighbours(all)
	if err != nil {
		return err
	}
	if err := u.besides(ctx, &n, all, with); err != nil {
		return err
	}
	if err := u.moveOut(ctx, all); err != nil {
		return err
	}
	if err := u.steadily(ctx, &n, "without neighbours again", again, u.steady); err != nil {
		return err
	}
	l := u.ledger
	n.before, n.again = l.times(before, before+u.steady).arrival, l.times(again, again+u.steady).arrival
	n.without, n.with = l.times(before, before+2*u.steady).arrival, l.times(with, with+u.steady).arrival
	n.lost, n.twice = l.lost(0, len(l.called)), l.again.Load()
	res.neighbours = &n
	say("%s: call to arrival p99 %s without, %s with, %s without again", u.what, show(n.before.p99), show(n.with.p99), show(n.again.p99))
	if n.lost > 0 {
		err = fmt.Errorf("%d acknowledged alerts for the good channel did not arrive", n.lost)
	}
	return errors.Join(err, u.accountFor(ctx, all))
}

// besides measures the good channel while the bad ones have alerts to be told about.
func (u *under) besides(ctx context.Context, n *neighbourhood, all []*neighbour, from int) (err error) {
	if err := u.fill(ctx, all[slow].ledger, all[slow].name); err != nil {
		return err
	}
	ended := u.trickle(ctx, all[hung], all[failing])
	defer func() { err = errors.Join(err, ended()) }()
	for n.waiting[hung] == 0 || n.waiting[failing] == 0 { // later than that when the machine has stood still
		if err := sleep(ctx, settleTime); err != nil {
			return err
		}
		if n.waiting, err = u.waitingOn(ctx, all); err != nil {
			return err
		}
	}
	if err := u.steadily(ctx, n, "with neighbours", from, u.steady); err != nil {
		return err
	}
	n.memory = memoryOf(u.server.pid())
	n.stillWaiting, err = u.waitingOn(ctx, all)
	return err
}

// steadily sends alerts at the pace and waits until they have arrived.
func (u *under) steadily(ctx context.Context, n *neighbourhood, how string, from, count int) error {
	say("%s: %d alerts %s", u.what, count, how)
	l := u.load(steadyCallers)
	l.every = steadyEvery
	arrived := u.ledger.first.Load
	base := arrived()
	defer progress(u.what, func() string { return fmt.Sprintf("%d of %d delivered", arrived()-base, count) })()
	refused, err := l.send(ctx, u.ledger, from, from+count)
	if err != nil {
		return err
	}
	n.refused += refused
	return await(ctx, arrived, base+int64(count-refused))
}

// moveIn makes the bad channels. Those that were made are given also when it fails.
func (u *under) moveIn(ctx context.Context) ([]*neighbour, error) {
	trickled := max(1, int((settleTime+time.Duration(u.steady)*steadyEvery)/trickleEvery))
	var all []*neighbour
	for _, c := range [badOnes]struct {
		name   string
		alerts int
		after  time.Duration
		answer string
	}{
		hung:    {"hung", trickled, hangTime, receiverSilent},
		failing: {"failing", trickled, 0, receiverFails},
		slow:    {"slow", u.waiting, slowAnswer, receiverAnswer},
	} {
		r, err := startReceiver()
		if err != nil {
			return all, err
		}
		n := &neighbour{name: c.name, receiver: r, ledger: newLedger(c.alerts)}
		all = append(all, n)
		r.note(n.ledger, func([]byte) (time.Duration, string) { return c.after, c.answer })
		if n.channel, err = u.server.createChannel(ctx, n.name, r.url(), n.name); err != nil {
			return all, err
		}
	}
	return all, nil
}

// trickle begins to send the alerts of these neighbours at their pace; ended waits until all are sent.
func (u *under) trickle(ctx context.Context, all ...*neighbour) (ended func() error) {
	errs := make([]error, len(all))
	var senders sync.WaitGroup
	for i, n := range all {
		l := u.load(trickleCallers)
		l.kind, l.every = n.name, trickleEvery
		senders.Go(func() {
			if _, err := l.send(ctx, n.ledger, 0, len(n.ledger.called)); err != nil {
				errs[i] = fmt.Errorf("alerts for the %s neighbour: %w", n.name, err)
			}
		})
	}
	return func() error { senders.Wait(); return errors.Join(errs...) }
}

// waitingOn counts what waits on each neighbour.
func (u *under) waitingOn(ctx context.Context, all []*neighbour) (waiting [badOnes]int, err error) {
	for i, n := range all {
		if waiting[i], err = u.server.count(ctx, n.channel, pending); err != nil {
			return waiting, err
		}
	}
	return waiting, nil
}

// moveOut takes the bad channels out of use and waits until nothing waits on them any more, or for long enough: an attempt
// that failed while its channel was being deactivated may leave a delivery waiting for the next one, which harms nobody.
func (u *under) moveOut(ctx context.Context, all []*neighbour) error {
	say("%s: deactivating the neighbours", u.what)
	for _, n := range all {
		if err := u.server.deactivate(ctx, n.channel); err != nil {
			return err
		}
	}
	closeNeighbours(all) // what hangs ends now
	for deadline := time.Now().Add(leaveTimeout); ; {
		waiting, err := u.waitingOn(ctx, all)
		if err != nil {
			return err
		}
		if gone := waiting == [badOnes]int{}; gone || time.Now().After(deadline) {
			if !gone {
				say("%s: %s deliveries still wait on the deactivated channels", u.what, counts(waiting))
			}
			return sleep(ctx, settleTime)
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// accountFor is an error when a neighbour has not as many deliveries as there were alerts for it.
func (u *under) accountFor(ctx context.Context, all []*neighbour) error {
	var errs []error
	for _, n := range all {
		acknowledged := 0
		for _, at := range n.ledger.answered {
			if at > 0 {
				acknowledged++
			}
		}
		if stored, err := u.server.count(ctx, n.channel); err != nil {
			errs = append(errs, err)
		} else if stored != acknowledged {
			errs = append(errs, fmt.Errorf("the %s neighbour has %d deliveries for %d acknowledged alerts", n.name, stored, acknowledged))
		}
	}
	return errors.Join(errs...)
}

// closeNeighbours closes their receivers; that may be done twice.
func closeNeighbours(all []*neighbour) {
	for _, n := range all {
		n.receiver.close()
	}
}
