// Package dispatch takes alerts in and brings their deliveries to an end.
//
// It promises: when Create has answered, each matching channel of the alert comes to DELIVERED, FAILED or CANCELLED,
// whatever is killed meanwhile; an attempt is recorded only by the process that holds the delivery's lease; a channel that
// hangs or fails takes no more than its own share of what is in flight, and is left alone until it works again. A delivery
// is made at least once: after a crash between sending and recording it is sent again, with the same key. It never decides
// whether the caller may do a thing; that is the API's part.
package dispatch

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rustbucket/alerts/metrics"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/notifiers"
	"github.com/rustbucket/alerts/store"
)

// How often things are looked at, and how long they may take.
const (
	pollEvery   = time.Second
	expireEvery = time.Minute      // what waits for a channel out of service is given up after models.MaxWait
	noteEvery   = 5 * time.Second  // the time of a channel's last success is stored
	noteTimeout = 5 * time.Second  // for noting a test in the audit log
	stopRecords = 10 * time.Second // for recording the last outcomes, beyond the time that a send may take
)

// How a process says that it lives: what it held is taken over lives after its last beat.
const (
	beatEvery = 5 * time.Second
	lives     = 20 * time.Second
	margin    = 5 * time.Second // no send begins with less than this to live
)

// Dispatcher sends deliveries: new ones as the intake hands them over, and those that wait in the database when they are due.
type Dispatcher struct {
	store     *store.Store
	directory *Directory
	notifiers notifiers.Set
	log       *slog.Logger
	metrics   *metrics.Metrics
	holder    string        // names this process in leases
	timeout   time.Duration // of one attempt
	records   chan report

	aliveUntil atomic.Int64 // microseconds since 1970, by the store's clock
	spareUntil atomic.Int64 // the same: nobody is taken for dead before

	mu        sync.Mutex
	lanes     map[int64]*lane
	held      map[int64]struct{} // deliveries that are leased to this process and that it knows of
	doubt     time.Time          // when it was last unclear what is leased to this process; zero = it is clear
	draining  bool
	handBack  []int64             // deliveries whose leases are to be handed back
	successes map[int64]time.Time // by channel, when they are not stored yet
	sends     sync.WaitGroup

	wake chan struct{} // a lane has room again and the database may hold more for it
	look chan struct{} // something may have become due on any channel
	back chan struct{} // there is something to hand back
}

// NewDispatcher makes a dispatcher. timeout is that of one attempt, from connecting to the last byte of the answer; m may be nil.
func NewDispatcher(s *store.Store, directory *Directory, set notifiers.Set, timeout time.Duration, m *metrics.Metrics, log *slog.Logger) *Dispatcher {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails, as its documentation says
	m.MetaAlertKinds(channelFailing, deliveryFailed, models.RustbucketOffline)
	return &Dispatcher{
		store: s, directory: directory, notifiers: set, log: log, metrics: m, timeout: timeout, holder: hex.EncodeToString(id[:]),
		records: make(chan report, maxRecordQueue), lanes: make(map[int64]*lane), held: make(map[int64]struct{}), successes: make(map[int64]time.Time),
		wake: make(chan struct{}, 1), look: make(chan struct{}, 1), back: make(chan struct{}, 1),
	}
}

// Run looks for deliveries that are due until ctx ends. Then it starts no send any more, hands back what has not begun,
// waits for the sends in flight, each of which ends by its own deadline, and returns when their outcomes are recorded.
func (d *Dispatcher) Run(ctx context.Context) {
	lasting, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		d.record(lasting)
	}()
	var looking, beating sync.WaitGroup
	d.beat(ctx)
	beating.Go(func() { every(lasting, beatEvery, d.beat) }) // also while it drains: what is in flight is still ours
	looking.Go(func() { every(ctx, noteEvery, d.noteSuccesses) })
	looking.Go(func() { every(ctx, expireEvery, d.expire) })
	looking.Go(func() { d.handingBack(ctx) })
	looking.Go(func() { d.findOrphans(ctx) })
	d.poll(ctx)
	defer time.AfterFunc(d.timeout+stopRecords, end).Stop() // when the database is away, others make the deliveries again
	d.drain()
	looking.Wait()
	close(d.records)
	<-recorded
	end()
	beating.Wait()
	d.leave(context.WithoutCancel(ctx))
}

// every calls f again and again until ctx ends.
func every(ctx context.Context, pause time.Duration, f func(context.Context)) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f(ctx)
		}
	}
}

// beat says that this process lives.
func (d *Dispatcher) beat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, beatEvery)
	defer cancel()
	until, err := d.store.Beat(ctx, d.holder, lives)
	if err != nil {
		d.complain(ctx, "the database could not be told that this process lives, trying again; nothing is sent without that", err)
		return
	}
	if before := d.aliveUntil.Load(); before != 0 && until.Add(-lives).UnixMicro() >= before {
		d.spareUntil.Store(until.Add(-lives + 2*beatEvery).UnixMicro())
		d.lapse()
	}
	d.aliveUntil.Store(until.UnixMicro())
}

// lapse hands back everything that has not begun: this process was taken for dead for a while, because it stood still or the
// database was away, and others may have taken it over.
func (d *Dispatcher) lapse() {
	d.log.Warn("this process was taken for dead for a while; what it had not begun to send is handed over")
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lanes {
		d.handOver(l)
	}
}

// alive reports whether what is leased to this process is its own for long enough to begin a send.
func (d *Dispatcher) alive() bool {
	return d.store.Now().Add(margin).UnixMicro() < d.aliveUntil.Load()
}

// leave hands over what this process may still hold.
func (d *Dispatcher) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, beatEvery)
	defer cancel()
	d.noteSuccesses(ctx)
	if err := d.store.Leave(ctx, d.holder); err != nil {
		d.log.Warn("the database could not be told that this process ends; what it held is taken over a little later", "error", err)
	}
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
		case <-d.nextSlot():
			due = d.hungry()
		case <-d.look:
			due = d.due(ctx)
		case <-tick.C:
			d.sweepLanes()
			due = d.due(ctx)
		}
		for _, id := range due {
			d.claim(ctx, id)
		}
	}
}

// reclaim hands back what dead processes held. When the database was away, all are taken for dead, this one as well, and what they
// hold has mostly been sent and is to be recorded: nobody takes anything before all have had the time to say that they live.
func (d *Dispatcher) reclaim(ctx context.Context) {
	if !d.alive() || d.store.Now().UnixMicro() < d.spareUntil.Load() {
		return
	}
	if n, err := d.store.Reclaim(ctx); err != nil {
		d.complain(ctx, "looking for what dead processes held failed, trying again", err)
	} else if n > 0 {
		d.metrics.LeasesReclaimed(n)
		d.log.Info("took over deliveries of a process that has died", "deliveries", n)
	}
}

// due gives the channels that have something waiting, what dead processes held included.
func (d *Dispatcher) due(ctx context.Context) []int64 {
	d.reclaim(ctx)
	ids, err := d.store.DueChannels(ctx)
	if err != nil {
		d.complain(ctx, "looking for due deliveries failed, trying again", err)
	}
	return ids
}

// claim fills a lane with deliveries that wait in the database.
func (d *Dispatcher) claim(ctx context.Context, channelID int64) {
	room := d.reserveAll(channelID)
	if room == 0 {
		return
	}
	within, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	claims, err := d.store.Claim(within, d.channel(within, channelID), room, d.holder, d.timeout+lives)
	if err != nil {
		d.unsure()
		d.complain(ctx, "claiming deliveries failed, trying again", err)
		claims = new(store.Claims)
	}
	if len(claims.Messages) > 0 && !claims.Probe && !d.known(channelID) {
		// The database says that the channel may be told. Not to know that is to hand all of it back, and to claim it again.
		if err := d.directory.refreshOlder(within, time.Now().Add(-pollEvery)); err != nil {
			d.complain(ctx, "channels could not be read again", err)
		}
	}
	for _, m := range claims.Messages {
		d.submitReserved(channelID, job{message: m, probe: claims.Probe})
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lanes[channelID]
	l.reserved -= room - len(claims.Messages)
	l.notBefore = claims.NotBefore
	if len(claims.Messages) > 0 && (len(claims.Messages) == room || !claims.NotBefore.IsZero()) {
		l.more = true
	}
}

// channel gives the channel as it is known, read again when it is not.
func (d *Dispatcher) channel(ctx context.Context, id int64) *models.Channel {
	if c := d.directory.Get(id); c != nil {
		return c
	}
	if err := d.directory.Refresh(ctx); err != nil {
		d.complain(ctx, "channels could not be read again", err)
	}
	if c := d.directory.Get(id); c != nil {
		return c
	}
	return deletedChannel(id)
}

// Wake makes the dispatcher look at once for what waits on these channels.
func (d *Dispatcher) Wake(channelIDs []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range channelIDs {
		l := d.lane(id)
		l.more, l.notBefore = true, time.Time{}
	}
	d.signal(d.wake)
}

// Look makes the dispatcher look at once for what waits on any channel.
func (d *Dispatcher) Look() { d.signal(d.look) }

// expire gives up what has waited too long for a channel that is out of service, and cancels what waits for one out of use.
func (d *Dispatcher) expire(ctx context.Context) {
	if err := d.store.CancelStranded(ctx); err != nil {
		d.complain(ctx, "cancelling what waits for channels out of use failed, trying again", err)
	}
	for d.alive() {
		claimed, err := d.store.ClaimExpired(ctx, maxRecordBatch, d.holder)
		if err != nil {
			d.unsure()
			d.complain(ctx, "looking for what has waited too long failed, trying again", err)
		}
		for _, c := range claimed {
			d.records <- report{Outcome: d.expired(c), reason: metrics.ReasonExpired}
		}
		if len(claimed) < maxRecordBatch {
			return
		}
	}
}

// noteSuccesses stores when channels were last told something.
func (d *Dispatcher) noteSuccesses(ctx context.Context) {
	d.mu.Lock()
	successes := d.successes
	d.successes = make(map[int64]time.Time)
	d.mu.Unlock()
	if len(successes) == 0 {
		return
	}
	recorded, err := d.store.NoteSuccesses(ctx, successes, d.react)
	if err != nil {
		d.complain(ctx, "the times of the last successes could not be stored", err)
		return
	}
	d.Settled(recorded)
}

// Drain makes the dispatcher begin no send any more. What comes in from here on waits in the database for others, or for
// the next start.
func (d *Dispatcher) Drain() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.draining = true
}

// drain hands back what has not begun and waits for the rest.
func (d *Dispatcher) drain() {
	d.Drain()
	d.mu.Lock()
	for _, l := range d.lanes {
		d.handOver(l)
	}
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	d.release(ctx)
	d.sends.Wait()
}

// handingBack hands back leases of what is not to be sent by this process, and tries again until it works.
func (d *Dispatcher) handingBack(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.back:
		}
		for !d.release(ctx) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pollEvery):
			}
		}
	}
}

func (d *Dispatcher) release(ctx context.Context) bool {
	d.mu.Lock()
	ids := d.handBack
	d.handBack = nil
	d.mu.Unlock()
	err := d.store.Release(ctx, d.holder, ids)
	if err == nil {
		d.forget(ids)
		return true
	}
	d.complain(ctx, "handing back leases failed, trying again", err)
	d.mu.Lock()
	d.handBack = append(d.handBack, ids...)
	d.mu.Unlock()
	return false
}

func (d *Dispatcher) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		d.log.Warn(what, "error", err)
	}
}

// signal never blocks: one value in the channel is enough.
func (d *Dispatcher) signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
