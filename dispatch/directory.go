package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// rereadChannels is how often the channels are read again in case a notification of another process was lost.
const rereadChannels = 15 * time.Second

// Directory keeps the channels in memory, so that an alert is matched without asking the database. The channels in it are
// never changed, only replaced.
type Directory struct {
	store *store.Store
	log   *slog.Logger
	mu    sync.Mutex // one refresh at a time: an older read never replaces a newer one
	now   atomic.Pointer[channelSet]
	told  chan struct{}
}

type channelSet struct {
	all  []*models.Channel // newest first, none deleted
	byID map[int64]*models.Channel
}

// NewDirectory makes an empty directory: call Refresh before its first use.
func NewDirectory(s *store.Store, log *slog.Logger) *Directory {
	d := &Directory{store: s, log: log, told: make(chan struct{}, 1)}
	d.now.Store(&channelSet{})
	return d
}

// All gives the channels that are not deleted, newest first. The slice must not be changed.
func (d *Directory) All() []*models.Channel { return d.now.Load().all }

// Get gives a channel, or nil when there is none or it was deleted.
func (d *Directory) Get(id int64) *models.Channel { return d.now.Load().byID[id] }

// Refresh reads the channels. Whoever changes them calls it before answering, so that the next alert sees the change.
func (d *Directory) Refresh(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	all, err := d.store.Channels(ctx)
	if err != nil {
		return err
	}
	set := &channelSet{all: all, byID: make(map[int64]*models.Channel, len(all))}
	for _, c := range all {
		set.byID[c.ID] = c
	}
	d.now.Store(set)
	return nil
}

// Changed says that another process has changed the channels. It never blocks.
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
