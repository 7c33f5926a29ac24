// Package graph is the GraphQL API: it checks what callers send, translates it into models, calls the rooms that do the
// work, and shows what they answer. It keeps nothing and decides nothing that is not about the API itself.
package graph

import (
	"context"
	"log/slog"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/dispatch"
	"github.com/rustbucket/alerts/feed"
	"github.com/rustbucket/alerts/heartbeat"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// Resolver is what the resolvers work with.
type Resolver struct {
	Store      *store.Store
	Directory  *dispatch.Directory
	Intake     *dispatch.Intake
	Dispatcher *dispatch.Dispatcher
	Heartbeats *heartbeat.Monitor
	Feed       *feed.Feed
	Doorman    *access.Doorman
	Log        *slog.Logger

	turns         turns    // of subscriptions
	answers       *answers // of subscriptions
	subscriptions *access.Crowd
	PublicURL     string              // as in notifiers.Settings
	Around        models.Surroundings // what channels are warned about
}

// channelsChanged makes the next alert, and what waits on these channels, see a change of them. The change itself is stored
// already: when it cannot be read back now, the directory tries again by itself, and the caller is not told that something
// failed.
func (r *Resolver) channelsChanged(ctx context.Context, ids ...int64) {
	if err := r.Directory.Refresh(ctx); err != nil {
		r.Log.Warn("a change of the channels was stored but could not be read back", "error", err)
		r.Directory.Changed()
	}
	r.Dispatcher.Wake(ids)
}
