package dispatch

import (
	"slices"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// How much of one channel is in this process at a time.
const (
	maxInFlight = 32  // sends at once
	maxLane     = 512 // sends, and messages leased and waiting for their turn
	minLane     = 96  // the same, as far as a lane is filled from the database while it is worked off slowly
)

// rush is how soon after a claim the next one has to come for a lane to be filled further: to claim much at a time is cheaper,
// and holds up everybody else for longer.
const rush = 100 * time.Millisecond

// lane is what is in this process of one channel.
type lane struct {
	channelID int64
	queue     []job
	running   int       // goroutines that send
	reserved  int       // places promised to the intake
	depth     int       // as far as it is filled from the database: minLane to maxLane
	filled    time.Time // when it was last filled from there
	more      bool      // the database may hold more
	notBefore time.Time // there is nothing to be had from the database before
	hold      time.Time // the service asked for time until then; known here before it is stored
}

// job is one message that is ours to send: one delivery, or several in a digest.
type job struct {
	message []store.Claimed
	probe   bool // finds out whether the channel works again
	came    time.Time
}

func (j job) ids() []int64 {
	ids := make([]int64, len(j.message))
	for i, c := range j.message {
		ids[i] = c.Delivery.ID
	}
	return ids
}

func (l *lane) taken() int { return len(l.queue) + l.running + l.reserved }

// low reports whether the lane should be filled: early enough that no sender waits for the database.
func (l *lane) low() bool { return l.taken() <= l.depth/2 }

// deepen fits a lane to the pace at which it is worked off.
func (l *lane) deepen(now time.Time) {
	if now.Sub(l.filled) < rush {
		l.depth = min(2*l.depth, maxLane)
	} else {
		l.depth = max(l.depth/2, minLane)
	}
	l.filled = now
}

// hungry reports whether the lane should be filled now.
func (l *lane) hungry(now time.Time) bool { return l.more && l.low() && !l.notBefore.After(now) }

// lane gives the lane of a channel; d.mu is held.
func (d *Dispatcher) lane(channelID int64) *lane {
	l := d.lanes[channelID]
	if l == nil {
		l = &lane{channelID: channelID, depth: minLane}
		d.lanes[channelID] = l
	}
	return l
}

// reserve promises a place in a channel's lane, so that a new delivery is sent at once. Without one, the delivery waits in
// the database: for room, for its turn under a rate limit, or for a channel that is out of service.
func (d *Dispatcher) reserve(channelID int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lane(channelID)
	if d.draining {
		return false
	}
	waits := l.more && !l.low() // what is in the database was there before
	if channel := d.directory.Get(channelID); waits || l.taken() >= maxLane || !d.alive() || !d.open(channelID) || channel == nil || channel.RateLimit != nil {
		l.more = true
		return false
	}
	l.reserved++
	return true
}

// open reports whether a channel may be told what comes in: it is in service, did not ask for time, and notifications are
// not paused. d.mu is held.
func (d *Dispatcher) open(channelID int64) bool {
	now := d.store.Now()
	if l := d.lanes[channelID]; l != nil && l.hold.After(now) {
		return false
	}
	state := d.directory.State(channelID)
	return state.InService() && !state.ClosedUntil().After(now) && d.directory.Pause() == nil
}

// known reports whether it is known here that a channel may be told what comes in.
func (d *Dispatcher) known(channelID int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open(channelID)
}

// holdStored says that the database, or nobody, knows now that a service asked for time: from here on the directory says until
// when the channel is held. Another process may end that, when somebody has mended the channel.
func (d *Dispatcher) holdStored(channelID int64, until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.lanes[channelID]; l != nil && l.hold.Equal(until) {
		l.hold = time.Time{}
	}
}

// holdUntil gives the service of a channel the time that it asked for, from this moment on.
func (d *Dispatcher) holdUntil(channelID int64, until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lane(channelID)
	l.hold = until
	d.clear(l)
}

// reserveAll promises the places that are to be filled from the database, if the lane runs low, and says how many.
func (d *Dispatcher) reserveAll(channelID int64) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lane(channelID)
	if !l.low() {
		l.more = true // from here on nothing new passes it by
	}
	if d.draining || !l.low() || !d.alive() || l.notBefore.After(d.store.Now()) {
		return 0
	}
	l.deepen(time.Now())
	n := max(l.depth-l.taken(), minLane/2)
	l.reserved += n
	l.more = false // from here on: what the intake leaves in the database meanwhile counts anew
	return n
}

func (d *Dispatcher) unreserve(channelID int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lanes[channelID].reserved--
}

// left says that new deliveries were left in the database for this channel.
func (d *Dispatcher) left(channelID int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lane(channelID)
	l.more = true
	if d.open(channelID) && l.hungry(d.store.Now()) {
		d.signal(d.wake)
	}
}

// submitReserved queues a job in a place promised before, and makes sure that somebody works on it.
func (d *Dispatcher) submitReserved(channelID int64, j job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lanes[channelID]
	l.reserved--
	j.came = time.Now()
	l.queue = append(l.queue, j)
	for _, c := range j.message {
		d.held[c.Delivery.ID] = struct{}{}
	}
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
		var recorded chan struct{}
		for _, r := range d.attempt(j) {
			if r.Observed != nil {
				recorded = make(chan struct{})
				r.recorded = recorded
			}
			d.records <- r
		}
		if recorded != nil {
			<-recorded // whether the channel may be told anything more is decided there
		}
	}
}

func (d *Dispatcher) next(l *lane) (job, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.draining {
		d.clear(l)
	}
	if l.hungry(d.store.Now()) {
		d.signal(d.wake)
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

// clear hands back what a lane holds when it is not to be sent now: its channel is out of service, or what is leased to this
// process may not be its own any more. d.mu is held.
func (d *Dispatcher) clear(l *lane) {
	if len(l.queue) == 0 {
		return
	}
	alive, open := d.alive(), d.open(l.channelID)
	if alive && open {
		return
	}
	var probes []job
	for _, j := range l.queue {
		if alive && j.probe && d.directory.Pause() == nil {
			probes = append(probes, j)
		}
	}
	l.queue = slices.DeleteFunc(l.queue, func(j job) bool { return len(probes) > 0 && j.probe })
	d.handOver(l)
	l.queue = probes
}

// handOver hands back all that waits in a lane. d.mu is held.
func (d *Dispatcher) handOver(l *lane) {
	for _, j := range l.queue {
		d.handBack = append(d.handBack, j.ids()...)
	}
	if len(l.queue) > 0 {
		l.queue, l.more = nil, true
		d.signal(d.back)
	}
}

// Recall hands back at once what waits in the lanes of these channels, so that what was cancelled meanwhile is not sent any
// more. The rest is claimed again.
func (d *Dispatcher) Recall(channelIDs []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range channelIDs {
		if l := d.lanes[id]; l != nil {
			d.handOver(l)
		}
	}
}

// handBackJob hands back a job that was taken from its lane.
func (d *Dispatcher) handBackJob(j job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.handBack = append(d.handBack, j.ids()...)
	d.signal(d.back)
}

// shut hands back at once what waits in the lane of a channel that went out of service.
func (d *Dispatcher) shut(channelID int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.lanes[channelID]; l != nil && !d.draining {
		d.clear(l)
	}
}

// hungry gives the channels whose lanes run low while the database may hold more for them.
func (d *Dispatcher) hungry() []int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.store.Now()
	var ids []int64
	for id, l := range d.lanes {
		if l.hungry(now) {
			ids = append(ids, id)
		}
	}
	return ids
}

// nextSlot fires when the first lane that waits for its time may be filled; never when there is none.
func (d *Dispatcher) nextSlot() <-chan time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.store.Now()
	pause := time.Duration(-1)
	for _, l := range d.lanes {
		if l.more && l.notBefore.After(now) && (pause < 0 || l.notBefore.Sub(now) < pause) {
			pause = l.notBefore.Sub(now)
		}
	}
	if pause < 0 || pause > pollEvery { // by then the poll has come by
		return nil
	}
	return time.After(pause)
}

// InFlight says how many workers are sending, by the type of their channels.
func (d *Dispatcher) InFlight() map[models.ChannelType]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := make(map[models.ChannelType]int)
	for id, l := range d.lanes {
		if l.running > 0 {
			n[d.directory.typeOf(id)] += l.running
		}
	}
	return n
}

// sweepLanes forgets the lanes of channels that are gone.
func (d *Dispatcher) sweepLanes() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, l := range d.lanes {
		if len(l.queue) == 0 && l.running == 0 && l.reserved == 0 && d.directory.Get(id) == nil {
			delete(d.lanes, id)
		}
	}
}
