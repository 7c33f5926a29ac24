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

// record stores outcomes in batches until d.records is closed and empty: while one batch commits, the next gathers.
func (d *Dispatcher) record(ctx context.Context) {
	var last time.Time
	for first := range d.records {
		time.Sleep(recordEvery - time.Since(last)) // more gather meanwhile: 10 % less CPU on PostgreSQL
		last = time.Now()
		batch := []store.Outcome{first}
		for len(batch) < maxRecordBatch {
			select {
			case o, ok := <-d.records:
				if ok {
					batch = append(batch, o)
					continue
				}
			default:
			}
			break
		}
		d.recordBatch(ctx, batch)
	}
}

// recordBatch tries until the outcomes are stored, or until their leases have ended: then somebody else has the deliveries.
func (d *Dispatcher) recordBatch(ctx context.Context, batch []store.Outcome) {
	ctx, cancel := context.WithTimeout(ctx, d.lease)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		applied, err := d.store.Record(ctx, d.holder, batch)
		if err == nil {
			d.tell(batch, applied)
			return
		}
		if ctx.Err() != nil {
			d.log.Error("outcomes could not be recorded while their leases held; the deliveries are made again", "deliveries", len(batch), "error", err)
			return
		}
		d.log.Warn("recording outcomes failed, trying again", "deliveries", len(batch), "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
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
