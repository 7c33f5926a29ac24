package store_test

import (
	"slices"

	"github.com/rustbucket/alerts/models"
)

// What people do with alerts in a walk.

// change does something with an alert.
func (w *walk) change() {
	a := pick(w, w.alerts)
	if a == nil {
		return
	}
	c := models.AlertChange{Kind: pick(w, []models.AlertEventKind{
		models.WasAcknowledged, models.WasResolved, models.WasResolved, models.WasReopened, models.WasAssigned, models.WasCommented,
	})}
	if c.Kind == models.WasAssigned {
		c.Assignee = ptr(w.name("somebody"))
	}
	w.note("alert %d, %s, is %s", a.id, a.state(), c.Kind)
	_, told, err := w.s.ChangeAlert(w.t.Context(), a.id, c)
	open := slices.ContainsFunc(w.alerts, func(b *modelAlert) bool { return a.key != "" && b.key == a.key && b != a && !b.resolved })
	switch was := a.state(); {
	case c.Kind == models.WasAcknowledged && was == models.Resolved, c.Kind == models.WasReopened && was == models.Resolved && open:
		w.expectCode(err, models.Conflict)
		return
	case c.Kind == models.WasAcknowledged && was != models.Open, c.Kind == models.WasResolved && was == models.Resolved, c.Kind == models.WasReopened && was == models.Open:
		w.must(err)
		if len(told) > 0 {
			w.fail("told twice: %v", told)
		}
		return
	}
	w.must(err)
	a.changes++
	switch c.Kind {
	case models.WasAcknowledged:
		a.acknowledged = true
		w.tell(a, models.TellAcknowledged, func(d *modelDelivery) bool { return d.channel.NotifyOnAcknowledge })
	case models.WasResolved:
		a.resolved = true
		w.overtake(a, models.OvertakenByEnd, models.TellAcknowledged, models.TellReopened)
		w.tell(a, models.TellResolved, func(d *modelDelivery) bool { return d.channel.NotifyOnResolve })
	case models.WasReopened:
		a.resolved, a.acknowledged = false, false
		w.overtake(a, models.OvertakenEnd, models.TellAcknowledged, models.TellResolved)
		w.tell(a, models.TellReopened, func(d *modelDelivery) bool {
			return slices.ContainsFunc(w.ofPair(d), func(e *modelDelivery) bool {
				wanted := e.kind == models.TellResolved && d.channel.NotifyOnResolve || e.kind == models.TellAcknowledged && d.channel.NotifyOnAcknowledge
				return wanted && (e.pending() || e.stage == delivered || e.attempts > 0 || e.unsure)
			})
		})
	case models.WasAssigned:
		a.assignee = *c.Assignee
	}
}

// overtake is what becomes of deliveries that tell what is not so any more.
func (w *walk) overtake(a *modelAlert, reason string, kinds ...models.DeliveryKind) {
	for _, d := range w.all(func(d *modelDelivery) bool {
		return d.alert == a.id && d.pending() && d.wish == "" && slices.Contains(kinds, d.kind)
	}) {
		w.cancel(d, reason, w.s.Now())
	}
}

// tell takes in what is newly to be told of an alert on the channels that were or will be told of it and want to hear it.
func (w *walk) tell(a *modelAlert, kind models.DeliveryKind, wants func(*modelDelivery) bool) {
	want := make(map[*modelChannel]bool)
	for _, d := range w.all(func(d *modelDelivery) bool { return d.alert == a.id && d.kind == models.TellAlert }) {
		c := d.channel
		want[c] = c.IsActive && c.DeletedAt == nil && (d.pending() || d.stage == delivered) && wants(d)
	}
	w.newTellings(a.id, kind, want)
}

// newTellings takes in the new deliveries that tell what became of an alert, on the channels that are true and no others.
func (w *walk) newTellings(alert int64, kind models.DeliveryKind, want map[*modelChannel]bool) {
	stored, err := w.s.DeliveriesOfAlerts(w.t.Context(), []int64{alert})
	w.must(err)
	for _, d := range stored[alert] {
		if c := w.channels[d.ChannelID]; w.deliveries[d.ID] == nil {
			if !want[c] || d.Kind != kind {
				w.fail("of alert %d it is to be told: %+v", alert, *d)
			}
			delete(want, c)
			w.move(w.born(d, w.alert(alert).severity), created)
		}
	}
	for c, missing := range want {
		if missing {
			w.fail("%s of alert %d is not told on channel %d", kind, alert, c.ID)
		}
	}
}

// deleteAlert removes an alert with all about it. Whoever has something of it in hand does not know.
func (w *walk) deleteAlert() {
	a := pick(w, w.alerts)
	if a == nil {
		return
	}
	w.note("alert %d is deleted", a.id)
	n, _, err := w.s.DeleteAlerts(w.t.Context(), models.AlertSelection{IDs: []int64{a.id}})
	w.must(err)
	if n != 1 {
		w.fail("deleted %d alerts", n)
	}
	w.alerts = slices.DeleteFunc(w.alerts, func(b *modelAlert) bool { return b == a })
	for _, d := range w.all(func(d *modelDelivery) bool { return d.alert == a.id }) {
		delete(w.deliveries, d.id)
	}
}
