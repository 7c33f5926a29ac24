package dispatch

import (
	"context"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// Bounds of the recording.
const (
	recordEvery    = 5 * time.Millisecond
	maxRecordBatch = 256  // at most store.MaxOutcomes
	maxRecordQueue = 1024 // beyond that sends wait
)

// report is an outcome on its way to be recorded.
type report struct {
	store.Outcome
	recorded chan struct{} // closed when it is, or when nobody will record it any more; nil when nobody waits for that
}

// record stores outcomes in batches until d.records is closed and empty: while one batch commits, the next gathers.
func (d *Dispatcher) record(ctx context.Context) {
	var last time.Time
	for first := range d.records {
		time.Sleep(recordEvery - time.Since(last)) // more gather meanwhile: 10 % less CPU on PostgreSQL
		last = time.Now()
		reports := []report{first}
		for len(reports) < maxRecordBatch {
			select {
			case r, ok := <-d.records:
				if ok {
					reports = append(reports, r)
					continue
				}
			default:
			}
			break
		}
		batch := make([]store.Outcome, len(reports))
		for i, r := range reports {
			batch[i] = r.Outcome
		}
		d.recordBatch(ctx, batch)
		ids := make([]int64, len(reports))
		for i, r := range reports {
			ids[i] = r.Delivery.ID
		}
		d.forget(ids)
		for _, r := range reports {
			if r.recorded != nil {
				close(r.recorded)
			}
		}
	}
}

// recordBatch tries until the outcomes are stored, or ctx ends: it is no matter of time, since an outcome whose delivery went
// to somebody else changes nothing.
func (d *Dispatcher) recordBatch(ctx context.Context, batch []store.Outcome) {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		recorded, err := d.store.Record(ctx, d.holder, batch, d.react)
		switch {
		case err == nil:
			d.tell(batch, recorded.Applied)
			d.settled(recorded)
			return
		case ctx.Err() != nil:
			d.log.Error("outcomes could not be recorded before the end; the deliveries are made again", "deliveries", len(batch), "error", err)
			return
		case store.Refused(err) && len(batch) > 1: // one that cannot be stored harms no other
			for _, o := range batch {
				d.recordBatch(ctx, []store.Outcome{o})
			}
			return
		case store.Refused(err) && batch[0].Attempt != nil:
			d.log.Error("an outcome cannot be stored; the delivery ends as failed", "delivery", batch[0].Delivery.ID, "error", err)
			why := "the outcome of an attempt could not be stored; the server's log says why"
			batch = []store.Outcome{{Delivery: batch[0].Delivery, Alert: batch[0].Alert, Status: models.Failed, Error: &why}}
			continue
		}
		d.log.Warn("recording outcomes failed, trying again", "deliveries", len(batch), "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// settled follows up on what was recorded: channels that are in service again, and what is newly to be sent.
func (d *Dispatcher) settled(r *store.Recorded) {
	d.directory.observed(r.States)
	waiting := r.Waiting
	for _, s := range r.States {
		if s.Health == models.HealthOK {
			waiting = append(waiting, s.ChannelID)
		}
		if s.Health == models.HealthPaused || s.Health == models.HealthBroken {
			d.shut(s.ChannelID)
		}
	}
	if len(waiting) > 0 {
		d.Wake(waiting)
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
