package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// Delivery gives one delivery, or NOT_FOUND.
func (s *Store) Delivery(ctx context.Context, id int64) (*models.Delivery, error) {
	row, err := deliveryByID(ctx, s.read, id)
	if err != nil {
		return nil, s.explain("read delivery", err)
	}
	return row.model(), nil
}

func deliveryByID(ctx context.Context, db bun.IDB, id int64) (*deliveryRow, error) {
	row := new(deliveryRow)
	err := db.NewSelect().Model(row).Where("id = ?", id).Scan(ctx)
	return row, one("delivery", id, err)
}

// Deliveries gives up to limit deliveries with an id below before (0 = all), newest first.
func (s *Store) Deliveries(ctx context.Context, f *models.DeliveryFilter, before int64, limit int) ([]*models.Delivery, error) {
	var rows []*deliveryRow
	q := filterDeliveries(s.read.NewSelect().Model(&rows), f).OrderExpr("d.id DESC").Limit(int64(limit))
	if before > 0 {
		q = q.Where("d.id < ?", before)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, s.explain("read deliveries", err)
	}
	return deliveryModels(rows), nil
}

// CountDeliveries says how many deliveries match.
func (s *Store) CountDeliveries(ctx context.Context, f *models.DeliveryFilter) (int, error) {
	n, err := filterDeliveries(s.read.NewSelect().Model((*deliveryRow)(nil)), f).Count(ctx)
	return int(n), s.explain("count deliveries", err)
}

// DeliveriesOfAlerts gives the deliveries of each alert, oldest first.
func (s *Store) DeliveriesOfAlerts(ctx context.Context, alertIDs []int64) (map[int64][]*models.Delivery, error) {
	var rows []*deliveryRow
	err := s.read.NewSelect().Model(&rows).Where("alert_id IN (?)", bun.List(alertIDs)).OrderExpr("d.id").Scan(ctx)
	if err != nil {
		return nil, s.explain("read deliveries", err)
	}
	byAlert := make(map[int64][]*models.Delivery, len(alertIDs))
	for _, r := range rows {
		byAlert[r.AlertID] = append(byAlert[r.AlertID], r.model())
	}
	return byAlert, nil
}

// AttemptsOfDeliveries gives the attempts of each delivery, the first one first.
func (s *Store) AttemptsOfDeliveries(ctx context.Context, deliveryIDs []int64) (map[int64][]*models.DeliveryAttempt, error) {
	var rows []*attemptRow
	err := s.read.NewSelect().Model(&rows).Where("delivery_id IN (?)", bun.List(deliveryIDs)).OrderExpr("t.delivery_id, t.number").Scan(ctx)
	if err != nil {
		return nil, s.explain("read attempts", err)
	}
	byDelivery := make(map[int64][]*models.DeliveryAttempt, len(deliveryIDs))
	for _, r := range rows {
		byDelivery[r.DeliveryID] = append(byDelivery[r.DeliveryID], r.model())
	}
	return byDelivery, nil
}

// RetryDelivery makes a delivery due now: one that waits keeps its schedule, one that failed or was cancelled begins it
// anew. CONFLICT when it was delivered, is being sent, or its channel cannot be told.
func (s *Store) RetryDelivery(ctx context.Context, id int64) (*models.Delivery, error) {
	var delivery *models.Delivery
	err := s.inTx(ctx, "retry delivery", func(tx bun.Tx) error {
		at := now()
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
		q := tx.NewUpdate().Model(row).WherePK().Set("next_attempt_at = ?", at)
		if row.Status == models.Pending {
			q = q.Where("status = ? AND (lease_until IS NULL OR lease_until <= ?)", models.Pending, at)
		} else {
			q = q.Set("status = ?", models.Pending).Set("series_start = attempts").Set("completed_at = NULL").
				Set("leased_by = NULL").Set("lease_until = NULL").Where("status IN (?, ?)", models.Failed, models.Cancelled)
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
		delivery = row.model()
		return s.appendEvents(ctx, tx, at, []eventRecord{deliveryEvent(delivery, 0, at)})
	})
	if err != nil {
		return nil, err
	}
	s.signalAppended()
	return delivery, nil
}

// cancelWaiting cancels what waits on these channels and is not being sent at this moment; the dispatcher cancels the
// rest when its attempt has failed. It is part of the transaction that takes the channels out of use.
func (s *Store) cancelWaiting(ctx context.Context, tx bun.Tx, channelIDs []int64, reason string) error {
	at := now()
	var rows []*deliveryRow
	_, err := tx.NewUpdate().Model(&rows).
		Set("status = ?", models.Cancelled).Set("error = ?", reason).Set("completed_at = ?", at).
		Set("next_attempt_at = NULL").Set("leased_by = NULL").Set("lease_until = NULL").
		Where("channel_id IN (?) AND status = ?", bun.List(channelIDs), models.Pending).
		Where("lease_until IS NULL OR lease_until <= ?", at).
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

func filterDeliveries(q *bun.SelectQuery, f *models.DeliveryFilter) *bun.SelectQuery {
	if f == nil {
		return q
	}
	if f.AlertID != nil {
		q = q.Where("d.alert_id = ?", *f.AlertID)
	}
	if f.ChannelID != nil {
		q = q.Where("d.channel_id = ?", *f.ChannelID)
	}
	if len(f.Statuses) > 0 {
		q = q.Where("d.status IN (?)", bun.List(f.Statuses))
	}
	return q
}

func deliveryModels(rows []*deliveryRow) []*models.Delivery {
	deliveries := make([]*models.Delivery, len(rows))
	for i, r := range rows {
		deliveries[i] = r.model()
	}
	return deliveries
}
