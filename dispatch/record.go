package dispatch

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/rustbucket/alerts/metrics"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// Bounds of the recording.
const (
	recordEvery    = 15 * time.Millisecond // between two batches, unless much has come; a lone outcome does not wait
	maxRecordBatch = 256                   // at most store.MaxOutcomes
	maxRecordQueue = 128                   // beyond that sends wait: what is answered and not recorded is made again after a crash
)

// report is an outcome on its way to be recorded.
type report struct {
	store.Outcome
	reason   string        // for the metrics: why it is as it is
	recorded chan struct{} // closed when it is, or when nobody will record it any more; nil when nobody waits for that
}

// record stores outcomes in batches until d.records is closed and empty: while one batch commits, the next gathers.
func (d *Dispatcher) record(ctx context.Context) {
	var last time.Time
	for first := range d.records {
		reports := d.gather(first, last.Add(recordEvery))
		last = time.Now()
		slices.SortFunc(reports, func(a, b report) int { return cmp.Compare(a.Delivery.ID, b.Delivery.ID) })
		batch := make([]store.Outcome, len(reports))
		for i, r := range reports {
			batch[i] = r.Outcome
			batch[i].Succeeded = d.lastSuccess(r)
		}
		applied := d.recordBatch(ctx, batch)
		d.count(reports, batch, applied)
		ids := make([]int64, len(reports))
		for i, r := range reports {
			ids[i] = r.Delivery.ID
		}
		d.forget(ids)
		for _, r := range reports {
			if o := r.Observed; o != nil && o.Until != nil {
				d.holdStored(r.Delivery.ChannelID, *o.Until)
			}
			if r.recorded != nil {
				close(r.recorded)
			}
		}
	}
}

// gather gives the next batch: what comes until this moment, unless that is much, and all that is there by then. That costs
// PostgreSQL less than a batch for each few, and others wait less for its log.
func (d *Dispatcher) gather(first report, until time.Time) []report {
	reports := []report{first}
	wait := time.NewTimer(time.Until(until))
	defer wait.Stop()
	late := false
	for len(reports) < maxRecordBatch {
		var r report
		var ok bool
		if late || len(reports) >= maxRecordQueue {
			select {
			case r, ok = <-d.records:
			default:
			}
		} else {
			select {
			case r, ok = <-d.records:
			case <-wait.C:
				late = true
				continue
			}
		}
		if !ok {
			break
		}
		reports = append(reports, r)
	}
	return reports
}

// lastSuccess gives the time of a channel's last success for the first failure after it, if it is not stored yet.
func (d *Dispatcher) lastSuccess(r report) *time.Time {
	if r.Observed == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.successes[r.Delivery.ChannelID]
	if !ok {
		return nil
	}
	delete(d.successes, r.Delivery.ChannelID)
	return &at
}

// recordBatch tries until the outcomes are stored, or ctx ends: it is no matter of time, since an outcome whose delivery went
// to somebody else changes nothing.
func (d *Dispatcher) recordBatch(ctx context.Context, batch []store.Outcome) (applied map[int64]*models.Delivery) {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		recorded, err := d.store.Record(ctx, d.holder, batch, d.react)
		switch {
		case err == nil:
			d.tell(batch, recorded.Applied)
			d.Settled(recorded)
			return recorded.Applied
		case ctx.Err() != nil:
			d.log.Error("outcomes could not be recorded before the end; the deliveries are made again", "deliveries", len(batch), "error", err)
			return nil
		case store.Refused(err) && len(batch) > 1: // one that cannot be stored harms no other
			applied = make(map[int64]*models.Delivery, len(batch))
			for _, o := range batch {
				maps.Copy(applied, d.recordBatch(ctx, []store.Outcome{o}))
			}
			return applied
		case store.Refused(err) && batch[0].Attempt != nil:
			d.log.Error("an outcome cannot be stored; the delivery ends as failed", "delivery", batch[0].Delivery.ID, "error", err)
			why := "the outcome of an attempt could not be stored; the server's log says why"
			batch = []store.Outcome{{Delivery: batch[0].Delivery, Alert: batch[0].Alert, Status: models.Failed, Error: &why, Recipients: bare(batch[0].Recipients)}}
			continue
		}
		d.log.Warn("recording outcomes failed, trying again", "deliveries", len(batch), "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// bare leaves out what a mail server said of recipients: whom it took the message for must be stored, whatever cannot be.
func bare(recipients []models.RecipientOutcome) []models.RecipientOutcome {
	var list []models.RecipientOutcome
	for _, r := range recipients {
		list = append(list, models.RecipientOutcome{Address: r.Address, Status: r.Status})
	}
	return list
}

// count counts the deliveries that have come to their end. batch is what became of the reports' outcomes while they were
// recorded.
func (d *Dispatcher) count(reports []report, batch []store.Outcome, applied map[int64]*models.Delivery) {
	for i, r := range reports {
		now := applied[r.Delivery.ID]
		if now == nil || now.Status == models.Pending {
			continue
		}
		reason := r.reason
		if now.Status == models.Cancelled && batch[i].Error != nil {
			reason = cancelReason(*batch[i].Error)
		}
		d.metrics.DeliveryEnded(d.directory.typeOf(now.ChannelID), now.Status, reason, now.CompletedAt.Sub(now.CreatedAt))
	}
}

// Cancelled counts deliveries of a channel that were cancelled without having been claimed.
func (d *Dispatcher) Cancelled(channelID int64, reason string) {
	d.metrics.DeliveryEnded(d.directory.typeOf(channelID), models.Cancelled, cancelReason(reason), 0)
}

func cancelReason(text string) string {
	switch text {
	case store.CancelledInactive:
		return metrics.ReasonDeactivated
	case store.CancelledDeleted:
		return metrics.ReasonDeleted
	}
	if slices.Contains(models.NotToldReasons, text) {
		return metrics.ReasonNotTold
	}
	return metrics.ReasonCancelled
}

// Settled follows up on what was recorded: channels that are in service again, and what is newly to be sent.
func (d *Dispatcher) Settled(r *store.Recorded) {
	d.countStates(r)
	d.directory.observed(r.States)
	waiting := r.Waiting
	for _, s := range r.Turned {
		if s.InService() {
			waiting = append(waiting, s.ChannelID)
		} else {
			d.shut(s.ChannelID)
		}
	}
	if len(waiting) > 0 {
		d.Wake(waiting)
	}
}

// countStates counts what became of channels, and what the server raised about it.
func (d *Dispatcher) countStates(r *store.Recorded) {
	for _, s := range r.Turned {
		d.metrics.ChannelTransition(d.directory.typeOf(s.ChannelID), s.Health)
		d.log.Info("a channel's health changed", "channel", s.ChannelID, "health", s.Health, "failures", s.Failures)
	}
	for _, a := range r.Raised {
		if a.Duplicate {
			d.metrics.AlertsDeduplicated(1)
		} else {
			d.metrics.AlertsCreated(models.FromServer, 1)
			d.metrics.MetaAlert(a.Alert.Type)
			if a.Alert.SilenceID != nil {
				d.metrics.AlertsSilenced(1)
			}
		}
	}
}

// tell logs what did not go well.
func (d *Dispatcher) tell(batch []store.Outcome, applied map[int64]*models.Delivery) {
	for _, o := range batch {
		now, ok := applied[o.Delivery.ID]
		switch {
		case !ok:
			d.log.Warn("an outcome came too late: the delivery is in other hands", "delivery", o.Delivery.ID)
		case now.Status == models.Failed:
			d.log.Warn("delivery failed", "delivery", now.ID, "alert", now.AlertID, "channel", now.ChannelID, "attempts", now.Attempts, "error", *now.Error)
		}
	}
}
