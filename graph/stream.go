package graph

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql/handler/transport"

	"github.com/rustbucket/alerts/models"
)

// stream sends what pick makes of the events behind a position (nil = from now on) until the caller leaves. The feed waits
// for nobody: a caller that reads slowly is served from the table.
func stream[T any](ctx context.Context, r *Resolver, after *int64, pick func(*models.FeedEvent) (T, bool)) (<-chan T, error) {
	reader, err := r.Feed.Open(ctx, after)
	if err != nil {
		return nil, err
	}
	out := make(chan T)
	go func() {
		defer close(out)
		defer reader.Close()
		slow := time.NewTimer(0)
		defer slow.Stop()
		for {
			events, err := reader.Next(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case models.HasCode(err, models.CursorExpired):
				endWith(ctx, presentError(ctx, err, r.Log))
				return
			case err != nil: // the database is away: go on where we are when it is back
				r.Log.Warn("a subscription waits for the database", "error", err)
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
			wanted := picked(events, pick)
			if len(wanted) == 0 {
				continue
			}
			leave := r.turns.enter(ctx)
			slow.Reset(turnTime)
			for _, v := range wanted {
				select {
				case out <- v:
					continue
				case <-slow.C: // the caller reads slowly: others are not to wait for it
					leave()
				case <-ctx.Done():
				}
				select {
				case out <- v:
				case <-ctx.Done():
					leave()
					return
				}
			}
			leave()
		}
	}()
	return out, nil
}

func picked[T any](events []*models.FeedEvent, pick func(*models.FeedEvent) (T, bool)) []T {
	var wanted []T
	for _, e := range events {
		if v, ok := pick(e); ok {
			wanted = append(wanted, v)
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
