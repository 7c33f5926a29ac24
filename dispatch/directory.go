package dispatch

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rustbucket/alerts/metrics"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// rereadChannels is how often the channels are read again in case a notification of another process was lost.
const rereadChannels = 15 * time.Second

// Directory keeps the channels, their states, the silences and the pause of all notifications in memory, so that an alert is
// matched without asking the database. What is in it is never changed, only replaced.
type Directory struct {
	store *store.Store
	log   *slog.Logger
	mu    sync.Mutex // one change at a time: an older read never replaces a newer one
	now   atomic.Pointer[snapshot]
	told  chan struct{}
}

type snapshot struct {
	all    []*models.Channel // newest first, none deleted
	byID   map[int64]*models.Channel
	states map[int64]*models.ChannelState
	pause  *models.Pause

	silences *models.Silences // that are not over
	revision int64            // of the silences and the pause
	read     time.Time
}

// rules is what decides who is told of an alert, all of it as it was read at one time.
type rules struct {
	channels []*models.Channel
	silences *models.Silences
	pause    *models.Pause // nil unless it holds now
	now      time.Time
	revision int64
}

// NewDirectory makes an empty directory: call Refresh before its first use.
func NewDirectory(s *store.Store, log *slog.Logger) *Directory {
	d := &Directory{store: s, log: log, told: make(chan struct{}, 1)}
	d.now.Store(&snapshot{})
	return d
}

// All gives the channels that are not deleted, newest first. The slice must not be changed.
func (d *Directory) All() []*models.Channel { return d.now.Load().all }

// Get gives a channel, or nil when there is none or it was deleted.
func (d *Directory) Get(id int64) *models.Channel { return d.now.Load().byID[id] }

// typeOf gives the type of a channel, or "" when there is none or it was deleted.
func (d *Directory) typeOf(id int64) models.ChannelType {
	if c := d.Get(id); c != nil {
		return c.Type()
	}
	return ""
}

// State gives what is known of how a channel fares; never nil. It may be a little old: only the database knows for sure.
func (d *Directory) State(id int64) *models.ChannelState {
	if s := d.now.Load().states[id]; s != nil {
		return s
	}
	return &models.ChannelState{ChannelID: id, Health: models.HealthOK}
}

// Pause gives the pause of all notifications that holds now, or nil.
func (d *Directory) Pause() *models.Pause {
	if p := d.now.Load().pause; p != nil {
		return p.At(d.store.Now())
	}
	return nil
}

// rules gives what decides now who is told of an alert.
func (d *Directory) rules() rules {
	s, now := d.now.Load(), d.store.Now()
	return rules{channels: s.all, silences: s.silences, pause: s.pause.At(now), now: now, revision: s.revision}
}

// Refresh reads everything. Whoever changes it calls this before answering, so that the next alert sees the change.
func (d *Directory) Refresh(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.refresh(ctx)
}

// refreshOlder reads everything unless that was done since a moment.
func (d *Directory) refreshOlder(ctx context.Context, since time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.now.Load().read.After(since) {
		return nil
	}
	return d.refresh(ctx)
}

func (d *Directory) refresh(ctx context.Context) error {
	next := &snapshot{read: time.Now()}
	silences, revision, err := d.store.LiveSilences(ctx) // first: what the revision stands for is not older than it
	if err != nil {
		return err
	}
	next.silences, next.revision = models.NewSilences(silences), revision
	if next.all, err = d.store.Channels(ctx); err != nil {
		return err
	}
	if next.states, err = d.store.States(ctx); err != nil {
		return err
	}
	if next.pause, err = d.store.Pause(ctx); err != nil {
		return err
	}
	next.byID = make(map[int64]*models.Channel, len(next.all))
	for _, c := range next.all {
		next.byID[c.ID] = c
	}
	d.now.Store(next)
	return nil
}

// observed notes states that this process has just stored.
func (d *Directory) observed(states []*models.ChannelState) {
	if len(states) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	next := *d.now.Load()
	next.states = maps.Clone(next.states)
	for _, s := range states {
		next.states[s.ChannelID] = s
	}
	d.now.Store(&next)
}

// Healths counts the active channels by type and health, for the metrics. The states come from the database.
func (d *Directory) Healths(ctx context.Context) (map[metrics.ChannelGroup]int, error) {
	states, err := d.store.States(ctx)
	if err != nil {
		return nil, err
	}
	n := make(map[metrics.ChannelGroup]int)
	for _, c := range d.All() {
		if s := states[c.ID]; s != nil && c.IsActive {
			n[metrics.ChannelGroup{Type: c.Type(), State: s.Health}]++
		}
	}
	return n, nil
}

// Changed says that another process has changed something. It never blocks.
func (d *Directory) Changed() {
	select {
	case d.told <- struct{}{}:
	default:
	}
}

// Run keeps the directory up to date until ctx ends.
func (d *Directory) Run(ctx context.Context) {
	tick := time.NewTicker(rereadChannels)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.told:
		case <-tick.C:
		}
		if err := d.Refresh(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("channels could not be read again; alerts are matched against what was read before", "error", err)
		}
	}
}
