package dispatch

import (
	"context"
	"sync/atomic"

	"github.com/rustbucket/alerts/models"
)

// batcher gathers concurrent calls into batches: while one batch is worked on, the next gathers. There is no timer, so a
// lone call waits for nobody.
type batcher[In, Out any] struct {
	work    func(ctx context.Context, batch []In) ([]Out, []error) // one answer for each call, in their order
	size    func(In) int
	maxSize int          // of one batch, in what size counts; a larger call is a batch of its own
	room    int64        // of all that waits, in what size counts
	waiting atomic.Int64 // what waits now
	calls   chan *call[In, Out]
	idle    chan struct{} // closed when run has ended
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

func newBatcher[In, Out any](maxSize, room int, size func(In) int, work func(context.Context, []In) ([]Out, []error)) *batcher[In, Out] {
	return &batcher[In, Out]{
		work: work, size: size, maxSize: maxSize, room: int64(room),
		calls: make(chan *call[In, Out], room), idle: make(chan struct{}),
	}
}

// do hands a call to the next batch and waits for its answer. OVERLOADED when too much waits already: then nothing was
// done. When ctx ends first, the call may still be carried out.
func (b *batcher[In, Out]) do(ctx context.Context, in In) (Out, error) {
	var none Out
	size := int64(b.size(in))
	if b.waiting.Add(size) > b.room {
		b.waiting.Add(-size)
		return none, &models.Error{Code: models.Overloaded, Message: "too many alerts are waiting to be stored: nothing was stored, try again in a second"}
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

// run works on batches until stop is closed and nothing waits any more. ctx is for the work itself.
func (b *batcher[In, Out]) run(ctx context.Context, stop <-chan struct{}) {
	defer close(b.idle)
	for {
		select {
		case c := <-b.calls:
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

// batch works on the first call and all that have gathered behind it.
func (b *batcher[In, Out]) batch(ctx context.Context, first *call[In, Out]) {
	calls := []*call[In, Out]{first}
	size := b.size(first.in)
	for more := true; more && size < b.maxSize; {
		select {
		case c := <-b.calls:
			calls = append(calls, c)
			size += b.size(c.in)
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
	outs, errs := b.work(ctx, batch)
	for i, c := range taken {
		if errs[i] != nil {
			c.done <- answer[Out]{err: errs[i]}
		} else {
			c.done <- answer[Out]{out: outs[i]}
		}
	}
}
