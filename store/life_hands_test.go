package store_test

import (
	"slices"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// What processes and people do with deliveries in a walk.

func (w *walk) claim(p *process, c *modelChannel, room int) {
	w.reclaim()
	t0 := w.s.Now()
	want := w.expectClaim(c, room, t0)
	claims, err := w.s.Claim(w.t.Context(), c.Channel, room, p.id, walkProbing)
	w.must(err)
	got := slices.Concat(claims.Messages...)
	w.note("%s claims %d messages of %d deliveries on channel %d, probe: %v", p.id, len(claims.Messages), len(got), c.ID, claims.Probe)
	if len(claims.Messages) != want.messages || claims.Probe != want.probe || len(got) != len(want.deliveries) {
		w.fail("claimed %d messages of %d deliveries, probe %v, want %d of %d, %v",
			len(claims.Messages), len(got), claims.Probe, want.messages, len(want.deliveries), want.probe)
	}
	for i, d := range want.deliveries {
		if x := got[i]; x.Delivery.ID != d.id || x.NotToTell != w.notToTell(d) || x.Alert.ID != d.alert || (x.Change == nil) != (d.kind == models.TellAlert) {
			w.fail("claimed %+v, want %+v", x, *d)
		}
		if d.attempts == 0 {
			d.beganFrom = t0 // its time to be taken begins with its first claim
		}
		w.take(p, d, got[i], inHand{probe: claims.Probe})
	}
	c.noteClaim(want, t0, w.s.Now())
}

func (w *walk) take(p *process, d *modelDelivery, c store.Claimed, h inHand) {
	w.move(d, claimed)
	d.holder = p.id
	h.Claimed, h.at, h.life = c, w.s.Now(), p.life
	h.again = slices.ContainsFunc(p.hand, func(h inHand) bool { return h.Delivery.ID == d.id })
	p.hand = append(p.hand, h)
	if w.rng.IntN(30) == 0 { // the answer is lost: the process does not know
		w.note("%s does not know of delivery %d", p.id, d.id)
		p.hand = p.hand[:len(p.hand)-1]
	}
}

// claimExpired claims what has waited too long.
func (w *walk) claimExpired() {
	p := w.anyAlive()
	w.reclaim()
	now, limit := w.s.Now(), 1+w.rng.IntN(5)
	want := w.all(func(d *modelDelivery) bool {
		return w.isFree(d, now) && d.began.Before(now.Add(-models.MaxWait)) && !d.channel.state.InService() && w.pause.At(now) == nil
	})
	want = want[:min(limit, len(want))]
	got, err := w.s.ClaimExpired(w.t.Context(), limit, p.id)
	w.must(err)
	w.note("%s gives up %d", p.id, len(got))
	if len(got) != len(want) {
		w.fail("%d have waited too long, want %d", len(got), len(want))
	}
	for i, d := range want {
		if got[i].Delivery.ID != d.id {
			w.fail("waited too long: %+v, want %+v", got[i], *d)
		}
		w.take(p, d, got[i], inHand{expired: true})
	}
}

func (w *walk) releaseSome() {
	p := w.anyProcess()
	hand := w.some(p)
	ids := make([]int64, len(hand))
	for i, h := range hand {
		ids[i] = h.Delivery.ID
	}
	w.release(p, ids)
}

// orphans hands back what is leased to a process without its knowing.
func (w *walk) orphans() {
	p := w.anyProcess()
	ids, err := w.s.Leased(w.t.Context(), p.id)
	w.must(err)
	w.release(p, slices.DeleteFunc(ids, func(id int64) bool {
		return slices.ContainsFunc(p.hand, func(h inHand) bool { return h.Delivery.ID == id })
	}))
}

func (w *walk) release(p *process, ids []int64) {
	w.note("%s hands back %v", p.id, ids)
	w.must(w.s.Release(w.t.Context(), p.id, ids))
	for _, id := range ids {
		if d := w.deliveries[id]; d != nil && d.pending() && d.holder == p.id {
			w.free(d)
		}
	}
	p.hand = slices.DeleteFunc(p.hand, func(h inHand) bool { return slices.Contains(ids, h.Delivery.ID) })
}

// reclaim hands back what dead processes hold.
func (w *walk) reclaim() {
	now := w.s.Now()
	dead := w.all(func(d *modelDelivery) bool { return d.pending() && d.holder != "" && !w.alive(d.holder, now) })
	n, err := w.s.Reclaim(w.t.Context())
	w.must(err)
	if n != len(dead) {
		w.fail("reclaimed %d deliveries of the dead, want %d", n, len(dead))
	}
	for _, d := range dead {
		w.lose(d)
		w.free(d)
	}
}

// free is what becomes of a delivery that is handed back.
func (w *walk) free(d *modelDelivery) {
	if d.wish != "" {
		d.error = d.wish
	}
	w.move(d, released)
}

// some gives a part of what a process has in hand.
func (w *walk) some(p *process) []inHand {
	return slices.DeleteFunc(slices.Clone(p.hand), func(inHand) bool { return w.rng.IntN(2) > 0 })
}

// always gives every attempt the same end.
func always(c cause) func() cause { return func() cause { return c } }

// recordSome reports what became of some attempts: in time, or late, by a process that does not live any more.
func (w *walk) recordSome() {
	p := w.anyProcess()
	ends := []cause{succeeded, succeeded, postponed, postponed, refused}
	if w.rng.IntN(3) == 0 { // much goes wrong at a time
		ends = []cause{postponed}
	}
	w.record(p, w.some(p), func() cause { return pick(w, ends) })
}

func (w *walk) record(p *process, hand []inHand, end func() cause) {
	if len(hand) == 0 {
		return
	}
	hand = slices.Clone(hand)
	outcomes, causes := make([]store.Outcome, len(hand)), make([]cause, len(hand))
	for i, h := range hand {
		outcomes[i], causes[i] = w.outcome(h, end())
		w.note("%s reports of delivery %d, attempt %d: %s", p.id, h.Delivery.ID, h.Delivery.Attempts+1, causes[i])
	}
	reported := slices.Clone(outcomes) // Record changes what it is given
	got, err := w.s.Record(w.t.Context(), p.id, outcomes, silent)
	w.must(err)
	applied := 0
	var seen []store.Outcome
	for i, o := range reported {
		d := w.deliveries[o.Delivery.ID]
		if d == nil || !d.pending() || d.holder != p.id || d.attempts != o.Delivery.Attempts {
			continue // the lease was lost, or the delivery has moved on or is gone: it must change nothing
		}
		if applied++; got.Applied[d.id] == nil {
			w.fail("what %s reports of delivery %d did not apply", p.id, d.id)
		}
		w.apply(d, o, causes[i])
		if o.Observed != nil {
			seen = append(seen, o)
		}
	}
	slices.SortStableFunc(seen, func(a, b store.Outcome) int { return a.Observed.At.Compare(b.Observed.At) })
	for _, o := range seen { // in the order in which it was seen
		c := w.deliveries[o.Delivery.ID].channel
		c.state = c.state.Observe(*o.Observed)
	}
	if applied != len(got.Applied) {
		w.fail("%d of what %s reports applied, want %d", len(got.Applied), p.id, applied)
	}
	p.hand = slices.DeleteFunc(p.hand, func(h inHand) bool {
		return slices.ContainsFunc(hand, func(x inHand) bool { return x.Delivery == h.Delivery })
	})
}

// outcome is what a process makes of what it has in hand.
func (w *walk) outcome(h inHand, end cause) (store.Outcome, cause) {
	o := store.Outcome{Delivery: h.Delivery, Alert: h.Alert}
	why := sprintf("failed at step %d", len(w.story))
	switch {
	case h.expired:
		o.Status, o.Error = models.Failed, &why
		return o, refused
	case h.NotToTell != "":
		o.Status, o.Error = models.Cancelled, &h.NotToTell
		return o, dropped
	}
	w.s.TurnClock(time.Microsecond) // one ends after the other
	at := w.s.Now()
	if late := at.Sub(h.at); late > 0 && w.rng.IntN(4) == 0 { // the answer came some time ago
		at = h.at.Add(time.Duration(w.rng.Int64N(int64(late)))).Truncate(time.Microsecond)
	}
	seen := &models.Observation{At: at, Error: why, Probe: h.probe}
	o.Attempt = &models.DeliveryAttempt{DeliveryID: h.Delivery.ID, Number: h.Delivery.Attempts + 1, StartedAt: h.at, Error: &why}
	o.Error = &why
	switch end {
	case succeeded:
		o.Status, o.Error, o.Attempt.Error = models.Delivered, nil, nil
		seen.Kind = models.Worked
		if !h.probe && w.rng.IntN(3) == 0 {
			seen = nil // stored later, see NoteSuccesses
		}
	case postponed:
		next := w.s.Now().Add(time.Duration(1 + w.rng.Int64N(int64(time.Hour)))).Truncate(time.Microsecond)
		o.Status, o.NextAttemptAt = models.Pending, &next
		seen.Kind = models.Failing
		if w.rng.IntN(4) == 0 {
			seen.Kind, seen.Until, o.Uncounted = models.Asked, &next, true
		}
	case refused:
		o.Status, seen.Kind = models.Failed, models.Refused
		if w.rng.IntN(4) == 0 {
			seen.Kind = models.Unusable
		}
	}
	o.Observed = seen
	return o, end
}

// apply is what an outcome that applies does.
func (w *walk) apply(d *modelDelivery, o store.Outcome, why cause) {
	d.error = text(o.Error)
	if d.wish != "" && o.Status != models.Delivered {
		d.error = d.wish
	}
	if o.Attempt != nil {
		d.attempts++
		if o.Uncounted {
			d.series++
		}
	}
	if o.NextAttemptAt != nil {
		d.due = *o.NextAttemptAt
	}
	w.move(d, why)
}

func (w *walk) retryOne() {
	d := w.anyDelivery()
	if d == nil {
		return
	}
	now := w.s.Now()
	able := d.channel.IsActive && d.channel.DeletedAt == nil && d.stage != delivered && (!d.pending() || w.isFree(d, now))
	w.note("delivery %d, %s, is sent again by hand", d.id, d.stage)
	_, err := w.s.RetryDelivery(w.t.Context(), d.id)
	if !able {
		w.expectCode(err, models.Conflict)
		return
	}
	w.must(err)
	w.lose(d)
	w.again(d, now)
	w.later([]*modelDelivery{d}, now)
}

// again is what becomes of a delivery that is sent again by hand.
func (w *walk) again(d *modelDelivery, now time.Time) {
	if !d.pending() {
		d.series, d.beganFrom = d.attempts, now
	}
	d.dueFrom, d.wish = now, ""
	w.move(d, retried)
}

// later is what has to be told behind deliveries that are sent again by hand, of what has become of their alerts meanwhile.
func (w *walk) later(again []*modelDelivery, now time.Time) {
	type telling struct {
		alert int64
		kind  models.DeliveryKind
	}
	want := make(map[telling]map[*modelChannel]bool)
	for _, d := range again {
		if d.kind != models.TellAlert {
			continue
		}
		t := telling{alert: d.alert}
		switch state := w.alert(d.alert).state(); {
		case state == models.Resolved && d.channel.NotifyOnResolve:
			t.kind = models.TellResolved
		case state == models.Acknowledged && d.channel.NotifyOnAcknowledge:
			t.kind = models.TellAcknowledged
		default:
			continue
		}
		all := w.all(func(e *modelDelivery) bool { return e.alert == d.alert && e.channel == d.channel && e.kind == t.kind })
		if len(all) == 0 {
			if want[t] == nil {
				want[t] = make(map[*modelChannel]bool)
			}
			want[t][d.channel] = true
			continue
		}
		e := all[len(all)-1]
		if e.stage == delivered || e.id < d.id {
			w.fail("%s of alert %d was told before the alert", t.kind, d.alert)
		}
		e.series, e.beganFrom, e.dueFrom, e.wish = e.attempts, now, now, ""
		w.move(e, retried)
		w.takeAway(e)
	}
	for t, channels := range want {
		w.newTellings(t.alert, t.kind, channels)
	}
}

// takeAway takes a delivery out of the hands of whoever has it, without its knowing.
func (w *walk) takeAway(d *modelDelivery) {
	for _, p := range w.processes {
		for i := range p.hand {
			if p.hand[i].Delivery.ID == d.id {
				p.hand[i].again = true
			}
		}
	}
}

// filter gives a filter for deliveries of this walk, and what matches it.
func (w *walk) filter() (*models.DeliveryFilter, []*modelDelivery) {
	c := w.anyChannel()
	f := &models.DeliveryFilter{ChannelID: &c.ID}
	if a := pick(w, w.alerts); a != nil && w.rng.IntN(2) > 0 {
		f.AlertID = &a.id
	}
	if w.rng.IntN(3) == 0 {
		f.Statuses = []models.DeliveryStatus{pick(w, []models.DeliveryStatus{models.Pending, models.Failed, models.Cancelled})}
	}
	return f, w.all(func(d *modelDelivery) bool {
		return d.channel == c && (f.AlertID == nil || *f.AlertID == d.alert) && (f.Statuses == nil || f.Statuses[0] == statuses[d.stage])
	})
}

func (w *walk) retryMany() {
	f, matching := w.filter()
	now := w.s.Now()
	got, _, err := w.s.RetryDeliveries(w.t.Context(), f)
	w.must(err)
	again := slices.DeleteFunc(matching, func(d *modelDelivery) bool {
		return d.stage != failed && d.stage != cancelled || !d.channel.IsActive || d.channel.DeletedAt != nil
	})
	w.note("%d on channel %d are sent again by hand", got, *f.ChannelID)
	if got != len(again) {
		w.fail("sent again: %d, want %d", got, len(again))
	}
	for _, d := range again {
		w.again(d, now)
	}
	w.later(again, now)
}

func (w *walk) cancelMany() {
	f, matching := w.filter()
	now, n := w.s.Now(), 0
	got, _, err := w.s.CancelDeliveries(w.t.Context(), f)
	w.must(err)
	for _, d := range matching {
		if d.pending() && d.wish == "" {
			n++
			w.cancel(d, store.CancelledByHand, now)
		}
	}
	w.note("%d on channel %d are cancelled", got, *f.ChannelID)
	if got != n {
		w.fail("cancelled: %d, want %d", got, n)
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
