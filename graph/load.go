package graph

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"

	"github.com/rustbucket/alerts/models"
)

// loads reads what the fields of one answer need in as many queries as the query has levels, not as it has rows. Whoever
// reads a list says which keys its children will ask for; the first child that asks reads them all. There is no timer, as
// there is in the usual data loader: the number of queries is the same every time.
type loads struct {
	deliveries lookup[int64, []*models.Delivery]        // by alert
	attempts   lookup[int64, []*models.DeliveryAttempt] // by delivery
	histories  lookup[int64, []*models.AlertEvent]      // by alert
	alerts     lookup[int64, *models.Alert]
	channels   lookup[int64, *models.Channel]       // that are deleted; the others are in memory
	healths    lookup[int64, *models.ChannelHealth] // by channel
	silences   lookup[int64, *models.Silence]
	silenced   lookup[int64, int] // how many alerts, by silence

	rustbuckets lookup[string, *models.Rustbucket]
	openAlerts  lookup[string, int] // by rustbucket
}

func (r *Resolver) newLoads() *loads {
	l := new(loads)
	l.deliveries.fetch = func(ctx context.Context, alertIDs []int64) (map[int64][]*models.Delivery, error) {
		byAlert, err := r.Store.DeliveriesOfAlerts(ctx, alertIDs)
		for _, deliveries := range byAlert {
			l.expectOf(r, deliveries)
		}
		return byAlert, err
	}
	l.attempts.fetch = r.Store.AttemptsOfDeliveries
	l.histories.fetch = r.Store.Histories
	l.alerts.fetch = func(ctx context.Context, ids []int64) (map[int64]*models.Alert, error) {
		alerts, err := r.Store.AlertsByID(ctx, ids)
		for _, a := range alerts {
			l.expectAbout(a)
		}
		return alerts, err
	}
	l.channels.fetch = r.Store.ChannelsByID
	l.healths.fetch = r.Store.Healths
	l.silences.fetch = func(ctx context.Context, ids []int64) (map[int64]*models.Silence, error) {
		for _, id := range ids {
			l.silenced.expect(id)
		}
		return r.Store.SilencesByID(ctx, ids)
	}
	l.silenced.fetch = r.Store.SilencedAlerts
	l.rustbuckets.fetch = r.Store.RustbucketsByID
	l.openAlerts.fetch = r.Store.OpenAlertsOf
	return l
}

// expectAbout says that what there is about an alert may be asked for.
func (l *loads) expectAbout(a *models.Alert) {
	l.deliveries.expect(a.ID)
	l.histories.expect(a.ID)
	if a.SilenceID != nil {
		l.silences.expect(*a.SilenceID)
	}
	l.expectRustbucket(a.Rustbucket)
}

// expectRustbucket says that the fields of this rustbucket may be asked for; nil = there is none.
func (l *loads) expectRustbucket(b *models.Rustbucket) {
	if b == nil {
		return
	}
	l.openAlerts.expect(b.ID)
	if b.CreatedAt.IsZero() {
		l.rustbuckets.expect(b.ID)
	}
}

// rustbucket gives all that is known of a rustbucket that something is about.
func (r *Resolver) rustbucket(ctx context.Context, b *models.Rustbucket) (*models.Rustbucket, error) {
	if !b.CreatedAt.IsZero() {
		return b, nil
	}
	known, err := r.loads(ctx).rustbuckets.get(ctx, b.ID)
	if err == nil && known == nil {
		err = models.Missing("rustbucket", b.ID)
	}
	return known, err
}

// expectOf says that the fields of these deliveries may be asked for.
func (l *loads) expectOf(r *Resolver, deliveries []*models.Delivery) {
	for _, d := range deliveries {
		l.attempts.expect(d.ID)
		l.alerts.expect(d.AlertID)
		l.healths.expect(d.ChannelID)
		if r.Directory.Get(d.ChannelID) == nil {
			l.channels.expect(d.ChannelID)
		}
	}
}

type lookup[K comparable, V any] struct {
	fetch func(ctx context.Context, keys []K) (map[K]V, error)

	mu       sync.Mutex
	expected map[K]struct{}
	found    map[K]V
}

func (l *lookup[K, V]) expect(key K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.found[key]; ok {
		return
	}
	if l.expected == nil {
		l.expected = make(map[K]struct{})
	}
	l.expected[key] = struct{}{}
}

// get gives what stands under a key, the zero value when nothing does. Others that ask meanwhile wait for the same read.
func (l *lookup[K, V]) get(ctx context.Context, key K) (V, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v, ok := l.found[key]; ok {
		return v, nil
	}
	keys := []K{key}
	for k := range l.expected {
		if k != key {
			keys = append(keys, k)
		}
	}
	read, err := l.fetch(ctx, keys)
	if err != nil {
		var none V
		return none, err
	}
	if l.found == nil {
		l.found = make(map[K]V, len(keys))
	}
	for _, k := range keys {
		l.found[k] = read[k]
	}
	l.expected = nil
	return l.found[key], nil
}

type loadsKey struct{}

func (r *Resolver) loads(ctx context.Context) *loads {
	if l, ok := ctx.Value(loadsKey{}).(*loads); ok {
		return l
	}
	return r.newLoads()
}

// loadPerResponse gives every event of a subscription loads of its own.
func (r *Resolver) loadPerResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	return next(context.WithValue(ctx, loadsKey{}, r.newLoads()))
}

// loadPerRootField gives every root field loads of its own: a mutation must not see what was read before the one ahead of it.
func (r *Resolver) loadPerRootField(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	return next(context.WithValue(ctx, loadsKey{}, r.newLoads()))
}

// channel gives a channel, deleted ones too.
func (r *Resolver) channel(ctx context.Context, id int64) (*models.Channel, error) {
	if c := r.Directory.Get(id); c != nil {
		return c, nil
	}
	c, err := r.loads(ctx).channels.get(ctx, id)
	if err == nil && c == nil {
		err = models.Missing("channel", id)
	}
	return c, err
}

// expectHealths says that the healths of these channels may be asked for.
func (r *Resolver) expectHealths(ctx context.Context, channels []*models.Channel) {
	l := r.loads(ctx)
	for _, c := range channels {
		l.healths.expect(c.ID)
	}
}

// decisions shows decisions, and says that their channels may be asked for.
func (r *Resolver) decisions(ctx context.Context, decisions models.Decisions) []*models.RoutingDecision {
	l := r.loads(ctx)
	shown := make([]*models.RoutingDecision, len(decisions))
	for i, d := range decisions {
		shown[i] = &d
		l.healths.expect(d.ChannelID)
		if r.Directory.Get(d.ChannelID) == nil {
			l.channels.expect(d.ChannelID)
		}
	}
	return shown
}
