package dispatch

import (
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// passedOver is how long a delivery is due until it leads a digest, however bad the others are.
const passedOver = time.Minute

// together splits what was claimed as one digest. One mail goes to the same people for all that it tells of; deliveries of which some
// people were told before may differ in that. The worst, which is the first, leads, and those that go to the same people as it
// does go with it. The rest is handed back, and claimed again when the next slot opens. Each slot so brings at least one delivery
// on, and one that has long been due leads before worse ones, so that none is passed over for ever while new ones keep coming.
func together(claimed []store.Claimed, now time.Time) (same, rest []store.Claimed) {
	if len(claimed) == 1 {
		return claimed, nil
	}
	leader := 0
	for i, c := range claimed {
		if d := due(c, now); d.Before(now.Add(-passedOver)) && d.Before(due(claimed[leader], now)) {
			leader = i
		}
	}
	who := claimed[leader].Delivery.AskNoMore()
	for _, c := range claimed {
		if c.Delivery.AskNoMore() == who {
			same = append(same, c)
		} else {
			rest = append(rest, c)
		}
	}
	return same, rest
}

// due is since when a claimed delivery was to be sent.
func due(c store.Claimed, now time.Time) time.Time {
	if at := c.Delivery.NextAttemptAt; at != nil {
		return *at
	}
	return now
}

// handBackRest hands back what was claimed for a digest and goes to other people.
func (d *Dispatcher) handBackRest(channel *models.Channel, rest []store.Claimed) {
	if len(rest) == 0 {
		return
	}
	d.handBackJob(job{message: rest})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lane(channel.ID).more = true
}
