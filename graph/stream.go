package graph

import (
	"context"
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
			for _, e := range events {
				v, ok := pick(e)
				if !ok {
					continue
				}
				select {
				case out <- v:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out, nil
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
