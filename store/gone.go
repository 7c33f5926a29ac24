package store

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// Alerts that somebody deletes. What the feed has told about them stays readable as long as it is kept: for that, a copy of the
// alert stays behind.

type deletedAlertRow struct {
	bun.BaseModel `bun:"table:deleted_alerts,alias:g"`

	ID        int64 `bun:",pk"`
	DeletedAt time.Time
	Alert     string // a models.Alert in JSON
}

// DeleteAlerts removes alerts with their history, their deliveries and the attempts of those, and gives how many there were and
// the channels that had deliveries of them waiting. What is being sent at this moment is sent; what comes of it changes nothing any
// more. Of alerts that are named by their ids all are removed or none; of those that match a filter, batch after batch: what was
// done before an error stays done.
func (s *Store) DeleteAlerts(ctx context.Context, which models.AlertSelection) (n int, waited []int64, err error) {
	channels := make(map[int64]bool)
	err = s.each(ctx, "delete alerts", which, toDelete, func(tx bun.Tx, alerts []*models.Alert, first bool) (int, error) {
		if len(alerts) == 0 {
			return 0, nil
		}
		ids, err := s.deleteAlerts(ctx, tx, alerts)
		for _, id := range ids {
			channels[id] = true
		}
		if err != nil || !first {
			return len(alerts), err
		}
		return len(alerts), s.auditSelection(ctx, tx, models.AlertsDeleted, which, nil)
	}, func(done int) { n += done })
	return n, slices.Collect(maps.Keys(channels)), err
}

// deleteAlerts removes alerts that are locked toDelete, so that none of them gets another delivery, and gives the channels that had
// something of them waiting.
func (s *Store) deleteAlerts(ctx context.Context, tx bun.Tx, alerts []*models.Alert) (channels []int64, err error) {
	ids, at := idsOf(alerts), s.Now()
	copies := make([]*deletedAlertRow, len(alerts))
	for i, a := range alerts {
		text, err := json.Marshal(a)
		if err != nil {
			return nil, err
		}
		copies[i] = &deletedAlertRow{ID: a.ID, DeletedAt: at, Alert: string(text)}
	}
	if _, err := tx.NewInsert().Model(&copies).Returning("NULL").Exec(ctx); err != nil {
		return nil, err
	}
	var deliveries []struct {
		ID, ChannelID int64
		Pending       bool
	}
	query := "SELECT id, channel_id, status = 'PENDING' AS pending FROM deliveries WHERE alert_id IN (?) ORDER BY id"
	if s.isPostgres() { // in the order of everybody else
		query += " FOR UPDATE"
	}
	if err := tx.NewRaw(query, bun.List(ids)).Scan(ctx, &deliveries); err != nil {
		return nil, err
	}
	deliveryIDs := make([]int64, len(deliveries))
	for i, d := range deliveries {
		deliveryIDs[i] = d.ID
		if d.Pending {
			channels = append(channels, d.ChannelID)
		}
	}
	if _, err := remove(ctx, tx, "DELETE FROM attempts WHERE delivery_id IN (?)", deliveryIDs); err != nil {
		return nil, err
	}
	if _, err := remove(ctx, tx, "DELETE FROM deliveries WHERE id IN (?)", deliveryIDs); err != nil {
		return nil, err
	}
	for _, query := range []string{"DELETE FROM alert_events WHERE alert_id IN (?)", "DELETE FROM alerts WHERE id IN (?)"} {
		if _, err := remove(ctx, tx, query, ids); err != nil {
			return nil, err
		}
	}
	events := make([]eventRecord, len(alerts))
	for i, a := range alerts {
		events[i] = alertEvent(models.AlertDeleted, a, at)
	}
	return channels, s.appendEvents(ctx, tx, at, events)
}

// toldAlerts gives the alerts among ids that exist, and of those that somebody deleted what they were then.
func (s *Store) toldAlerts(ctx context.Context, ids []int64) (map[int64]*models.Alert, error) {
	alerts, err := alertsByID(ctx, s.read, ids)
	if err != nil {
		return nil, s.explain("read alerts", err)
	}
	missing := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return alerts[id] != nil })
	if len(missing) == 0 {
		return alerts, nil
	}
	var copies []*deletedAlertRow
	if err := s.read.NewSelect().Model(&copies).Where("id IN (?)", bun.List(missing)).Scan(ctx); err != nil {
		return nil, s.explain("read deleted alerts", err)
	}
	for _, c := range copies {
		alert := new(models.Alert)
		if err := json.Unmarshal([]byte(c.Alert), alert); err != nil {
			return nil, s.explain("read a deleted alert", err)
		}
		alerts[c.ID] = alert
	}
	return alerts, nil
}

// trimDeleted removes up to limit copies of alerts that were deleted before a moment, from when the feed has nothing about them
// any more.
func trimDeleted(ctx context.Context, tx bun.Tx, before time.Time, limit int) (int, error) {
	res, err := tx.NewRaw("DELETE FROM deleted_alerts WHERE id IN (SELECT id FROM deleted_alerts WHERE deleted_at < ? ORDER BY deleted_at LIMIT ?)",
		before.UTC(), limit).Exec(ctx)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}
