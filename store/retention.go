package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// trimLock is the advisory lock under which one process at a time removes what is old ("trim" in ASCII).
const trimLock = 0x7472696d

// trimDeliveries is how many deliveries one Trim removes at most, unless a single alert has more.
const trimDeliveries = 1000

// Trimmed is what one Trim removed.
type Trimmed struct {
	Alerts, Deliveries, Attempts int
	Events                       int   // in the order of the feed; the rows that held them are gone
	Silences                     int   // that were over
	After                        int64 // id of the last alert that was looked at: the next Trim goes on behind it
	More                         bool  // there may be more to remove
}

// Trim removes a little of what is older than before, in one small transaction: events, as long as there are any, then up
// to limit alerts with their deliveries and attempts, beginning behind the id after (0 = with the oldest). An alert with a
// PENDING delivery stays, and so does an event that has no position yet. A feed cursor that stood before a removed event has
// expired then. Silences go that were over before it, and that no alert names any more. Of several processes that call it at a
// time, one does the work.
func (s *Store) Trim(ctx context.Context, before time.Time, after int64, limit int) (Trimmed, error) {
	var result Trimmed
	err := s.inTx(ctx, "remove what is old", func(tx bun.Tx) error {
		result = Trimmed{After: after}
		if s.isPostgres() {
			var mine bool
			if err := tx.NewRaw("SELECT pg_try_advisory_xact_lock(?)", trimLock).Scan(ctx, &mine); err != nil || !mine {
				return err
			}
		}
		// Events go first: a reader whose cursor is too old must hear so, not find a feed without the alerts.
		var err error
		if result.Events, err = trimEvents(ctx, tx, before, limit); err != nil || result.Events > 0 {
			result.More = result.Events > 0
			return err
		}
		if n, err := trimDeleted(ctx, tx, before, limit); err != nil || n > 0 {
			result.More = n > 0
			return err
		}
		if after == 0 { // once for each time that all is gone through: there are few
			if result.Silences, err = trimSilences(ctx, tx, before, limit); err != nil || result.Silences > 0 {
				result.More = result.Silences > 0
				return err
			}
		}
		return s.trimAlerts(ctx, tx, before, limit, &result)
	})
	if err != nil {
		return Trimmed{After: after}, err
	}
	return result, nil
}

// trimEvents removes up to limit rows from the beginning of the feed, as far as they are old, and says how many events they
// held.
func trimEvents(ctx context.Context, tx bun.Tx, before time.Time, limit int) (int, error) {
	var rows []struct {
		ID, FirstPosition int64
		Count             int
		Old               bool
	}
	err := tx.NewRaw(`
		SELECT id, first_position, count, created_at < ? AS old FROM events
		WHERE first_position IS NOT NULL ORDER BY first_position LIMIT ?`, before.UTC(), limit).Scan(ctx, &rows)
	if err != nil {
		return 0, err
	}
	var ids []int64
	events, last := 0, int64(0)
	for _, r := range rows {
		if !r.Old {
			break
		}
		ids = append(ids, r.ID)
		events += r.Count
		last = r.FirstPosition + int64(r.Count) - 1
	}
	if len(ids) == 0 {
		return 0, nil
	}
	if _, err := tx.NewRaw("DELETE FROM events WHERE id IN (?)", bun.List(ids)).Exec(ctx); err != nil {
		return 0, err
	}
	// Last, because whoever gives positions waits for this row.
	_, err = tx.NewRaw("UPDATE feed_head SET trimmed = ? WHERE id = 1", last).Exec(ctx)
	return events, err
}

// trimAlerts goes through the next alerts in the order of their ids, which is nearly that of their creation: it needs no
// index by time, which every insert would have to keep.
func (s *Store) trimAlerts(ctx context.Context, tx bun.Tx, before time.Time, limit int, result *Trimmed) error {
	var window []struct {
		ID         int64
		Old        bool
		Deliveries int
	}
	err := tx.NewRaw(`
		SELECT id, created_at < ? AS old, (SELECT count(*) FROM deliveries WHERE alert_id = a.id) AS deliveries
		FROM alerts AS a WHERE id > ? ORDER BY id LIMIT ?`, before.UTC(), result.After, limit).Scan(ctx, &window)
	if err != nil {
		return err
	}
	var old []int64
	deliveries := 0
	full := len(window) == limit
	for _, a := range window {
		if deliveries += a.Deliveries; deliveries > trimDeliveries && len(old) > 0 {
			full = true
			break
		}
		result.After = a.ID
		if a.Old {
			old = append(old, a.ID)
		}
	}
	result.More = full && len(old) > 0
	return s.removeAlerts(ctx, tx, old, result)
}

// removeAlerts removes those of the alerts that have come to their end. On PostgreSQL it locks what it removes, so that
// nothing begins anew meanwhile, and leaves what others have locked to the next time, so that nobody waits in a circle.
func (s *Store) removeAlerts(ctx context.Context, tx bun.Tx, ids []int64, result *Trimmed) error {
	lock := ""
	if s.isPostgres() {
		lock = "FOR UPDATE SKIP LOCKED"
	}
	var alerts []int64
	err := tx.NewRaw("SELECT id FROM alerts WHERE id IN (?) "+lock, bun.List(ids)).Scan(ctx, &alerts)
	if err != nil || len(alerts) == 0 {
		return err
	}
	// From here on none of them gets another delivery.
	type delivery struct{ ID, AlertID int64 }
	var ended, all []delivery
	err = tx.NewRaw("SELECT id, alert_id FROM deliveries WHERE alert_id IN (?) AND status <> 'PENDING' "+lock, bun.List(alerts)).Scan(ctx, &ended)
	if err != nil {
		return err
	}
	err = tx.NewRaw("SELECT id, alert_id FROM deliveries WHERE alert_id IN (?)", bun.List(alerts)).Scan(ctx, &all)
	if err != nil {
		return err
	}
	removable := make(map[int64]bool, len(ended))
	for _, d := range ended {
		removable[d.ID] = true
	}
	stays := make(map[int64]bool)
	for _, d := range all {
		if !removable[d.ID] {
			stays[d.AlertID] = true
		}
	}
	var goneAlerts, goneDeliveries []int64
	for _, id := range alerts {
		if !stays[id] {
			goneAlerts = append(goneAlerts, id)
		}
	}
	for _, d := range ended {
		if !stays[d.AlertID] {
			goneDeliveries = append(goneDeliveries, d.ID)
		}
	}
	if result.Attempts, err = remove(ctx, tx, "DELETE FROM attempts WHERE delivery_id IN (?)", goneDeliveries); err != nil {
		return err
	}
	if result.Deliveries, err = remove(ctx, tx, "DELETE FROM deliveries WHERE id IN (?)", goneDeliveries); err != nil {
		return err
	}
	if _, err = remove(ctx, tx, "DELETE FROM alert_events WHERE alert_id IN (?)", goneAlerts); err != nil {
		return err
	}
	result.Alerts, err = remove(ctx, tx, "DELETE FROM alerts WHERE id IN (?)", goneAlerts)
	return err
}

func remove(ctx context.Context, tx bun.Tx, query string, ids []int64) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	res, err := tx.NewRaw(query, bun.List(ids)).Exec(ctx)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}
