// Package feed brings every event to every subscriber, in one order that is the same in all processes.
//
// It promises: a reader sees each event behind its position once, none missed, in order; a slow reader neither delays nor
// harms anybody, because readers come and take: what they have not taken yet stays in a ring in memory, and once it has
// left the ring they read it from the table. Memory is bounded whatever readers do. It never decides who may see an event.
package feed

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

const (
	ringBytes  = 16 << 20              // of events kept in memory for readers, roughly
	readBatch  = 512                   // events read from the table at a time
	takeBatch  = 128                   // events that a reader takes at a time
	placeEvery = 10 * time.Millisecond // positions are given at most this often under load; a lone event does not wait
	pollEvery  = time.Second           // stands behind the notifications
)

// Feed is the stream of one process. Run must be running for readers to get anything.
type Feed struct {
	store *store.Store
	log   *slog.Logger
	told  chan struct{} // other processes have placed events

	mu      sync.Mutex
	readers int
	head    int64 // position up to which the ring is filled
	ring    []*models.FeedEvent
	size    int           // of the ring in bytes, roughly
	changed chan struct{} // closed and replaced when head moves
}

// New makes a feed over a store.
func New(s *store.Store, log *slog.Logger) *Feed {
	return &Feed{store: s, log: log, told: make(chan struct{}, 1), changed: make(chan struct{})}
}

// Placed says that another process has given events their positions. It never blocks.
func (f *Feed) Placed() {
	select {
	case f.told <- struct{}{}:
	default:
	}
}

// Run gives committed events their positions and fills the ring until ctx ends.
func (f *Feed) Run(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		place := true
		select {
		case <-ctx.Done():
			return
		case <-f.store.Appended():
		case <-tick.C:
		case <-f.told:
			place = false
		}
		began := time.Now()
		if place {
			f.complain(ctx, f.store.Place(ctx))
		}
		f.complain(ctx, f.fill(ctx))
		if place && f.store.Shared() {
			// More events gather meanwhile; under load this is one small transaction for many.
			select {
			case <-ctx.Done():
			case <-time.After(placeEvery - time.Since(began)):
			}
		}
	}
}

// fill reads events behind the head into the ring, if anybody wants them.
func (f *Feed) fill(ctx context.Context) error {
	for {
		f.mu.Lock()
		head, wanted := f.head, f.readers > 0
		f.mu.Unlock()
		if !wanted {
			return nil
		}
		events, upto, err := f.store.Events(ctx, head, readBatch)
		if err != nil || upto == head {
			return err
		}
		overtaken := false
		if len(events) == 0 || events[0].Position != head+1 { // gone with its alert, or trimmed
			_, trimmed, err := f.store.Head(ctx)
			if err != nil {
				return err
			}
			overtaken = trimmed > head
		}
		f.mu.Lock()
		if f.head == head { // otherwise the last reader left and a new one began elsewhere
			if overtaken {
				f.forget()
			}
			f.push(events, upto)
		}
		f.mu.Unlock()
	}
}

func (f *Feed) push(events []*models.FeedEvent, upto int64) {
	f.ring = append(f.ring, events...)
	for _, e := range events {
		f.size += sizeOf(e)
	}
	drop := 0
	for f.size > ringBytes && drop < len(f.ring) {
		f.size -= sizeOf(f.ring[drop])
		f.ring[drop] = nil
		drop++
	}
	f.ring = f.ring[drop:]
	f.head = upto
	close(f.changed)
	f.changed = make(chan struct{})
}

// forget empties the ring: retention has removed what should have come next, while this process stood still. The readers must
// go to the table and hear there that they have missed something.
func (f *Feed) forget() { f.ring, f.size = nil, 0 }

// sizeOf is roughly what an event takes in memory.
func sizeOf(e *models.FeedEvent) int {
	size := 512 + len(e.Alert.Message) + len(e.Alert.Details)
	if e.Change != nil && e.Change.Text != nil {
		size += len(*e.Change.Text)
	}
	return size
}

// Reader takes events at its own pace. It is used by one goroutine.
type Reader struct {
	feed     *Feed
	position int64
}

// Open makes a reader that begins behind a position, or with what happens from now on when after is nil. The reader must be
// closed. BAD_USER_INPUT when the position does not exist yet, CURSOR_EXPIRED when events behind it are gone already.
func (f *Feed) Open(ctx context.Context, after *int64) (*Reader, error) {
	head, trimmed, err := f.newest(ctx)
	if err != nil {
		return nil, err
	}
	position := head
	if after != nil {
		switch position = *after; {
		case position > head || position < 0:
			return nil, models.Invalid("after", "this cursor is not from this server's feed")
		case position < trimmed:
			return nil, expired()
		}
	}
	f.mu.Lock()
	if f.readers == 0 {
		f.head, f.ring, f.size = head, nil, 0
	}
	f.readers++
	f.mu.Unlock()
	f.Placed() // what came between the reading of the head and now must not wait for the next event
	return &Reader{feed: f, position: position}, nil
}

// Position gives the position of the newest event. What is committed before this call is at it or before it.
func (f *Feed) Position(ctx context.Context) (int64, error) {
	head, _, err := f.newest(ctx)
	return head, err
}

// newest gives the position of the newest event, and of the newest one that is gone. What was committed before this call gets its
// position now, so that "from now on" does not show it.
func (f *Feed) newest(ctx context.Context) (head, trimmed int64, err error) {
	if err := f.store.Place(ctx); err != nil {
		return 0, 0, err
	}
	return f.store.Head(ctx)
}

func expired() error {
	return &models.Error{Code: models.CursorExpired, Field: "after", Message: "events behind this cursor are no longer kept: begin anew without after"}
}

// Readers says how many readers there are.
func (f *Feed) Readers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.readers
}

// Close ends the reader.
func (r *Reader) Close() {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	r.feed.readers--
}

// Next waits for events behind the reader's position and takes some, in order. It fails when ctx ends, when the database
// cannot be read, and with CURSOR_EXPIRED when retention has overtaken the reader.
func (r *Reader) Next(ctx context.Context) ([]*models.FeedEvent, error) {
	for {
		events, changed := r.take()
		if len(events) > 0 {
			return events, nil
		}
		if changed == nil { // it has fallen out of the ring
			events, err := r.catchUp(ctx)
			if err != nil || len(events) > 0 {
				return events, err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// take gives events from the ring, or a channel to wait on when there are none behind the position, or neither when they
// have left the ring.
func (r *Reader) take() ([]*models.FeedEvent, <-chan struct{}) {
	f := r.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.position >= f.head {
		return nil, f.changed
	}
	if len(f.ring) == 0 || f.ring[0].Position > r.position+1 {
		return nil, nil
	}
	i, _ := slices.BinarySearchFunc(f.ring, r.position+1, func(e *models.FeedEvent, p int64) int { return int(e.Position - p) })
	events := f.ring[i:]
	if len(events) > takeBatch {
		events = events[:takeBatch]
		r.position = events[takeBatch-1].Position
	} else {
		r.position = f.head
	}
	if len(events) == 0 {
		return nil, f.changed
	}
	return slices.Clone(events), nil
}

func (r *Reader) catchUp(ctx context.Context) ([]*models.FeedEvent, error) {
	events, upto, err := r.feed.store.Events(ctx, r.position, takeBatch)
	if err != nil {
		return nil, err
	}
	_, trimmed, err := r.feed.store.Head(ctx)
	if err != nil {
		return nil, err
	}
	if trimmed > r.position {
		return nil, expired()
	}
	if upto > r.position {
		r.position = upto
		return events, nil
	}
	// The rest of what was there is gone with its alerts: go on at the head.
	r.feed.mu.Lock()
	r.position = max(r.position, r.feed.head)
	r.feed.mu.Unlock()
	return nil, nil
}

func (f *Feed) complain(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		f.log.Warn("following the events failed, trying again", "error", err)
	}
}
