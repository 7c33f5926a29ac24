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
	if f.CreatedAfter != nil {
		q = q.Where(createdAt(q, "d")+" >= ?", f.CreatedAfter.UTC())
	}
	if f.CreatedBefore != nil {
		q = q.Where(createdAt(q, "d")+" < ?", f.CreatedBefore.UTC())
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
