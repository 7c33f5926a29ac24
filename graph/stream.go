package graph

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql/handler/transport"

	"github.com/rustbucket/alerts/models"
)

// stream makes the operation of ctx, a subscription, send what pick makes of the events behind a position (nil = from now on)
// until the caller leaves. The feed waits for nobody: a caller that reads slowly is served from the table. The channel is for
// gqlgen, which takes one event from it at a time, when it is to make up an answer.
func stream[T any](ctx context.Context, r *Resolver, after *int64, pick func(*models.FeedEvent) (T, bool)) (<-chan T, error) {
	reader, err := r.Feed.Open(ctx, after)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, reader.Close)
	out := make(chan T, 1)
	var wanted []picked[T]
	leave := func() {}
	ctx.Value(subscriptionKey{}).(*subscription).next = func(ctx context.Context) (position int64, hand func(), ok bool) {
		for len(wanted) == 0 {
			leave()
			events, err := reader.Next(ctx)
			switch {
			case ctx.Err() != nil:
				return 0, nil, false
			case models.HasCode(err, models.CursorExpired):
				endWith(ctx, presentError(ctx, err, r.Log))
				return 0, nil, false
			case err != nil: // the database is away: go on where we are when it is back
				r.Log.Warn("a subscription waits for the database", "error", err)
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
			if wanted = pickFrom(events, pick); len(wanted) > 0 {
				leave = r.turns.enter(ctx)
				time.AfterFunc(turnTime, leave) // when the caller reads slowly, others are not to wait for it
			}
		}
		first := wanted[0]
		wanted = wanted[1:]
		return first.position, func() { out <- first.value }, true
	}
	return out, nil
}

// picked is what is wanted of an event.
type picked[T any] struct {
	value    T
	position int64
}

func pickFrom[T any](events []*models.FeedEvent, pick func(*models.FeedEvent) (T, bool)) []picked[T] {
	var wanted []picked[T]
	for _, e := range events {
		if v, ok := pick(e); ok {
			wanted = append(wanted, picked[T]{v, e.Position})
		}
	}
	return wanted
}

// turnTime is how long a subscription may take for the events of one turn before others go on beside it.
const turnTime = 5 * time.Millisecond

// turns bounds how many subscriptions make up their events at a time. All of them hear of an event at the same moment; without
// that, every call to the API stood behind a thousand of them in the queue for the processor.
type turns chan struct{}

func newTurns() turns { return make(turns, max(8, 4*runtime.GOMAXPROCS(0))) }

// enter waits for a turn, or for the end of ctx. The turn may be left more than once.
func (t turns) enter(ctx context.Context) (leave func()) {
	select {
	case t <- struct{}{}:
		return sync.OnceFunc(func() { <-t })
	case <-ctx.Done():
		return func() {}
	}
}

// alertStream sends the alerts of one kind of event.
func alertStream(ctx context.Context, r *Resolver, kind models.FeedEventKind, f *models.AlertFilter) (<-chan *models.Alert, error) {
	return stream(ctx, r, nil, func(e *models.FeedEvent) (*models.Alert, bool) {
		return e.Alert, e.Kind == kind && f.Match(e.Alert)
	})
}

// endWith ends a subscription with an error where the transport can say one; SSE only completes, and AddSubscriptionError
// panics there.
func endWith(ctx context.Context, err error) {
	defer func() { _ = recover() }()
	transport.AddSubscriptionError(ctx, asGraphQL(err))
}
