// Package dispatch takes alerts in and brings their deliveries to an end.
//
// It promises: when Create has answered, each matching channel of the alert comes to DELIVERED, FAILED or CANCELLED,
// whatever is killed meanwhile; an attempt is recorded only by the process that holds the delivery's lease; a channel that
// hangs or fails takes no more than its own share of what is in flight. A delivery is made at least once: after a crash
// between sending and recording it is sent again, with the same key. It never decides whether the caller may do a thing;
// that is the API's part.
package dispatch

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"sync"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/notifiers"
	"github.com/rustbucket/alerts/store"
)

// How much of one channel is in this process at a time.
const (
	maxInFlight = 32  // sends at once
	maxLane     = 512 // sends, and deliveries leased and waiting for their turn
)

// How long a lease lasts, and how often waiting deliveries are looked for.
const (
	minLease  = 25 * time.Second // what a killed process held is taken over after this
	pollEvery = time.Second
)

// Dispatcher sends deliveries: new ones as the intake hands them over, and those that wait in the database when they are due.
type Dispatcher struct {
	store     *store.Store
	directory *Directory
	notifiers notifiers.Set
	log       *slog.Logger
	holder    string        // names this process in leases
	timeout   time.Duration // of one attempt
	lease     time.Duration
	records   chan store.Outcome

	mu       sync.Mutex
	lanes    map[int64]*lane
	draining bool
	sends    sync.WaitGroup

	wake chan struct{} // a lane has room again and the database may hold more for it
}

// lane is what is in this process of one channel.
type lane struct {
	queue    []job
	running  int // goroutines that send
	reserved int // places promised to the intake
	more     bool
}

type job struct {
	delivery *models.Delivery
	alert    *models.Alert
	until    time.Time // of the lease
}

// NewDispatcher makes a dispatcher. timeout is that of one attempt, from connecting to the last byte of the answer.
func NewDispatcher(s *store.Store, directory *Directory, set notifiers.Set, timeout time.Duration, log *slog.Logger) *Dispatcher {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails, as its documentation says
	return &Dispatcher{
		store: s, directory: directory, notifiers: set, log: log, timeout: timeout,
		holder: hex.EncodeToString(id[:]), lease: max(minLease, timeout+15*time.Second),
		records: make(chan store.Outcome, maxRecordQueue), lanes: make(map[int64]*lane), wake: make(chan struct{}, 1),
	}
}

// Run looks for deliveries that are due until ctx ends. Then it starts no send any more, hands back what has not begun,
// waits for the sends in flight, each of which ends by its own deadline, and returns when their outcomes are recorded.
func (d *Dispatcher) Run(ctx context.Context) {
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		d.record(context.WithoutCancel(ctx))
	}()
	d.poll(ctx)
	d.drain(context.WithoutCancel(ctx))
	close(d.records)
	<-recorded
}

func (d *Dispatcher) poll(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		var due []int64
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
			due = d.hungry()
		case <-tick.C:
			var err error
			if due, err = d.store.DueChannels(ctx); err != nil {
				d.complain(ctx, "looking for due deliveries failed, trying again", err)
			}
		}
		for _, id := range due {
			d.claim(ctx, id)
		}
	}
}

// claim fills a lane with deliveries that wait in the database.
func (d *Dispatcher) claim(ctx context.Context, channelID int64) {
	room := d.reserveAll(channelID)
	if room == 0 {
		return
	}
	lease := d.newLease()
	claimed, err := d.store.Claim(ctx, channelID, room, lease)
	if err != nil {
		d.complain(ctx, "claiming deliveries failed, trying again", err)
	}
	for _, c := range claimed {
		d.submitReserved(job{delivery: c.Delivery, alert: c.Alert, until: lease.Until})
	}
	d.mu.Lock()
	l := d.lanes[channelID]
	l.reserved -= room - len(claimed)
	if len(claimed) == room {
		l.more = true
	}
	d.mu.Unlock()
}

func (d *Dispatcher) newLease() store.Lease {
	return store.Lease{Holder: d.holder, Until: time.Now().UTC().Truncate(time.Microsecond).Add(d.lease)}
}

// reserve promises a place in a channel's lane. Without one, the delivery waits in the database.
func (d *Dispatcher) reserve(channelID int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lane(channelID)
	if d.draining {
		return false
	}
	if l.room() == 0 {
		l.more = true
		return false
	}
	l.reserved++
	return true
}

// reserveAll promises all places that a lane has, if it runs low, and says how many.
func (d *Dispatcher) reserveAll(channelID int64) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lane(channelID)
	if d.draining || !l.low() {
		return 0
	}
	n := l.room()
	l.reserved += n
	l.more = false // from here on: what the intake leaves in the database meanwhile counts anew
	return n
}

func (d *Dispatcher) unreserve(channelID int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lanes[channelID].reserved--
}

// submitReserved queues a job in a place promised before, and makes sure that somebody works on it.
func (d *Dispatcher) submitReserved(j job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lanes[j.delivery.ChannelID]
	l.reserved--
	l.queue = append(l.queue, j)
	if l.running < maxInFlight && !d.draining {
		l.running++
		d.sends.Add(1)
		go d.work(l)
	}
}

// work sends what stands in a lane until nothing does.
func (d *Dispatcher) work(l *lane) {
	defer d.sends.Done()
	for {
		j, ok := d.next(l)
		if !ok {
			return
		}
		// A send must be able to end, and its outcome to be recorded, while the lease holds.
		if time.Until(j.until) < d.timeout+2*time.Second {
			d.release(context.Background(), []int64{j.delivery.ID})
			continue
		}
		d.records <- d.attempt(j)
	}
}

func (d *Dispatcher) next(l *lane) (job, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.more && l.low() {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
	if len(l.queue) == 0 || d.draining {
		l.running--
		return job{}, false
	}
	j := l.queue[0]
	l.queue[0] = job{}
	l.queue = l.queue[1:]
	return j, true
}

// hungry gives the channels whose lanes run low while the database may hold more for them.
func (d *Dispatcher) hungry() []int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []int64
	for id, l := range d.lanes {
		if l.more && l.low() {
			ids = append(ids, id)
		}
	}
	return ids
}

// Drain makes the dispatcher begin no send any more. What comes in from here on waits in the database for others, or for
// the next start.
func (d *Dispatcher) Drain() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.draining = true
}

// drain hands back what has not begun and waits for the rest.
func (d *Dispatcher) drain(ctx context.Context) {
	d.Drain()
	d.mu.Lock()
	var ids []int64
	for _, l := range d.lanes {
		for _, j := range l.queue {
			ids = append(ids, j.delivery.ID)
		}
		l.queue = nil
	}
	d.mu.Unlock()
	d.release(ctx, ids)
	d.sends.Wait()
}

// release hands deliveries back that were not attempted. When that fails their leases end by themselves.
func (d *Dispatcher) release(ctx context.Context, ids []int64) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := d.store.Release(ctx, d.holder, ids); err != nil {
		d.log.Warn("handing back leases failed; they end by themselves", "deliveries", len(ids), "error", err)
	}
}

func (d *Dispatcher) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		d.log.Warn(what, "error", err)
	}
}

func (d *Dispatcher) lane(channelID int64) *lane {
	l := d.lanes[channelID]
	if l == nil {
		l = new(lane)
		d.lanes[channelID] = l
	}
	return l
}

func (l *lane) room() int { return max(0, maxLane-len(l.queue)-l.running-l.reserved) }

// low reports whether the lane should be filled: early enough that no sender waits for the database.
func (l *lane) low() bool { return l.room() >= maxLane/2 }
