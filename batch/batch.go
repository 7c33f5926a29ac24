// Package batch gathers concurrent calls, so that what they all wait for is done once for many.
//
// It promises: a call is answered when its batch has been worked on, and never before; what waits is bounded, and who comes
// beyond that hears so at once; when it stops, everything that was accepted is answered.
package batch

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rustbucket/alerts/models"
)

// Options say how calls are gathered.
type Options[In, Out any] struct {
	// Work does what a batch asks for, and gives one answer for each call, in their order.
	Work func(ctx context.Context, batch []In) ([]Out, []error)
	What string       // what the calls bring, in the plural: "alerts"
	Size func(In) int // of a call, at least 1
	Max  int          // size of one batch; a larger call is a batch of its own
	Room int          // size of all that waits
	// Apart is the least time from the beginning of one batch to that of the next; 0 = none, so that a lone call waits for nobody.
	Apart time.Duration
}

// Batcher gathers concurrent calls into batches: while one batch is worked on, the next gathers.
type Batcher[In, Out any] struct {
	o       Options[In, Out]
	waiting atomic.Int64 // what waits now
	calls   chan *call[In, Out]
	idle    chan struct{} // closed when Run has ended
}

type call[In, Out any] struct {
	ctx  context.Context
	in   In
	done chan answer[Out]
}

type answer[Out any] struct {
	out Out
	err error
}

// New makes a batcher. It does nothing before Run.
func New[In, Out any](o Options[In, Out]) *Batcher[In, Out] {
	return &Batcher[In, Out]{o: o, calls: make(chan *call[In, Out], o.Room), idle: make(chan struct{})}
}

// Do hands a call to the next batch and waits for its answer. OVERLOADED when too much waits already: then nothing was
// done. When ctx ends first, the call may still be carried out.
func (b *Batcher[In, Out]) Do(ctx context.Context, in In) (Out, error) {
	var none Out
	size := int64(b.o.Size(in))
	if b.waiting.Add(size) > int64(b.o.Room) {
		b.waiting.Add(-size)
		return none, &models.Error{Code: models.Overloaded, Message: "too many " + b.o.What + " are waiting to be stored: nothing was stored, try again in a second"}
	}
	c := &call[In, Out]{ctx: ctx, in: in, done: make(chan answer[Out], 1)}
	b.calls <- c // has room: every call counts at least 1
	select {
	case a := <-c.done:
		return a.out, a.err
	case <-ctx.Done():
		return none, ctx.Err()
	case <-b.idle:
		// Answered just before the end, or never taken.
		select {
		case a := <-c.done:
			return a.out, a.err
		default:
			return none, &models.Error{Code: models.Overloaded, Message: "the server is stopping: nothing was stored, try again"}
		}
	}
}

// Run works on batches until stop is closed and nothing waits any more. ctx is for the work itself.
func (b *Batcher[In, Out]) Run(ctx context.Context, stop <-chan struct{}) {
	defer close(b.idle)
	var began time.Time
	for {
		select {
		case c := <-b.calls:
			pause(stop, time.Until(began.Add(b.o.Apart)))
			began = time.Now()
			b.batch(ctx, c)
		case <-stop:
			for {
				select {
				case c := <-b.calls:
					b.batch(ctx, c)
				default:
					return
				}
			}
		}
	}
}

// pause waits, but not when stop is closed.
func pause(stop <-chan struct{}, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-stop:
	}
}

// batch works on the first call and all that have gathered behind it.
func (b *Batcher[In, Out]) batch(ctx context.Context, first *call[In, Out]) {
	calls := []*call[In, Out]{first}
	size := b.o.Size(first.in)
	for more := true; more && size < b.o.Max; {
		select {
		case c := <-b.calls:
			calls = append(calls, c)
			size += b.o.Size(c.in)
		default:
			more = false
		}
	}
	b.waiting.Add(-int64(size))
	batch := make([]In, 0, len(calls))
	taken := calls[:0]
	for _, c := range calls {
		if c.ctx.Err() == nil { // nobody waits for the others any more
			batch, taken = append(batch, c.in), append(taken, c)
		}
	}
	if len(batch) == 0 {
		return
	}
	outs, errs := b.o.Work(ctx, batch)
	for i, c := range taken {
		if errs[i] != nil {
			c.done <- answer[Out]{err: errs[i]}
		} else {
			c.done <- answer[Out]{out: outs[i]}
		}
	}
}
