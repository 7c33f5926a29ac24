package store_test

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// The life of a delivery: the stages that it may be in, and what leads from one to the next. Whatever happens in whatever
// order, a delivery is in no other stage and comes into it in no other way.

// stage is where a delivery stands. Only the first three are PENDING.
type stage string

const (
	unborn    stage = ""
	waiting   stage = "waiting"  // nobody has it; due at its time
	held      stage = "held"     // leased to a process, which may have died meanwhile
	unwanted  stage = "unwanted" // leased as well, and somebody wants it cancelled
	delivered stage = "delivered"
	failed    stage = "failed"
	cancelled stage = "cancelled"
)

var statuses = map[stage]models.DeliveryStatus{
	waiting: models.Pending, held: models.Pending, unwanted: models.Pending,
	delivered: models.Delivered, failed: models.Failed, cancelled: models.Cancelled,
}

// cause is what leads a delivery from one stage to the next.
type cause string

const (
	created      cause = "created"
	createdHeld  cause = "created to be sent at once"
	claimed      cause = "claimed"
	succeeded    cause = "an attempt succeeded"
	postponed    cause = "an attempt failed, or the service asked for time"
	refused      cause = "refused for good, or given up"
	dropped      cause = "not sent"
	released     cause = "handed back"
	cancelWished cause = "cancelled, or its channel put out of use, while a living process has it"
	cancelFree   cause = "cancelled, or its channel put out of use, while no living process has it"
	retried      cause = "sent again by hand"
)

// life is the whole of it: what a cause makes of a stage. Where it has nothing, the cause must not touch the delivery.
var life = map[cause]map[stage]stage{
	created:      {unborn: waiting},
	createdHeld:  {unborn: held},
	claimed:      {waiting: held, held: held, unwanted: unwanted}, // the latter two from a process that has died
	succeeded:    {held: delivered, unwanted: delivered},
	postponed:    {held: waiting, unwanted: cancelled},
	refused:      {held: failed, unwanted: cancelled},
	dropped:      {held: cancelled, unwanted: cancelled},
	released:     {held: waiting, unwanted: cancelled},
	cancelWished: {held: unwanted},
	cancelFree:   {waiting: cancelled, held: cancelled},
	// Held by the dead, or it tells of the end of an alert that was not told, and that is sent again.
	retried: {waiting: waiting, held: waiting, unwanted: waiting, failed: waiting, cancelled: waiting},
}

// The processes of a walk live so long after a beat, and whoever probes a channel has so long.
const (
	walkLives   = 20 * time.Second
	walkProbing = 30 * time.Second
)

// TestLife_NoInterleavingLeavesTheModel walks at random through what may happen to deliveries, and compares what is stored
// with the model after every step. In the end everything is left to come to its end, and must.
//
// LIFE_SEED=n walks that way again; LIFE_WALKS=n walks n ways, beginning with that seed or a random one.
func TestLife_NoInterleavingLeavesTheModel(t *testing.T) {
	seed, walks := lifeSeed(t)
	onBothStopped(t, func(t *testing.T, s *store.Store) {
		for i := range walks {
			newWalk(t, s, seed+i).run(120)
		}
	})
}

// lifeSeed gives the first seed and how many walks there are to be.
func lifeSeed(t *testing.T) (seed, walks uint64) {
	seed, walks = uint64(rand.Uint32()), 3
	if text := os.Getenv("LIFE_SEED"); text != "" {
		seed, walks = lifeNumber(t, text), 1
	}
	if text := os.Getenv("LIFE_WALKS"); text != "" {
		walks = lifeNumber(t, text)
	}
	t.Logf("seeds %d to %d", seed, seed+walks-1)
	return seed, walks
}

func lifeNumber(t *testing.T, text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// walk is one random walk with its model.
type walk struct {
	t     *testing.T
	s     *store.Store
	rng   *rand.Rand
	seed  uint64
	story []string // what was done
	from  int64    // position in the feed at the beginning

	channels   map[int64]*modelChannel
	deliveries map[int64]*modelDelivery
	alerts     []*modelAlert
	processes  []*process // the last ones are at work; those before have died for good
	pause      *models.Pause
	names      int
}

// process is a simulated server process: it knows until when it lives, and what it believes to hold.
type process struct {
	id    string
	until time.Time
	life  int // how often it was taken for dead
	hand  []inHand
}

type inHand struct {
	store.Claimed
	probe, expired bool
	again          bool // it has the delivery from a former life as well, or somebody took it away
	at             time.Time
	life           int // of the process, when it got it
}

func newWalk(t *testing.T, s *store.Store, seed uint64) *walk {
	w := &walk{
		t: t, s: s, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)),
		channels: make(map[int64]*modelChannel), deliveries: make(map[int64]*modelDelivery),
	}
	w.must(s.Place(t.Context()))
	var err error
	w.from, _, err = s.Head(t.Context())
	w.must(err)
	for i := range 4 {
		w.newChannel(i == 0, i == 1)
	}
	for range 4 {
		w.join()
	}
	return w
}

// run makes so many steps, then lets everything come to its end.
func (w *walk) run(steps int) {
	for n := range steps {
		w.step()
		w.check()
		if n%25 == 0 {
			w.checkHistory()
		}
	}
	w.drain()
	w.checkHistory()
}

// step does one thing at random.
func (w *walk) step() {
	w.quiet()
	sum := 0
	for _, o := range operations {
		sum += o.weight
	}
	n := w.rng.IntN(sum)
	for _, o := range operations {
		if n -= o.weight; n < 0 {
			o.do(w)
			return
		}
	}
}

// quiet goes on to a moment around which nothing runs out, so that it does not matter when exactly a step happens. No two steps happen
// at one moment.
func (w *walk) quiet() {
	const calm = 3 * time.Second
	w.s.TurnClock(time.Millisecond)
	for {
		now := w.s.Now()
		var next time.Time
		for _, at := range w.deadlines() {
			if !at.Before(now) && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
		if next.IsZero() || next.Sub(now) > calm {
			return
		}
		w.s.TurnClock(next.Sub(now) + time.Millisecond)
	}
}

// deadlines are the moments at which something changes by itself.
func (w *walk) deadlines() []time.Time {
	var all []time.Time
	for _, p := range w.processes {
		all = append(all, p.until)
	}
	for _, d := range w.deliveries {
		if d.pending() {
			all = append(all, d.due, d.began.Add(models.MaxWait))
		}
	}
	for _, c := range w.channels {
		for _, at := range []*time.Time{c.state.ProbeAt, c.state.HoldUntil} {
			if at != nil {
				all = append(all, *at)
			}
		}
		if l := c.RateLimit; l != nil && c.state.RateArrival != nil {
			for n := range l.Burst + 1 {
				all = append(all, c.state.RateArrival.Add(-time.Duration(n)*time.Minute/time.Duration(l.PerMinute)))
			}
		}
	}
	if w.pause != nil && w.pause.Until != nil {
		all = append(all, *w.pause.Until)
	}
	return all
}

// drain ends what hinders deliveries, lets the living processes do their work, and expects that nothing is left.
func (w *walk) drain() {
	w.note("drain")
	w.resume()
	for _, c := range w.sorted() {
		if c.DeletedAt == nil {
			w.setActive(c, true)
			w.check()
		}
	}
	for range 200 {
		w.quiet()
		for _, p := range w.processes {
			if p.until.After(w.s.Now()) {
				w.beat(p)
				w.record(p, p.hand, always(succeeded))
			}
		}
		w.join() // and one that has nothing yet
		p := w.processes[len(w.processes)-1]
		w.must(w.s.CancelStranded(w.t.Context()))
		w.strand()
		for _, c := range w.sorted() {
			w.claim(p, c, 100)
		}
		w.check()
		w.record(p, p.hand, always(succeeded))
		w.check()
		if !slices.ContainsFunc(slices.Collect(maps.Values(w.deliveries)), (*modelDelivery).pending) {
			return
		}
		w.s.TurnClock(time.Minute + time.Duration(w.rng.Int64N(int64(time.Hour))))
	}
	for _, d := range w.deliveries {
		if d.pending() {
			w.fail("delivery %d is stuck: %+v", d.id, *d)
		}
	}
}

// sorted gives the channels in the order of their ids: a walk with the same seed goes the same way.
func (w *walk) sorted() []*modelChannel {
	return slices.SortedFunc(maps.Values(w.channels), func(a, b *modelChannel) int { return cmp.Compare(a.ID, b.ID) })
}

func (w *walk) note(format string, args ...any) { w.story = append(w.story, sprintf(format, args...)) }

func (w *walk) must(err error) {
	w.t.Helper()
	if err != nil {
		w.fail("%v", err)
	}
}

// fail ends the test with what led there.
func (w *walk) fail(format string, args ...any) {
	w.t.Helper()
	for _, line := range w.story[max(0, len(w.story)-60):] {
		w.t.Log(line)
	}
	w.t.Fatalf("LIFE_SEED=%d, step %d: %s", w.seed, len(w.story), sprintf(format, args...))
}
