package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// What people do to deliveries by hand: send them again, or cancel them.

// CancelledByHand stands in the error of a delivery that somebody cancelled.
const CancelledByHand = "cancelled by hand"

// handsBatch is how many deliveries one transaction retries or cancels, so that nobody waits long for its locks.
const handsBatch = 500

// RetryDelivery makes a delivery due now: one that waits keeps its schedule, one that failed or was cancelled begins it
// anew. What has become of the alert meanwhile is told behind it, see tellLater. CONFLICT when
// it was delivered, is being sent, or its channel cannot be told.
func (s *Store) RetryDelivery(ctx context.Context, id int64) (*models.Delivery, error) {
	var delivery *models.Delivery
	err := s.inTx(ctx, "retry delivery", func(tx bun.Tx) error {
		at := s.Now()
		row, err := deliveryByID(ctx, tx, id)
		if err != nil {
			return err
		}
		if row.Status == models.Delivered {
			return models.Conflicting("id", "delivery %d was delivered already", id)
		}
		var able bool
		err = tx.NewRaw("SELECT is_active AND deleted_at IS NULL FROM channels WHERE id = ?", row.ChannelID).Scan(ctx, &able)
		if err != nil {
			return err
		}
		if !able {
			return models.Conflicting("id", "the channel of delivery %d is deactivated or deleted: activate it first", id)
		}
		now := &deliveryRow{ID: id} // a row that was read before keeps what has become NULL
		q := tx.NewUpdate().Model(now).WherePK()
		if row.Status == models.Pending {
			q = q.Set("next_attempt_at = ?", at).Set(unsureIfHeld).Set("leased_by = NULL").Set("cancel_reason = NULL").
				Where("status = ?", models.Pending).Where(unleased, at)
		} else {
			q = beginAgain(q, at).Where("status IN (?, ?)", models.Failed, models.Cancelled)
		}
		res, err := q.Returning("*").Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return models.Conflicting("id", "delivery %d is being sent right now", id)
		}
		delivery = now.model()
		if err := s.appendEvents(ctx, tx, at, []eventRecord{deliveryEvent(delivery, 0, at)}); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, models.DeliveryRetried, &auditSubject{id: id}, nil); err != nil {
			return err
		}
		return s.tellLater(ctx, tx, []int64{id}, at)
	})
	if err != nil {
		return nil, err
	}
	s.signalAppended()
	return delivery, nil
}

// beginAgain begins the schedule of deliveries anew.
func beginAgain(q *bun.UpdateQuery, at time.Time) *bun.UpdateQuery {
	return q.Set("status = ?", models.Pending).Set("series_start = attempts").Set("series_began_at = ?", at).
		Set("next_attempt_at = ?", at).Set("completed_at = NULL").Set("leased_by = NULL").Set("cancel_reason = NULL")
}

// beginAll begins the schedule of these deliveries anew, as far as they have one of the statuses, and tells the subscribers.
func (s *Store) beginAll(ctx context.Context, tx bun.Tx, ids []int64, at time.Time, statuses ...models.DeliveryStatus) error {
	var rows []*deliveryRow
	_, err := beginAgain(tx.NewUpdate().Model(&rows), at).Where("id IN (?)", bun.List(ids)).Where("status IN (?)", bun.List(statuses)).
		Returning("*").Exec(ctx)
	if err != nil {
		return err
	}
	events := make([]eventRecord, len(rows))
	for i, r := range rows {
		events[i] = deliveryEvent(r.model(), 0, at)
	}
	return s.appendEvents(ctx, tx, at, events)
}

// RetryDeliveries begins the schedule anew for every failed or cancelled delivery that matches and whose channel can be
// told, and sees to it that what has become of the alerts meanwhile is told behind them, see tellLater. It gives how many
// matched and the channels that they are on.
func (s *Store) RetryDeliveries(ctx context.Context, f *models.DeliveryFilter) (n int, channelIDs []int64, err error) {
	able := "d.channel_id IN (SELECT id FROM channels WHERE is_active AND deleted_at IS NULL)"
	return s.byHand(ctx, "retry deliveries", models.DeliveriesRetried, f, []models.DeliveryStatus{models.Failed, models.Cancelled}, able,
		func(tx bun.Tx, ids []int64) error {
			at := s.Now()
			if err := s.beginAll(ctx, tx, ids, at, models.Failed, models.Cancelled); err != nil {
				return err
			}
			return s.tellLater(ctx, tx, ids, at)
		})
}

// CancelDeliveries cancels every pending delivery that matches. One that is being sent is cancelled unless this attempt
// succeeds. It gives how many there were and the channels that they are on.
func (s *Store) CancelDeliveries(ctx context.Context, f *models.DeliveryFilter) (n int, channelIDs []int64, err error) {
	return s.byHand(ctx, "cancel deliveries", models.DeliveriesCancelled, f, []models.DeliveryStatus{models.Pending}, "d.cancel_reason IS NULL",
		func(tx bun.Tx, ids []int64) error {
			return s.cancelPending(ctx, tx, CancelledByHand, func(q *bun.UpdateQuery) *bun.UpdateQuery {
				return q.Where("id IN (?)", bun.List(ids))
			})
		})
}

// byHand does something to all matching deliveries of these statuses, in batches. What was done before an error stays done.
func (s *Store) byHand(ctx context.Context, what string, action models.AuditAction, f *models.DeliveryFilter, statuses []models.DeliveryStatus, where string, do func(tx bun.Tx, ids []int64) error) (n int, channelIDs []int64, err error) {
	channels := make(map[int64]bool)
	last, err := s.before(ctx, statuses)
	if err != nil {
		return 0, nil, s.explain(what, err)
	}
	for {
		var found []struct{ ID, ChannelID int64 }
		err := s.inTx(ctx, what, func(tx bun.Tx) error {
			found = nil
			q := filterDeliveries(tx.NewSelect().Model((*deliveryRow)(nil)), f).Column("d.id", "d.channel_id").
				Where("d.status IN (?)", bun.List(statuses)).Where(where).Where("d.id > ?", last).OrderExpr("d.id").Limit(handsBatch)
			if s.isPostgres() {
				q = q.For("UPDATE OF d")
			}
			if err := q.Scan(ctx, &found); err != nil || len(found) == 0 {
				return err
			}
			if n == 0 { // once, with the first batch
				if err := s.audit(ctx, tx, action, nil, map[string]any{"filter": auditedFilter(f)}); err != nil {
					return err
				}
			}
			ids := make([]int64, len(found))
			for i, r := range found {
				ids[i] = r.ID
			}
			return do(tx, ids)
		})
		if err != nil {
			return n, slices.Collect(maps.Keys(channels)), err
		}
		s.signalAppended()
		n += len(found)
		for _, r := range found {
			channels[r.ChannelID] = true
			last = r.ID
		}
		if len(found) < handsBatch {
			return n, slices.Collect(maps.Keys(channels)), nil
		}
	}
}

// before gives an id below those of all deliveries of these statuses: none that ended long ago need be looked at to find what
// is pending.
func (s *Store) before(ctx context.Context, statuses []models.DeliveryStatus) (id int64, err error) {
	if len(statuses) == 1 && statuses[0] == models.Pending {
		err = s.read.NewRaw("SELECT coalesce(min(id), 1) - 1 FROM "+pending("")+" AS d").Scan(ctx, &id)
	}
	return id, err
}

// cancelWaiting cancels what waits on these channels, as part of the transaction that takes them out of use: the first batch.
// cancelRest does the rest behind it, so that a long backlog holds no locks for long.
func (s *Store) cancelWaiting(ctx context.Context, tx bun.Tx, channelIDs []int64, reason string) error {
	return s.cancelFound(ctx, tx, reason, stranded, bun.List(channelIDs), handsBatch)
}

// strandedOnly is a condition on deliveries: they wait on channels that are out of use.
const strandedOnly = `
	AND status = 'PENDING' AND cancel_reason IS NULL
	AND channel_id IN (SELECT id FROM channels WHERE deleted_at IS NOT NULL OR NOT is_active)`

// stranded selects what waits on channels, argument 0, as long as they are out of use; argument 1 is how many at most.
var stranded = "SELECT id FROM deliveries WHERE id IN (SELECT id FROM " + pending("channel_id IN (?0)") + " AS d ORDER BY id LIMIT ?1)" + strandedOnly + " ORDER BY id"

// cancelFound cancels the deliveries that a query finds, which locks them in the order of everybody else.
func (s *Store) cancelFound(ctx context.Context, tx bun.Tx, reason, query string, args ...any) error {
	if s.isPostgres() {
		query += " FOR UPDATE"
	}
	var ids []int64
	if err := tx.NewRaw(query, args...).Scan(ctx, &ids); err != nil || len(ids) == 0 {
		return err
	}
	return s.cancelPending(ctx, tx, reason, func(q *bun.UpdateQuery) *bun.UpdateQuery { return q.Where("id IN (?)", bun.List(ids)) })
}

// cancelRest cancels what still waits on channels that were taken out of use. When it fails, CancelStranded does it later.
func (s *Store) cancelRest(ctx context.Context, channelIDs []int64, reason string) {
	if err := s.cancelWaitingOn(ctx, channelIDs, reason); err != nil {
		s.log.Warn("cancelling what waits on channels out of use is put off", "error", err)
	}
}

// cancelWaitingOn looks for what waits once, and then goes through it: to look again for each batch would take the time of the
// whole backlog each time.
func (s *Store) cancelWaitingOn(ctx context.Context, channelIDs []int64, reason string) error {
	if len(channelIDs) == 0 {
		return nil
	}
	var waiting []int64
	err := s.read.NewRaw("SELECT id FROM "+pending("channel_id IN (?0)")+" AS d WHERE cancel_reason IS NULL ORDER BY id",
		bun.List(channelIDs)).Scan(ctx, &waiting)
	if err != nil {
		return err
	}
	for ids := range slices.Chunk(waiting, handsBatch) {
		err := s.inTx(ctx, "cancel what waits", func(tx bun.Tx) error {
			return s.cancelFound(ctx, tx, reason, "SELECT id FROM deliveries WHERE id IN (?0)"+strandedOnly+" ORDER BY id", bun.List(ids))
		})
		if err != nil {
			return err
		}
		s.signalAppended()
	}
	return nil
}

// CancelStranded cancels what waits on channels that are out of use: what was put off, and what was recorded as waiting at
// the very moment when its channel was deactivated.
func (s *Store) CancelStranded(ctx context.Context) error {
	var out []struct {
		ID      int64
		Deleted bool
	}
	err := s.read.NewRaw(`
		SELECT c.id, c.deleted_at IS NOT NULL AS deleted FROM channels AS c
		WHERE (c.deleted_at IS NOT NULL OR NOT c.is_active)
		  AND c.id IN (SELECT channel_id FROM `+pending("")+` AS d WHERE cancel_reason IS NULL)`).Scan(ctx, &out)
	for _, c := range out {
		reason := CancelledInactive
		if c.Deleted {
			reason = CancelledDeleted
		}
		s.cancelRest(ctx, []int64{c.ID}, reason)
	}
	return s.explain("look for what waits on channels out of use", err)
}

// cancelPending cancels the pending deliveries that where names. Those that somebody is sending are marked: they end
// as cancelled unless the attempt succeeds.
func (s *Store) cancelPending(ctx context.Context, tx bun.Tx, reason string, where func(*bun.UpdateQuery) *bun.UpdateQuery) error {
	_, err := where(tx.NewUpdate().Model((*deliveryRow)(nil)).Set("cancel_reason = ?", reason)).
		Where("status = ?", models.Pending).Where("NOT "+unleased, s.Now()).Exec(ctx)
	if err != nil {
		return err
	}
	return s.cancel(ctx, tx, "?", func(q *bun.UpdateQuery) *bun.UpdateQuery {
		return where(q).Where("status = ?", models.Pending).Where(unleased, s.Now())
	}, reason)
}

// cancel ends deliveries as cancelled that nobody who lives holds, with the SQL expression reason in their error, and tells the
// subscribers.
func (s *Store) cancel(ctx context.Context, tx bun.Tx, reason string, where func(*bun.UpdateQuery) *bun.UpdateQuery, args ...any) error {
	at := s.Now()
	var rows []*deliveryRow
	_, err := where(tx.NewUpdate().Model(&rows).
		Set("status = ?", models.Cancelled).Set("error = "+reason, args...).Set("completed_at = ?", at).
		Set("next_attempt_at = NULL").Set(unsureIfHeld).Set("leased_by = NULL").Set("cancel_reason = NULL")).
		Returning("*").Exec(ctx)
	if err != nil {
		return err
	}
	events := make([]eventRecord, len(rows))
	for i, r := range rows {
		events[i] = deliveryEvent(r.model(), 0, at)
		if s.onCancel != nil {
			s.onCancel(r.ChannelID, *r.Error)
		}
	}
	return s.appendEvents(ctx, tx, at, events)
}
