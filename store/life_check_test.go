package store_test

import (
	"encoding/json"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// What is stored, held against the model.

// check compares every delivery and every channel's state with the model.
func (w *walk) check() {
	now := w.s.Now()
	ids := w.channelIDs()
	stored, err := w.s.StoredDeliveries(w.t.Context(), ids)
	w.must(err)
	if len(stored) != len(w.deliveries) {
		w.fail("%d deliveries are stored, want %d", len(stored), len(w.deliveries))
	}
	for _, s := range stored {
		d := w.deliveries[s.ID]
		if d == nil {
			w.fail("delivery %d came from nowhere", s.ID)
		}
		w.adopt(&d.due, &d.dueFrom, s.DueAt, now)
		w.adopt(&d.began, &d.beganFrom, &s.SeriesBegan, now)
		w.checkDelivery(d, s)
	}
	states, err := w.s.StoredStates(w.t.Context(), ids)
	w.must(err)
	for _, c := range w.channels {
		w.checkState(c, states[c.ID])
	}
	w.checkHolders(now)
}

func (w *walk) channelIDs() (ids []int64) {
	for _, c := range w.sorted() {
		ids = append(ids, c.ID)
	}
	return ids
}

// adopt takes a stored moment into the model that is only known to lie between two.
func (w *walk) adopt(at, from *time.Time, stored *time.Time, now time.Time) {
	if from.IsZero() {
		return
	}
	if between := (&span{*from, now}); !between.has(stored) {
		w.fail("a moment between %s and %s is stored as %v", *from, now, stored)
	}
	*at, *from = *stored, time.Time{}
}

func (w *walk) checkDelivery(d *modelDelivery, s store.StoredDelivery) {
	if fault := unsound(s); fault != "" {
		w.fail("delivery %d: %s: %+v", d.id, fault, *s.Delivery)
	}
	if s.Status != statuses[d.stage] || s.Attempts != d.attempts || s.SeriesStart != d.series || s.Kind != d.kind ||
		text(s.LeasedBy) != d.holder || text(s.CancelReason) != d.wish || text(s.Error) != d.error ||
		!s.SeriesBegan.Equal(d.began) || d.pending() && !s.DueAt.Equal(d.due) {
		w.fail("delivery %d is stored as %+v, due %v, leased by %q, to be cancelled as %q, error %q; want %+v",
			d.id, *s.Delivery, s.DueAt, text(s.LeasedBy), text(s.CancelReason), text(s.Error), *d)
	}
}

// unsound says what is wrong about a stored delivery by itself; empty when nothing is.
func unsound(s store.StoredDelivery) string {
	pending := s.Status == models.Pending
	switch {
	case pending != (s.CompletedAt == nil):
		return "completed if and only if it is final"
	case pending != (s.DueAt != nil):
		return "due if and only if it is pending"
	case !pending && (s.LeasedBy != nil || s.CancelReason != nil):
		return "in somebody's hands, though it is final"
	case (s.Status == models.Failed || s.Status == models.Cancelled) && text(s.Error) == "":
		return "nothing says why"
	case s.Status == models.Delivered && s.Error != nil:
		return "delivered with an error"
	case s.SeriesStart > s.Attempts:
		return "more attempts in former series than in all"
	case s.CompletedAt != nil && s.CompletedAt.Before(s.CreatedAt):
		return "completed before it was created"
	}
	return ""
}

func (w *walk) checkState(c *modelChannel, s models.ChannelState) {
	for _, x := range []struct {
		between **span
		want    **time.Time
		got     *time.Time
	}{{&c.probe, &c.state.ProbeAt, s.ProbeAt}, {&c.arrival, &c.state.RateArrival, s.RateArrival}} {
		if *x.between == nil {
			continue
		}
		if !(*x.between).has(x.got) {
			w.fail("channel %d: a moment in %v is stored as %v", c.ID, **x.between, x.got)
		}
		*x.want, *x.between = x.got, nil
	}
	if c.since != nil {
		if !c.since.has(&s.Since) {
			w.fail("channel %d: since %v, want %v", c.ID, s.Since, *c.since)
		}
		c.state.Since, c.since = s.Since, nil
	}
	got, _ := json.Marshal(s)
	want, _ := json.Marshal(c.state)
	if string(got) != string(want) {
		w.fail("channel %d is stored as\n%s, want\n%s", c.ID, got, want)
	}
}

// checkHolders sees to it that what a process has in hand stays its own as long as it lives: nobody else has it as well.
func (w *walk) checkHolders(now time.Time) {
	for _, p := range w.processes {
		for _, h := range p.hand {
			d := w.deliveries[h.Delivery.ID]
			if d != nil && p.until.After(now) && h.life == p.life && !h.again && (!d.pending() || d.holder != p.id || d.attempts != h.Delivery.Attempts) {
				w.fail("%s lives and has delivery %d, which is %+v", p.id, d.id, *d)
			}
		}
	}
}

// checkHistory checks what tells of the past: the attempt log, and the feed.
func (w *walk) checkHistory() {
	stored, err := w.s.StoredDeliveries(w.t.Context(), w.channelIDs())
	w.must(err)
	for _, fault := range history(w.t.Context(), w.s, w.from, stored) {
		w.fail("%s", fault)
	}
	w.checkAlerts()
}

// checkAlerts compares the alerts that are open to people's hands, and how much of a history they have.
func (w *walk) checkAlerts() {
	ids := make([]int64, len(w.alerts))
	for i, a := range w.alerts {
		ids[i] = a.id
	}
	stored, err := w.s.AlertsByID(w.t.Context(), append(ids, 0))
	w.must(err)
	histories, err := w.s.Histories(w.t.Context(), append(ids, 0))
	w.must(err)
	for _, a := range w.alerts {
		s := stored[a.id]
		if s == nil || s.State() != a.state() || text(s.Assignee) != a.assignee || len(histories[a.id]) != a.changes {
			w.fail("alert %d is stored as %+v with %d changes, want %+v", a.id, s, len(histories[a.id]), *a)
		}
	}
}
