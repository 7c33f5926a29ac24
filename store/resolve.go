package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// resolveKeys resolves the open alerts with these dedup keys, as part of a transaction. It gives the channels that have
// something new to be sent.
func (s *Store) resolveKeys(ctx context.Context, tx bun.Tx, keys []string) ([]int64, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var ids []int64
	if err := tx.NewRaw("SELECT id FROM alerts WHERE dedup_key IN (?) AND resolved_at IS NULL", bun.List(keys)).Scan(ctx, &ids); err != nil || len(ids) == 0 {
		return nil, err
	}
	alerts, err := s.lockAlerts(ctx, tx, ids, toChange, false)
	if err != nil {
		return nil, err
	}
	_, told, err := s.changeAlerts(ctx, tx, alerts, models.AlertChange{Kind: models.WasResolved}, false)
	return told, err
}

// partlyTold is a condition on a delivery: some of its recipients have it, whatever became of it as a whole. They are told of the
// end, too. In JSON, what stands in a text cannot look like this: its quotes are escaped.
func partlyTold(alias string) string {
	return "CAST(" + alias + `.recipients AS text) LIKE '%"status":"DELIVERED"%'`
}

// overtaken is what is not told any more once something was done with an alert: what waits of these kinds, and why.
var overtaken = map[models.AlertEventKind]struct {
	kinds  []models.DeliveryKind
	reason string
}{
	models.WasResolved: {[]models.DeliveryKind{models.TellAcknowledged, models.TellReopened}, models.OvertakenByEnd},
	models.WasReopened: {[]models.DeliveryKind{models.TellAcknowledged, models.TellResolved}, models.OvertakenEnd},
}

// tellChannels creates what channels have to be told about alerts with which something was done in this transaction: a
// delivery for every channel that was or will be told of the alert and wants to hear of that. It waits behind those before it; what
// that makes idle is cancelled, so that nothing waits for its next attempt. It gives the channels.
func (s *Store) tellChannels(ctx context.Context, tx bun.Tx, alerts []*models.Alert, kind models.AlertEventKind, at time.Time) ([]int64, error) {
	ids := bun.List(idsOf(alerts))
	if idle, ok := overtaken[kind]; ok {
		err := s.cancelFound(ctx, tx, idle.reason,
			"SELECT id FROM deliveries WHERE alert_id IN (?) AND status = 'PENDING' AND kind IN (?) AND cancel_reason IS NULL ORDER BY id", ids, bun.List(idle.kinds))
		if err != nil {
			return nil, err
		}
	}
	told := "d.alert_id IN (?2) AND (d.status IN ('PENDING', 'DELIVERED') OR " + partlyTold("d") + ") AND "
	switch kind {
	case models.WasAcknowledged:
		return createTellings(ctx, tx, at, models.TellAcknowledged, told+"c.notify_on_acknowledge", ids)
	case models.WasResolved:
		return createTellings(ctx, tx, at, models.TellResolved, told+"c.notify_on_resolve", ids)
	case models.WasReopened: // where what it undoes was told, or may have been
		return createTellings(ctx, tx, at, models.TellReopened, told+`EXISTS (
			SELECT 1 FROM deliveries AS e
			WHERE e.alert_id = d.alert_id AND e.channel_id = d.channel_id AND (e.status IN ('PENDING', 'DELIVERED') OR e.attempts > 0 OR e.unsure)
			  AND (e.kind = 'RESOLVED' AND c.notify_on_resolve OR e.kind = 'ACKNOWLEDGED' AND c.notify_on_acknowledge))`, ids)
	}
	return nil, nil
}

// createTellings creates the deliveries that tell what became of alerts, for those deliveries of alerts that where names, on
// channels that are in use. Argument 0 is the present, 1 is the kind, 2 is arg. It gives the channels.
func createTellings(ctx context.Context, tx bun.Tx, at time.Time, kind models.DeliveryKind, where string, arg any) (channels []int64, err error) {
	err = tx.NewRaw(`
		INSERT INTO deliveries (alert_id, channel_id, kind, severity, status, attempts, series_start, series_began_at, next_attempt_at, created_at)
		SELECT d.alert_id, d.channel_id, ?1, a.severity, 'PENDING', 0, 0, ?0, ?0, ?0
		FROM deliveries AS d JOIN channels AS c ON c.id = d.channel_id JOIN alerts AS a ON a.id = d.alert_id
		WHERE d.kind = 'ALERT' AND c.is_active AND c.deleted_at IS NULL AND `+where+`
		ORDER BY d.id RETURNING channel_id`, at, kind, arg).Scan(ctx, &channels)
	return channels, err
}

// tellLater sees to it that behind deliveries that are sent again by hand, ids, it is told what has become of their alerts
// meanwhile: else an incident that they open would stay open for ever. What was to tell it before begins anew with them,
// whatever became of it; where there is nothing, it is created. So there is never more than one for each time.
//
// One that somebody holds at this moment is taken away: it was only to be ended, for the channel had not been told of the alert.
func (s *Store) tellLater(ctx context.Context, tx bun.Tx, ids []int64, at time.Time) error {
	lock := ""
	if s.isPostgres() {
		// Whoever changes one of the alerts now comes before this, and then that is seen here, or after it, and then sees the
		// deliveries as they are now.
		_, err := tx.NewRaw(`
			SELECT id FROM alerts WHERE id IN (SELECT alert_id FROM deliveries WHERE id IN (?) AND kind = 'ALERT')
			ORDER BY id FOR SHARE`, bun.List(ids)).Exec(ctx)
		if err != nil {
			return err
		}
		lock = "FOR UPDATE OF e"
	}
	for _, t := range []struct {
		kind  models.DeliveryKind
		where string // the alert is as this tells, and the channel wants to hear it
	}{
		{models.TellResolved, "a.resolved_at IS NOT NULL AND c.notify_on_resolve"},
		{models.TellAcknowledged, "a.resolved_at IS NULL AND a.acknowledged_at IS NOT NULL AND c.notify_on_acknowledge"},
	} {
		var last []int64
		err := tx.NewRaw(`
			SELECT e.id FROM deliveries AS d JOIN channels AS c ON c.id = d.channel_id JOIN alerts AS a ON a.id = d.alert_id
			JOIN deliveries AS e ON e.alert_id = d.alert_id AND e.channel_id = d.channel_id AND e.kind = ?1
			WHERE d.id IN (?0) AND d.kind = 'ALERT' AND e.status <> 'DELIVERED' AND e.id NOT IN (?0) AND `+t.where+`
			  AND NOT EXISTS (SELECT 1 FROM deliveries AS f WHERE f.alert_id = e.alert_id AND f.channel_id = e.channel_id AND f.kind = e.kind AND f.id > e.id)
			ORDER BY e.id `+lock, bun.List(ids), t.kind).Scan(ctx, &last)
		if err != nil {
			return err
		}
		if len(last) > 0 {
			if err := s.beginAll(ctx, tx, last, at, models.Pending, models.Failed, models.Cancelled); err != nil {
				return err
			}
		}
		_, err = createTellings(ctx, tx, at, t.kind, "d.id IN (?2) AND "+t.where+` AND NOT EXISTS (
			SELECT 1 FROM deliveries AS e WHERE e.alert_id = d.alert_id AND e.channel_id = d.channel_id AND e.kind = ?1)`, bun.List(ids))
		if err != nil {
			return err
		}
	}
	return nil
}
