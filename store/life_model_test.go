package store_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rustbucket/alerts/models"
)

var sprintf = fmt.Sprintf

// modelDelivery is what is expected of a delivery.
type modelDelivery struct {
	id, alert        int64
	channel          *modelChannel
	kind             models.DeliveryKind
	severity         models.Severity
	stage            stage
	attempts, series int
	holder           string // also when it has died
	wish             string // why it is to be cancelled
	unsure           bool   // a process died that held it
	error            string // of the last attempt, or why it was cancelled
	due, began       time.Time
	// Set when the stored moment is only known to lie between this and the present.
	dueFrom, beganFrom time.Time
}

func (d *modelDelivery) pending() bool { return statuses[d.stage] == models.Pending }

type modelAlert struct {
	id                     int64
	key                    string
	severity               models.Severity
	acknowledged, resolved bool
	assignee               string
	changes                int // in its history
}

func (a *modelAlert) state() models.AlertState {
	switch {
	case a.resolved:
		return models.Resolved
	case a.acknowledged:
		return models.Acknowledged
	}
	return models.Open
}

// alert gives an alert that is there.
func (w *walk) alert(id int64) *modelAlert {
	i := slices.IndexFunc(w.alerts, func(a *modelAlert) bool { return a.id == id })
	return w.alerts[i]
}

// modelChannel is what is expected of a channel.
type modelChannel struct {
	*models.Channel
	state models.ChannelState
	// Set when a stored moment is only known to lie between two.
	since, probe, arrival *span
}

type span [2]time.Time

func (s *span) has(t *time.Time) bool {
	return t != nil && !t.Before(s[0].Truncate(time.Microsecond)) && !t.After(s[1])
}

// move leads a delivery to its next stage, by the table.
func (w *walk) move(d *modelDelivery, why cause) {
	next, ok := life[why][d.stage]
	if !ok {
		w.fail("delivery %d is %s: %s leads nowhere", d.id, d.stage, why)
	}
	if next != held && next != unwanted {
		d.holder, d.wish = "", ""
	}
	d.stage = next
}

// lose is what the death of its holder makes of a delivery, if it has one.
func (w *walk) lose(d *modelDelivery) {
	if d.holder != "" && d.kind != models.TellAlert {
		d.unsure = true
	}
}

// alive reports whether a process counts as alive; one that is unknown or has left does not.
func (w *walk) alive(id string, now time.Time) bool {
	return slices.ContainsFunc(w.processes, func(p *process) bool { return p.id == id && p.until.After(now) })
}

// isFree reports whether nobody who lives has the delivery.
func (w *walk) isFree(d *modelDelivery, now time.Time) bool {
	return d.pending() && (d.holder == "" || !w.alive(d.holder, now))
}

// ofPair gives all deliveries that tell the same channel of the same alert, the oldest first.
func (w *walk) ofPair(d *modelDelivery) []*modelDelivery {
	return w.all(func(e *modelDelivery) bool { return e.alert == d.alert && e.channel == d.channel })
}

// behind reports whether something of the same alert waits before this one on the same channel.
func (w *walk) behind(d *modelDelivery) bool {
	return slices.ContainsFunc(w.ofPair(d), func(e *modelDelivery) bool { return e.id < d.id && e.pending() })
}

// notToTell says why a delivery is not to be sent any more; empty when it is.
func (w *walk) notToTell(d *modelDelivery) string {
	var before, after []models.Telling
	for _, e := range w.ofPair(d) {
		t := models.Telling{Kind: e.kind, Status: statuses[e.stage], Attempts: e.attempts, Unsure: e.unsure}
		switch {
		case e.id < d.id:
			before = append(before, t)
		case e.id > d.id:
			after = append(after, t)
		}
	}
	return models.NotToTell(d.kind, w.alert(d.alert).state(), before, after)
}

// all gives the deliveries that match, the oldest first.
func (w *walk) all(match func(*modelDelivery) bool) []*modelDelivery {
	found := slices.DeleteFunc(slices.Collect(maps.Values(w.deliveries)), func(d *modelDelivery) bool { return !match(d) })
	slices.SortFunc(found, func(a, b *modelDelivery) int { return cmp.Compare(a.id, b.id) })
	return found
}

// expectedClaim is what a claim is to give: the deliveries, in how many messages, and whether they probe the channel.
type expectedClaim struct {
	deliveries []*modelDelivery
	messages   int
	probe      bool // the channel is out of service
	probes     bool // one of them is to be sent, to find out whether the channel works again
}

func (w *walk) expectClaim(c *modelChannel, room int, now time.Time) expectedClaim {
	if w.pause.At(now) != nil || c.state.ClosedUntil().After(now) {
		return expectedClaim{}
	}
	due := w.all(func(d *modelDelivery) bool {
		if d.channel != c || !w.isFree(d, now) || d.due.After(now) {
			return false
		}
		return d.kind == models.TellAlert || !w.behind(d)
	})
	slices.SortStableFunc(due, func(a, b *modelDelivery) int { return a.due.Compare(b.due) })
	most, digest := room, false
	if l := c.RateLimit; l != nil {
		slots, _ := l.Slots(c.state.RateArrival, now)
		if most = min(room, slots); slots == 1 && c.Type().Info().Digests {
			most, digest = models.MaxDigest, true
		}
		slices.SortFunc(due, func(a, b *modelDelivery) int {
			return cmp.Or(cmp.Compare(b.severity, a.severity), cmp.Compare(a.id, b.id))
		})
	}
	if !c.state.InService() && most > 0 {
		return w.expectProbe(due)
	}
	e := expectedClaim{deliveries: due[:min(most, len(due))]}
	if e.messages = len(e.deliveries); digest {
		e.messages = min(1, e.messages)
	}
	return e
}

// expectProbe is what a claim is to give of a channel that is out of service: one delivery to be sent, and those before it
// that are not to be sent any more.
func (w *walk) expectProbe(due []*modelDelivery) expectedClaim {
	n := slices.IndexFunc(due, func(d *modelDelivery) bool { return w.notToTell(d) == "" })
	if n < 0 {
		return expectedClaim{deliveries: due, messages: len(due), probe: true}
	}
	return expectedClaim{deliveries: due[:n+1], messages: n + 1, probe: true, probes: true}
}

// noteClaim is what a claim makes of its channel's state.
func (c *modelChannel) noteClaim(e expectedClaim, t0, t1 time.Time) {
	if e.messages == 0 {
		return
	}
	if c.RateLimit != nil {
		c.arrival = &span{c.RateLimit.Take(c.state.RateArrival, t0, e.messages), c.RateLimit.Take(c.state.RateArrival, t1, e.messages)}
	}
	if e.probes {
		pause := max(walkProbing, c.state.ProbePause())
		c.probe = &span{t0.Add(pause), t1.Add(pause)}
	}
}

// mend is what a change of its settings makes of a channel's state.
func (c *modelChannel) mend(t0, t1 time.Time) {
	if c.state.Health != models.HealthOK {
		c.since = &span{t0, t1}
	}
	c.state = c.state.Mended(t0)
}

// cancel is what becomes of a pending delivery that somebody wants cancelled.
func (w *walk) cancel(d *modelDelivery, reason string, now time.Time) {
	if w.isFree(d, now) {
		w.lose(d)
		w.move(d, cancelFree)
		d.error = reason
	} else {
		w.move(d, cancelWished)
		d.wish = reason
	}
}

// strand is what becomes of deliveries whose channel is out of use.
func (w *walk) strand() {
	for _, d := range w.all(func(d *modelDelivery) bool { return d.pending() && d.wish == "" }) {
		switch c := d.channel; {
		case c.DeletedAt != nil:
			w.cancel(d, "the channel was deleted while the delivery waited", w.s.Now())
		case !c.IsActive:
			w.cancel(d, "the channel was deactivated while the delivery waited", w.s.Now())
		}
	}
}
