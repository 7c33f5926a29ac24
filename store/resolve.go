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

// tellChannels creates what channels have to be told about alerts with which something was done in this transaction: a
// delivery for every channel that was or will be told of the alert and wants to hear of that. It waits behind the alert's own
// delivery. It gives the channels.
func (s *Store) tellChannels(ctx context.Context, tx bun.Tx, alerts []*models.Alert, kind models.AlertEventKind, at time.Time) ([]int64, error) {
	if kind != models.WasResolved {
		return nil, nil
	}
	return createEnds(ctx, tx, at, "d.alert_id IN (?1) AND (d.status IN ('PENDING', 'DELIVERED') OR "+partlyTold("d")+")", bun.List(idsOf(alerts)))
}

// createEnds creates the deliveries that tell of the end of alerts, for those deliveries of alerts that where names and whose
// channels want to hear of it. Argument 0 is the present, 1 is arg. It gives the channels.
func createEnds(ctx context.Context, tx bun.Tx, at time.Time, where string, arg any) (channels []int64, err error) {
	err = tx.NewRaw(`
		INSERT INTO deliveries (alert_id, channel_id, kind, severity, status, attempts, series_start, series_began_at, next_attempt_at, created_at)
		SELECT d.alert_id, d.channel_id, 'RESOLVED', a.severity, 'PENDING', 0, 0, ?0, ?0, ?0
		FROM deliveries AS d JOIN channels AS c ON c.id = d.channel_id JOIN alerts AS a ON a.id = d.alert_id
		WHERE d.kind = 'ALERT' AND c.notify_on_resolve AND c.is_active AND c.deleted_at IS NULL AND `+where+`
		ORDER BY d.id RETURNING channel_id`, at, arg).Scan(ctx, &channels)
	return channels, err
}

// tellEnds sees to it that behind deliveries that are sent again by hand, ids, the end of their alerts is told where that has
// come meanwhile: else an incident that they open would stay open for ever. What was to tell it before begins anew with them,
// whatever became of it; where there is nothing, it is created. So there is never more than one for an alert on a channel.
//
// One that somebody holds at this moment is taken away: it was only to be ended, for the channel had not been told of the alert.
func (s *Store) tellEnds(ctx context.Context, tx bun.Tx, ids []int64, at time.Time) error {
	lock := ""
	if s.isPostgres() {
		// Whoever resolves one of the alerts now comes before this, and then its end is seen here, or after it, and then sees
		// the deliveries as they are now.
		_, err := tx.NewRaw(`
			SELECT id FROM alerts WHERE id IN (SELECT alert_id FROM deliveries WHERE id IN (?) AND kind = 'ALERT')
			ORDER BY id FOR SHARE`, bun.List(ids)).Exec(ctx)
		if err != nil {
			return err
		}
		lock = "FOR UPDATE OF e"
	}
	var ends []int64
	err := tx.NewRaw(`
		SELECT e.id FROM deliveries AS d JOIN channels AS c ON c.id = d.channel_id
		JOIN deliveries AS e ON e.alert_id = d.alert_id AND e.channel_id = d.channel_id AND e.kind = 'RESOLVED'
		WHERE d.id IN (?0) AND d.kind = 'ALERT' AND c.notify_on_resolve AND e.status <> 'DELIVERED' AND e.id NOT IN (?0)
		ORDER BY e.id `+lock, bun.List(ids)).Scan(ctx, &ends)
	if err != nil {
		return err
	}
	if len(ends) > 0 {
		if err := s.beginAll(ctx, tx, ends, at, models.Pending, models.Failed, models.Cancelled); err != nil {
			return err
		}
	}
	_, err = createEnds(ctx, tx, at, `d.id IN (?1) AND a.resolved_at IS NOT NULL AND NOT EXISTS (
			SELECT 1 FROM deliveries AS e WHERE e.alert_id = d.alert_id AND e.channel_id = d.channel_id AND e.kind = 'RESOLVED')`, bun.List(ids))
	return err
}
